"""Products of matrices by a team of threads: every member computes its blocks; symmetric results cost half.

Matrices are C-ordered. A symmetric m x m result is cut into as many block rows as there are members. Member p computes
the lower triangle of diagonal block p, the blocks p, p + d (mod size) below the diagonal for d < size / 2, and for an
even size half of the last one: all members do the same work, and together half of that of a full product. Each writes
its blocks to both triangles, so nobody waits before the barrier of the caller.

A desk says how products are made: through BLAS in the type of the matrices, or through bfloat16.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.blas import desk as desk_of_blas
from normkit.backends.cpu.blas import square, times, times_transposed
from normkit.backends.cpu.team import inner, shared
from normkit.polar import narrow

LEAF = 96
"""Side up to which a block on the diagonal is computed as a whole, where BLAS has no routine for one triangle."""
TILE = 16


BLAS, BFLOAT16 = 0, 1
"""Kinds of products."""


@inner()
def desk(found: Any, letters: Any, kind: int, state: Any, packed: Any, like: Any) -> Any:
    """Return what products work with: BLAS, room for its arguments, the barrier, packed operands, the kind.

    `packed` are two int32 buffers that the team shares, empty unless the kind is BFLOAT16.
    """
    blas = desk_of_blas(found, letters, like)
    return blas[0], blas[1], blas[2], blas[3], state, packed[0], packed[1], kind


@shared()
def part(length: int, parts: int, i: int) -> Any:
    """Return (first, last) of part i of a range, cut at multiples of 16."""
    first = min(length, (length * i // parts + TILE // 2) // TILE * TILE)
    last = length if i == parts - 1 else min(length, (length * (i + 1) // parts + TILE // 2) // TILE * TILE)
    return first, last


@inner()
def mirror(C: Any, rows: Any, columns: Any) -> None:
    """Copy C[rows, columns], which lies below the diagonal or on it, to the other triangle.

    By tiles that are kept apart for a moment: rows of a power of two would all want the same place in the cache.
    """
    tile = np.empty((TILE, TILE), C.dtype)
    for i0 in range(rows[0], rows[1], TILE):
        height = min(TILE, rows[1] - i0)
        for j0 in range(columns[0], min(columns[1], i0 + height), TILE):
            width = min(TILE, columns[1] - j0)
            for i in range(height):
                source = C[i0 + i, j0 : j0 + width]
                for j in range(width):
                    tile[j, i] = source[j]
            for j in range(width):
                above = max(j0 + j + 1 - i0, 0)  # the first column of the tile that is right of the diagonal
                if above < height:
                    C[j0 + j, i0 + above : i0 + height] = tile[j, above:height]


@shared()
def below(m: int, size: int, p: int, d: int) -> Any:
    """Return rows and columns of the block that member p computes at distance d."""
    q = (p + d) % size
    rows, columns = part(m, size, max(p, q)), part(m, size, min(p, q))
    if 2 * d == size:  # p and q both come here: each takes half of the rows
        middle = (rows[0] + rows[1]) // 2
        rows = (rows[0], middle) if p > q else (middle, rows[1])
    return rows, columns


@inner()
def _copy(D: Any, C: Any, rows: Any, columns: Any) -> None:
    for i in range(rows[0], rows[1]):
        for j in range(columns[0], columns[1]):
            C[i, j] = D[i, j]


@inner()
def gram(desk: Any, member: int, size: int, X: Any, C: Any, alpha: Any, D: Any, beta: Any) -> None:
    """C = alpha X X' + beta D, D symmetric; this member's share. D is not read if beta is 0."""
    if desk[7] == BFLOAT16:
        narrow.gram(desk, member, size, X, C, alpha, D, beta)
    else:
        gram_by_blas(desk[:4], member, size, X, C, alpha, D, beta)


@inner()
def gram_by_blas(desk: Any, member: int, size: int, X: Any, C: Any, alpha: Any, D: Any, beta: Any) -> None:
    """C = alpha X X' + beta D as in `gram`, at a desk of BLAS alone."""
    m = C.shape[0]
    mine = part(m, size, member)
    if beta != 0:
        _copy(D, C, mine, mine)
    square(desk, X, C, mine, alpha, beta)
    mirror(C, mine, mine)
    for d in range(1, size // 2 + 1):
        rows, columns = below(m, size, member, d)
        if beta != 0:
            _copy(D, C, rows, columns)
        times_transposed(desk, X, X, C, rows, columns, alpha, beta)
        mirror(C, rows, columns)


@inner()
def commuting(desk: Any, member: int, size: int, A: Any, B: Any, C: Any, D: Any, beta: Any) -> None:
    """C = A B + beta D of symmetric A, B that commute, so that A B is symmetric; D symmetric; this member's share."""
    if desk[7] == BFLOAT16:
        narrow.product(desk, member, size, A, B, C, D, beta, True)
        return
    m = C.shape[0]
    first, last = part(m, size, member)
    cuts = 1
    while (last - first) > LEAF * cuts:
        for i in range(cuts):
            upper, lower = part(last - first, 2 * cuts, 2 * i), part(last - first, 2 * cuts, 2 * i + 1)
            columns, rows = (first + upper[0], first + upper[1]), (first + lower[0], first + lower[1])
            _block(desk, A, B, C, D, rows, columns, beta)
        cuts *= 2
    for i in range(cuts):
        inner = part(last - first, cuts, i)
        rows = (first + inner[0], first + inner[1])
        _block(desk, A, B, C, D, rows, rows, beta)
    for d in range(1, size // 2 + 1):
        rows, columns = below(m, size, member, d)
        _block(desk, A, B, C, D, rows, columns, beta)


@inner()
def _block(desk: Any, A: Any, B: Any, C: Any, D: Any, rows: Any, columns: Any, beta: Any) -> None:
    """C = A B + beta D, a block on the diagonal or below it, and its mirror image."""
    _copy(D, C, rows, columns)
    times(desk[:4], A, B, C, rows, columns, 1.0, beta)
    mirror(C, rows, columns)


@inner()
def long(desk: Any, member: int, size: int, A: Any, X: Any, Y: Any, beta: Any) -> None:
    """Y = A X + beta X, this member's columns."""
    if desk[7] == BFLOAT16:
        narrow.product(desk, member, size, A, X, Y, X, beta, False)
        return
    rows, columns = (0, A.shape[0]), part(X.shape[1], size, member)
    if beta != 0:
        _copy(X, Y, rows, columns)
    times(desk[:4], A, X, Y, rows, columns, 1.0, beta)
