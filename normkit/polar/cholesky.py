"""Cholesky factors of m x m matrices, and solves with them, by a team of threads: products of blocks; compiled.

The diagonal blocks of L are inverted, so that all but their factors is products of matrices, which run at full rate; as
accurate as substitution, since only the condition of a block enters. Matrices are C-ordered; L takes the place of the
lower triangle, and what is above it is not read. `W` holds the inverses (blocks, BLOCK, BLOCK), zero above the diagonal
once and for all; `room` has STRIPE * SLAB entries for every member.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.blas import invert_lower, root, square, times, times_transposed, transposed_times
from normkit.backends.cpu.team import barrier, inner
from normkit.polar.products import below, part

BLOCK = 96
"""Rows of a diagonal block."""
STRIPE = 4 * BLOCK
"""Rows that a solve brings up to date by one product: BLAS packs its operands anew for each."""
HALVED = 64
"""Rows from which the factor of a diagonal block is inverted by halves."""
SLAB = 512
"""Columns that a member solves for at a time, and rows of a panel: its part stays in the cache."""


@inner()
def blocks(m: int) -> Any:
    """Return the number of diagonal blocks."""
    return (m + BLOCK - 1) // BLOCK


@inner()
def factor(member: int, size: int, state: Any, desk: Any, R: Any, W: Any, room: Any, verdict: Any) -> None:
    """R = L L'; verdict[0] = 0 where R is not positive definite, which all members see after the last barrier."""
    m = len(R)
    if member == 0:
        verdict[0] = 1.0
    for k in range(blocks(m)):
        first, last = k * BLOCK, min((k + 1) * BLOCK, m)
        if member == 0:
            _corner(desk, R[first:last, first:last], W[k, : last - first, : last - first], verdict)
        barrier(state, size)
        if verdict[0] == 0.0:
            return
        if last < m:
            _panel(member, size, desk, R[last:, first:last], W[k, : last - first, : last - first], room[member])
            barrier(state, size)
            _downdate(member, size, desk, R[last:, first:last], R[last:, last:])
            barrier(state, size)


@inner()
def _corner(desk: Any, A: Any, inverse: Any, verdict: Any) -> None:
    """Factor a diagonal block, and invert its factor: the halves by LAPACK, what is below them by products."""
    if not root(desk, A):
        verdict[0] = 0.0
        return
    m = len(A)
    for i in range(m):
        for j in range(i + 1):
            inverse[i, j] = A[i, j]
    half = m // 2 if m > HALVED else m
    invert_lower(desk, inverse[:half, :half])
    if half == m:
        return
    invert_lower(desk, inverse[half:, half:])
    spare = np.empty((m - half, half), A.dtype)
    times(desk, A[half:, :half], inverse[:half, :half], spare, (0, m - half), (0, half), 1.0, 0.0)
    times(desk, inverse[half:, half:], spare, inverse[half:, :half], (0, m - half), (0, half), -1.0, 0.0)


@inner()
def _panel(member: int, size: int, desk: Any, P: Any, inverse: Any, room: Any) -> None:
    """P = P L^-T for the rows below a diagonal block L; this member's share."""
    mine, width = part(len(P), size, member), P.shape[1]
    for start in range(mine[0], mine[1], SLAB):
        count = min(SLAB, mine[1] - start)
        kept, rows = room[: count * width].reshape(count, width), P[start : start + count]
        times_transposed(desk, rows, inverse, kept, (0, count), (0, width), 1.0, 0.0)
        for i in range(count):
            P[start + i, :] = kept[i]


