"""A matrix X (m, n) much longer than high through its m x m factor: T = polar(L) L^-1 X, X X' = L L'; compiled.

L^-1 X is orthogonal to u/l^2, l the smallest singular value relative to the largest (Yamamoto et al., Electron. Trans.
Numer. Anal. 44 (2015) 306); where that does not suffice it is factored once more. Only products, a slab of columns at a
time, touch the long side. L' is iterated on in place of L, so that nothing has to be turned back. All functions are
members' shares of what a team does; triangles are kept as `normkit.polar.cholesky` has them, as arrays (R, W, room).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.blas import desk, square, transposed_times
from normkit.backends.cpu.team import barrier, inner, shared
from normkit.polar.cholesky import SLAB, factor, solve_lower, solve_upper
from normkit.polar.looks import lanczos
from normkit.polar.products import gram_by_blas, mirror, part


@shared()
def gram_of_long(
    member: int, size: int, state: Any, found: Any, letters: Any, X: Any, parts: Any, krylov: Any, length: Any
) -> None:
    """parts[0] = X X' in float64 of a long X (m, n), and Lanczos on it; length[0] is that of the last two of `krylov`.

    Every member sums over columns of its own in parts[member] (m, m), a slab at a time.
    """
    mine, m = part(X.shape[1], size, member), len(X)
    R = parts[member]
    work = desk(found, letters, R)
    slab = np.empty((m, min(SLAB, mine[1] - mine[0])))
    beta = 0.0
    for start in range(mine[0], mine[1], SLAB):
        count = min(SLAB, mine[1] - start)
        for i in range(m):
            for j in range(count):
                slab[i, j] = X[i, start + j]
        square(work, slab[:, :count], R, (0, m), 1.0, beta)
        beta = 1.0
    if beta == 0.0:
        R[:] = 0.0
    barrier(state, size)
    rows = part(m, size, member)
    for p in range(1, size):
        for i in range(rows[0], rows[1]):
            for j in range(i + 1):
                parts[0, i, j] += parts[p, i, j]
    barrier(state, size)
    mirror(parts[0], rows, (0, rows[1]))
    barrier(state, size)
    count = lanczos(member, size, state, parts[0], *krylov)
    if member == 0:
        length[0] = count


@shared()
def factor_long(
    member: int, size: int, state: Any, found: Any, letters: Any, arrays: Any, turned: Any, verdict: Any
) -> None:
    """R = L L' in place, turned = L' of `arrays` (R, W, room), in float64."""
    R, W, room = arrays
    factor(member, size, state, desk(found, letters, R), R, W, room, verdict)
    if verdict[0] != 0.0:
        _turn(member, size, R, turned)


@inner()
def _turn(member: int, size: int, L: Any, turned: Any) -> None:
    """Write L' of a lower triangle, zeros below its diagonal; this member's rows."""
    rows = part(len(L), size, member)
    for i in range(rows[0], rows[1]):
        turned[i, :i] = 0.0
        for j in range(i, len(L)):
            turned[i, j] = L[j, i]


@shared()
def factor_again(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    X: Any,
    Q: Any,
    first: Any,
    second: Any,
    spare: Any,
    turned: Any,
    verdict: Any,
) -> None:
    """Q = L^-1 X, Q Q' = M M' and turned = (L M)', L and M in the arrays (R, W, room) `first` and `second`."""
    L, M = first[0], second[0]
    work = desk(found, letters, L)
    solve_lower(member, size, work, L, first[1], first[2], X, Q)
    barrier(state, size)
    gram_by_blas(work, member, size, Q, M, 1.0, M, 0.0)
    barrier(state, size)
    factor(member, size, state, work, M, second[1], second[2], verdict)
    if verdict[0] == 0.0:
        return
    _turn(member, size, L, spare)
    rows = part(len(M), size, member)
    for i in range(rows[0], rows[1]):
        M[i, i + 1 :] = 0.0
    barrier(state, size)
    transposed_times(work, M, spare, turned, rows, (0, len(M)), 1.0, 0.0)  # M' L'


@shared()
def finish_long(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    turned: Any,
    P: Any,
    arrays: Any,
    Q: Any,
    narrow: Any,
    T: Any,
) -> None:
    """T = P' L^-1 Q with turned = P' put into P' = L'^-1 P', products in the type of `narrow`.

    P (m, m) is float64, `turned` float32 or float64; L is in `arrays`; a slab of Q and of T is converted at a time.
    """
    L, W, room = arrays
    m = len(P)
    mine = part(m, size, member)
    for i in range(m):
        for j in range(mine[0], mine[1]):
            P[i, j] = turned[i, j]
    solve_upper(member, size, desk(found[1], letters, P), L, W, room, P)
    for i in range(m):
        for j in range(mine[0], mine[1]):
            narrow[i, j] = P[i, j]
    barrier(state, size)
    mine = part(Q.shape[1], size, member)
    width = min(SLAB, mine[1] - mine[0])
    source, target = np.empty((m, width), narrow.dtype), np.empty((m, width), narrow.dtype)
    work = desk(found[0] if narrow.itemsize == 4 else found[1], letters, narrow)
    for start in range(mine[0], mine[1], SLAB):
        count = min(SLAB, mine[1] - start)
        for i in range(m):
            for j in range(count):
                source[i, j] = Q[i, start + j]
        transposed_times(work, narrow, source, target, (0, m), (0, count), 1.0, 0.0)
        for i in range(m):
            for j in range(count):
                T[i, start + j] = target[i, j]
