"""Sums of a scalar body over lines: rows of a matrix block by block, columns by streaming rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.loops.bindings import body
from normkit.backends.cpu.scalars import kernel, scalar, summing

Array = NDArray[Any]


@scalar
def term(entry: float, f: float, g: float, m: float, n: float) -> float:
    """Return the body at abs(entry) * f * g; two factors, because the power of two may be beyond the largest float."""
    return body(abs(np.float64(entry)) * f * g, m, n)


@summing
def total(x: Array, f: float, g: float, m: float, n: float) -> float:
    """Return the sum of the terms of a contiguous vector."""
    s = 0.0
    for i in range(x.size):
        s += term(x[i], f, g, m, n)
    return s


@kernel
def sums(first: int, last: int, x: Array, size: int, f: Array, g: Array, m: float, n: float, out: Array) -> None:
    """Sum every block of `size` entries of every line: x (L, length), f and g (L,), out (L, blocks)."""
    length = x.shape[1]
    blocks = out.shape[1]
    for task in range(first, last):
        line, block = divmod(task, blocks)
        here = x[line, block * size : min(length, (block + 1) * size)]
        out[line, block] = total(here, f[line], g[line], m, n)


@scalar
def add_rows(
    x: Array, group: int, rows: tuple[int, int], here: slice, f: Array, g: Array, m: float, n: float, sums: Array
) -> None:
    """Add the terms of the rows [rows[0], rows[1]) of a group to the sums of their columns, four rows at a time."""
    whole = rows[0] + (rows[1] - rows[0]) // 4 * 4
    for r in range(rows[0], whole, 4):
        x0, x1, x2, x3 = x[group, r, here], x[group, r + 1, here], x[group, r + 2, here], x[group, r + 3, here]
        for c in range(sums.size):
            upper = term(x0[c], f[c], g[c], m, n) + term(x1[c], f[c], g[c], m, n)
            lower = term(x2[c], f[c], g[c], m, n) + term(x3[c], f[c], g[c], m, n)
            sums[c] += upper + lower
    for r in range(whole, rows[1]):
        x0 = x[group, r, here]
        for c in range(sums.size):
            sums[c] += term(x0[c], f[c], g[c], m, n)


@scalar
def add_raw_rows(x: Array, group: int, rows: tuple[int, int], here: slice, m: float, n: float, sums: Array) -> None:
    """Do as `add_rows` does, with factors 1."""
    whole = rows[0] + (rows[1] - rows[0]) // 4 * 4
    for r in range(rows[0], whole, 4):
        x0, x1, x2, x3 = x[group, r, here], x[group, r + 1, here], x[group, r + 2, here], x[group, r + 3, here]
        for c in range(sums.size):
            upper = term(x0[c], 1.0, 1.0, m, n) + term(x1[c], 1.0, 1.0, m, n)
            lower = term(x2[c], 1.0, 1.0, m, n) + term(x3[c], 1.0, 1.0, m, n)
            sums[c] += upper + lower
    for r in range(whole, rows[1]):
        x0 = x[group, r, here]
        for c in range(sums.size):
            sums[c] += term(x0[c], 1.0, 1.0, m, n)


@kernel
def column_sums(
    first: int,
    last: int,
    x: Array,
    rows: int,
    columns: int,
    f: Array,
    g: Array,
    raw: bool,
    m: float,
    n: float,
    out: Array,
) -> None:
    """Sum every column of every block of rows: x (G, R, C), f and g (G, C), out (G, blocks, C).

    With `raw`, f and g are 1 and are not read.
    """
    _, height, width = x.shape
    blocks, tiles = out.shape[1], (width + columns - 1) // columns
    for task in range(first, last):
        group, block, tile = task // (tiles * blocks), task // tiles % blocks, task % tiles
        here = slice(tile * columns, min(width, (tile + 1) * columns))
        these = (block * rows, min(height, (block + 1) * rows))
        sums = out[group, block, here]
        sums[:] = 0.0
        if raw:
            add_raw_rows(x, group, these, here, m, n, sums)
        else:
            add_rows(x, group, these, here, f[group, here], g[group, here], m, n, sums)