@inner()
def _downdate(member: int, size: int, desk: Any, P: Any, C: Any) -> None:
    """C = C - P P' in the lower triangle; this member's share."""
    mine = part(len(C), size, member)
    square(desk, P, C, mine, -1.0, 1.0)
    for d in range(1, size // 2 + 1):
        rows, columns = below(len(C), size, member, d)
        times_transposed(desk, P, P, C, rows, columns, -1.0, 1.0)


@inner()
def solve(member: int, size: int, desk: Any, L: Any, W: Any, room: Any, X: Any, Y: Any, solved: Any, kept: Any) -> None:
    """Y = solved (L L')^-1 X + kept X, this member's columns."""
    mine = part(X.shape[1], size, member)
    for start in range(mine[0], mine[1], SLAB):
        columns = (start, min(start + SLAB, mine[1]))
        _forward(desk, L, W, room[member], X, Y, columns, solved)
        _backward(desk, L, W, room[member], Y, columns)
        _add(X, Y, columns, kept)


@inner()
def solve_lower(member: int, size: int, desk: Any, L: Any, W: Any, room: Any, X: Any, Y: Any) -> None:
    """Y = L^-1 X, this member's columns."""
    mine = part(X.shape[1], size, member)
    for start in range(mine[0], mine[1], SLAB):
        _forward(desk, L, W, room[member], X, Y, (start, min(start + SLAB, mine[1])), 1.0)


@inner()
def solve_upper(member: int, size: int, desk: Any, L: Any, W: Any, room: Any, Y: Any) -> None:
    """Y = L'^-1 Y, this member's columns."""
    mine = part(Y.shape[1], size, member)
    for start in range(mine[0], mine[1], SLAB):
        _backward(desk, L, W, room[member], Y, (start, min(start + SLAB, mine[1])))


@inner()
def _forward(desk: Any, L: Any, W: Any, room: Any, X: Any, Y: Any, columns: Any, scale: Any) -> None:
    """Y = scale L^-1 X on some columns."""
    m, width = len(X), columns[1] - columns[0]
    for first in range(0, m, STRIPE):
        last = min(first + STRIPE, m)
        rest = room[: (last - first) * width].reshape(last - first, width)
        _take(X, first, columns[0], scale, rest)
        if first > 0:
            done = Y[:first, columns[0] : columns[1]]
            times(desk, L[first:last, :first], done, rest, (0, last - first), (0, width), -1.0, 1.0)
        for start in range(first, last, BLOCK):
            stop = min(start + BLOCK, last)
            rows, count, k = (start - first, stop - first), stop - start, start // BLOCK
            if start > first:
                done = Y[first:start, columns[0] : columns[1]]
                times(desk, L[start - rows[0] : stop, first:start], done, rest, rows, (0, width), -1.0, 1.0)
            target, source = Y[start:stop, columns[0] : columns[1]], rest[rows[0] : rows[1]]
            times(desk, W[k, :count, :count], source, target, (0, count), (0, width), 1.0, 0.0)


@inner()
def _backward(desk: Any, L: Any, W: Any, room: Any, Y: Any, columns: Any) -> None:
    """Y = L'^-1 Y on some columns."""
    m, width = len(Y), columns[1] - columns[0]
    for stripe in range((m - 1) // STRIPE, -1, -1):
        first, last = stripe * STRIPE, min((stripe + 1) * STRIPE, m)
        rest = room[: (last - first) * width].reshape(last - first, width)
        _take(Y, first, columns[0], 1.0, rest)
        if last < m:
            done = Y[last:, columns[0] : columns[1]]
            transposed_times(desk, L[last:, first:last], done, rest, (0, last - first), (0, width), -1.0, 1.0)
        for block in range((last - first - 1) // BLOCK, -1, -1):
            start, stop = first + block * BLOCK, min(first + (block + 1) * BLOCK, last)
            rows, count, k = (start - first, stop - first), stop - start, start // BLOCK
            if stop < last:
                done = Y[stop:last, columns[0] : columns[1]]
                transposed_times(desk, L[stop:last, first:last], done, rest, rows, (0, width), -1.0, 1.0)
            target, source = Y[start:stop, columns[0] : columns[1]], rest[rows[0] : rows[1]]
            transposed_times(desk, W[k, :count, :count], source, target, (0, count), (0, width), 1.0, 0.0)


# Loops over entries go over rows: of a view of a matrix numba does not know that these are contiguous, and of an index
# from a range that it is not negative; both would keep the processor from taking several entries at a time.


@inner()
def _take(X: Any, row: int, column: int, scale: Any, rest: Any) -> None:
    """Copy scale X from (row, column) on to `rest`."""
    rest[0, 0] = scale
    factor, width = rest[0, 0], rest.shape[1]
    for i in range(rest.shape[0]):
        source, target = X[row + i, column : column + width], rest[i]
        for j in range(width):
            target[j] = factor * source[j]


@inner()
def _add(X: Any, Y: Any, columns: Any, scale: Any) -> None:
    """Y = Y + scale X on some columns."""
    kept = np.empty(1, Y.dtype)
    kept[0] = scale
    factor = kept[0]
    for i in range(len(X)):
        source, target = X[i, columns[0] : columns[1]], Y[i, columns[0] : columns[1]]
        for j in range(len(source)):
            target[j] += factor * source[j]
