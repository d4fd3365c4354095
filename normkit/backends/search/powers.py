"""Two lp norms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from normkit.backends.search.pieces import EDGE, STEPS, divide

Array = NDArray[np.float64]


def _mixed_power(y: Array, p: float, r: float, rho: float, x: Array) -> None:
    """Write the x > 0 with (1 - rho) x_i^(p-1) + rho x_i^(r-1) = y_i, by Newton's method inside a bracket."""
    for i in range(len(y)):
        x[i] = 0.0
        if y[i] <= 0.0:
            continue
        # Each term alone is at most y; one of them is at least half of it.
        one = (y[i] / (1.0 - rho)) ** (1.0 / (p - 1.0)) if rho < 1.0 else np.inf
        two = (y[i] / rho) ** (1.0 / (r - 1.0)) if rho > 0.0 else np.inf
        high = min(one, two)
        low = 0.0
        z = high
        for _ in range(STEPS):
            first, second = (1.0 - rho) * z ** (p - 1.0), rho * z ** (r - 1.0)
            excess = first + second - y[i]
            if excess > 0.0:
                high = z
            else:
                low = z
            step = z - excess * z / ((p - 1.0) * first + (r - 1.0) * second)
            if not (low < step < high):
                step = 0.5 * (low + high)
            if abs(step - z) <= 2e-16 * z or step == z:
                break
            z = step
        x[i] = z


def _power_norm(x: Array, p: float) -> float:
    """Return the lp norm."""
    largest, total = x.max(), 0.0
    for i in range(len(x)):
        total += (x[i] / largest) ** p
    return float(largest * total ** (1.0 / p))


def max_lps(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(a lp, b lr): y = alpha t^(p-1) + beta t^(r-1), either alone or with both norms of t equal to 1."""
    a, first, b, second = p[0], p[1], p[2], p[3]
    low, high = 0.0, 1.0
    _mixed_power(y, first, second, 0.0, t)
    if a * _power_norm(t, first) >= b * _power_norm(t, second):
        high = low
    else:
        _mixed_power(y, first, second, 1.0, t)
        if b * _power_norm(t, second) >= a * _power_norm(t, first):
            low = high
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        _mixed_power(y, first, second, middle, t)
        if a * _power_norm(t, first) < b * _power_norm(t, second):
            low = middle
        else:
            high = middle
    _mixed_power(y, first, second, low, t)
    divide(t, max(a * _power_norm(t, first), b * _power_norm(t, second)))


def sum_lps(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """a lp + b lr: y is along a (t/|t|_p)^(p-1) + b (t/|t|_r)^(r-1), which fixes the ratio of the two terms."""
    a, first, b, second = p[0], p[1], p[2], p[3]
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        _mixed_power(y, first, second, middle, t)
        have = middle * a * _power_norm(t, second) ** (second - 1.0)
        want = (1.0 - middle) * b * _power_norm(t, first) ** (first - 1.0)
        if have < want:
            low = middle
        else:
            high = middle
    _mixed_power(y, first, second, low, t)
    divide(t, a * _power_norm(t, first) + b * _power_norm(t, second))


def max_l1_lp(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(a l1, b lp): t is along the (q-1)-th power of y soft-thresholded at the level where both norms are equal."""
    a, b, power = p[0], p[1], p[2]
    low, high = 0.0, EDGE * y[0]
    _threshold(y, low, power, t)
    if a * _power_norm(t, 1.0) > b * _power_norm(t, power):
        _threshold(y, high, power, t)
        if a * _power_norm(t, 1.0) > b * _power_norm(t, power):
            low = high
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            _threshold(y, middle, power, t)
            if a * _power_norm(t, 1.0) > b * _power_norm(t, power):
                low = middle
            else:
                high = middle
        _threshold(y, low, power, t)
    divide(t, max(a * _power_norm(t, 1.0), b * _power_norm(t, power)))


def _threshold(y: Array, level: float, power: float, t: Array) -> None:
    """Write ((y - level)_+ / its largest entry)^(q-1), 1/power + 1/q = 1."""
    for i in range(len(y)):
        t[i] = (max(y[i] - level, 0.0) / (y[0] - level)) ** (1.0 / (power - 1.0))


def sum_linf_lp(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """a linf + b lp: nu = sum (y - tau)_+ / a = |min(y, tau)|_q / b, and t is along min(y, tau)^(q-1)."""
    a, b, power = p[0], p[1], p[2]
    q = power / (power - 1.0)
    low, high = 0.0, y[0]
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        above = 0.0
        for i in range(len(y)):
            above += max(y[i] - middle, 0.0)
            t[i] = min(y[i], middle)
        if b * above > a * _power_norm(t, q):
            low = middle
        else:
            high = middle
    for i in range(len(y)):
        t[i] = (min(y[i], high) / high) ** (q - 1.0)
    divide(t, a * t[0] + b * _power_norm(t, power))
