"""Which steps of Newton-Schulz to take, chosen from what a sketch shows of the spectrum; compiled.

A chain is the best composition of quintics for a spectrum in [l, 1] (see `normkit.polar.remez`): its first t steps are
best among all of t steps. One table holds the chains of a grid of l, and a choice is a look through it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.team import shared

STEPS = 16
"""Length of a chain."""
LOWEST, HIGHEST, GRID = 1e-7, 0.9, 72
"""Least and greatest l of the table, and their number, evenly spaced in log l."""
FLAT = 1 - 5e-6
"""l/u above which the best quintic is the Newton-Schulz polynomial to rounding."""


@shared()
def quintic(low: Any, u: Any) -> Any:
    """Return (a, b, c) of the odd quintic nearest to 1 on [low, u] in float64: Remez with two inner points.

    The equations p(x_i) = 1 -+ E at low < q < r < u are solved through y = x^2: p(x)/x is a parabola in y, the highest
    divided difference of (1 -+ E)/x over the four points is 0, which gives E.
    """
    if low >= FLAT * u:
        return 1.875 / u, -1.25 / u**3, 0.375 / u**5
    x = np.array([low, 0.75 * low + 0.25 * u, 0.25 * low + 0.75 * u, u])
    a, b, c, before = 0.0, 0.0, 0.0, 2.0
    for _ in range(200):
        plain, signed, sign = 0.0, 0.0, 1.0
        for i in range(4):
            weight = 1.0 / x[i]
            for j in range(4):
                if j != i:
                    weight /= (x[i] - x[j]) * (x[i] + x[j])
            plain += weight
            signed += sign * weight
            sign = -sign
        error = plain / signed
        y0, y1, y2 = x[0] * x[0], x[1] * x[1], x[2] * x[2]
        f0, f1, f2 = (1 - error) / x[0], (1 + error) / x[1], (1 - error) / x[2]
        d1 = (f1 - f0) / (y1 - y0)
        c = ((f2 - f1) / (y2 - y1) - d1) / (y2 - y0)
        b = d1 - c * (y0 + y1)
        a = f0 - y0 * (d1 - c * y1)
        if abs(error - before) <= 1e-15:
            break
        before = error
        root = max(9 * b * b - 20 * a * c, 0.0) ** 0.5
        x[1], x[2] = ((-3 * b - root) / (10 * c)) ** 0.5, ((-3 * b + root) / (10 * c)) ** 0.5
    return a, b, c


@shared()
def _fill(lowers: Any, safety: float, rows: Any, errors: Any) -> None:
    for k in range(len(lowers)):
        low, u = lowers[k], 1.0
        for t in range(rows.shape[1]):
            a, b, c = quintic(low, u)
            a, b, c = a / safety, b / safety**3, c / safety**5
            rows[k, t, 0], rows[k, t, 1], rows[k, t, 2] = a, b, c
            top = _greatest(a, b, c, u)
            low = min(low * (a + low * low * (b + low * low * c)), 1.0)
            u = max(top, 2 - low)
            errors[k, t] = max(1 - low, top - 1)


@shared()
def _greatest(a: Any, b: Any, c: Any, u: Any) -> Any:
    """Return the maximum of p over [0, u]."""
    top = u * (a + u * u * (b + u * u * c))
    inner = 9 * b * b - 20 * a * c
    if inner > 0:
        x = ((-3 * b - inner**0.5) / (10 * c)) ** 0.5
        if x < u:
            top = max(top, x * (a + x * x * (b + x * x * c)))
    return top


@cache
def table(safety: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the l of the grid, the rows (grid, steps, 3) and the errors max |1 - p| after each step (grid, steps).

    With a safety s the argument of every step is divided by s: values up to s u do no harm.
    """
    lowers = np.geomspace(LOWEST, HIGHEST, GRID)
    rows, errors = np.empty((GRID, STEPS, 3)), np.empty((GRID, STEPS))
    _fill(lowers, safety, rows, errors)
    for made in (lowers, rows, errors):
        made.flags.writeable = False
    return lowers, rows, errors


@cache
def coarse_table(safety: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return every third chain of the table."""
    lowers, rows, errors = (np.ascontiguousarray(part[::3]) for part in table(safety))
    for made in (lowers, rows, errors):
        made.flags.writeable = False
    return lowers, rows, errors


@shared()
def choose(x: Any, weights: Any, accuracy: float, lowers: Any, rows: Any, errors: Any, low: Any) -> Any:
    """Return (chain, steps, predicted) with the fewest steps whose predicted error is at most the accuracy.

    The error is (sum_i w_i (1 - p(x_i))^2)^(1/2) over the nodes x of a sketch with weights w that add up to 1. Nodes at
    or above l count half the square of the chain's greatest error, the mean square of a polynomial that swings between
    its bounds. A node below `low`, which stands for a range of singular values, counts as the mean over itself and a
    third of itself. If no chain is long enough, the best of the longest is returned.
    """
    best, chain, steps = 0.0, 0, 0
    for t in range(1, rows.shape[1] + 1):
        best = np.inf
        for k in range(len(lowers)):
            total = 0.0
            for i in range(len(x)):
                missing = 0.5 * errors[k, t - 1] ** 2 if x[i] >= lowers[k] else _missing(x[i], rows[k], t)
                if x[i] < low:
                    missing = 0.5 * (missing + _missing(x[i] / 3, rows[k], t))
                total += weights[i] * missing
            if total < best:
                best, chain, steps = total, k, t
        if best <= accuracy * accuracy:
            break
    return chain, steps, best**0.5


@shared()
def _missing(x: Any, rows: Any, steps: Any) -> Any:
    y = x
    for t in range(steps):
        z = y * y
        y *= rows[t, 0] + z * (rows[t, 1] + z * rows[t, 2])
    return (1 - y) ** 2


@shared()
def top_eigenvalue(m: Any, p1: Any, p2: Any, p3: Any, p4: Any, noise: Any) -> Any:
    """Return an upper bound on the largest eigenvalue of R >= 0 (m x m) from tr R, tr R^2, tr R^3 and tr R^4.

    With the polynomials P_k orthonormal for sum_i P(lambda_i)^2, every eigenvalue has sum_{k<=2} P_k(lambda)^2 <= 1
    (Christoffel: the least sum_i q(lambda_i)^2 with q(lambda) = 1 is the inverse of that sum, and is at least the term
    of lambda itself). Above the largest zero the sum grows: the bound is where it is 1. At most (tr R^4)^(1/4).
    `noise` is what the traces may be off by, relatively: two differences of them are taken as that much greater.
    """
    mean = p1 / m
    spread = max(p2 - mean * p1, 0.0) + noise * p2
    middle = (p3 - 2 * mean * p2 + mean * mean * p1) / spread
    # P_2 ~ (x - middle)(x - mean) - spread/m; its square sums to `left`.
    s, r = middle + mean, middle * mean - spread / m
    left = max(p4 - 2 * s * p3 + (s * s + 2 * r) * p2 - 2 * s * r * p1 + r * r * m, 0.0) + noise * p4
    high = min(p4**0.25, mean + spread**0.5)
    low = min(s / 2 + max(s * s / 4 - r, 0.0) ** 0.5, high)
    for _ in range(40):
        x = 0.5 * (low + high)
        second = x * x - s * x + r
        if 1 / m + (x - mean) ** 2 / spread + second * second / left >= 1:
            high = x
        else:
            low = x
    return high
