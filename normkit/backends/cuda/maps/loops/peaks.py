"""The largest magnitude of lines and the first place that has it, and maps with one entry, there.

Bytes moved: `chunks` and `columns` read a line once, `mark` writes it once.
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
    slope,
    wide,
)
from normkit.backends.cuda.maps.scalars import exponent, kernel, scalar, scaled

Array = Any


@scalar
def highest(x: Array, base: int, size: Any, at: Any, part: Any) -> Any:
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
def chunks(x: Array, at: Any, size: Any, width: int, chunk: int, tops: Array, places: Array) -> None:
    """Look through one chunk of one line per group of threads."""
    shared_tops = cuda.shared.array(THREADS, np.int64)
    shared_places = cuda.shared.array(THREADS, np.int64)
    t, stop = np.int64(cuda.threadIdx.x), size[2] * size[3]
    count = (stop + chunk - 1) // chunk
    task, lane = np.int64(cuda.blockIdx.x) * (THREADS // width) + t // width, t % width
    line, first = task // count, task % count * chunk
    alive = line < size[0] * size[1]
    base = line_start(line, size, at) if alive else np.int64(0)
    last = min(stop, first + chunk) if alive else np.int64(0)
    shared_tops[t], shared_places[t] = highest(x, base, size, at, (first + lane, last, width))
    first_of(shared_tops, shared_places, t, lane, width)
    if alive and lane == 0:
        tops[task], places[task] = shared_tops[t], shared_places[t]


@kernel
def columns(x: Array, at: Any, size: Any, chunk: int, tops: Array, places: Array) -> None:
    """Look through one chunk of one line per thread, where neighbours in memory belong to neighbouring lines."""
    line, first = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.y) * chunk
    if line < size[0] * size[1]:
        part = (first, min(size[2] * size[3], first + chunk), np.int64(1))
        place = np.int64(cuda.blockIdx.y) * size[0] * size[1] + line
        tops[place], places[place] = highest(x, line_start(line, size, at), size, at, part)


@kernel
def settle(
    tops: Array,
    places: Array,
    strides: Any,
    count: int,
    width: int,
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
    t = np.int64(cuda.threadIdx.x)
    lane, line = t % width, np.int64(cuda.blockIdx.x) * (THREADS // width) + t // width
    best, where, k = np.int64(-1), np.int64(0), lane
    while line < strides[0] and k < count:
        here = line * strides[1] + k * strides[2]
        if later(best, where, tops[here], places[here]):
            best, where = tops[here], places[here]
        k += width
    shared_tops[t], shared_places[t] = best, where
    first_of(shared_tops, shared_places, t, lane, width)
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
def entry_of(top: int, gain: float, m: float, n: float) -> Any:
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
    width: int,
    chunk: int,
    m: float,
    n: float,
    times: float,
    gain: Array,
    top: Array,
    place: Array,
) -> None:
    """Write zeros, and gain * sign * slope at the place of the largest entry: one chunk per group of threads."""
    t, stop = np.int64(cuda.threadIdx.x), size[2] * size[3]
    count = (stop + chunk - 1) // chunk
    task = np.int64(cuda.blockIdx.x) * (THREADS // width) + t // width
    line, k = task // count, task % count * chunk + t % width
    if line >= size[0] * size[1]:
        return
    target, last = line_start(line, size, to), min(stop, task % count * chunk + chunk)
    there = order_of(place[line], size)
    made = entry_of(top[line], gain[line] * times, m, n)
    if wide(fetch(x, line_start(line, size, at) + place_of(there, size, at))) < 0:
        made = -made
    while k < last:
        out[np.uint64(target + place_of(k, size, to))] = narrow(made if k == there else np.float64(0.0))
        k += width


@kernel
def mark_columns(
    x: Array,
    at: Any,
    out: Array,
    to: Any,
    size: Any,
    chunk: int,
    m: float,
    n: float,
    times: float,
    gain: Array,
    top: Array,
    place: Array,
) -> None:
    """Do as `mark` does where every thread takes one line."""
    line, k = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.y) * chunk
    if line >= size[0] * size[1]:
        return
    target, last = line_start(line, size, to), min(size[2] * size[3], k + chunk)
    there = order_of(place[line], size)
    made = entry_of(top[line], gain[line] * times, m, n)
    if wide(fetch(x, line_start(line, size, at) + place_of(there, size, at))) < 0:
        made = -made
    while k < last:
        out[np.uint64(target + place_of(k, size, to))] = narrow(made if k == there else np.float64(0.0))
        k += 1
