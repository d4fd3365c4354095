"""Float forms of scalar bodies: where an expression cancels near 0, its Taylor polynomial stands below a threshold.

sqrt(1 + s^2) - 1 is 0 in floats for s = 1e-9, not 5e-19. The expression is compared with high precision at points of
(0, 1]; if it loses digits, the coefficients at 0 come from Cauchy's formula on a circle (Fornberg 1981), and the
polynomial is taken below the smallest threshold from which on the expression itself is accurate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from mpmath import mp, mpc, mpf, workdps
from sympy import Expr, Float, Piecewise, Symbol, lambdify, piecewise_fold

from normkit.inverse import InverseSlope

POINTS = [10.0 ** (k / 3) for k in range(-36, 1)]
"""Where floats are compared with high precision."""
ACCURATE = 4e-15
"""Relative error at which an expression counts as accurate."""
NODES = 64
"""Points on the circle of Cauchy's formula."""


@lru_cache(maxsize=1024)
def stable(expr: Expr, symbol: Symbol) -> Expr:
    """Return an expression of the same values that is accurate near 0, if a Taylor polynomial can do that.

    Of a `Piecewise` the first case holds 0. An expression in an inverse function is made stable as a function of it.
    """
    if isinstance(expr, Piecewise):
        first, when = expr.args[0]
        return Piecewise((stable(first, symbol), when), *expr.args[1:])
    if expr.has(Piecewise):
        folded = piecewise_fold(expr)
        return stable(folded, symbol) if isinstance(folded, Piecewise) else expr
    inner = list(expr.atoms(InverseSlope))
    if inner:
        bare = expr.xreplace({inner[0]: BARE})
        alone = len(inner) == 1 and symbol not in bare.free_symbols
        return stable(bare, BARE).xreplace({BARE: inner[0]}) if alone else expr
    if expr.free_symbols != {symbol}:
        factor, rest = expr.as_independent(symbol, as_Add=False)
        return factor * stable(rest, symbol) if rest.free_symbols == {symbol} else expr
    return _stable(expr, symbol)


BARE = Symbol("r_0", positive=True)


def _stable(expr: Expr, symbol: Symbol) -> Expr:
    floats = _floats(expr, symbol)
    exact = lambdify(symbol, expr, modules="mpmath")
    with workdps(50):
        losses = [(point, _loss(floats, exact, point)) for point in POINTS]
        if all(loss <= ACCURATE for _, loss in losses):
            return expr
        for threshold, polynomial in _candidates(floats, exact, symbol):
            good = all(loss <= 10 * ACCURATE for point, loss in losses if point >= threshold)
            below = _floats(polynomial, symbol)
            if good and all(_loss(below, exact, point) <= ACCURATE for point, _ in losses if point < threshold):
                return Piecewise((polynomial, symbol < Float(threshold)), (expr, True))
    return expr


def _floats(expr: Expr, symbol: Symbol) -> Callable[[float], float]:
    made = lambdify(symbol, expr, modules="math")

    def at(point: float) -> float:
        try:
            return float(made(point))
        except (OverflowError, ValueError, ZeroDivisionError, TypeError):
            return math.nan

    return at


def _loss(floats: Callable[[float], float], exact: Any, point: float) -> float:
    """Return the relative error of a float function at a point; 0 where it is not a moderate number."""
    value = floats(point)
    if not abs(value) < 1e100:
        return 0.0
    try:
        true = exact(mpf(point))
    except (ZeroDivisionError, ValueError, OverflowError):
        return 0.0
    if isinstance(true, mpc) or not mp.isfinite(true) or abs(true) < 1e-290:
        return 0.0
    return float(abs((value - true) / true))


def _candidates(floats: Callable[[float], float], exact: Any, symbol: Symbol) -> Iterator[tuple[float, Expr]]:
    """Yield thresholds, growing, with the polynomial that is accurate below it."""
    for threshold in (2.0**-6, 2.0**-5, 2.0**-4, 2.0**-3, 2.0**-2, 2.0**-1, 1.0):
        if not abs(floats(2 * threshold)) < 1e100:
            return
        try:
            coefficients = _taylor(exact, 2 * threshold)
        except (ZeroDivisionError, ValueError, OverflowError, TypeError):
            return
        polynomial = _polynomial(coefficients, symbol, threshold)
        if polynomial is not None:
            yield threshold, polynomial


def _taylor(exact: Any, radius: float) -> list[Any]:
    """Return the coefficients c_k radius^k at 0 by the trapezoidal rule on a circle."""
    angles = [mp.expjpi(mpf(2 * k) / NODES) for k in range(NODES)]
    values = [exact(radius * angle) for angle in angles]
    return [
        mp.re(mp.fsum(value * angles[-k * place % NODES] for place, value in enumerate(values))) / NODES
        for k in range(NODES // 2)
    ]


def _polynomial(coefficients: list[Any], symbol: Symbol, threshold: float) -> Expr | None:
    """Return the polynomial in Horner's form, cut where terms no longer count at the threshold."""
    largest = max(abs(c) for c in coefficients)
    scaled = [c if abs(c) > 1e-25 * largest else mpf(0) for c in coefficients]
    low = next((k for k, c in enumerate(scaled) if c), None)
    if low is None or largest == 0:
        return None
    # At the threshold, half the radius, term k is c_k 2^-k.
    leading = abs(scaled[low]) / mpf(2) ** low
    high = max(k for k, c in enumerate(scaled) if abs(c) / mpf(2) ** k > mpf(10) ** -18 * leading)
    terms = [float(c / (2 * mpf(threshold)) ** k) for k, c in enumerate(scaled[: high + 1])]
    step = 2 if all(term == 0.0 for k, term in enumerate(terms) if (k - low) % 2) else 1
    made: Any = Float(terms[low + (high - low) // step * step])
    for k in range(low + (high - low) // step * step - step, low - 1, -step):
        made = Float(terms[k]) + symbol**step * made
    return symbol**low * made
