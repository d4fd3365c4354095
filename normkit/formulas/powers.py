"""Maximisers over sums and maxima of two lp norms, and over duals of box norms, with many digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from normkit.formulas.pools import Vector, between


def crossing(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Return the root in [low, high] of a continuous increasing function (regula falsi, Illinois variant)."""
    low, high = mpmath.mpf(low), mpmath.mpf(high)
    below, above = function(low), function(high)
    for _ in range(500):
        middle = (low * above - high * below) / (above - below)
        value = function(middle)
        if value == 0 or high - low <= high * mpmath.eps * 16 or middle in (low, high):
            return middle
        if value < 0:
            low, below, above = middle, value, above / 2
        else:
            high, above, below = middle, value, below / 2
    return (low + high) / 2


def power_norm(t: Vector, p: Any) -> Any:
    """Return the lp norm."""
    return mpmath.fsum(each**p for each in t) ** (1 / p)


def mixture(y: Vector, p: Any, r: Any, share: Any) -> Vector:
    """Return x > 0 with (1 - share) x^(p-1) + share x^(r-1) = y, entry by entry, by Newton's method in a bracket."""
    return [_solved(each, p - 1, r - 1, share) if each > 0 else mpmath.mpf(0) for each in y]


def _solved(y: Any, p: Any, r: Any, share: Any) -> Any:
    ends = [(y / part) ** (1 / power) for part, power in ((1 - share, p), (share, r)) if part > 0]
    low, high = mpmath.mpf(0), min(ends)
    x = high
    for _ in range(200):
        one, two = (1 - share) * x**p, share * x**r
        excess = one + two - y
        if abs(excess) <= y * mpmath.eps * 16:
            break
        low, high = (low, x) if excess > 0 else (x, high)
        step = x - excess * x / (p * one + r * two)
        step = step if low < step < high else (low + high) / 2
        if abs(step - x) <= x * mpmath.eps * 4:
            break
        x = step
    return x


def max_lps(y: Vector, w: Vector, v: Vector, scalars: Vector) -> tuple[Vector, Any]:
    """max(a lp, b lr): y = alpha t^(p-1) + beta t^(r-1), either alone or with both norms of t equal to 1."""
    a, p, b, r = scalars

    def excess(share: Any) -> Any:
        t = mixture(y, p, r, share)
        return a * power_norm(t, p) - b * power_norm(t, r)

    share = mpmath.mpf(0)
    if excess(share) < 0:
        share = mpmath.mpf(1)
        if excess(share) > 0:
            share = crossing(excess, 0, 1)
    t = mixture(y, p, r, share)
    return t, max(a * power_norm(t, p), b * power_norm(t, r))


def sum_lps(y: Vector, w: Vector, v: Vector, scalars: Vector) -> tuple[Vector, Any]:
    """a lp + b lr: y along a (t/|t|_p)^(p-1) + b (t/|t|_r)^(r-1), which fixes the ratio of the two terms."""
    a, p, b, r = scalars

    def excess(share: Any) -> Any:
        t = mixture(y, p, r, share)
        return share * a * power_norm(t, r) ** (r - 1) - (1 - share) * b * power_norm(t, p) ** (p - 1)

    share = crossing(excess, 0, 1)
    t = mixture(y, p, r, share)
    return t, a * power_norm(t, p) + b * power_norm(t, r)


def max_l1_lp(y: Vector, w: Vector, v: Vector, scalars: Vector) -> tuple[Vector, Any]:
    """max(a l1, b lp): y - level on a head is along t^(p-1); level 0 if lp alone rules, else with both norms equal."""
    a, b, p = scalars

    def cut(level: Any) -> Vector:
        return [max(each - level, mpmath.mpf(0)) ** (1 / (p - 1)) for each in y]

    def wide(level: Any) -> bool:
        t = cut(level)
        return bool(a * mpmath.fsum(t) > b * power_norm(t, p))

    t = cut(between(wide, 0, y[0])[0]) if wide(mpmath.mpf(0)) else cut(mpmath.mpf(0))
    return t, max(a * mpmath.fsum(t), b * power_norm(t, p))


def sum_linf_lp(y: Vector, w: Vector, v: Vector, scalars: Vector) -> tuple[Vector, Any]:
    """a linf + b lp: y = u + (y - tau)_+ with u along t^(p-1), |u|_q = nu b and the rest of l1 norm nu a."""
    a, b, p = scalars
    q = p / (p - 1)

    def low(tau: Any) -> bool:
        rest = mpmath.fsum(max(each - tau, mpmath.mpf(0)) for each in y)
        return bool(b * rest > a * power_norm([min(each, tau) for each in y], q))

    tau = between(low, 0, y[0])[1]
    t = [min(each, tau) ** (q - 1) for each in y]
    return t, a * t[0] + b * power_norm(t, p)


def dual_box(y: Vector, w: Vector, v: Vector, p: Vector) -> tuple[Vector, Any]:
    """N = dual(box(lo, hi, c)): t = y / theta, theta = clip(y / level, lo, hi) of sum c, or hi if that fits."""
    low, high, budget = p
    theta = [high] * len(y)
    if budget < high * len(y):
        clip = [each / low for each in y]

        def spent(level: Any) -> Any:
            return mpmath.fsum(min(high, max(low, each / level)) for each in y)

        # Below the smallest positive y / hi every entry with y > 0 is at hi; what is left goes nowhere.
        floor = min(each for each in y if each > 0) / high / 2
        if spent(floor) > budget:
            level, _ = between(lambda at: spent(at) > budget, floor, clip[0])
        else:
            level = floor
        theta = [min(high, max(low, each / level)) for each in y]
    t = [each / part for each, part in zip(y, theta, strict=True)]
    squares, left = mpmath.mpf(0), max(budget - len(y) * low, mpmath.mpf(0))
    for each in t:
        raised = min(left, high - low)
        left -= raised
        squares += (low + raised) * each**2
    return t, mpmath.sqrt(squares)
