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
    share,
    slope,
    tree,
    wide,
)
from normkit.backends.cuda.maps.scalars import exponent, kernel, scalar, scaled, two

Array = Any
Int = Any  # in the simulator of NumPy's types


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
def measured(x: Array, base: Int, size: Any, at: Any, part: Any, adds: bool, f: Any, g: Any, m: Any, n: Any) -> Any:
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
def harmless(s: Any, top: Int, count: Int) -> bool:
    """Tell whether a plain sum is as good as a scaled one, or the line needs none: it is zero, or not finite."""
    return top == 0 or top >= INFINITE or (DEGREE > 0 and SAFE[0] * count < s < SAFE[1])


@scalar
def top_exponent(top: Int) -> Any:
    """Return e with the magnitude of these bits in [2**(e-1), 2**e)."""
    return exponent(np.float64(wide(raw_of(top))))


@scalar
def settled(s: Any, e: Int, top: Int) -> Any:
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
def value_of(s: Any, e: Int, times: float, m: float, n: float) -> Any:
    """Return times * post(s) * 2**e, 0 for a zero line."""
    return np.float64(0.0) if s == 0.0 else times * scaled(post(s, m, n), e)


@scalar
def factors(s: Any, e: Int, gain: float, m: Any, n: Any) -> Any:
    """Return what the map of a line needs: whether it is zero; its factor; f and g, product 2**-e; s; +, - and 0."""
    half = e // 2
    f, g, by, zero = two(-half), two(half - e), np.float64(gain), s == 0.0 or gain == 0.0
    if CONSTANT:
        by, zero = np.float64(gain * slope(Real(1.0), Real(1.0), m, n)), gain == 0.0
    if LINEAR:
        by = np.float64(gain * slope(Real(1.0), Real(s), m, n) * g)
    up, down = narrow(Real(by)), narrow(Real(-by))
    return zero, Real(by), Real(f), Real(g), Real(s), up, down, narrow(Real(0.0))


@scalar
def mapped(raw: Any, line: Any, m: Any, n: Any) -> Any:
    """Return the map at one entry of a line that is not zero; `line` is what `factors` returns."""
    _, by, f, g, s, up, down, nought = line
    entry = wide(raw)
    if CONSTANT:
        return up if entry > 0 else (down if entry < 0 else nought)
    if LINEAR:
        return narrow(entry * f * by)
    made = by * Real(slope(abs(entry) * f * g, s, m, n))
    return narrow(made if entry > 0 else (-made if entry < 0 else Real(0.0)))


@scalar
def word_mapped(word: Any, line: Any, m: Any, n: Any) -> Any:
    """Return the map at the entries of a word."""
    if line[0]:
        return join(line[7], line[7])
    made = mapped(low(word), line, m, n)
    return join(made, mapped(high(word), line, m, n)) if PAIRED else join(made, made)


@scalar
def spread_words(
    x: Array, out: Array, starts: Any, size: Any, strides: Any, part: Any, line: Any, m: Any, n: Any
) -> None:
    """Write the map of the words k, k + step, ... below `stop`: `starts` and `strides` are those of x, then of out."""
    k, stop, step = part
    base, target = starts
    at, to = strides
    while k + 3 * step < stop:
        u = fetch(x, base + place_of(k, size, at))
        v = fetch(x, base + place_of(k + step, size, at))
        y = fetch(x, base + place_of(k + 2 * step, size, at))
        z = fetch(x, base + place_of(k + 3 * step, size, at))
        out[np.uint64(target + place_of(k, size, to))] = word_mapped(u, line, m, n)
        out[np.uint64(target + place_of(k + step, size, to))] = word_mapped(v, line, m, n)
        out[np.uint64(target + place_of(k + 2 * step, size, to))] = word_mapped(y, line, m, n)
        out[np.uint64(target + place_of(k + 3 * step, size, to))] = word_mapped(z, line, m, n)
        k += 4 * step
    while k < stop:
        u = fetch(x, base + place_of(k, size, at))
        out[np.uint64(target + place_of(k, size, to))] = word_mapped(u, line, m, n)
        k += step


