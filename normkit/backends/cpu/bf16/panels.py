"""The product of two packed operands on any rows and panels, and the shares of it that balance a team of threads.

A sum over k is always taken in the same order, so an entry has the same bits wherever the cuts between threads lie.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.bf16.moves import fold, turn, turn_end
from normkit.backends.cpu.bf16.packing import LANES, PANEL, Floats, Pairs, blocks, depth, inside, panel_at, panels
from normkit.backends.cpu.bf16.tile import ROWS, tile
from normkit.backends.cpu.jit import cached

GROUP = 192
"""Rows that pass a panel before the next panel comes: their block of the left operand, 384 KiB, stays in the cache."""
CUTS, LEAST = 4, 48
"""Groups of rows per thread, of LEAST rows or a multiple of that, so that the shares can be even."""


@cached(nogil=True)
def product_panel(
    A: Pairs, B: Pairs, k: int, add: Floats, out: Floats, alpha: Any, beta: Any, rows: Any, columns: Any, lower: bool
) -> None:
    """out = alpha * A B + beta * add on rows [first, last) and panels `columns` [first, last).

    With `lower`, only entries up to the diagonal are computed (those of a tile above it hold anything). `add` has the
    shape of out (m, n), may be out itself, and is not read if beta is 0.
    """
    for first in range(rows[0], rows[1], GROUP):
        group = (first, min(first + GROUP, rows[1]))
        for block in range(blocks(k)):
            for panel in range(columns[0], columns[1]):
                if block == 0:
                    _column_of_tiles(A, B, k, add, out, alpha, beta, group, block, panel, lower)
                else:
                    _column_of_tiles(A, B, k, out, out, alpha, 1.0, group, block, panel, lower)


@cached(nogil=True)
def _column_of_tiles(
    A: Pairs,
    B: Pairs,
    k: int,
    add: Floats,
    out: Floats,
    alpha: Any,
    beta: Any,
    rows: Any,
    block: int,
    panel: int,
    lower: bool,
) -> None:
    m, n = out.shape
    step, pairs, column = depth(k), inside(k, block), panel * PANEL
    start, width = panel_at(n, k, block, panel)
    for row in range(max(rows[0], column) if lower else rows[0], rows[1], ROWS):
        count = min(ROWS, rows[1] - row)
        stop = min(n, column + PANEL, row + count) if lower else min(n, column + PANEL)
        left = (A, (block * m + row) * step, step)
        place = (row, column, count)
        tile(left, (B, start, width), pairs, add, out, place, stop - column, np.float32(alpha), np.float32(beta))


@cached(nogil=True)
def mirror(out: Floats, rows: Any, columns: Any) -> None:
    """out[j, i] = out[i, j] for i in rows [first, last) and j < i in panels `columns` [first, last).

    The first row is a multiple of 16, and so is the last one, or the end.
    """
    n = out.shape[1]
    for j in range(columns[0] * PANEL, min(n, columns[1] * PANEL), LANES):
        width = min(LANES, n - j)
        if rows[0] <= j < rows[1]:
            fold(out, j * n + j, n, width)
        for i in range(max(rows[0], j + LANES), rows[1], LANES):
            if width == LANES and i + LANES <= rows[1]:
                turn(out, i * n + j, n, LANES, LANES, out, j * n + i, n)
            else:
                turn_end(out, i * n + j, n, rows[1] - i, width, out, j * n + i, n)


@cached(nogil=True)
def _work(rows: Any, panel: int, n: int, lower: bool) -> int:
    """Return the entries of a column of tiles that are computed."""
    column = panel * PANEL
    width = min(PANEL, n - column)
    if not lower:
        return int((rows[1] - rows[0]) * width)
    return _below(rows[1] - column, width) - _below(rows[0] - column, width)


@cached(nogil=True)
def _below(height: int, width: int) -> int:
    """Return the entries up to the diagonal in the first rows of a panel that begins on the diagonal."""
    square = max(0, min(height, width))
    return square * (square + 1) // 2 + max(0, height - width) * width


@cached(nogil=True)
def _group(m: int, size: int, i: int) -> Any:
    """Return the number of groups of rows for a team, and (first, last) of group i."""
    count = max((m + GROUP - 1) // GROUP, CUTS * size)
    height = max(1, ((m + count - 1) // count + LEAST - 1) // LEAST) * LEAST
    return (m + height - 1) // height, (min(m, i * height), min(m, (i + 1) * height))


@cached(nogil=True)
def product_share(
    member: int,
    size: int,
    A: Pairs,
    B: Pairs,
    k: int,
    add: Floats,
    out: Floats,
    alpha: Any,
    beta: Any,
    symmetric: bool,
) -> None:
    """out = alpha * A B + beta * add, the part of one of `size` members; without barriers.

    A result known to be symmetric costs half: every member mirrors what it computed below the diagonal.
    """
    m, n = out.shape
    total = 0
    for g in range(_group(m, size, 0)[0]):
        for panel in range(panels(n)):
            total += _work(_group(m, size, g)[1], panel, n, symmetric)
    done = 0
    for g in range(_group(m, size, 0)[0]):
        rows = _group(m, size, g)[1]
        first, last = panels(n), panels(0)
        for panel in range(panels(n)):
            work = _work(rows, panel, n, symmetric)
            if work > 0 and min(size - 1, (2 * done + work) * size // (2 * total)) == member:
                first, last = min(first, panel), panel + 1
            done += work
        product_panel(A, B, k, add, out, alpha, beta, rows, (first, last), symmetric)
        if symmetric:
            mirror(out, rows, (first, last))
