"""Maps of a sum of a scalar body: sign(x) * gain * slope, line by line while the line is in cache, or afterwards."""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.loops.bindings import DEGREE, LINEAR, MAGNITUDE, Bits, Float, body, slope
from normkit.backends.cpu.scalars import kernel, scalar, summing

Array = NDArray[Any]

SAFE = (1e-250, 1e250)
"""Sums of powers of unscaled entries in this range have lost nothing to underflow or overflow."""

LEFT = -9999
"""No exponent: the line is left for the second loop."""


@scalar
def two(k: int) -> float:
    """Return 2**k from its bits, for k within the exponents of normal numbers."""
    return np.int64((k + 1023) << 52).view(np.float64)


@scalar
def exponent(v: Array) -> int:
    """Return e with v in [2**(e-1), 2**e) from the bits of a normal number."""
    return int(np.float64(v).view(np.int64) >> 52) - 1022


@scalar
def term(entry: float, f: float, g: float, m: float, n: float) -> float:
    """Return the body at abs(entry) * f * g."""
    return body(abs(np.float64(entry)) * f * g, m, n)


@summing
def block_total(x: Array, f: float, g: float, m: float, n: float) -> float:
    """Return the sum of the terms of a contiguous vector."""
    s = 0.0
    for i in range(x.size):
        s += term(x[i], f, g, m, n)
    return s


@scalar
def line_total(x: Array, size: int, f: float, g: float, m: float, n: float) -> float:
    """Return the sum over a line, block by block, as `sums` and its caller take it."""
    s = 0.0
    for start in range(0, x.size, size):
        s += block_total(x[start : min(x.size, start + size)], f, g, m, n)
    return s


@scalar
def largest(x: Array) -> float:
    """Return the largest magnitude of a contiguous vector; infinite or NaN if one entry is."""
    bits = x.view(Bits)
    top = Bits(0)
    for i in range(bits.size):
        magnitude = Bits(bits[i] & MAGNITUDE)
        if magnitude > top:
            top = magnitude
    return np.float64(Bits(top).view(Float))


@scalar
def measure(x: Array, size: int, m: float, n: float) -> tuple[float, int]:
    """Return s and e: the sum of the bodies of abs(x) / 2**e, where 2**e is near the largest magnitude or the sum."""
    if DEGREE:
        s = line_total(x, size, 1.0, 1.0, m, n)
        if SAFE[0] < s < SAFE[1]:
            e = exponent(s) // DEGREE
            return s * two(-e * DEGREE), e
    top = largest(x)
    if not 0.0 < top < np.inf:
        return top * 0.0, 0
    e = frexp(top)[1]
    half = e // 2
    s = line_total(x, size, two(-half), two(half - e), m, n)
    if DEGREE:
        more = exponent(s) // DEGREE
        return s * two(-more * DEGREE), e + more
    return s, e


@scalar
def spread(x: Array, gain: float, s: float, e: int, m: float, n: float, out: Array) -> None:
    """Write gain * sign(x) * slope(abs(x) / 2**e, s)."""
    half = e // 2
    f, g = two(-half), two(half - e)
    if s == 0.0 or gain == 0.0:
        out[:] = 0
    elif LINEAR:
        times = gain * slope(1.0, s, m, n) * g
        if SAFE[0] < abs(times * f) < SAFE[1]:
            times *= f
            for i in range(x.size):
                out[i] = np.float64(x[i]) * times
        else:
            for i in range(x.size):
                out[i] = np.float64(x[i]) * f * times
    else:
        for i in range(x.size):
            entry = np.float64(x[i])
            value = gain * slope(abs(entry) * f * g, s, m, n)
            out[i] = value if entry > 0.0 else (-value if entry < 0.0 else 0.0)


@kernel
def fused(
    first: int, last: int, x: Array, size: int, gain: Array, m: float, n: float, s: Array, e: Array, out: Array
) -> None:
    """Measure every line and write its map at once: x (L, length), gain, s, e (L,).

    Short lines at a harmless scale whose map is a multiple of the line have a loop of their own, free of calls: it is
    bound by memory even for lines of 64 entries.
    """
    for line in range(first, last):
        e[line] = LEFT
        if DEGREE and LINEAR and x.shape[1] <= size:
            raw = block_total(x[line], 1.0, 1.0, m, n)
            if SAFE[0] < raw < SAFE[1]:
                k = exponent(raw) // DEGREE
                s[line] = raw * two(-k * DEGREE)
                times = gain[line] * slope(1.0, s[line], m, n) * two(-k)
                if SAFE[0] < abs(times) < SAFE[1]:
                    source, target = x[line], out[line]
                    for i in range(source.size):
                        target[i] = np.float64(source[i]) * times
                    e[line] = k
    for line in range(first, last):
        if e[line] == LEFT:
            s[line], e[line] = measure(x[line], size, m, n)
            spread(x[line], gain[line], s[line], e[line], m, n, out[line])


@kernel
def spreads(
    first: int, last: int, x: Array, size: int, gain: Array, s: Array, e: Array, m: float, n: float, out: Array
) -> None:
    """Write the map of lines measured before; tasks are blocks of `size` entries."""
    length = x.shape[1]
    blocks = (length + size - 1) // size
    for task in range(first, last):
        line, block = divmod(task, blocks)
        here = slice(block * size, min(length, (block + 1) * size))
        spread(x[line, here], gain[line], s[line], e[line], m, n, out[line, here])


@summing
def signed_total(x: Array, up: float, m: float, n: float, out: Array) -> float:
    """Write up * sign(x); return the sum of the terms."""
    s = 0.0
    for i in range(x.size):
        entry = x[i]
        s += term(entry, 1.0, 1.0, m, n)
        out[i] = up if entry > 0 else (-up if entry < 0 else Float(0))
    return s


@kernel
def signed_sums(
    first: int, last: int, x: Array, size: int, gain: Array, m: float, n: float, out: Array, sums: Array
) -> None:
    """Write gain * sign(x) and sum the bodies in one pass, where the slope is a number that `gain` holds."""
    length = x.shape[1]
    blocks = sums.shape[1]
    for task in range(first, last):
        line, block = divmod(task, blocks)
        here = slice(block * size, min(length, (block + 1) * size))
        sums[line, block] = signed_total(x[line, here], Float(gain[line]), m, n, out[line, here])


@kernel
def column_spreads(
    first: int, last: int, x: Array, rows: int, gain: Array, s: Array, e: Array, m: float, n: float, out: Array
) -> None:
    """Write the map of columns measured before: x (G, R, C); tasks are blocks of rows."""
    _, height, width = x.shape
    blocks = (height + rows - 1) // rows
    f, g = np.empty(width), np.empty(width)
    for task in range(first, last):
        group, block = divmod(task, blocks)
        for c in range(width):
            half = e[group, c] // 2
            f[c], g[c] = two(-half), two(half - e[group, c])
        for r in range(block * rows, min(height, (block + 1) * rows)):
            for c in range(width):
                entry = np.float64(x[group, r, c])
                value = 0.0
                if entry != 0.0 and gain[group, c] != 0.0:
                    value = gain[group, c] * slope(abs(entry) * f[c] * g[c], s[group, c], m, n)
                out[group, r, c] = value if entry > 0.0 else -value
