"""Loops that need no scalars: largest magnitudes and where they are; entries times a number per line, signs likewise.

The bits of a float without its sign, read as an integer, order as the magnitudes do, with infinity above all numbers
and NaN above infinity: an integer maximum is vectorised, and it reports what is not finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.loops.bindings import MAGNITUDE, Bits, Float
from normkit.backends.cpu.scalars import kernel, scalar

Array = NDArray[Any]


@scalar
def peak(x: Array) -> Any:
    """Return the bits of the largest magnitude of a contiguous vector."""
    bits = x.view(Bits)
    top = Bits(0)
    for i in range(bits.size):
        magnitude = Bits(bits[i] & MAGNITUDE)
        if magnitude > top:
            top = magnitude
    return top


@kernel
def peaks(first: int, last: int, x: Array, size: int, peaks: Array) -> None:
    """Find the largest magnitude of every block of `size` entries of every line: x (L, n), peaks (L, blocks)."""
    n = x.shape[1]
    blocks = peaks.shape[1]
    for task in range(first, last):
        line, block = divmod(task, blocks)
        peaks[line, block] = peak(x[line, block * size : min(n, (block + 1) * size)])


@kernel
def first_peak(first: int, last: int, x: Array, size: int, peaks: Array, tops: Array, places: Array) -> None:
    """Find the first index of the largest magnitude of every line, in the first block that holds it."""
    for line in range(first, last):
        block = 0
        while peaks[line, block] != tops[line]:
            block += 1
        i = block * size
        while Bits(x[line, i : i + 1].view(Bits)[0] & MAGNITUDE) != tops[line]:
            i += 1
        places[line] = i


@kernel
def column_peaks(first: int, last: int, x: Array, rows: int, columns: int, peaks: Array) -> None:
    """Find the largest magnitude of every column in every block of rows: x (G, R, C), peaks (G, blocks, C)."""
    _, height, width = x.shape
    tiles = (width + columns - 1) // columns
    for task in range(first, last):
        group, block, tile = task // (tiles * peaks.shape[1]), task // tiles % peaks.shape[1], task % tiles
        here = slice(tile * columns, min(width, (tile + 1) * columns))
        tops = peaks[group, block, here]
        tops[:] = 0
        for r in range(block * rows, min(height, (block + 1) * rows)):
            bits = x[group, r, here].view(Bits)
            for c in range(tops.size):
                magnitude = Bits(bits[c] & MAGNITUDE)
                if magnitude > tops[c]:
                    tops[c] = magnitude


@kernel
def first_column_peak(first: int, last: int, x: Array, rows: int, peaks: Array, tops: Array, places: Array) -> None:
    """Find the first row that holds the largest magnitude of every column; tasks are groups."""
    for group in range(first, last):
        for c in range(x.shape[2]):
            block = 0
            while peaks[group, block, c] != tops[group, c]:
                block += 1
            r = block * rows
            while Bits(x[group, r, c : c + 1].view(Bits)[0] & MAGNITUDE) != tops[group, c]:
                r += 1
            places[group, c] = r


@kernel
def multiply(first: int, last: int, x: Array, size: int, g: Array, out: Array) -> None:
    """Write x * g, a number g per line; tasks are blocks of `size` entries."""
    n = x.shape[1]
    blocks = (n + size - 1) // size
    for task in range(first, last):
        line, block = divmod(task, blocks)
        here = slice(block * size, min(n, (block + 1) * size))
        source, target, by = x[line, here], out[line, here], g[line]
        for i in range(source.size):
            target[i] = np.float64(source[i]) * by


@kernel
def signs(first: int, last: int, x: Array, size: int, g: Array, out: Array) -> None:
    """Write g * sign(x), a number g per line; tasks are blocks of `size` entries."""
    n = x.shape[1]
    blocks = (n + size - 1) // size
    for task in range(first, last):
        line, block = divmod(task, blocks)
        here = slice(block * size, min(n, (block + 1) * size))
        source, target, up = x[line, here], out[line, here], Float(g[line])
        for i in range(source.size):
            target[i] = up if source[i] > 0 else (-up if source[i] < 0 else Float(0))


@kernel
def multiply_columns(first: int, last: int, x: Array, rows: int, g: Array, out: Array) -> None:
    """Write x * g, a number g per column (G, C); tasks are blocks of rows."""
    _, height, width = x.shape
    blocks = (height + rows - 1) // rows
    for task in range(first, last):
        group, block = divmod(task, blocks)
        by = g[group]
        for r in range(block * rows, min(height, (block + 1) * rows)):
            source, target = x[group, r], out[group, r]
            for c in range(width):
                target[c] = np.float64(source[c]) * by[c]


@kernel
def sign_columns(first: int, last: int, x: Array, rows: int, g: Array, out: Array) -> None:
    """Write g * sign(x), a number g per column (G, C); tasks are blocks of rows."""
    _, height, width = x.shape
    blocks = (height + rows - 1) // rows
    for task in range(first, last):
        group, block = divmod(task, blocks)
        up = g[group]
        for r in range(block * rows, min(height, (block + 1) * rows)):
            source, target = x[group, r], out[group, r]
            for c in range(width):
                target[c] = up[c] if source[c] > 0 else (-up[c] if source[c] < 0 else 0.0)
