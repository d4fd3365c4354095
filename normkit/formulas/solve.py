"""Roots of increasing functions with many digits."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mpmath
from sympy import Expr, Float, Rational, lambdify, oo

from normkit.inverse import r

DIGITS = 40
SPACING = Float("1e-37", DIGITS)
"""Relative width at which a bracket counts as two neighbouring points."""


def root(function: Callable[[Any], Any], cap: Any) -> tuple[Any, Any]:
    """Return two neighbouring points between which an increasing function passes 1; the cap twice if it does not."""
    if cap != oo and above(function(cap)) <= 0:
        return cap, cap
    high = Float(1, DIGITS) if cap == oo else Float(cap, DIGITS)
    over = above(function(high))
    while over <= 0:
        high *= 2
        over = above(function(high))
    low, under = high / 2, above(function(high / 2))
    while under > 0:
        low, high, over = low / 2, low, under
        under = above(function(low))
    return _narrowed(lambda at: above(function(at)), (low, under), (high, over))


def _narrowed(function: Callable[[Any], Any], low: tuple[Any, Any], high: tuple[Any, Any]) -> tuple[Any, Any]:
    """Narrow a bracket of (point, value): inverse quadratic steps where they help (Chandrupatla 1997), else halving."""
    new, old = high, low
    share = Rational(1, 2)
    while True:
        point = new[0] + share * (old[0] - new[0])
        value = function(point)
        if (value > 0) == (new[1] > 0):
            third, new = new, (point, value)
        else:
            third, old, new = old, new, (point, value)
        width = abs(old[0] - new[0])
        if width <= abs(new[0]) * SPACING:
            return (new[0], old[0]) if new[0] < old[0] else (old[0], new[0])
        share = _share(new, old, third)
        edge = abs(new[0]) * SPACING / (2 * width)
        share = min(max(share, edge), 1 - edge)


def _share(new: tuple[Any, Any], old: tuple[Any, Any], third: tuple[Any, Any]) -> Any:
    """Return where in the bracket to go next."""
    (x, f), (y, g), (z, h) = new, old, third
    if not (f.is_finite and g.is_finite and h.is_finite) or h in (f, g):
        return Rational(1, 2)
    xi, phi = (x - y) / (z - y), (f - g) / (h - g)
    if phi**2 >= xi or (1 - phi) ** 2 >= 1 - xi:
        return Rational(1, 2)
    return f / (g - f) * h / (g - h) + (z - x) / (y - x) * f / (h - f) * g / (h - g)


def above(value: Any) -> Any:
    """Return value - 1; what is not a real number counts as infinite."""
    return value - 1 if value.is_real and value.is_finite else oo


@lru_cache(maxsize=64)
def _compiled(function: Expr) -> Callable[[Any], Any]:
    made: Callable[[Any], Any] = lambdify(r, function, "mpmath")
    return made


def inverse_at(function: Expr, low: Any, high: Any, level: Any) -> Any:
    """Return the point of [low, high] at which an increasing function of `r` takes a level."""
    with mpmath.workdps(DIGITS + 5):
        return Float(_inverse_at(function, low, high, level), DIGITS)


def _inverse_at(function: Expr, low: Any, high: Any, level: Any) -> Any:
    made, wanted, under = _compiled(function), mpf(level), mpf(low)
    if high != oo and wanted >= made(mpf(high)):
        return mpf(high)
    if under > 0 and wanted <= made(under):
        return under
    over = under + 1 if high == oo else mpf(high)
    while made(over) < wanted:
        over = under + 2 * (over - under)
    return mpmath.findroot(lambda at: made(at) - wanted, (under, over), solver="anderson", verify=False)


def mpf(value: Any) -> Any:
    """Return a rational or a Float at mpmath's current precision."""
    return mpmath.mpf(value._to_mpmath(mpmath.mp.prec))
