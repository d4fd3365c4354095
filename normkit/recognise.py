"""Norms from SymPy expressions: sums and maxima of absolute linear forms, roots of quadratic forms, lp forms, products.

`from_expression` reads the expression from the outside in and answers with the norm of the catalogue that it is; what
it cannot read it names.
"""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Abs, Add, Expr, Integer, Max, Min, Pow, Rational, Symbol, nan, oo

from normkit.calculus.groups import Groups
from normkit.calculus.sums import Maximum, Plus
from normkit.catalogue.lp import L1, Linf, plain_lp
from normkit.catalogue.quadratic import Quadratic
from normkit.coefficients import Row, facets, line, powered, quadratic, unit_row
from normkit.constants import exact
from normkit.errors import ParameterError
from normkit.linear_forms import of_images, of_lines, parameter, polyhedral, ranked, unread, weighted
from normkit.norm import Norm, scale


def from_expression(expr: Expr, symbols: Iterable[Symbol]) -> Norm:
    """Return the norm of vectors (x_1, ..., x_n) that a SymPy expression in the given symbols is.

    Parameters
    ----------
    expr : Expr
        For example ``Abs(x) + 2*Abs(y)``, ``Max(Abs(x + y), Abs(x - y))``, ``sqrt(x**2 + x*y + y**2)``.
    symbols : iterable of Symbol
        The entries of the vector, in order; they are taken as real.

    Returns
    -------
    Norm
        From the catalogue and the calculus: equal expressions in other words may give other, equal norms.

    Raises
    ------
    ParameterError
        If the expression is no norm (not homogeneous, not even, zero on a direction), or holds a part that is not
        recognised; the message names it.

    Examples
    --------
    >>> import normkit as nk
    >>> from sympy import Abs, sqrt
    >>> from sympy.abc import x, y
    >>> nk.from_expression(Abs(x) + Abs(y), (x, y))
    norm('l1')
    >>> nk.from_expression(sqrt(2 * x**2 + 2 * x * y + 3 * y**2), (x, y))
    norm('quadratic([[2.0, 1.0], [1.0, 3.0]])')
    """
    if not isinstance(expr, Expr):
        raise ParameterError(f"from_expression reads a SymPy expression; got {type(expr).__name__}")
    given = tuple(symbols) if isinstance(symbols, Iterable) else (symbols,)
    names = [symbol.name for symbol in given if isinstance(symbol, Symbol)]
    if not names or len(set(names)) < len(given):
        raise ParameterError(f"from_expression needs distinct SymPy symbols, one per entry; got {given}")
    real = tuple(Symbol(name, real=True) for name in names)
    expr = exact(expr).xreplace(dict(zip(given, real, strict=True)))
    strange = sorted(map(str, expr.free_symbols - set(real)))
    if strange:
        raise ParameterError(f"the expression uses {', '.join(strange)}, not among the symbols {', '.join(names)}")
    if any(symbol.is_nonnegative for symbol in given):
        raise ParameterError(
            "from_expression needs symbols of either sign: SymPy drops the magnitude of a symbol that is declared "
            f"positive. Use symbols({' '.join(names)!r}, real=True)"
        )
    expr = expr.replace(Min, lambda *args: -Max(*(-one for one in args)))
    _require_norm_like(expr, real)
    return _read(expr, real)


def _require_norm_like(expr: Expr, xs: tuple[Symbol, ...]) -> None:
    """Compare f(2x) with 2 f(x), and f(-x) with f(x), at a few points."""
    for seed in range(3):
        point = [Rational((7 * k + 5 * seed) % 11 - 5, 3) or Rational(1, 7) for k in range(len(xs))]
        here, twice, minus = (
            expr.subs(list(zip(xs, [factor * entry for entry in point], strict=True))).evalf(30)
            for factor in (1, 2, -1)
        )
        if not here.is_real or here is nan:
            raise ParameterError(f"{expr} is not a real number at {dict(zip(xs, point, strict=True))}")
        if abs(twice - 2 * here) > 1e-12 * abs(here):
            raise ParameterError(
                f"{expr} is not a norm: it is not homogeneous, f(2x) = {float(twice / here):.6g} f(x) somewhere. For a "
                "convex function of the entries, nk.Orlicz makes a norm"
            )
        if abs(minus - here) > 1e-12 * abs(here):
            raise ParameterError(f"{expr} is not a norm: f(-x) differs from f(x); a gauge is not a norm")
        if here <= 0:
            raise ParameterError(f"{expr} is not a norm: it is {here.evalf(6)} at a point other than 0")


# --- from the outside in -----------------------------------------------------------------------------------------


def _read(expr: Expr, xs: tuple[Symbol, ...]) -> Norm:
    """Return the norm on the space of all `xs`."""
    absent = [str(x) for x in xs if x not in expr.free_symbols]
    if absent:
        raise unread(expr, f"it does not grow with {', '.join(absent)}, so it is a seminorm")
    factor, rest = expr.as_independent(*xs, as_Add=False)
    if factor != 1:
        if not factor.is_positive:
            raise unread(expr, f"its factor {factor} is not positive")
        return scale(factor, _read(rest, xs))
    if isinstance(expr, Pow):
        return _power(expr, xs)
    if isinstance(expr, Add | Max) or line(expr, xs) is not None:
        return _joined(expr, xs)
    raise unread(expr)


