"""Reading a Young function off an expression: its kinks, the end of its domain, its smooth pieces, and the checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

from sympy import Abs, Expr, Integer, Max, Min, Piecewise, diff, oo
from sympy.core.relational import Relational

from normkit.constants import exact
from normkit.errors import ParameterError
from normkit.functional import m, n
from normkit.limits import bisect, limit, nice, real, x
from normkit.young import Piece, Young, shorter

GRID = [2.0 ** (k / 4) for k in range(-120, 44)]
"""Where convexity is checked: 1e-9 to 1.7e3."""
TINY = 1e-290
"""Where phi must vanish."""


@lru_cache(maxsize=256)
def young(expr: Any) -> Young:
    """Return the Young function that an expression in one symbol states.

    Raises
    ------
    ParameterError
        If phi(0) is not 0, phi is not convex, infinite near 0, identically 0, or not an expression in one symbol.
    """
    try:
        return _young(canonical(expr))
    except (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, NotImplementedError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"cannot tell whether {expr} is a Young function: {error}") from error


def _young(phi: Expr) -> Young:
    check_origin(phi)
    ends = [Integer(0), *kinks(phi)]
    end = domain_end(phi, float(ends[-1]))
    pieces: list[Piece] = []
    for low, high in pairwise([*(border for border in ends if end is oo or border < end), end]):
        body = branch(phi, low, high)
        if pieces and pieces[-1].body == body:
            low = pieces.pop().low
        pieces.append(_piece(body, low, high))
    made = Young(phi, tuple(pieces), limit(pieces[-1].body, end))
    check(made)
    return made


def canonical(expr: Any) -> Expr:
    """Return the expression in the symbol `x`, with Abs and two-sided Piecewise functions written as Max and Min."""
    phi = exact(expr)
    if not isinstance(phi, Expr) or len(phi.free_symbols) != 1 or phi.free_symbols & {m, n}:
        names = sorted(map(str, phi.free_symbols)) if isinstance(phi, Expr) else []
        raise ParameterError(f"a Young function is an expression in one variable, such as exp(x) - 1 - x; got {phi} "
                             f"with the variables {names}")  # fmt: skip
    phi = phi.xreplace({phi.free_symbols.pop(): x}).replace(Abs, lambda inner: Max(inner, -inner))
    if phi.has(Piecewise):
        phi = phi.replace(Piecewise, lambda *cases: _clipped(cases))
    return phi


def _clipped(cases: Any) -> Expr:
    """Write e_1 up to c, then e_2, ... (continuous) as the sum of e_k(x clipped to its interval) - e_k(its start)."""
    total, low = cases[0][0].subs(x, 0), Integer(0)
    for place, (body, when) in enumerate(cases):
        last = place == len(cases) - 1
        ordered = last or (isinstance(when, Relational) and when.lts == x)
        if body in (oo, -oo) or not ordered:
            raise ParameterError(
                "a Piecewise Young function needs finite cases (e_1, x <= c_1), ..., (e_k, True) in order"
            )
        high = oo if last else when.gts
        inside = Max(x, low) if last else Max(low, Min(x, high))
        total += body.subs(x, inside) - body.subs(x, low)
        low = high
    return total


def kinks(phi: Expr) -> list[Expr]:
    """Return where the branches of a Max or Min meet, sorted."""
    found: set[Expr] = set()
    for node in phi.atoms(Max, Min):
        for place, first in enumerate(node.args):
            for second in node.args[place + 1 :]:
                found |= set(_roots(first - second))
    return sorted(found, key=float)


def _roots(gap: Expr) -> list[Expr]:
    """Return the positive roots of a difference of two branches: exactly if it is linear, else from sign changes."""
    slope = diff(gap, x)
    if not slope.has(x) and not gap.has(Max, Min) and slope != 0:
        root = -gap.subs(x, 0) / slope
        return [root] if root.is_positive else []
    at, roots = real(gap), []
    for low, high in pairwise(GRID):
        if at(low) == 0.0:
            roots.append(nice(low))
        elif at(low) * at(high) < 0.0:
            side = math.copysign(1.0, at(low))
            roots.append(nice(bisect(partial(_beside, at, side), low, high)))
    return roots


def _beside(at: Callable[[float], float], side: float, point: float) -> bool:
    return at(point) * side > 0.0


def _above(at: Callable[[float], float], floor: float, point: float) -> bool:
    return at(point) >= floor


def domain_end(phi: Expr, beyond: float) -> Expr:
    """Return the end of the interval on which phi is real and rises; oo if there is none."""
    at = real(phi)
    good = 0.0
    for point in GRID:
        value = at(point)
        if value == math.inf:
            return oo
        if math.isnan(value) or value < at(good) - 1e-9 if good else math.isnan(value):
            if not good:
                break
            border = bisect(partial(_above, at, at(good)), good, point)
            undefined = math.isnan(at(border * (1 + 1e-9)))
            if not undefined and at(border * (1 - 1e-12)) < 1e9:
                raise ParameterError(f"a Young function must not decrease; {phi} falls near x = {border:.6g}")
            return nice(border)
        good = point
    if not good:
        raise ParameterError(f"a Young function must be finite near 0; {phi} is not a real number at x = {GRID[0]:.3g}")
    return oo


def branch(phi: Expr, low: Expr, high: Expr) -> Expr:
    """Return the smooth expression that phi is on an interval between kinks."""
    middle = float(low) + 1.0 if high is oo else 0.5 * (float(low) + float(high))

    def active(*args: Expr, sign: int = 1) -> Expr:
        return max(args, key=lambda one: sign * real(one)(middle))

    return phi.replace(Max, lambda *args: active(*args)).replace(Min, lambda *args: active(*args, sign=-1))


def _piece(body: Expr, low: Expr, high: Expr) -> Piece:
    slope = shorter(diff(body, x))
    if not slope.has(x):
        return Piece(low, high, body, slope, slope, slope)
    return Piece(low, high, body, slope, limit(slope, low, above=True), limit(slope, high))


def check_origin(phi: Expr) -> None:
    """Refuse an expression that is not 0 at 0."""
    at = real(phi)
    at_zero = next((value for value in map(at, (TINY, 1e-60)) if not math.isnan(value)), at(GRID[0]))
    if not math.isfinite(at_zero):
        raise ParameterError(f"a Young function must be finite near 0; {phi} is {at_zero} as a float there")
    if not abs(at_zero) <= 1e-12 * unit_scale(at):
        raise ParameterError(f"a Young function has phi(0) = 0; {phi} has phi({TINY:.0e}) = {at_zero:.6g}")


def unit_scale(at: Callable[[float], float]) -> float:
    """Return the largest finite magnitude of a function at grid points up to 1, by which its rounding is measured."""
    values = (abs(at(point)) for point in GRID if point <= 1)
    return max((value for value in values if math.isfinite(value)), default=0.0)


def check(made: Young) -> None:
    """Refuse what is not convex and increasing, saying where."""
    if all(piece.slope == 0 for piece in made.pieces):
        raise ParameterError("a Young function is not identically 0")
    slack = 1e-14 * max(unit_scale(real(piece.slope)) for piece in made.pieces)
    before, where = 0.0, 0.0
    for piece in made.pieces:
        at = real(piece.slope)
        for point in (one for one in GRID if piece.low < one and one < piece.high):
            slope = at(point)
            if math.isnan(slope) or slope == math.inf:
                break
            if slope < before - max(slack, 1e-9 * before):
                kind = "must not decrease" if before == 0.0 else "must be convex"
                raise ParameterError(
                    f"a Young function {kind}; {made.expr} has slope {slope:.6g} at x = {point:.4g}"
                    + (f" after {before:.6g} at x = {where:.4g}" if before else "")
                )
            before, where = max(before, slope), point
