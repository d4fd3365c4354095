"""The largest magnitude of lines and the first place that has it, and maps with one entry, there.

Bytes moved: `chunks` reads a line once, `mark` writes it once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import (
    INFINITE,
    THREADS,
    bits,
    body,
    fetch,
    first_of,
    index_of,
    later,
    line_start,
    narrow,
    order_of,
    place_of,
    post,
    raw_of,
    share,
    slope,
    wide,
)
from normkit.backends.cuda.maps.scalars import exponent, kernel, scalar, scaled

Array = Any
Int = Any  # in the simulator of NumPy's types


@scalar
def highest(x: Array, base: Int, size: Any, at: Any, part: Any) -> Any:
    """Return the largest bits of the entries k, k + step, ... below `stop`, and their lowest index."""
    k, stop, step = part
    top, place = np.int64(-1), np.int64(0)
    while k + 3 * step < stop:
        u = np.int64(bits(fetch(x, base + place_of(k, size, at))))
        v = np.int64(bits(fetch(x, base + place_of(k + step, size, at))))
        y = np.int64(bits(fetch(x, base + place_of(k + 2 * step, size, at))))
        z = np.int64(bits(fetch(x, base + place_of(k + 3 * step, size, at))))
        if later(top, place, u, index_of(k, size)):
            top, place = u, index_of(k, size)
        if later(top, place, v, index_of(k + step, size)):
            top, place = v, index_of(k + step, size)
        if later(top, place, y, index_of(k + 2 * step, size)):
            top, place = y, index_of(k + 2 * step, size)
        if later(top, place, z, index_of(k + 3 * step, size)):
            top, place = z, index_of(k + 3 * step, size)
        k += 4 * step
    while k < stop:
        u = np.int64(bits(fetch(x, base + place_of(k, size, at))))
        if later(top, place, u, index_of(k, size)):
            top, place = u, index_of(k, size)
        k += step
    return top, place


@kernel
def chunks(x: Array, at: Any, size: Any, chunk: Int, strides: Any, tops: Array, places: Array) -> None:
    """Look through one chunk of one line per group of threads."""
    shared_tops = cuda.shared.array(THREADS, np.int64)
    shared_places = cuda.shared.array(THREADS, np.int64)
    lane = np.int64(cuda.threadIdx.x)
    t = lane + np.int64(cuda.threadIdx.y) * np.int64(cuda.blockDim.x)
    line, part = share(size, chunk)
    base = line_start(line, size, at) if part[1] > 0 else np.int64(0)
    shared_tops[t], shared_places[t] = highest(x, base, size, at, part)
    first_of(shared_tops, shared_places, t, lane)
    if part[1] > 0 and lane == 0:
        place = line * strides[1] + np.int64(cuda.blockIdx.y) * strides[2]
        tops[place], places[place] = shared_tops[t], shared_places[t]


@kernel
def settle(
    tops: Array,
    places: Array,
    strides: Any,
    count: Int,
    m: float,
    n: float,
    times: float,
    top: Array,
    place: Array,
    values: Array,
) -> None:
    """Take the first largest of the chunks of every line: `strides` is (lines, to the next line, to the next chunk).

    The value is times * post(body(top)), by the power of two near top.
    """
    shared_tops = cuda.shared.array(THREADS, np.int64)
    shared_places = cuda.shared.array(THREADS, np.int64)
    lane = np.int64(cuda.threadIdx.x)
    t = lane + np.int64(cuda.threadIdx.y) * np.int64(cuda.blockDim.x)
    line = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.y) + np.int64(cuda.threadIdx.y)
    best, where, k = np.int64(-1), np.int64(0), lane
    while line < strides[0] and k < count:
        here = line * strides[1] + k * strides[2]
        if later(best, where, tops[here], places[here]):
            best, where = tops[here], places[here]
        k += np.int64(cuda.blockDim.x)
    shared_tops[t], shared_places[t] = best, where
    first_of(shared_tops, shared_places, t, lane)
    if lane > 0 or line >= strides[0]:
        return
    best = shared_tops[t]
    top[line], place[line] = best, shared_places[t]
    a = np.float64(wide(raw_of(best)))
    if best >= INFINITE:
        values[line] = np.float64(np.nan)
    elif best == 0:
        values[line] = np.float64(0.0)
    else:
        e = exponent(a)
        s = np.float64(body(scaled(a, -e), m, n))
        values[line] = times * scaled(post(s, m, n), e)


@scalar
def entry_of(top: Int, gain: float, m: float, n: float) -> Any:
    """Return gain * slope at the largest entry, 0 where it is zero or not finite."""
    if top == 0 or top >= INFINITE or gain == 0.0:
        return np.float64(0.0)
    a = np.float64(wide(raw_of(top)))
    near = scaled(a, -exponent(a))
    return np.float64(gain * slope(near, np.float64(body(near, m, n)), m, n))


@kernel
def mark(
    x: Array,
    at: Any,
    out: Array,
    to: Any,
    size: Any,
    chunk: Int,
    m: float,
    n: float,
    times: float,
    gain: Array,
    top: Array,
    place: Array,
) -> None:
    """Write zeros, and gain * sign * slope at the place of the largest entry: one chunk per group of threads."""
    line, (k, stop, step) = share(size, chunk)
    if stop == 0:
        return
    target, there = line_start(line, size, to), order_of(place[line], size)
    made = entry_of(top[line], gain[line] * times, m, n)
    if wide(fetch(x, line_start(line, size, at) + place_of(there, size, at))) < 0:
        made = -made
    entry, nought = narrow(made), narrow(np.float64(0.0))
    while k < stop:
        out[np.uint64(target + place_of(k, size, to))] = entry if k == there else nought
        k += step
