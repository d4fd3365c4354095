"""Functionals and their duality maps: the vocabulary that the mathematics and the machines share.

A `Functional` is a frozen tree of *stages* that takes an array to a non-negative number; it is positively
homogeneous of degree one and depends on the sign of an entry only through linear maps. A `DualityMap` is what
`normkit.duality.gradient` makes of one: the same tree with the derivative of every scalar body beside it.

Scalar bodies are SymPy expressions in the symbols declared here. The symbols are *positive*, so that
derivatives and roots simplify; entries that are zero are a case of their own in every back end (their sign is 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sympy import Expr, Integer, Symbol, sympify

from normkit.errors import ParameterError
from normkit.linear import Linear
from normkit.parameter import Parameter

a = Symbol("a", positive=True)
"""Magnitude of one entry."""
s = Symbol("s", positive=True)
"""What a reduction gave: the sum, or the maximum, of the bodies."""
kappa = Symbol("kappa", positive=True)
"""The unknown of a `Root` stage."""
m = Symbol("m", integer=True, positive=True)
"""Rows (fan-out) of the array that a stage sees; 1 for a vector."""
n = Symbol("n", integer=True, positive=True)
"""Columns (fan-in) of the array that a stage sees; the length of a vector."""
rows = Symbol("rows", integer=True, positive=True)
"""Rows of the matrix whose singular values a stage sees: below a `Lift` only."""
columns = Symbol("columns", integer=True, positive=True)
"""Columns of that matrix."""
i = Symbol("i", integer=True, positive=True)
"""Rank of an entry after sorting, counted from 1."""
j = Symbol("j", integer=True, nonnegative=True)
"""Number of entries in the head of a `Ranked` stage."""
w = Symbol("w", nonnegative=True)
"""Weight at the rank of the entry."""
W = Symbol("W", positive=True)
"""Sum of the first j weights."""
y = Symbol("y", nonnegative=True)
"""The j-th largest magnitude (infinite for j = 0)."""
z = Symbol("z", nonnegative=True)
"""The (j+1)-th largest magnitude (0 for j = n)."""
top = Symbol("y_1", positive=True)
"""The largest magnitude."""


# --- weights by rank ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """A nonincreasing sequence of weights w_1 >= w_2 >= ... by rank, from values or from a rule.

    Attributes
    ----------
    terms : tuple of (Expr, Parameter or Expr)
        w is the sum over terms of factor * sequence; a sequence is explicit values, or an expression in `i`, `n`.
    minimum : Weights or None
        If given, w has the increments of the smaller of the two running sums (concave again).
    """

    terms: tuple[tuple[Expr, Parameter | Expr], ...]
    minimum: Weights | None = None

    @classmethod
    def values(cls, values: Any) -> Weights:
        """Weights given one by one."""
        return cls(((Integer(1), Parameter.of(values)),))

    @classmethod
    def rule(cls, rule: Any) -> Weights:
        """Weights given by an expression in the rank `i` and the length `n`."""
        return cls(((Integer(1), sympify(rule)),))

    def scaled(self, factor: Any) -> Weights:
        """Weights times a positive factor."""
        rest = None if self.minimum is None else self.minimum.scaled(factor)
        return Weights(tuple((sympify(factor) * f, seq) for f, seq in self.terms), rest)

    def plus(self, other: Weights) -> Weights:
        """Sum of two sequences; both must be free of `minimum`."""
        if self.minimum is not None or other.minimum is not None:
            raise ParameterError("weights of a maximum cannot be added")
        return Weights(self.terms + other.terms)

    def meet(self, other: Weights) -> Weights:
        """Increments of the smaller of the two running sums."""
        if self.minimum is not None:
            return Weights(self.terms, self.minimum.meet(other))
        return Weights(self.terms, other)

    @property
    def length(self) -> int | None:
        """The number of explicit weights; None if every term is a rule."""
        lengths = [len(seq) for _, seq in self.terms if isinstance(seq, Parameter)]
        if self.minimum is not None and self.minimum.length is not None:
            lengths.append(self.minimum.length)
        if len(set(lengths)) > 1:
            raise ParameterError(f"weights of different lengths {sorted(set(lengths))} in one norm")
        return lengths[0] if lengths else None


# --- stages ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Functional:
    """A stage of a positively homogeneous function of an array; see the subclasses."""

    def children(self) -> tuple[Functional, ...]:
        """Return the stages that this one is built on."""
        return ()

    def walk(self) -> Iterator[Functional]:
        """Yield this stage and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True)