def _joined(expr: Expr, xs: tuple[Symbol, ...]) -> Norm:
    """Read a sum or a maximum: by its structure, or else as a polyhedral norm."""
    maximal = isinstance(expr, Max)
    terms = _terms(expr)
    lines = [row for term in terms if (row := line(term, xs)) is not None]
    if len(lines) == len(terms):
        return of_lines(lines, xs, Integer(1) if not maximal else oo)
    sorted_norm = ranked(terms, xs) if maximal else None
    if sorted_norm is not None:
        return sorted_norm
    try:
        return _by_structure(terms, xs, maximal)
    except ParameterError:
        faces = facets(expr, xs)
        if faces is not None:
            return polyhedral(faces, xs)
        return _by_images(terms, xs, oo if maximal else Integer(1))


def _terms(expr: Expr) -> list[Expr]:
    """Return the terms of a sum or maximum; Max(u, -u) counts as Abs(u)."""
    if not isinstance(expr, Max):
        return list(Add.make_args(expr))
    terms = set(expr.args)
    pairs = {term for term in terms if -term in terms}
    return [term for term in expr.args if term not in pairs] + sorted({Abs(term) for term in pairs}, key=str)


def _by_structure(terms: list[Expr], xs: tuple[Symbol, ...], maximal: bool) -> Norm:
    """Read a sum or maximum of norms of disjoint blocks, or of norms of the whole space."""
    join = Max if maximal else Add
    blocks = _components(terms, xs)
    if len(blocks) > 1:
        inner = [_read(join(*held), tuple(xs[k] for k in block)) for block, held in blocks]
        return Groups(Linf() if maximal else L1(), tuple(inner), tuple(block for block, _ in blocks))
    lines = [row for term in terms if (row := line(term, xs)) is not None]
    parts = [of_lines(lines, xs, oo if maximal else Integer(1))] if lines else []
    parts += [_read(term, xs) for term in terms if line(term, xs) is None]
    return parts[0] if len(parts) == 1 else (Maximum if maximal else Plus)(tuple(parts))


def _by_images(terms: list[Expr], xs: tuple[Symbol, ...], p: Expr) -> Norm:
    """Read terms as norms of some entries or linear forms each; p joins them, whose p-th powers the terms are."""
    lines = {term: row for term in terms if (row := _line(term, xs, p)) is not None}
    images: list[tuple[list[Row], Norm]] = [(list(lines.values()), plain_lp(p))] if lines else []
    for term in terms:
        if term not in lines:
            held = tuple(x for x in xs if x in term.free_symbols)
            images.append(([unit_row(x, xs) for x in held], _read(term if p in (1, oo) else Pow(term, 1 / p), held)))
    return of_images(images, xs, p)


def _line(term: Expr, xs: tuple[Symbol, ...], p: Expr) -> Row | None:
    """Return the coefficients of the linear form L of a term |L|**p, or |L| if p joins by sum or maximum."""
    return line(term, xs) if p in (1, oo) else powered(term, p, xs)


def _components(terms: list[Expr], xs: tuple[Symbol, ...]) -> list[tuple[tuple[int, ...], list[Expr]]]:
    """Return the blocks of symbols that terms connect, each with its terms."""
    blocks: list[tuple[set[Symbol], list[Expr]]] = []
    for term in terms:
        touched = [block for block in blocks if block[0] & term.free_symbols]
        blocks = [block for block in blocks if block not in touched]
        symbols = set().union(term.free_symbols, *(block[0] for block in touched))
        blocks.append((symbols, [held for block in touched for held in block[1]] + [term]))
    found = [(tuple(k for k, x in enumerate(xs) if x in symbols), held) for symbols, held in blocks]
    return sorted(found, key=lambda block: block[0])


# --- powers ----------------------------------------------------------------------------------------------------------


def _power(expr: Pow, xs: tuple[Symbol, ...]) -> Norm:
    """Read (sum of p-th powers)**(1/p)."""
    base, exponent = expr.as_base_exp()
    if not (exponent.is_number and exponent.is_positive and exponent < 1):
        raise unread(expr)
    p = 1 / exponent
    form = quadratic(base, xs) if p == 2 else None
    if form is not None:
        weights = [form[k][k] for k in range(len(xs))]
        if all(not entry for k, row in enumerate(form) for c, entry in enumerate(row) if c != k):
            if not all(weight.is_positive for weight in weights):
                raise unread(expr, "the quadratic form is not positive definite")
            return weighted(tuple(weight**exponent for weight in weights), p)
        return Quadratic(parameter(form))
    terms = list(Add.make_args(base))
    blocks = _components(terms, xs)
    if len(blocks) == 1 or all(_line(term, xs, p) for term in terms):
        return _root(terms, xs, p)
    inner = [_root(held, tuple(xs[k] for k in block), p) for block, held in blocks]
    return Groups(plain_lp(p), tuple(inner), tuple(block for block, _ in blocks))


def _root(terms: list[Expr], xs: tuple[Symbol, ...], p: Expr) -> Norm:
    """Read (sum of terms)**(1/p), the terms p-th powers of linear forms or of norms."""
    rows = [row for term in terms if (row := _line(term, xs, p)) is not None]
    if len(rows) == len(terms):
        return of_lines(rows, xs, p)
    whole = Pow(Add(*terms), 1 / p)
    if not isinstance(whole, Pow) or whole.exp != 1 / p or quadratic(whole.base, xs) is not None:
        return _read(whole, xs)
    if len(terms) == 1:
        raise unread(whole)
    return _by_images(terms, xs, p)
