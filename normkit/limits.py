"""Functions of one variable in floats: values, one-sided limits, ends of intervals. Where a Young function is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from sympy import Expr, Float, Integer, Rational, Symbol, lambdify, oo, pi

x = Symbol("x", positive=True)
"""The variable of a Young function."""


def real(expr: Expr) -> Callable[[float], float]:
    """Return an expression in `x` as a function of floats: inf on overflow, nan where it is not a real number."""
    made = lambdify(x, expr, modules=["math", {"Max": max, "Min": min}], cse=False)

    def at(point: float) -> float:
        try:
            value = made(point)
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError, TypeError):
            return math.nan
        return math.nan if isinstance(value, complex) else float(value)

    return at


def bisect(inside: Callable[[float], bool], low: float, high: float) -> float:
    """Return the end of the interval from `low` on which a condition holds."""
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if inside(middle) else (low, middle)
    return high


def nice(number: float) -> Expr:
    """Return a rational of small denominator if one is within rounding, else the float."""
    for unit in (Integer(1), pi):
        close = Rational(number / float(unit)).limit_denominator(1000 if unit == 1 else 12) * unit
        if abs(float(close) - number) <= 1e-13 * abs(number):
            return close
    return Float(number)


def limit(expr: Expr, point: Expr, above: bool = False) -> Expr:
    """Return the one-sided limit of a monotone expression, by substitution or from its values near the point."""
    if not expr.has(x):
        return expr
    at = real(expr)
    if point is not oo and not math.isinf(at(float(point))):  # an infinite float may be too large a number to evaluate
        value = expr.subs(x, point)
        if value.is_number and value.is_finite and value.is_real:
            return value
    if point is oo:
        values = [at(2.0**k) for k in (30, 40, 50)]
    else:
        side = 1 if above else -1
        near = [float(point) + side * (float(point) or 1.0) * 2.0**-k for k in (24, 36, 48)]
        values = [at(one) for one in near]
    values = [value for value in values if not math.isnan(value)]
    if not values or math.isinf(values[-1]):
        return oo
    steps = [abs(second - first) for first, second in pairwise(values)]
    if steps and steps[-1] > 1e-6 * max(abs(values[-1]), 1e-300) and steps[-1] > 0.3 * steps[0]:
        return oo
    if point is not oo and abs(values[-1]) > 1e6:
        return oo
    return nice(values[-1] if point is oo or point.has(Float) else _precise(expr, point, above))


def _precise(expr: Expr, point: Expr, above: bool) -> float:
    """Return the value next to an exact point in high precision."""
    from mpmath import mp, mpf, workdps

    made = lambdify(x, expr, modules="mpmath")
    with workdps(60):
        exact = point.evalf(60)._to_mpmath(200) if point != 0 else mpf(0)
        offset = mpf(10) ** -40
        return float(mp.re(made(exact + offset if above else exact - offset)))