class Reduce(Functional):
    """post(sum or max over the entries of body(abs(x))).

    Attributes
    ----------
    body : Expr in `a`
        Increasing, zero at zero.
    op : {"sum", "max"}
        A tied maximum takes the first entry.
    post : Expr in `s`
        Applied to the result; ``post(body(a))`` is homogeneous of degree one.
    """

    body: Expr
    op: Literal["sum", "max"] = "sum"
    post: Expr = s


@dataclass(frozen=True)
class Stat:
    """A sum over the head, the tail or all of the sorted magnitudes of a body in `a`, `w` and `top`."""

    symbol: Symbol
    region: Literal["head", "tail", "all"]
    body: Expr


ONE = Integer(1)


@dataclass(frozen=True)
class Split:
    """How a `Ranked` stage finds its head of j entries.

    ``at``: j = rule. ``first`` / ``last``: the smallest / largest j in [low, high] for which `rule` (a SymPy
    condition) holds. ``argmax``: the smallest j in [low, high] at which `rule` is largest. Rules may use `j`, `y`,
    `z`, `W`, `n`, `m`, `top` and the symbols of the stats. ``first`` falls back to `high`, ``last`` to `low`.
    """

    kind: Literal["at", "first", "last", "argmax"]
    rule: Any
    low: Expr = ONE
    high: Expr = n


@dataclass(frozen=True)
class Ranked(Functional):
    """A formula of sums over the magnitudes sorted decreasingly (stable: ties keep the order of their indices).

    The split finds j, the stats are summed over ranks 1..j (head), j+1..n (tail) or all, and `formula` (in the
    stats, `j`, `W`, `top`, `n`, `m`) is the value *on that piece*. The value is continuous across pieces, so its
    gradient on the piece is its gradient.
    """

    split: Split
    stats: tuple[Stat, ...]
    formula: Expr
    weights: Weights | None = None


@dataclass(frozen=True)
class Root(Functional):
    """Value defined by one monotone scalar equation: sum of equation(kappa * a) = 1 has the root kappa.

    ``value`` is an expression in `kappa` and `s` = sum of body(kappa * a). With ``stationary=True`` the value is the
    minimum over kappa and the equation its optimality condition (envelope theorem: kappa is held fixed by the
    gradient); otherwise kappa moves with the entries (implicit function theorem).

    Attributes
    ----------
    equation, body : Expr in `a`
        Increasing, zero at zero.
    limit : Expr or None
        Supremum of the arguments at which equation and body are finite (None: everywhere). If the sum stays below 1
        up to the limit, kappa stops there; what is left of the budget goes to the first largest entry.
    slope : Expr or None
        Derivative of body (stationary) or of equation (not), where it is known in a shorter form than by `diff`.
    saturation : (Expr, Expr) or None
        (c, R) if the equation tends to c and the slope to R as its argument grows. If at most 1/c entries are nonzero
        there is no root: kappa is infinite, the value R * sum of a, the gradient R.
    jumps : bool
        Whether the equation may jump over 1; then the gradients at the two floats around the jump are mixed, in the
        shares that make up the 1.
    """

    equation: Expr
    body: Expr
    value: Expr
    stationary: bool
    limit: Expr | None = None
    slope: Expr | None = None
    saturation: tuple[Expr, Expr] | None = None
    jumps: bool = False


