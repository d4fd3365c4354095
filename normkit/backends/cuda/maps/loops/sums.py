"""Sums of a scalar body over lines, and their maps: one pass over memory where the line, or its map, allows it.

Bodies are taken in `Real`, at most four words at a time; all other sums are float64, in an order that the sizes alone
fix. The bits of the largest magnitude are taken in the same pass: they tell what is not finite, and the power of two
for a line whose plain sum left the safe range. Bytes moved: `lines` reads a line once (its second look finds it in
cache) and writes it once; `chunks` reads once, and writes once where the slope is constant; `spread` reads and writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import (
    CONSTANT,
    DEGREE,
    INFINITE,
    LINEAR,
    PAIRED,
    SAFE,
    THREADS,
    Real,
    bits,
    body,
    fetch,
    high,
    join,
    line_start,
    low,
    narrow,
    place_of,
    post,
    raw_of,
    slope,
    tree,
    wide,
)
from normkit.backends.cuda.maps.scalars import exponent, kernel, scalar, scaled, two

Array = Any


@scalar
def term(raw: Any, f: Any, g: Any, m: Any, n: Any) -> Any:
    """Return the body at abs(entry) * f * g."""
    return Real(body(abs(wide(raw)) * f * g, m, n))


@scalar
def word_term(word: Any, f: Any, g: Any, m: Any, n: Any) -> Any:
    """Return the bodies of the entries of a word."""
    s = term(low(word), f, g, m, n)
    return s + term(high(word), f, g, m, n) if PAIRED else s


@scalar
def word_top(word: Any) -> Any:
    """Return the bits of the larger magnitude of a word."""
    return max(bits(low(word)), bits(high(word))) if PAIRED else bits(word)


@scalar
def measured(x: Array, base: int, size: Any, at: Any, part: Any, adds: bool, f: Any, g: Any, m: Any, n: Any) -> Any:
    """Return the sum of the bodies if `adds`, and the largest bits, of the words k, k + step, ... below `stop`."""
    k, stop, step = part
    s, top = np.float64(0.0), np.int64(0)
    while k + 3 * step < stop:
        u = fetch(x, base + place_of(k, size, at))
        v = fetch(x, base + place_of(k + step, size, at))
        y = fetch(x, base + place_of(k + 2 * step, size, at))
        z = fetch(x, base + place_of(k + 3 * step, size, at))
        if adds:
            front = word_term(u, f, g, m, n) + word_term(v, f, g, m, n)
            s += np.float64(front + (word_term(y, f, g, m, n) + word_term(z, f, g, m, n)))
        top = max(top, np.int64(max(max(word_top(u), word_top(v)), max(word_top(y), word_top(z)))))
        k += 4 * step
    while k < stop:
        u = fetch(x, base + place_of(k, size, at))
        if adds:
            s += np.float64(word_term(u, f, g, m, n))
        top = max(top, np.int64(word_top(u)))
        k += step
    return s, top


@scalar
def harmless(s: Any, top: int, count: int) -> bool:
    """Tell whether a plain sum is as good as a scaled one, or the line needs none: it is zero, or not finite."""
    return top == 0 or top >= INFINITE or (DEGREE > 0 and SAFE[0] * count < s < SAFE[1])


@scalar
def top_exponent(top: int) -> Any:
    """Return e with the magnitude of these bits in [2**(e-1), 2**e)."""
    return exponent(np.float64(wide(raw_of(top))))


@scalar
def settled(s: Any, e: int, top: int) -> Any:
    """Return (s, e) of a line: s is 0 or NaN where the line is zero or not finite; else near 1 if it is homogeneous."""
    if top == 0:
        return np.float64(0.0), np.int64(0)
    if top >= INFINITE:
        return np.float64(np.nan), np.int64(0)
    if DEGREE > 0:
        more = np.int64(exponent(s) // DEGREE)
        return s * two(-more * DEGREE), np.int64(e + more)
    return s, np.int64(e)


@scalar
def value_of(s: Any, e: int, times: float, m: float, n: float) -> Any:
    """Return times * post(s) * 2**e, 0 for a zero line."""
    return np.float64(0.0) if s == 0.0 else times * scaled(post(s, m, n), e)


@scalar
def factors(s: Any, e: int, gain: float, m: Any, n: Any) -> Any:
    """Return what the map of a line needs: whether it is zero, its factor, and two powers of two, product 2**-e."""
    if CONSTANT:
        return gain == 0.0, Real(gain * slope(Real(1.0), Real(1.0), m, n)), Real(1.0), Real(1.0)
    half = e // 2
    f, g = two(-half), two(half - e)
    if LINEAR:
        return s == 0.0 or gain == 0.0, Real(gain * slope(Real(1.0), Real(s), m, n) * g), Real(f), Real(g)
    return s == 0.0 or gain == 0.0, Real(gain), Real(f), Real(g)


@scalar
def mapped(raw: Any, by: Any, f: Any, g: Any, s: Any, m: Any, n: Any) -> Any:
    """Return the map at one entry of a line that is not zero."""
    entry = wide(raw)
    if LINEAR:
        return narrow(entry * f * by)
    made = by if CONSTANT else by * Real(slope(abs(entry) * f * g, s, m, n))
    return narrow(made if entry > 0 else (-made if entry < 0 else Real(0.0)))


@scalar
def word_mapped(word: Any, zero: bool, by: Any, f: Any, g: Any, s: Any, m: Any, n: Any) -> Any:
    """Return the map at the entries of a word."""
    if zero:
        return join(narrow(Real(0.0)), narrow(Real(0.0)))
    made = mapped(low(word), by, f, g, s, m, n)
    return join(made, mapped(high(word), by, f, g, s, m, n)) if PAIRED else join(made, made)


@scalar
def spread_words(
    x: Array, base: int, at: Any, out: Array, target: int, to: Any, size: Any, part: Any, line: Any, m: Any, n: Any
) -> None:
    """Write the map of the words k, k + step, ... below `stop`; `line` holds the results of `factors`, and s."""
    k, stop, step = part
    zero, by, f, g, s = line
    while k + 3 * step < stop:
        u = fetch(x, base + place_of(k, size, at))
        v = fetch(x, base + place_of(k + step, size, at))
        y = fetch(x, base + place_of(k + 2 * step, size, at))
        z = fetch(x, base + place_of(k + 3 * step, size, at))
        out[np.uint64(target + place_of(k, size, to))] = word_mapped(u, zero, by, f, g, s, m, n)
        out[np.uint64(target + place_of(k + step, size, to))] = word_mapped(v, zero, by, f, g, s, m, n)
        out[np.uint64(target + place_of(k + 2 * step, size, to))] = word_mapped(y, zero, by, f, g, s, m, n)
        out[np.uint64(target + place_of(k + 3 * step, size, to))] = word_mapped(z, zero, by, f, g, s, m, n)
        k += 4 * step
    while k < stop:
        u = fetch(x, base + place_of(k, size, at))
        out[np.uint64(target + place_of(k, size, to))] = word_mapped(u, zero, by, f, g, s, m, n)
        k += step


@kernel
def lines(
    x: Array, at: Any, out: Array, to: Any, size: Any, width: int, m: float, n: float, times: float, gain: Array, writes: int, s_out: Array, e_out: Array, values: Array
) -> None:
    """Measure lines that one group of threads reads at once; with `writes`, write gain * map from cache right away."""
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    t = np.int64(cuda.threadIdx.x)
    lane, line = t % width, np.int64(cuda.blockIdx.x) * (THREADS // width) + t // width
    alive = line < size[0] * size[1]
    base = line_start(line, size, at) if alive else np.int64(0)
    stop = size[2] * size[3] if alive else np.int64(0)
    rows, columns, one = Real(m), Real(n), Real(1.0)
    sums[t], tops[t] = measured(x, base, size, at, (lane, stop, width), DEGREE > 0, one, one, rows, columns)
    tree(sums, tops, t, lane, width)
    s, top, e = sums[t - lane], tops[t - lane], np.int64(0)
    again = alive and not harmless(s, top, stop)
    if cuda.syncthreads_or(again):
        e = top_exponent(top) if again else np.int64(0)
        half = e // 2
        f, g = Real(two(-half)), Real(two(half - e))
        part = (lane, stop if again else np.int64(0), width)
        sums[t], tops[t] = measured(x, base, size, at, part, True, f, g, rows, columns)
        tree(sums, tops, t, lane, width)
        s = sums[t - lane] if again else s
    s, e = settled(s, e, top)
    if alive and lane == 0:
        s_out[line], e_out[line] = s, e
        values[line] = value_of(s, e, times, m, n)
    if alive and writes > 0:
        zero, by, f, g = factors(s, e, gain[line] * times, rows, columns)
        known = (zero, by, f, g, Real(s))
        spread_words(x, base, at, out, line_start(line, size, to), to, size, (lane, stop, width), known, rows, columns)


@kernel
def chunks(
    x: Array, at: Any, out: Array, to: Any, size: Any, chunk: int, m: float, n: float, times: float, gain: Array, writes: int, phase: int, e: Array, left: Array, partial: Array, peaks: Array
) -> None:
    """Measure one chunk of one line per block, in phase 1 only of lines that are `left`, scaled.

    With `writes`, for a constant slope, the map of the chunk is written in the same pass.
    """
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    t, task, stop = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x), size[2] * size[3]
    count = (stop + chunk - 1) // chunk
    line, here = task // count, task % count
    if phase == 1 and left[line] == 0:
        return
    adds = DEGREE > 0 or phase == 1
    half = e[line] // 2 if phase == 1 else np.int64(0)
    f, g = Real(two(-half)), Real(two(half - e[line] if phase == 1 else np.int64(0)))
    base, first = line_start(line, size, at), here * chunk
    last = min(stop, first + chunk)
    rows, columns = Real(m), Real(n)
    sums[t], tops[t] = measured(x, base, size, at, (first + t, last, np.int64(THREADS)), adds, f, g, rows, columns)
    if writes > 0:
        zero, by, f, g = factors(np.float64(1.0), np.int64(0), gain[line] * times, rows, columns)
        known = (zero, by, f, g, Real(1.0))
        target = line_start(line, size, to)
        spread_words(x, base, at, out, target, to, size, (first + t, last, np.int64(THREADS)), known, rows, columns)
    tree(sums, tops, t, t, np.int64(THREADS))
    if t == 0:
        partial[task], peaks[task] = sums[0], tops[0]


@kernel
def columns(
    x: Array, at: Any, out: Array, to: Any, size: Any, chunk: int, m: float, n: float, times: float, gain: Array, writes: int, phase: int, e: Array, left: Array, partial: Array, peaks: Array
) -> None:
    """Do as `chunks` does where neighbours in memory belong to neighbouring lines: every thread takes one line."""
    line = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    count, first = size[0] * size[1], np.int64(cuda.blockIdx.y) * chunk
    if line >= count or (phase == 1 and left[line] == 0):
        return
    adds = DEGREE > 0 or phase == 1
    half = e[line] // 2 if phase == 1 else np.int64(0)
    f, g = Real(two(-half)), Real(two(half - e[line] if phase == 1 else np.int64(0)))
    base, last = line_start(line, size, at), min(size[2] * size[3], first + chunk)
    rows, cols, one = Real(m), Real(n), np.int64(1)
    s, top = measured(x, base, size, at, (first, last, one), adds, f, g, rows, cols)
    place = np.int64(cuda.blockIdx.y) * count + line
    partial[place], peaks[place] = s, top
    if writes > 0:
        zero, by, f, g = factors(np.float64(1.0), np.int64(0), gain[line] * times, rows, cols)
        known = (zero, by, f, g, Real(1.0))
        spread_words(x, base, at, out, line_start(line, size, to), to, size, (first, last, one), known, rows, cols)


@kernel
def settle(
    partial: Array, peaks: Array, strides: Any, count: int, width: int, entries: int, m: float, n: float, times: float, phase: int, s: Array, e: Array, left: Array, values: Array
) -> None:
    """Add the chunks of every line: `strides` is (lines, from line to line, from chunk to chunk).

    Phase 0 finishes the lines that are harmless and leaves the others with their exponents; phase 1 finishes those.
    """
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    t = np.int64(cuda.threadIdx.x)
    lane, line = t % width, np.int64(cuda.blockIdx.x) * (THREADS // width) + t // width
    alive = line < strides[0] and (phase == 0 or left[line] > 0)
    found, top = np.float64(0.0), np.int64(0)
    k = lane
    while alive and k < count:
        place = line * strides[1] + k * strides[2]
        found += partial[place]
        top = max(top, peaks[place])
        k += width
    sums[t], tops[t] = found, top
    tree(sums, tops, t, lane, width)
    if not alive or lane > 0:
        return
    if phase == 0:
        left[line] = 0 if harmless(sums[t], tops[t], entries) else 1
        e[line] = np.int64(0) if left[line] == 0 else top_exponent(tops[t])
    if phase == 1 or left[line] == 0:
        s[line], e[line] = settled(sums[t], e[line], tops[t])
        values[line] = value_of(s[line], e[line], times, m, n)


@kernel
def spread(
    x: Array, at: Any, out: Array, to: Any, size: Any, width: int, chunk: int, m: float, n: float, times: float, gain: Array, s: Array, e: Array
) -> None:
    """Write gain * map of lines that were measured before: `chunk` words of one line per group of threads."""
    t, stop = np.int64(cuda.threadIdx.x), size[2] * size[3]
    count = (stop + chunk - 1) // chunk
    task = np.int64(cuda.blockIdx.x) * (THREADS // width) + t // width
    line, first = task // count, task % count * chunk + t % width
    if line >= size[0] * size[1]:
        return
    rows, columns, last = Real(m), Real(n), min(stop, task % count * chunk + chunk)
    zero, by, f, g = factors(s[line], e[line], gain[line] * times, rows, columns)
    known = (zero, by, f, g, Real(s[line]))
    base, target = line_start(line, size, at), line_start(line, size, to)
    spread_words(x, base, at, out, target, to, size, (first, last, width), known, rows, columns)


@kernel
def spread_columns(
    x: Array, at: Any, out: Array, to: Any, size: Any, chunk: int, m: float, n: float, times: float, gain: Array, s: Array, e: Array
) -> None:
    """Do as `spread` does where every thread takes one line."""
    line, first = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.y) * chunk
    if line >= size[0] * size[1]:
        return
    rows, columns, last = Real(m), Real(n), min(size[2] * size[3], first + chunk)
    zero, by, f, g = factors(s[line], e[line], gain[line] * times, rows, columns)
    known = (zero, by, f, g, Real(s[line]))
    base, target = line_start(line, size, at), line_start(line, size, to)
    spread_words(x, base, at, out, target, to, size, (first, last, np.int64(1)), known, rows, columns)
