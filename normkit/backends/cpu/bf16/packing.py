"""Operands in bfloat16: rows of pairs for the left side of a product, panels of pairs for the right.

A pair is two neighbours along the common index k in one int32, the first in the lower half; an odd k gets a zero. The
pairs are cut into blocks of `depth(k)`, so that a panel's block stays in the cache while the rows pass:

    left  (m, k): [block][row][pair of the block]
    right (k, n): [block][panel of 64 columns][pair of the block][column]      the last panel is cut at 16s

Float32 values below the normal range count as zero, as the instruction has it; a NaN stays a NaN, and what is nearer to
2^128 than to the largest bfloat16 becomes infinite. Buffers are int32, best at multiples of 64 bytes (see `buffer`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.bf16.moves import round_row, round_row_end, round_rows, round_rows_end, turn, turn_end
from normkit.backends.cpu.jit import cached

Floats = NDArray[np.float32]
Pairs = NDArray[np.int32]

LANES = 16
PANEL = 64
"""Columns of a panel: four registers."""
DEPTH = 512
"""Pairs of a block at most: a panel's block is 128 KiB, six rows of it 12 KiB."""


@cached(nogil=True)
def in_lanes(count: int) -> int:
    """Return the count rounded up to whole registers."""
    return (count + LANES - 1) // LANES * LANES


@cached(nogil=True)
def panels(n: int) -> int:
    """Return the number of panels of a right operand with n columns."""
    return (n + PANEL - 1) // PANEL


@cached(nogil=True)
def blocks(k: int) -> int:
    """Return the number of blocks along the common index."""
    return max(1, ((k + 1) // 2 + DEPTH - 1) // DEPTH)


@cached(nogil=True)
def depth(k: int) -> int:
    """Return the pairs of a block, whole registers of them and nearly the same in all blocks."""
    count = blocks(k)
    return max(LANES, in_lanes(((k + 1) // 2 + count - 1) // count))


@cached(nogil=True)
def inside(k: int, block: int) -> int:
    """Return how many pairs of a block there are; those up to `depth(k)` hold nothing."""
    return max(0, min(depth(k), (k + 1) // 2 - block * depth(k)))


@cached(nogil=True)
def left_size(m: int, k: int) -> int:
    """Return the length of the buffer for a left operand (m, k)."""
    return blocks(k) * depth(k) * m


@cached(nogil=True)
def right_size(k: int, n: int) -> int:
    """Return the length of the buffer for a right operand (k, n)."""
    return blocks(k) * depth(k) * in_lanes(n)


@cached(nogil=True)
def buffer(size: int) -> Pairs:
    """Return a new buffer that starts at a multiple of 64 bytes: loads across two cache lines take twice the time."""
    room = np.empty(size + LANES, np.int32)
    start = (-room.ctypes.data % 64) // 4
    return room[start : start + size]


@cached(nogil=True)
def panel_at(n: int, k: int, block: int, panel: int) -> Any:
    """Return (start, width) of a panel's block in a right operand (k, n)."""
    column = panel * PANEL
    return (block * in_lanes(n) + column) * depth(k), min(PANEL, in_lanes(n) - column)


@cached(nogil=True)
def pack_rows(X: Floats, first: int, last: int, A: Pairs) -> None:
    """Round rows first to last of X (m, k) into the left operand A."""
    m, k = X.shape
    size = depth(k)
    for block in range(blocks(k)):
        stop = min(k, 2 * (block + 1) * size)
        for row in range(first, last):
            place = (block * m + row) * size
            column = 2 * block * size
            while column + 32 <= stop:
                round_row(X, row * k + column, A, place)
                column += 32
                place += 16
            if column < stop:
                round_row_end(X, row * k + column, stop - column, A, place)


@cached(nogil=True)
def pack_pairs(X: Floats, first: int, last: int, B: Pairs) -> None:
    """Round panels first to last of X (k, n) into the right operand B."""
    k, n = X.shape
    for block in range(blocks(k)):
        for panel in range(first, last):
            start, width = panel_at(n, k, block, panel)
            for pair in range(inside(k, block)):
                row = 2 * (block * depth(k) + pair)
                _pack_two_rows(X, row, panel * PANEL, width, B, start + pair * width)


@cached(nogil=True)
def _pack_two_rows(X: Floats, row: int, column: int, width: int, B: Pairs, place: int) -> None:
    """Round two rows of a panel; after the last row of X comes one of zeros."""
    k, n = X.shape
    x = row * n + column
    if row + 1 < k and column + width <= n:
        for v in range(0, width, LANES):
            round_rows(X, x + v, x + n + v, B, place + v)
        return
    for v in range(0, width, LANES):
        below = x + n + v if row + 1 < k else -1
        round_rows_end(X, x + v, below, n - column - v, B, place + v)


@cached(nogil=True)
def turn_rows(A: Pairs, n: int, k: int, first: int, last: int, B: Pairs) -> None:
    """Fill panels first to last of the right operand X' (k, n) from the left operand A of X (n, k).

    Panel p needs rows 64 p to 64 p + 63 of A only, so that who packs those may turn them at once.
    """
    for block in range(blocks(k)):
        pairs = inside(k, block)
        for panel in range(first, last):
            start, width = panel_at(n, k, block, panel)
            for v in range(0, width, LANES):
                row = panel * PANEL + v
                for pair in range(0, pairs, LANES):
                    place = (block * n + row) * depth(k) + pair
                    target = start + pair * width + v
                    if row + LANES <= n and pair + LANES <= pairs:
                        turn(A, place, depth(k), LANES, LANES, B, target, width)
                    else:
                        turn_end(A, place, depth(k), n - row, pairs - pair, B, target, width)
