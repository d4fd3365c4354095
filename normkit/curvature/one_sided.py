"""The largest <X, A X> for matrices whose singular values have an lp norm of 1, exactly: von Neumann's inequality."""

from __future__ import annotations

import numpy as np

from normkit.curvature.space import Floats


def factor(H: Floats, shape: tuple[int, int]) -> tuple[Floats, bool] | None:
    """Return (A, True) if H X = A X for matrices X of a shape, (B, False) if it is X B, and None otherwise."""
    m, n = shape
    grid = H.reshape(m, n, m, n)
    left, right = grid[:, 0, :, 0], grid[0, :, 0, :]
    if np.array_equal(H, np.kron(left, np.eye(n))):
        return left, True
    return (right, False) if np.array_equal(H, np.kron(np.eye(m), right)) else None


def largest(A: Floats, rank: int, p: float) -> tuple[float, Floats]:
    """Return max tr(X' A X) over ||sigma(X)||_p = 1, and X as (m, rank).

    By von Neumann tr(A X X') <= sum_i lambda_i sigma_i^2, both in falling order, with equality for X = sum_i sigma_i
    u_i e_i': a problem for numbers.
    """
    values, vectors = (part[..., ::-1] for part in np.linalg.eigh(A))
    values, vectors = values[:rank], vectors[:, :rank]
    sigma = _spread(values, p)
    return float(values @ sigma**2), vectors * sigma


def largest_operator(A: Floats, rank: int, p: float) -> tuple[float, Floats]:
    """Return max ||sigma(A X)||_q over ||sigma(X)||_p = 1, 1/p + 1/q = 1, and X as (m, rank).

    <Y, A X> <= sum_i |lambda|_i sigma_i(X) sigma_i(Y), and by 2 s t <= s^2 + t^2 the two may be taken equal.
    """
    values, vectors = np.linalg.eigh(A)
    order = np.argsort(-np.abs(values), kind="stable")[:rank]
    sizes = np.abs(values[order])
    sigma = _spread(sizes, p)
    return float(sizes @ sigma**2), vectors[:, order] * sigma


def _spread(values: Floats, p: float) -> Floats:
    """Return the maximiser of sum_i l_i s_i^2 over ||s||_p = 1 for falling l_i.

    In u = s^2 this is linear on a ball of ||u||_{p/2}: by Hoelder u^(p/2 - 1) ~ max(l, 0) for p > 2. For p < 2 and
    l < 0 it is the reverse inequality. Else the first entry takes all.
    """
    if p > 2 and values[0] > 0:
        shares = np.maximum(values / values[0], 0.0)
        sigma = (shares > 0).astype(np.float64) if np.isinf(p) else shares ** (1 / (p - 2))
    elif p < 2 and values[0] < 0:
        sigma = (values / values[0]) ** (-1 / (2 - p))
    else:
        sigma = np.eye(1, len(values))[0]
    size = float(sigma.max() if np.isinf(p) else (sigma**p).sum() ** (1 / p))
    return np.asarray(sigma / size)
