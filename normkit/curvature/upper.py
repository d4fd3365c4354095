r"""Upper bounds of <x, Hx> and of N*(Hx) on the unit ball of any norm, for a symmetric matrix H.

With b_i = N*(e_i) every x of the ball has |x_i| <= b_i, and with the reach ||T x||_2 <= R:

    <x, Hx> <= sum_i max(H_ii, 0) b_i^2 + sum_{i != j} |H_ij| b_i b_j                                  entries
    <x, Hx> <= max(lambda_max(T^-1 H T^-1), 0) R^2                                                     eigenvalue
    <x, Hx> <= sum_i max(d_i, 0) b_i^2  for every diagonal d with diag(d) - H >= 0                     diagonal

The last one is the dual of the semidefinite relaxation of the cube; for H >= 0 and ``linf`` the best d is within pi/2
of the truth (Nesterov 1998). Since <y, Hx> = <u, Hu> - <v, Hv> for u, v = (x +- y)/2, a bound of N*(Hx) is the sum of
the bounds for H and for -H.
"""

from __future__ import annotations

import numpy as np

from normkit.curvature.forms import entry_bounds, reach
from normkit.curvature.space import Floats, Space

SWEEPS = 60
"""Most sweeps of the coordinate ascent that chooses the diagonal."""
RELAXED = 128
"""Largest size for which the diagonal is chosen."""


def upper_bounds(of: Space, H: Floats) -> tuple[float, float]:
    """Return bounds of max <x, Hx> on the unit sphere (negative if H is, where that is known) and of max N*(Hx)."""
    b, reaching = entry_bounds(of), reach(of)
    boxed, stretched = H * b * b[:, None], H / (reaching.weights * reaching.weights[:, None])
    values = np.linalg.eigvalsh(stretched)
    above = _of_ball(boxed, values[-1], reaching.radius)
    below = _of_ball(-boxed, -values[0], reaching.radius)
    wide = min(float(np.abs(boxed).sum()), float(np.abs(values).max()) * reaching.radius**2, above + below)
    if values[-1] < 0 and of.product is None:
        # N(x) = 1 has ||x||_2 >= 1 / R', R' the reach of the dual norm: N(x) = max <g, x> over N*(g) <= 1
        return float(values[-1]) / reach(of.dual()).radius ** 2, wide
    return above, wide


def _of_ball(boxed: Floats, largest: float, radius: float) -> float:
    diagonal = np.diag(boxed)
    entries = float(np.abs(boxed).sum() - np.abs(diagonal).sum() + np.maximum(diagonal, 0).sum())
    found = min(entries, max(float(largest), 0.0) * radius**2)
    return min(found, diagonal_bound(boxed)) if found > 0 and len(boxed) <= RELAXED else found


def diagonal_bound(H: Floats) -> float:
    """Bound max <x, Hx> over |x_i| <= 1 by sum_i max(d_i, 0), d found by coordinate ascent on unit vectors (v_i).

    The relaxation max sum H_ij <v_i, v_j> is solved by v_i <- g_i / ||g_i||, g_i = sum_{j != i} H_ij v_j, and
    d_i = H_ii + ||g_i|| is its dual solution at the optimum; elsewhere it is lifted by lambda_max(H - diag(d)).
    """
    n = len(H)
    V = np.random.default_rng(0).standard_normal((n, int(np.sqrt(2 * n)) + 2))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    pulls = np.zeros(n)
    for _ in range(SWEEPS):
        before = pulls.sum()
        for i in range(n):
            g = H[i] @ V - H[i, i] * V[i]
            pulls[i] = np.linalg.norm(g)
            if pulls[i] > 0:
                V[i] = g / pulls[i]
        if abs(pulls.sum() - before) <= 1e-9 * pulls.sum():
            break
    d = np.diag(H) + pulls
    lift = max(0.0, float(np.linalg.eigvalsh(H - np.diag(d))[-1]))
    return float(np.maximum(d + lift, 0.0).sum())
