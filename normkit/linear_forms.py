"""Norms of linear forms: the lp norm of several, norms of the sorted magnitudes, and maxima (polyhedral norms)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise

from sympy import Abs, Add, Expr, Integer, Symbol, oo
from sympy.utilities.iterables import multiset_permutations

from normkit.calculus.groups import Groups
from normkit.calculus.linear_image import Linmap, Quotient
from normkit.catalogue.atoms import Atoms
from normkit.catalogue.lp import L1, plain_lp
from normkit.catalogue.ranked import OWL, TopK
from normkit.catalogue.weighted import WeightedLinf, WeightedLp
from normkit.coefficients import Row, linear
from normkit.elimination import rank
from normkit.errors import ParameterError
from normkit.norm import Dual, Norm, scale
from normkit.parameter import Parameter

READ = (
    "Recognised: sums and maxima of |linear forms|, square roots of positive definite quadratic forms, "
    "(sum w |linear form|**p)**(1/p), their positive multiples, sums and maxima"
)


def unread(expr: Expr, why: str = "") -> ParameterError:
    """Return the error for a part that is not recognised."""
    return ParameterError(f"from_expression cannot read {expr}{why and f': {why}'}. {READ}")


def parameter(rows: Iterable[Row]) -> Parameter:
    """Return coefficients as an array parameter."""
    return Parameter.of([[float(entry) for entry in row] for row in rows])


def of_lines(rows: list[Row], xs: tuple[Symbol, ...], p: Expr) -> Norm:
    """Return the lp norm of the linear forms with the given coefficients."""
    weights = _diagonal(rows)
    if weights is not None:
        return weighted(weights, p)
    matrix = parameter(rows)
    if rank(matrix) < len(xs):
        raise unread(Add(*(Abs(_form(row, xs)) for row in rows)), "these forms vanish together, so it is a seminorm")
    if p is oo:
        return Dual(Atoms(matrix))
    inner = plain_lp(p)
    if len(rows) == len(xs):
        return Linmap(inner, matrix)
    return Dual(Quotient(inner.dual, parameter(zip(*rows, strict=True))))


def of_images(images: list[tuple[list[Row], Norm]], xs: tuple[Symbol, ...], p: Expr) -> Norm:
    """Return the lp norm of N_1(A_1 x), N_2(A_2 x), ..., given as (rows of A_k, N_k)."""
    rows = [row for some, _ in images for row in some]
    matrix = parameter(rows)
    if rank(matrix) < len(xs):
        raise ParameterError(
            f"from_expression reads norms: these parts vanish together on a direction, so it is a seminorm: "
            f"{', '.join(str(_form(row, xs)) for row in rows)}"
        )
    ends = [0, *accumulate(len(some) for some, _ in images)]
    blocks = tuple(tuple(range(*pair)) for pair in pairwise(ends))
    product = Groups(plain_lp(p), tuple(norm for _, norm in images), blocks) if len(images) > 1 else images[0][1]
    return Dual(Quotient(product.dual, parameter(zip(*rows, strict=True))))


def _form(row: Row, xs: tuple[Symbol, ...]) -> Expr:
    return Add(*(c * x for c, x in zip(row, xs, strict=True)))


def _diagonal(rows: list[Row]) -> Row | None:
    """Return w if the forms are w_i x_i, each entry once."""
    weights: dict[int, Expr] = {}
    for row in rows:
        held = [k for k, entry in enumerate(row) if entry]
        if len(held) != 1 or held[0] in weights:
            return None
        weights[held[0]] = Abs(row[held[0]])
    return tuple(weights[k] for k in range(len(rows[0]))) if len(weights) == len(rows[0]) else None


def weighted(weights: Row, p: Expr) -> Norm:
    """Return the lp norm of the entries times positive weights."""
    if len(weights) == 1:
        return scale(weights[0], L1())
    if len(set(weights)) == 1:
        return scale(weights[0], plain_lp(p))
    if p is oo:
        return WeightedLinf(Parameter.of([float(weight) for weight in weights]))
    return WeightedLp(p, Parameter.of([float(weight**p) for weight in weights]))


def ranked(terms: list[Expr], xs: tuple[Symbol, ...]) -> Norm | None:
    """Return the OWL norm if the terms are sum w_i |x_s(i)| over all permutations s."""
    magnitudes = [Symbol(f"{x.name}_", positive=True) for x in xs]
    swap = {Abs(x): magnitude for x, magnitude in zip(xs, magnitudes, strict=True)}
    rows = [linear(term.xreplace(swap), tuple(magnitudes)) for term in terms]
    first = rows[0]
    if first is None or any(row is None or any(entry.is_negative for entry in row) for row in rows):
        return None
    weights = sorted(first, reverse=True)
    held = set(rows)
    for count, permuted in enumerate(multiset_permutations(weights), start=1):
        if tuple(permuted) not in held or count > len(held):
            return None
    if count != len(held):
        return None
    if set(weights) <= {0, weights[0]}:
        return scale(weights[0], TopK(Integer(sum(1 for weight in weights if weight))))
    return OWL(Parameter.of([float(weight) for weight in weights]))


def polyhedral(rows: set[Row], xs: tuple[Symbol, ...]) -> Norm:
    """Return the maximum of <a, x> over rows a, which come in opposite pairs, or raise `ParameterError`."""
    lone = [row for row in rows if tuple(-entry for entry in row) not in rows]
    if lone:
        raise unread(_form(min(lone, key=str), xs), "the negative of this form is missing; a norm is even")
    kept = sorted({max(row, tuple(-entry for entry in row)) for row in rows if any(row)}, reverse=True)
    return of_lines(kept, xs, oo)
