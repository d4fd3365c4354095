"""Steps of Newton-Schulz: odd polynomials of a matrix X (m, n), m <= n, by products alone; compiled, for a team.

A step is X <- (a I + Z) X with Z = b R + c R^2 + d R^3 and R = X X'. `step` forms every X. `step_on_gram` keeps to m x
m: it multiplies the factors into Q and lets R <- (a I + Z) R (a I + Z) follow, so that only the first R and the last Q
X touch the long side (Gram Newton-Schulz). In exact arithmetic both are one iteration.
"""

from __future__ import annotations

from typing import Any

from normkit.backends.cpu.team import barrier, inner
from normkit.polar.products import commuting, gram, long, part


@inner()
def combine(member: int, size: int, R: Any, S: Any, a: Any, b: Any, c: Any, Z: Any) -> None:
    """Z = a I + b R + c S, this member's rows; Z may be R or S."""
    first, last = part(len(R), size, member)
    for i in range(first, last):
        for j in range(len(R)):
            Z[i, j] = b * R[i, j] + c * S[i, j]
        Z[i, i] += a


@inner()
def factor(member: int, size: int, state: Any, desk: Any, R: Any, S: Any, P: Any, row: Any, squared: bool) -> Any:
    """Return (Z, the other) of S and P, with Z = b R + c R^2 + d R^3. With `squared` S holds R^2 before."""
    b, c, d = row[1], row[2], row[3]
    if d != 0.0:
        if not squared:
            gram(desk, member, size, R, S, 1.0, R, 0.0)
            barrier(state, size)
        combine(member, size, R, S, b, c, d, S)
        barrier(state, size)
        commuting(desk, member, size, R, S, P, R, 0.0)
        S, P = P, S
    elif squared:
        combine(member, size, R, S, 0.0, b, c, S)
    elif c != 0.0:
        gram(desk, member, size, R, S, c, R, b)
    else:
        combine(member, size, R, R, 0.0, b, 0.0, S)
    barrier(state, size)
    return S, P


@inner()
def step(
    member: int, size: int, state: Any, desk: Any, X: Any, Y: Any, R: Any, S: Any, P: Any, row: Any, squared: bool
) -> None:
    """Y = (a I + Z) X; R = X X' is given, and R^2 in S with `squared`."""
    Z, _ = factor(member, size, state, desk, R, S, P, row, squared)
    long(desk, member, size, Z, X, Y, row[0])
    barrier(state, size)


@inner()
def step_on_gram(
    member: int,
    size: int,
    state: Any,
    desk: Any,
    R: Any,
    S: Any,
    P: Any,
    Q: Any,
    after: Any,
    row: Any,
    squared: bool,
    fresh: bool,
) -> None:
    """after = (a I + Z) Q and R <- (a I + Z) R (a I + Z); with `fresh` Q is the identity, whatever it holds."""
    a = row[0]
    Z, P = factor(member, size, state, desk, R, S, P, row, squared)
    if fresh:
        combine(member, size, Z, Z, a, 1.0, 0.0, after)
    else:
        commuting(desk, member, size, Q, Z, after, Q, a)
    commuting(desk, member, size, R, Z, P, R, a)
    barrier(state, size)
    commuting(desk, member, size, Z, P, R, P, a)
    barrier(state, size)
