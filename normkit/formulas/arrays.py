"""Arrays by their entries, and the builder that names the intermediate quantities of a formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sympy import Abs, And, Dummy, Expr, Indexed, IndexedBase, Integer, KroneckerDelta, Piecewise, Symbol, Tuple, sign

from normkit.formulas.formula import Definition, index_of
from normkit.formulas.nodes import Listed
from normkit.functional import a, columns, m, n, rows

Place = tuple[Expr, ...]
Scope = tuple[tuple[Dummy, Expr], ...]
"""Indices (with their upper ends) under which a quantity is defined: one per row of a mixed norm, and so on."""


@dataclass(frozen=True)
class Array:
    """A symbolic array: its axes, its entry at a place, and the rows and columns that scalars of a stage see.

    Attributes
    ----------
    lengths : tuple of Expr
        Length of every axis.
    entry : callable
        Place (indices from 1) -> expression.
    size : (Expr, Expr)
        What `m` and `n` stand for.
    nonnegative, decreasing : bool
        Known of the entries.
    items : tuple of Expr or None
        The entries of a short vector, one by one.
    hot : Place or None
        The only nonzero place, if there is just one.
    choice : tuple of conditions or None
        If exactly one of the items is nonzero: the first whose condition holds.
    cases : tuple of (Array, condition) or None
        If the array is the first of these whose condition holds.
    name : str
        LaTeX of the array, to build names on.
    matrix : (Expr, Expr) or None
        Rows and columns of the matrix of which these are the singular values.
    """

    lengths: tuple[Expr, ...]
    entry: Callable[[Place], Expr]
    size: tuple[Expr, Expr]
    nonnegative: bool = False
    decreasing: bool = False
    items: tuple[Expr, ...] | None = None
    hot: Place | None = None
    choice: tuple[Any, ...] | None = None
    cases: tuple[tuple[Array, Any], ...] | None = None
    name: str = "x"
    matrix: tuple[Expr, Expr] | None = None

    def magnitude(self, place: Place) -> Expr:
        """Return the absolute value of an entry."""
        return self.entry(place) if self.nonnegative else Abs(self.entry(place))

    def scalars(self, expr: Any) -> Any:
        """Put the array's rows and columns for `m` and `n`, and those of its matrix for `rows` and `columns`."""
        sizes = {m: self.size[0], n: self.size[1]}
        if self.matrix is not None:
            sizes |= {rows: self.matrix[0], columns: self.matrix[1]}
        return expr.xreplace(sizes)

    def signed(self, slope: Any, place: Place) -> Expr:
        """Return sign(entry) * slope(a = magnitude); a slope c*a becomes c*entry."""
        entry = self.entry(place)
        if self.nonnegative:
            return slope.xreplace({a: entry})
        if slope.is_Piecewise:
            return Piecewise(*((self.signed(case, place), when.xreplace({a: Abs(entry)})) for case, when in slope.args))
        rest, power = slope.as_independent(a, as_Add=False)
        if power == a or (power.is_Pow and power.base == a and power.exp.is_odd and power.exp.is_positive):
            return rest * power.xreplace({a: entry})
        return rest * sign(entry) * power.xreplace({a: Abs(entry)})


def vector(items: Sequence[Expr], name: str) -> Array:
    """Return a short vector of nonnegative entries given one by one."""
    row = Tuple(*items)
    count = Integer(len(items))

    def entry(place: Place) -> Expr:
        at = place[0]
        return items[int(at) - 1] if at.is_Integer else Listed(row, at)

    return Array((count,), entry, (Integer(1), count), nonnegative=True, items=tuple(items), name=name)


def one_hot(like: Array, place: Place, value: Expr) -> Array:
    """Return the array that is `value` at one place and zero elsewhere."""

    def entry(at: Place) -> Expr:
        delta = Integer(1)
        for here, there in zip(at, place, strict=True):
            delta *= KroneckerDelta(here, there)
        return delta * value

    return Array(like.lengths, entry, like.size, hot=place, name="t")


def chosen(conditions: Sequence[Any], items: Sequence[Expr]) -> Array:
    """Return the short vector that keeps the first item whose condition holds, and is zero elsewhere."""

    def entry(place: Place) -> Expr:
        here = int(place[0]) - 1
        earlier = [~condition for condition in conditions[:here]]
        return Piecewise((items[here], And(conditions[here], *earlier)), (0, True))

    count = Integer(len(items))
    return Array((count,), entry, (Integer(1), count), items=tuple(items), choice=tuple(conditions), name="t")


def cases(like: Array, parts: Sequence[tuple[Array, Any]]) -> Array:
    """Return the first of several arrays whose condition holds."""

    def entry(place: Place) -> Expr:
        return Piecewise(*((part.entry(place), when) for part, when in parts))

    return Array(like.lengths, entry, like.size, cases=tuple(parts), name="t")


def unused(name: str, taken: set[str]) -> str:
    """Return a name with as many primes as it takes to be new, set before its subscript or superscript."""
    cut = next((at for at, mark in enumerate(name) if mark in "^_"), len(name))
    primes = ""
    while name[:cut] + primes + name[cut:] in taken:
        primes += "'"
    return name[:cut] + primes + name[cut:]


class Builder:
    """Collects definitions under fresh names; every index is a fresh dummy until `normkit.formulas.tidy` names it."""

    def __init__(self) -> None:
        self.definitions: list[Definition] = []
        self.taken: set[str] = set()
        self.tables: dict[Any, Callable[..., Expr]] = {}

    def index(self) -> Dummy:
        """Return a fresh index."""
        return Dummy("i", integer=True, positive=True)

    def place(self, lengths: Sequence[Expr]) -> tuple[Place, list[Tuple]]:
        """Return a fresh index per axis, with the ranges."""
        place = tuple(self.index() for _ in lengths)
        return place, [Tuple(at, Integer(1), length) for at, length in zip(place, lengths, strict=True)]

    def fresh(self, name: str) -> str:
        """Return the name, with primes if it is taken."""
        made = unused(name, self.taken)
        self.taken.add(made)
        return made

    def define(
        self, name: str, rhs: Any, scope: Scope, over: Sequence[Any] = (), **assumptions: bool
    ) -> Callable[..., Expr]:
        """Name an expression; the result takes the indices of `over` and returns the name at them.

        Parameters
        ----------
        name : str
            LaTeX of the name wanted.
        rhs : Expr
            In the indices of the scope and of `over`.
        over : sequence of Tuple(index, low, high)
            The indices of the quantity itself.
        """
        text = self.fresh(name)
        outer = [Tuple(at, Integer(1), high) for at, high in scope]
        ranges = [*outer, *over]
        base = (IndexedBase if ranges else Symbol)(text, **assumptions)
        lhs = index_of(base, tuple(limit[0] for limit in ranges))
        self.definitions.append(Definition(lhs, rhs, Tuple(*ranges)))
        front = tuple(limit[0] for limit in outer)
        return lambda *places: index_of(base, (*front, *places))

    def array(self, name: str, like: Array, scope: Scope, **assumptions: bool) -> Array:
        """Return an array of the same entries under a name of its own, unless it has one already."""
        place, ranges = self.place(like.lengths)
        rhs = like.entry(place)
        if isinstance(rhs, Indexed) and like.items is None:
            return like
        if like.nonnegative:
            assumptions["nonnegative"] = True
        named = self.define(name, rhs, scope, ranges, **assumptions)
        return Array(like.lengths, lambda at: named(*at), like.size, like.nonnegative, like.decreasing, name=self.last)

    @property
    def last(self) -> str:
        """LaTeX of the name given last."""
        return str(self.definitions[-1].base)