@kernel
def lines(
    x: Array,
    at: Any,
    out: Array,
    to: Any,
    size: Any,
    m: float,
    n: float,
    times: float,
    gain: Array,
    writes: Int,
    s_out: Array,
    e_out: Array,
    values: Array,
) -> None:
    """Measure lines that one group of threads reads at once; with `writes`, write gain * map from cache right away."""
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    lane = np.int64(cuda.threadIdx.x)
    t = lane + np.int64(cuda.threadIdx.y) * np.int64(cuda.blockDim.x)
    line, part = share(size, size[2] * size[3])
    alive, rows, columns, one = part[1] > 0, Real(m), Real(n), Real(1.0)
    base = line_start(line, size, at) if alive else np.int64(0)
    sums[t], tops[t] = measured(x, base, size, at, part, DEGREE > 0, one, one, rows, columns)
    tree(sums, tops, t, lane)
    s, top, e = sums[t - lane], tops[t - lane], np.int64(0)
    again = alive and not harmless(s, top, part[1])
    if cuda.syncthreads_or(np.int32(again)):
        e = top_exponent(top) if again else np.int64(0)
        half = e // 2
        f, g = Real(two(-half)), Real(two(half - e))
        once_more = (part[0], part[1] if again else np.int64(0), part[2])
        sums[t], tops[t] = measured(x, base, size, at, once_more, True, f, g, rows, columns)
        tree(sums, tops, t, lane)
        s = sums[t - lane] if again else s
    s, e = settled(s, e, top)
    if alive and lane == 0:
        s_out[line], e_out[line] = s, e
        values[line] = value_of(s, e, times, m, n)
    if alive and writes > 0:
        known = factors(s, e, gain[line] * times, rows, columns)
        spread_words(x, out, (base, line_start(line, size, to)), size, (at, to), part, known, rows, columns)


@kernel
def chunks(
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
    writes: Int,
    phase: Int,
    e: Array,
    left: Array,
    strides: Any,
    partial: Array,
    peaks: Array,
) -> None:
    """Measure one chunk of one line per group of threads, in phase 1 only of lines that are `left`, scaled.

    With `writes`, for a constant slope, the map of the chunk is written in the same pass.
    """
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    lane = np.int64(cuda.threadIdx.x)
    t = lane + np.int64(cuda.threadIdx.y) * np.int64(cuda.blockDim.x)
    line, (first, stop, step) = share(size, chunk)
    alive, rows, columns = stop > 0, Real(m), Real(n)
    if alive and phase == 1:
        alive = left[line] > 0
    by = e[line] if alive and phase == 1 else np.int64(0)
    half = by // 2
    f, g, part = Real(two(-half)), Real(two(half - by)), (first, stop if alive else np.int64(0), step)
    base = line_start(line, size, at) if alive else np.int64(0)
    sums[t], tops[t] = measured(x, base, size, at, part, DEGREE > 0 or phase == 1, f, g, rows, columns)
    if writes > 0 and alive:
        known = factors(np.float64(1.0), np.int64(0), gain[line] * times, rows, columns)
        spread_words(x, out, (base, line_start(line, size, to)), size, (at, to), part, known, rows, columns)
    tree(sums, tops, t, lane)
    if alive and lane == 0:
        place = line * strides[1] + np.int64(cuda.blockIdx.y) * strides[2]
        partial[place], peaks[place] = sums[t], tops[t]


@kernel
def settle(
    partial: Array,
    peaks: Array,
    strides: Any,
    count: Int,
    entries: Int,
    m: float,
    n: float,
    times: float,
    phase: Int,
    s: Array,
    e: Array,
    left: Array,
    values: Array,
) -> None:
    """Add the chunks of every line: `strides` is (lines, from line to line, from chunk to chunk).

    Phase 0 finishes the lines that are harmless and leaves the others with their exponents; phase 1 finishes those.
    """
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    lane = np.int64(cuda.threadIdx.x)
    t = lane + np.int64(cuda.threadIdx.y) * np.int64(cuda.blockDim.x)
    line = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.y) + np.int64(cuda.threadIdx.y)
    alive = line < strides[0]
    if alive and phase == 1:
        alive = left[line] > 0
    found, top, k = np.float64(0.0), np.int64(0), lane
    while alive and k < count:
        place = line * strides[1] + k * strides[2]
        found += partial[place]
        top = max(top, peaks[place])
        k += np.int64(cuda.blockDim.x)
    sums[t], tops[t] = found, top
    tree(sums, tops, t, lane)
    if not alive or lane > 0:
        return
    found, top = sums[t], tops[t]
    if phase == 0 and not harmless(found, top, entries):
        left[line], e[line] = 1, top_exponent(top)
        return
    s[line], e[line] = settled(found, e[line] if phase == 1 else np.int64(0), top)
    left[line] = 0
    values[line] = value_of(s[line], e[line], times, m, n)


@kernel
def spread(
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
    s: Array,
    e: Array,
) -> None:
    """Write gain * map of lines that were measured before: one chunk of one line per group of threads."""
    line, part = share(size, chunk)
    if part[1] == 0:
        return
    rows, columns = Real(m), Real(n)
    known = factors(s[line], e[line], gain[line] * times, rows, columns)
    starts = (line_start(line, size, at), line_start(line, size, to))
    spread_words(x, out, starts, size, (at, to), part, known, rows, columns)