@dataclass(frozen=True)
class Mixed(Functional):
    """outer(inner of every row), or of every column, of a matrix."""

    outer: Functional
    inner: Functional
    axis: Literal["rows", "cols"]

    def children(self) -> tuple[Functional, ...]:
        """Return outer and inner."""
        return (self.outer, self.inner)


@dataclass(frozen=True)
class Combine(Functional):
    """outer(part_1(x), ..., part_k(x)): the sum, maximum or any monotone function of several functionals of x."""

    outer: Functional
    parts: tuple[Functional, ...]

    def children(self) -> tuple[Functional, ...]:
        """Return outer and the parts."""
        return (self.outer, *self.parts)


@dataclass(frozen=True)
class Map(Functional):
    """inner(linear(x))."""

    linear: Linear
    inner: Functional

    def children(self) -> tuple[Functional, ...]:
        """Return inner."""
        return (self.inner,)


@dataclass(frozen=True)
class Lift(Functional):
    """inner(singular values of X), inner symmetric."""

    inner: Functional

    def children(self) -> tuple[Functional, ...]:
        """Return inner."""
        return (self.inner,)


@dataclass(frozen=True)
class Scale(Functional):
    """factor * inner; the factor is positive and may depend on `m`, `n`."""

    factor: Expr
    inner: Functional

    def children(self) -> tuple[Functional, ...]:
        """Return inner."""
        return (self.inner,)


@dataclass(frozen=True)
class Atomic(Functional):
    """max over the atoms of abs(<atom, x>); a tie takes the first atom. One atom per leading index."""

    atoms: Parameter


@dataclass(frozen=True)
class Search(Functional):
    """max of <y, t> over N(t) <= 1, y the sorted magnitudes, t found by a one-dimensional search.

    The maximiser is nonincreasing in the order of y and goes back to the entries by rank and sign: it is the map, and
    <y, t> the value. N is a sum or maximum of two symmetric gauges, and the algorithm is named after it.

    Attributes
    ----------
    algorithm : str
        A name in `normkit.backends.search.ALGORITHMS`.
    weights : tuple of Weights
        Up to two sequences, those of the gauges in the order of the algorithm's name.
    scalars : tuple of Expr in `n`
        Coefficients and exponents of the gauges.
    """

    algorithm: str
    weights: tuple[Weights, ...] = ()
    scalars: tuple[Expr, ...] = ()


# --- duality maps --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DualityMap:
    """The (sub)gradient of a functional, stage by stage; signs are put back outside.

    Attributes
    ----------
    of : Functional
        The stage differentiated.
    slopes : tuple of (str, Expr)
        Derivatives of the stage's scalar bodies, by the name of the case they belong to.
    parts : tuple of DualityMap
        The maps of the stage's children, in their order.
    """

    of: Functional
    slopes: tuple[tuple[str, Expr], ...] = ()
    parts: tuple[DualityMap, ...] = ()

    def slope(self, name: str) -> Expr:
        """Return the derivative for the case `name`."""
        return dict(self.slopes)[name]


# --- small builders ---------------------------------------------------------------------------------------------


def total(body: Any, post: Any = s) -> Reduce:
    """post(sum of body(abs(x)))."""
    return Reduce(sympify(body), "sum", sympify(post))


def maximum(body: Any, post: Any = s) -> Reduce:
    """post(max of body(abs(x)))."""
    return Reduce(sympify(body), "max", sympify(post))


def scaled(factor: Any, inner: Functional) -> Functional:
    """factor * inner, with factors collected and 1 left out."""
    factor = sympify(factor)
    if isinstance(inner, Scale):
        factor, inner = factor * inner.factor, inner.inner
    return inner if factor == 1 else Scale(factor, inner)


def sum_of(parts: Iterable[Functional]) -> Functional:
    """Sum of functionals of one array."""
    return _combine(total(a), parts)


def max_of(parts: Iterable[Functional]) -> Functional:
    """Maximum of functionals of one array; a tie takes the first."""
    return _combine(maximum(a), parts)


def _combine(outer: Functional, parts: Iterable[Functional]) -> Functional:
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else Combine(outer, parts)
