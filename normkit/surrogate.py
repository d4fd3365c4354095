"""The factorisation norm that stands in for p->q, q <= 2 <= p: computable, and within a constant of it.

N(X) = min ||d1||_b ||B||_op ||d2||_a over X = D1 B D2 with a = 2p/(p-2), b = 2q/(2-q). By Hoelder ||X||_{p->q} <= N(X),
and N(X) <= K ||X||_{p->q} with the constant of `surrogate_constant`.
"""

from __future__ import annotations

import numpy as np
import scipy.special
from numpy.typing import NDArray

Array = NDArray[np.float64]

FIXED_POINT = 400
"""Most steps of the iteration."""


def surrogate(g: Array, p: float, q: float) -> tuple[float, float, Array]:
    """Return (lower, upper, t) for the dual of the factorisation norm of p->q, q <= 2 <= p.

    The norm min ||d1||_b ||B||_op ||d2||_a over t = D1 B D2 bounds ||t||_{p->q} from above, so every t of its ball is
    feasible. Its dual max ||D1 g D2||_nuc is reached by the monotone iteration d1 <- (r / f)^(1/b), d2 <- (c / f)^(1/a)
    on the row and column energies of D1 g D2; `upper` is the certificate at the last step.
    """
    a = np.inf if p == 2 else (2.0 if np.isinf(p) else 2 * p / (p - 2))
    b = np.inf if q == 2 else 2 * q / (2 - q)
    d1, d2 = g.shape[0] ** (-1 / b) * np.ones(g.shape[0]), g.shape[1] ** (-1 / a) * np.ones(g.shape[1])
    lower, upper, t = 0.0, np.inf, g
    for _ in range(FIXED_POINT):
        left, sigma, right = np.linalg.svd(d1[:, None] * g * d2, full_matrices=False)
        real = sigma > 1e-14 * sigma[0]
        left, sigma, right = left[:, real], sigma[real], right[real]
        size = float(sigma.sum())
        lower, t = size, d1[:, None] * (left @ right) * d2
        upper = min(upper, _surrogate_certificate(g, d1, d2, left, sigma, right, a, b))
        if upper <= lower * (1 + 1e-9):
            break
        if b < np.inf:
            d1 = (left**2 @ sigma / size) ** (1 / b)
        if a < np.inf:
            d2 = (sigma @ right**2 / size) ** (1 / a)
    return lower, max(lower, upper), t


def _surrogate_certificate(
    g: Array, d1: Array, d2: Array, left: Array, sigma: Array, right: Array, a: float, b: float
) -> float:
    w, z = (g * d2) @ right.T, (g.T * d1) @ left
    if not np.allclose((w / sigma) @ z.T, g, rtol=0, atol=1e-10 * np.abs(g).max()):
        return np.inf
    u, v = (w**2 / sigma).sum(axis=1), (z**2 / sigma).sum(axis=1)
    return float(np.sqrt(_half_dual(u, b) * _half_dual(v, a)))


def _half_dual(u: Array, power: float) -> float:
    """Return the dual of l_{power/2} at u >= 0."""
    if np.isinf(power):
        return float(u.sum())
    half = power / 2
    return float(u.max()) if half == 1 else float((u ** (half / (half - 1))).sum() ** ((half - 1) / half))


def surrogate_constant(p: float, q: float) -> float:
    """Return K with surrogate <= K ||.||_{p->q} for q <= 2 <= p (Bhattiprolu et al. 2018, Theorem 1.2).

    K = 1.00863 / (asinh(1) gamma_{p*} gamma_q), gamma_r = (E |Z|^r)^(1/r) for a standard normal Z.
    """
    conjugate = 1.0 if np.isinf(p) else p / (p - 1)

    def gamma(r: float) -> float:
        return float((2 ** (r / 2) * scipy.special.gamma((r + 1) / 2) / np.sqrt(np.pi)) ** (1 / r))

    return 1.00863 / (float(np.arcsinh(1.0)) * gamma(conjugate) * gamma(q))
