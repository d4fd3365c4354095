"""Inverses of increasing functions of one variable: closed where the variable can be isolated, else a node."""

from __future__ import annotations

from typing import Any

from sympy import (
    Add,
    Expr,
    Integer,
    Mul,
    Poly,
    Pow,
    Symbol,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cosh,
    diff,
    exp,
    log,
    simplify,
    sin,
    sinh,
    sqrt,
    sympify,
    tan,
    tanh,
    together,
)  # fmt: skip

r = Symbol("r", positive=True)
"""The bound variable of an `InverseSlope`."""

UNDONE: dict[Any, Any] = {
    sinh: asinh, cosh: acosh, tanh: atanh, asinh: sinh, acosh: cosh, atanh: tanh, exp: log, log: exp, tan: atan,
    atan: tan, sin: asin, asin: sin,
}  # fmt: skip


class InverseSlope(Expr):  # type: ignore[misc]
    """InverseSlope(f, low, high, s): the r in [low, high] with f(r) = s, f increasing, an expression in `r`."""

    is_commutative = True
    is_extended_real = True
    is_extended_nonnegative = True

    def __new__(cls, *args: Any) -> InverseSlope:
        """Make the node; arguments may be numbers."""
        made: InverseSlope = Expr.__new__(cls, *map(sympify, args))
        return made

    @property
    def free_symbols(self) -> set[Symbol]:
        """Symbols of the argument only."""
        found: set[Symbol] = self.args[3].free_symbols
        return found

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        function, _, _, at = self.args
        return diff(at, symbol) / diff(function, r).subs(r, self)

    def _eval_evalf(self, prec: int) -> Any:
        function, low, high, at = self.args
        if not at.is_number:
            return None
        from mpmath import findroot, mpf, workprec
        from sympy import Float, lambdify, oo

        made = lambdify(r, function, modules="mpmath")
        with workprec(prec + 20):
            level = at.evalf(prec)._to_mpmath(prec)
            under = low.evalf()._to_mpmath(prec)
            over = under + 1 if high is oo else high.evalf()._to_mpmath(prec)
            while high is oo and made(over) < level:
                over = under + 2 * (over - under)
            root = findroot(lambda point: made(point) - level, (under, over), solver="anderson", verify=False)
            return Float._new(mpf(root)._mpf_, prec)

    def _sympystr(self, printer: Any) -> str:
        function, _, _, at = self.args
        return f"inverse({printer._print(function)})({printer._print(at)})"

    def _latex(self, printer: Any) -> str:
        function, _, _, at = self.args
        return rf"\left(r\mapsto {printer._print(function)}\right)^{{-1}}\left({printer._print(at)}\right)"


def inverse(function: Expr, variable: Symbol, level: Symbol, low: Expr, high: Expr) -> Expr:
    """Return the inverse of an increasing function on [low, high], as an expression in `level`.

    A closed form is kept only if it agrees with the function at points of the interval.
    """
    for rule in (isolated, quadratic, squared):
        closed = rule(function, variable, level)
        if closed is not None and _agrees(function, variable, closed, level, low, high):
            return closed
    return InverseSlope(function.subs(variable, r), low, high, level)


def isolated(function: Expr, variable: Symbol, level: Symbol) -> Expr | None:
    """Return the inverse of a function in which the variable occurs once: undo one operation after the other."""
    value: Expr = level
    while function != variable:
        inside = [arg for arg in function.args if arg.has(variable)]
        if len(inside) != 1:
            return None
        rest = [arg for arg in function.args if not arg.has(variable)]
        if isinstance(function, Add):
            value = value - Add(*rest)
        elif isinstance(function, Mul):
            value = value / Mul(*rest)
        elif isinstance(function, Pow) and inside[0] == function.base:
            value = value ** (1 / function.exp)
        elif type(function) in UNDONE:
            value = UNDONE[type(function)](value)
        else:
            return None
        function = inside[0]
    return value


def quadratic(function: Expr, variable: Symbol, level: Symbol) -> Expr | None:
    """Return the inverse of a ratio of polynomials with at most squares, in the form that does not cancel at 0."""
    top, bottom = together(function).as_numer_denom()
    try:
        poly = Poly(top - level * bottom, variable)
    except Exception:  # not a polynomial
        return None
    if poly.degree() > 2 or any(c.has(variable) for c in poly.all_coeffs()):
        return None
    two, one, none = [Integer(0)] * (2 - poly.degree()) + poly.all_coeffs()
    if two == 0:
        return -none / one
    return -2 * none / (one + sqrt(one**2 - 4 * two * none))


def squared(function: Expr, variable: Symbol, level: Symbol) -> Expr | None:
    """Return the inverse of a root of a ratio of polynomials in the square of the variable."""
    square = simplify(function**2).subs(variable, sqrt(variable))
    found = quadratic(square, variable, level)
    return None if found is None else sqrt(simplify(found.subs(level, level**2)))


def _agrees(function: Expr, variable: Symbol, closed: Expr, level: Symbol, low: Expr, high: Expr) -> bool:
    """Tell whether closed(function(x)) = x at a few points of the interval."""
    from sympy import Rational, oo

    shares = (Rational(1, 7), Rational(1, 2), Rational(6, 7))
    points = [low + (share * 3 if high is oo else share * (high - low)) for share in shares]
    try:
        found = [complex(closed.subs(level, function.subs(variable, point)).evalf(30)) for point in points]
        return all(abs(one - complex(point)) < 1e-12 for one, point in zip(found, points, strict=True))
    except (TypeError, ValueError):
        return False
