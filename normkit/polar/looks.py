"""What an iterate X (m, n), m <= n, shows of its spectrum through R = X X': distance from I, traces, Lanczos; compiled.

Every function but `quadrature` is a member's share of what a team does; see `normkit.backends.cpu.team`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.team import barrier, shared
from normkit.polar.products import part

KRYLOV = 14
"""Steps of Lanczos in a look."""
ALONE = 512
"""Rows up to which one member of a team does Lanczos."""


@shared(fastmath=True)
def distance(member: int, size: int, R: Any, rows: Any) -> None:
    """rows[i] = what row i adds to tr R, to tr R^2 and, last, to |R - I|_F^2."""
    first, last = part(len(R), size, member)
    for i in range(first, last):
        total = 0.0
        for j in range(len(R)):
            total += float(R[i, j]) * float(R[i, j])
        diagonal = float(R[i, i])
        rows[i, 0], rows[i, 1], rows[i, 4] = diagonal, total, (total - diagonal**2) + (diagonal - 1.0) ** 2


@shared(fastmath=True)
def squares_of(member: int, size: int, Q: Any, rows: Any) -> None:
    """rows[i, 1] = what row i adds to |Q|_F^2."""
    first, last = part(len(Q), size, member)
    for i in range(first, last):
        total = 0.0
        for j in range(Q.shape[1]):
            total += float(Q[i, j]) * float(Q[i, j])
        rows[i, 1] = total


@shared(fastmath=True)
def traces(member: int, size: int, R: Any, S: Any, rows: Any) -> None:
    """rows[i] = what row i adds, third and fourth, to tr R^3 and tr R^4; S = R^2."""
    first, last = part(len(R), size, member)
    for i in range(first, last):
        third, fourth = 0.0, 0.0
        for j in range(len(R)):
            s = float(S[i, j])
            third += float(R[i, j]) * s
            fourth += s * s
        rows[i, 2], rows[i, 3] = third, fourth


@shared()
def total(rows: Any, column: int) -> Any:
    """Return the sum of a column of `rows`, in the same order for every member."""
    result = 0.0
    for i in range(len(rows)):
        result += rows[i, column]
    return result


@shared()
def error(rows: Any, noise: float) -> Any:
    """Return a bound on |X - polar(X)|_F / sqrt(m) for an X with singular values p >= 0, from R = X X'.

    sum (1 - p)^2 = m + tr R - 2 sum p, and by Hoelder sum p >= (sum p^2)^(3/2) / (sum p^4)^(1/2). Nearer to I, where
    that is a small difference of large numbers, sum (1 - p)^2 <= sum (1 - p^2)^2 = |R - I|_F^2 is better. `noise` is
    the relative error of tr R and tr R^2.
    """
    m, first, second = len(rows), total(rows, 0), total(rows, 1)
    if not second > 0.0:
        return 1.0
    apart = (m + first - 2.0 * first * (first / second) ** 0.5) / m + 2.0 * noise
    return min(max(apart, 0.0), total(rows, 4) / m) ** 0.5


@shared(fastmath=True)
def _apply(member: int, size: int, R: Any, v: Any, w: Any) -> None:
    """w = R v, this member's rows."""
    first, last = part(len(R), size, member)
    for i in range(first, last):
        result = R[i, 0] * v[0]
        for j in range(1, len(R)):
            result += R[i, j] * v[j]
        w[i] = result


@shared(fastmath=True)
def _orthogonalize(step: int, basis: Any, w: Any) -> Any:
    """Take the vectors basis[0..step] out of w; return the share of the last."""
    share = 0.0
    for k in range(step + 1):
        share = 0.0
        for i in range(len(w)):
            share += basis[k, i] * w[i]
        for i in range(len(w)):
            w[i] -= share * basis[k, i]
    return share


@shared()
def _next_vector(step: int, basis: Any, v: Any, w: Any, alpha: Any, beta: Any) -> None:
    """Take a step of Lanczos from w = R v, orthogonalized twice; beta[step] = 0 where the Krylov space ends."""
    alpha[step] = _orthogonalize(step, basis, w)
    alpha[step] += _orthogonalize(step, basis, w)
    square = 0.0
    for i in range(len(w)):
        square += w[i] * w[i]
    beta[step] = square**0.5
    if step + 1 == len(alpha) or beta[step] <= 1e-6 * abs(alpha[0]):
        beta[step] = 0.0
        return
    for i in range(len(w)):
        basis[step + 1, i] = w[i] / beta[step]
        v[i] = basis[step + 1, i]


@shared()
def _steps(member: int, size: int, state: Any, R: Any, basis: Any, v: Any, w: Any, alpha: Any, beta: Any) -> None:
    for step in range(len(alpha)):
        _apply(member, size, R, v, w)
        barrier(state, size)
        if member == 0:
            _next_vector(step, basis, v, w, alpha, beta)
        barrier(state, size)
        if beta[step] == 0.0:
            return


@shared()
def lanczos(
    member: int, size: int, state: Any, R: Any, start: Any, basis: Any, v: Any, w: Any, alpha: Any, beta: Any
) -> int:
    """Write the tridiagonal matrix of R in the Krylov space of `start` to alpha and beta; return its size."""
    if member == 0:
        basis[0] = start
        v[:] = start
    if len(R) <= ALONE:  # a barrier takes longer than a share of R v
        barrier(state, size)
        if member == 0:
            _steps(member, min(size, 1), state, R, basis, v, w, alpha, beta)
        barrier(state, size)
    else:
        barrier(state, size)
        _steps(member, size, state, R, basis, v, w, alpha, beta)
    for step in range(len(alpha)):
        if beta[step] == 0.0:
            return step + 1
    return len(alpha)


@shared()
def quadrature(alpha: Any, beta: Any, k: int, nodes: Any, weights: Any) -> None:
    """Write the Gauss nodes and weights of a k x k tridiagonal matrix: its eigenvalues, and first components squared.

    Golub and Welsch (1969): QL steps with implicit shifts that carry along the first row of the eigenvectors.
    """
    d, e, z = alpha[:k].copy(), beta[:k].copy(), np.zeros(k)
    e[k - 1] = 0.0
    z[0] = 1.0
    for low in range(k):
        for _ in range(60):
            high = low
            while high < k - 1 and abs(e[high]) > 2.3e-16 * (abs(d[high]) + abs(d[high + 1])):
                high += 1
            if high == low:
                break
            g = (d[low + 1] - d[low]) / (2.0 * e[low])
            r = np.hypot(g, 1.0)
            g = d[high] - d[low] + e[low] / (g + (r if g >= 0 else -r))
            s, c, p = 1.0, 1.0, 0.0
            for i in range(high - 1, low - 1, -1):
                f, b = s * e[i], c * e[i]
                r = np.hypot(f, g)
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[high] = 0.0
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                f = z[i + 1]
                z[i + 1], z[i] = s * z[i] + c * f, c * z[i] - s * f
            else:
                d[low] -= p
                e[low] = g
                e[high] = 0.0
    nodes[:k] = d
    weights[:k] = z * z
    nodes[k:] = 1.0
    weights[k:] = 0.0
