"""Models of sm_80 and later: asynchronous copies, ldmatrix, movmatrix and mma.sync, lane by lane."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from normkit.testing.simt.block import Group
from normkit.testing.simt.formats import to_float
from normkit.testing.simt.models import model

LANE = np.arange(32)
ROW, PAIR = LANE >> 2, LANE & 3
"""Of the fragment of an 8 x 8 matrix that a lane holds: its row, and which two neighbours in it."""


@model("copy_16")
def copy_16(group: Group, to: Any, source: Any, size: Any) -> None:
    """cp.async of `size` of 16 bytes; the rest is zero and not read."""
    sizes = group.each(size, np.int64)
    sources = group.each(source, np.uint64)
    if (sources % np.uint64(16)).any() or sizes.min() < 0 or sizes.max() > 16:
        raise ValueError("cp.async takes 0 to 16 bytes from addresses that are multiples of 16")
    values = np.zeros((group.lanes, 16), np.uint8)
    for some in np.unique(sizes[sizes > 0]):
        rows = sizes == some
        data, places = group.block.memory.find(sources[rows], 2 if some % 2 == 0 else 1)
        values[rows, :some] = data[_inside(places[:, :1] + np.arange(some), data)]
    land = partial(group.block.shared.write, group.each(to, np.int64), values)
    if group.block.late == "copies":
        group.copies.append(land)
    else:
        land()


def _inside(places: Any, data: Any) -> Any:
    if places.max() >= len(data):
        raise IndexError("cp.async reads beyond the end of an array")
    return places


@model("copies_commit")
def copies_commit(group: Group) -> None:
    """Close a group of copies."""
    group.copy_groups.append(group.copies)
    group.copies = []


@model("copies_wait")
def copies_wait(group: Group, left: int) -> None:
    """Let copies land until at most `left` groups of them are under way."""
    while len(group.copy_groups) > left:
        for land in group.copy_groups.pop(0):
            land()


@model("ldmatrix")
def ldmatrix(group: Group, transposed: bool, address: Any) -> Any:
    """Lane l names row l % 8 of matrix l // 8; register j of lane l holds two neighbours of row l // 4 of matrix j.

    Transposed, it holds two neighbours of column l // 4.
    """
    rows = group.block.shared.read(group.each(address, np.int64), 16).view(np.uint16).reshape(-1, 4, 8, 8)
    if transposed:
        rows = rows.swapaxes(2, 3)
    words = np.ascontiguousarray(rows).view(np.uint32)
    return tuple(np.ascontiguousarray(words[:, j]).reshape(-1) for j in range(4))


@model("transpose_8x8")
def transpose_8x8(group: Group, word: Any) -> Any:
    """movmatrix: the fragment of an 8 x 8 matrix becomes that of its transpose."""
    matrix = group.each(word, np.uint32).copy().view(np.uint16).reshape(-1, 8, 8)
    return np.ascontiguousarray(matrix.swapaxes(1, 2)).view(np.uint32).reshape(-1)


@model("mma")
def mma(group: Group, dtype: str, *operands: Any) -> Any:
    """m16n8k16: registers of A are quadrants, down first; of B halves of k; of the sums rows r and r + 8."""
    warps = group.lanes // 32
    a, b = np.zeros((warps, 16, 16), np.float32), np.zeros((warps, 8, 16), np.float32)
    for into, words, row, column in (
        *((a, operands[0], 0, 0), (a, operands[1], 8, 0), (a, operands[2], 0, 8), (a, operands[3], 8, 8)),
        *((b, operands[4], 0, 0), (b, operands[5], 0, 8)),
    ):
        pairs = to_float(group.each(words, np.uint32).copy().view(np.uint16), dtype).reshape(warps, 32, 2)
        for e in range(2):
            into[:, ROW + row, 2 * PAIR + column + e] = pairs[:, :, e]
    product = a @ b.swapaxes(1, 2)

    def plus(sums: Any, row: int, e: int) -> Any:
        return (group.each(sums, np.float32) + product[:, ROW + row, 2 * PAIR + e].reshape(-1)).astype(np.float32)

    return plus(operands[6], 0, 0), plus(operands[7], 0, 1), plus(operands[8], 8, 0), plus(operands[9], 8, 1)
