"""The tiles of a symmetric result that are computed: those that touch the diagonal or lie below it, row by row."""

from __future__ import annotations

from functools import cache
from typing import Any

from normkit.backends.cuda.instructions import divide_u32
from normkit.backends.cuda.language import device, int32, uint32


@device
def split(index: Any, tiles: Any) -> Any:
    """Return the entries that `index` tiles make, `tiles` each, and how many tiles are left."""
    entries = int32(divide_u32(uint32(index), uint32(tiles)))
    return entries, int32(index - entries * tiles)


@cache
def settle(rows: int, columns: int) -> Any:
    """Return a function that carries a tile index over: beyond a row's last tile to the next row, then the next entry.

    Tiles are `rows` x `columns`; row i of tiles has ``i * rows // columns + 1`` of them, and `count` rows make one
    entry of the batch.
    """

    @device
    def settled(i: Any, j: Any, entry: Any, count: Any) -> Any:
        while j > (i * rows) // columns:
            j = int32(j - (i * rows) // columns - 1)
            i = int32(i + 1)
            if i == count:
                i = int32(0)
                entry = int32(entry + 1)
        return i, j, entry

    return settled
