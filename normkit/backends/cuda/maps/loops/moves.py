"""Entries from one place and format to another, sums of two arrays, and multiples entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import (
    INFINITE,
    THREADS,
    Real,
    bits,
    fetch,
    index_of,
    line_start,
    narrow,
    order_of,
    place_of,
    raw_of,
    share,
    tree,
    wide,
)
from normkit.backends.cuda.maps.scalars import exponent, kernel, scalar, scaled

Array = Any
Int = Any  # in the simulator of NumPy's types


@scalar
def strided(k: Int, sizes: Any, strides: Any) -> Any:
    """Return the place of entry k, in the order of the axes, of six axes."""
    place = k % sizes[5] * strides[5]
    k //= sizes[5]
    place += k % sizes[4] * strides[4]
    k //= sizes[4]
    place += k % sizes[3] * strides[3]
    k //= sizes[3]
    place += k % sizes[2] * strides[2]
    k //= sizes[2]
    return place + k % sizes[1] * strides[1] + k // sizes[1] * strides[0]


@kernel
def gather(x: Array, start: Int, sizes: Any, strides: Any, out: Array, count: Int) -> None:
    """Write the entries of six axes with any strides one after the other."""
    k = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    if k < count:
        out[np.uint64(k)] = narrow(wide(fetch(x, start + strided(k, sizes, strides))))


@kernel
def scatter(x: Array, out: Array, start: Int, sizes: Any, strides: Any, count: Int) -> None:
    """Write entries that lie one after the other to six axes with any strides."""
    k = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    if k < count:
        out[np.uint64(start + strided(k, sizes, strides))] = narrow(wide(fetch(x, k)))


@kernel
def add(x: Array, at: Any, out: Array, to: Any, size: Any, chunk: Int) -> None:
    """Add lines to lines."""
    line, (k, stop, step) = share(size, chunk)
    base, target = line_start(line, size, at), line_start(line, size, to)
    while k < stop:
        here = np.uint64(target + place_of(k, size, to))
        out[here] = narrow(Real(out[here]) + Real(wide(fetch(x, base + place_of(k, size, at)))))
        k += step


@kernel
def weigh(x: Array, at: Any, out: Array, to: Any, size: Any, chunk: Int, w: Array) -> None:
    """Write w times every line, entry by entry."""
    line, (k, stop, step) = share(size, chunk)
    base, target = line_start(line, size, at), line_start(line, size, to)
    while k < stop:
        here = np.uint64(target + place_of(k, size, to))
        out[here] = narrow(w[np.uint64(index_of(k, size))] * np.float64(wide(fetch(x, base + place_of(k, size, at)))))
        k += step


@kernel
def multiply(x: Array, at: Any, out: Array, to: Any, size: Any, chunk: Int, gain: Array, times: float) -> None:
    """Write times * gain * x, a number `gain` per line."""
    line, (k, stop, step) = share(size, chunk)
    base, target = line_start(line, size, at), line_start(line, size, to)
    up = gain[line] * times if stop > 0 else np.float64(0.0)
    while k < stop:
        here = np.uint64(target + place_of(k, size, to))
        out[here] = narrow(up * np.float64(wide(fetch(x, base + place_of(k, size, at)))))
        k += step


@kernel
def take(x: Array, at: Any, size: Any, entries: Array, count: Int, out: Array, to: Any, like: Any) -> None:
    """Write entry entries[k] of x to place k of a line, 0 where that is negative: `size` is of x, `like` of out."""
    task = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    line, k = task // count, task % count
    if line < size[0] * size[1]:
        entry, made = entries[np.uint64(index_of(k, like))], np.float64(0.0)
        if entry >= 0:
            made = np.float64(wide(fetch(x, line_start(line, size, at) + place_of(order_of(entry, size), size, at))))
        out[np.uint64(line_start(line, like, to) + place_of(k, like, to))] = narrow(made)


@kernel
def spoil(x: Array, at: Any, size: Any, values: Array) -> None:
    """Make the value NaN of every line with an entry that is not finite; a block per line."""
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    t, line = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x)
    base, k, top = line_start(line, size, at), t, np.int64(0)
    while k < size[2] * size[3]:
        top = max(top, np.int64(bits(fetch(x, base + place_of(k, size, at)))))
        k += THREADS
    sums[t], tops[t] = np.float64(0.0), top
    tree(sums, tops, t, t)
    if t == 0 and tops[0] >= INFINITE:
        values[line] = np.float64(np.nan)


@kernel
def shrink(x: Array, at: Any, out: Array, to: Any, size: Any, e: Array) -> None:
    """Write every line over the power of two near its largest magnitude; a block per line."""
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    t, line = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x)
    base, target, k, top = line_start(line, size, at), line_start(line, size, to), t, np.int64(0)
    while k < size[2] * size[3]:
        top = max(top, np.int64(bits(fetch(x, base + place_of(k, size, at)))))
        k += THREADS
    sums[t], tops[t] = np.float64(0.0), top
    tree(sums, tops, t, t)
    by = np.int64(0) if tops[0] >= INFINITE else exponent(np.float64(wide(raw_of(tops[0]))))
    k = t
    while k < size[2] * size[3]:
        entry = np.float64(wide(fetch(x, base + place_of(k, size, at))))
        out[np.uint64(target + place_of(k, size, to))] = narrow(scaled(entry, -by))
        k += THREADS
    if t == 0:
        e[line] = by


@kernel
def grow(values: Array, e: Array, count: Int) -> None:
    """Multiply every value by its power of two."""
    k = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    if k < count:
        values[k] = scaled(values[k], e[k])


@kernel
def fill(out: Array, value: float, count: Int) -> None:
    """Write one number everywhere."""
    k = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    if k < count:
        out[np.uint64(k)] = value
