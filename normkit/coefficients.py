"""Reading SymPy expressions: the coefficients of linear, absolute, quadratic and power forms, and of polyhedra."""

from __future__ import annotations

from itertools import product

from sympy import Abs, Add, Expr, Integer, Max, Mul, Poly, PolynomialError, Symbol

Row = tuple[Expr, ...]
"""Coefficients of a linear form."""

FACETS = 2048
"""Most linear forms of which a polyhedral norm is taken as the maximum."""


def linear(expr: Expr, xs: tuple[Symbol, ...]) -> Row | None:
    """Return the coefficients of a linear form, None if the expression is none."""
    try:
        poly = Poly(expr, *xs)
    except PolynomialError:
        return None
    if any(sum(powers) != 1 for powers in poly.monoms()):
        return None
    row = tuple(poly.coeff_monomial(x) for x in xs)
    return row if all(entry.is_real for entry in row) else None


def unit_row(x: Symbol, xs: tuple[Symbol, ...]) -> Row:
    """Return the coefficients of the form x."""
    return tuple(Integer(int(other == x)) for other in xs)


def line(expr: Expr, xs: tuple[Symbol, ...]) -> Row | None:
    """Return the coefficients of c |linear form|, c > 0; None if the expression is none."""
    factor, rest = expr.as_independent(*xs, as_Add=False)
    if not (isinstance(rest, Abs) and factor.is_positive):
        return None
    row = linear(rest.args[0], xs)
    return row and tuple(factor * entry for entry in row)


def quadratic(base: Expr, xs: tuple[Symbol, ...]) -> list[Row] | None:
    """Return P of a quadratic form x' P x, None if the expression is none."""
    try:
        poly = Poly(base, *xs)
    except PolynomialError:
        return None
    if any(sum(powers) != 2 for powers in poly.monoms()):
        return None
    return [tuple(poly.coeff_monomial(u * v) / (1 if u == v else 2) for v in xs) for u in xs]


def powered(term: Expr, p: Expr, xs: tuple[Symbol, ...]) -> Row | None:
    """Return the coefficients of the linear form L in c |L|**p = |c**(1/p) L|**p."""
    factor, rest = term.as_independent(*xs, as_Add=False)
    bases, exponents = zip(*(part.as_base_exp() for part in Mul.make_args(rest)), strict=True)
    # |x|**3 of a real x is x**2 |x|: every factor is an even power or a magnitude of one form.
    even = all(isinstance(b, Abs) or (e.is_Integer and e % 2 == 0) for b, e in zip(bases, exponents, strict=True))
    forms = {b.args[0] if isinstance(b, Abs) else b for b in bases}
    if not (even and len(forms) == 1 and sum(exponents) == p and factor.is_positive):
        return None
    row = linear(forms.pop(), xs)
    return row and tuple(factor ** (1 / p) * entry for entry in row)


def facets(expr: Expr, xs: tuple[Symbol, ...]) -> set[Row] | None:
    """Return linear forms whose maximum is the expression; None if it is not of that kind or they are too many."""
    row = linear(expr, xs) if expr != 0 else (Integer(0),) * len(xs)
    if row is not None:
        return {row}
    factor, rest = expr.as_independent(*xs, as_Add=False)
    found: set[Row] | None = None
    if factor != 1:
        inner = facets(rest, xs) if factor.is_positive else None
        found = inner and {tuple(factor * entry for entry in row) for row in inner}
    elif isinstance(expr, Abs):
        row = linear(expr.args[0], xs)
        found = {row, tuple(-entry for entry in row)} if row else None
    elif isinstance(expr, Max | Add):
        parts = [facets(term, xs) for term in expr.args]
        if all(parts):
            found = _union(parts) if isinstance(expr, Max) else _minkowski(parts)
    return found if found is not None and len(found) <= FACETS else None


def _union(parts: list[set[Row] | None]) -> set[Row]:
    return set().union(*(part for part in parts if part))


def _minkowski(parts: list[set[Row] | None]) -> set[Row] | None:
    sums: set[Row] = set()
    for part in parts:
        assert part is not None
        if len(sums) * len(part) > FACETS:
            return None
        sums = {tuple(u + v for u, v in zip(*pair, strict=True)) for pair in product(sums, part)} if sums else part
    return sums
