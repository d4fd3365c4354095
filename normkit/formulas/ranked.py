"""Formulas on the sorted magnitudes: order, weights by rank, the split, and the sums over head and tail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Expr, Integer, Min, Piecewise, S, Sum, Tuple, floor

from normkit.formulas.arrays import Array, Builder, Place, Scope
from normkit.formulas.linear import parameter
from normkit.formulas.nodes import Largest, RankOf, SplitIndex, Vanishing
from normkit.formulas.printing import ORDER, expression
from normkit.functional import Ranked, Stat, W, Weights, a, i, j, top, w, y, z
from normkit.parameter import Parameter

Sequence = Callable[..., Expr]
"""Rank -> expression."""


class Order:
    """The magnitudes of an array in decreasing order, and the ranks of its entries."""

    def __init__(self, x: Array, build: Builder, scope: Scope) -> None:
        self.x = x if x.decreasing else build.array("y", x, scope)
        self.build, self.scope = build, scope
        self.count: Expr = Integer(1)
        for length in x.lengths:
            self.count *= length
        self.sorted = self._sorted()
        self._ranks: Callable[..., Expr] | None = None

    def _sorted(self) -> Sequence:
        """Return k -> the k-th largest magnitude."""
        if self.x.decreasing:
            return lambda k: self.x.entry((k,))
        place, ranges = self.build.place(self.x.lengths)
        k = self.build.index()
        name = self.x.name if self.x.nonnegative else rf"|{self.x.name}|"
        node = Largest(k, self.x.magnitude(place), *ranges)
        return self.build.define(name + ORDER, node, self.scope, [Tuple(k, Integer(1), self.count)], nonnegative=True)

    def rank(self, *at: Expr) -> Expr:
        """Return the rank of the entry at a place."""
        if self.x.decreasing:
            return at[0]
        if self._ranks is None:
            here, over = self.build.place(self.x.lengths)
            place, ranges = self.build.place(self.x.lengths)
            node = RankOf(Tuple(*here), self.x.magnitude(place), *ranges)
            self._ranks = self.build.define(r"\pi", node, self.scope, over, integer=True, positive=True)
        return self._ranks(*at)


def by_rank(weights: Weights, order: Order, build: Builder, scope: Scope, name: str = "w") -> Sequence:
    """Name weights by rank; explicit ones are a table of their own."""
    k, values = build.index(), S.Zero
    for factor, sequence in weights.terms:
        if isinstance(sequence, Parameter):
            value = parameter(name, sequence, build)(k)
        else:
            value = order.x.scalars(sequence).xreplace({i: k})
        values += order.x.scalars(factor) * value
    if weights.minimum is not None:
        plain = build.define(name, values, scope, [Tuple(k, Integer(1), order.count)], nonnegative=True)
        first = running(plain, order, build, scope, "A")
        second = running(by_rank(weights.minimum, order, build, scope, name), order, build, scope, "B")
        values = Min(first(k), second(k)) - Min(first(k - 1), second(k - 1))
    elif values.is_Indexed:
        base = values.base
        return lambda at: base[at]
    return build.define(name, values, scope, [Tuple(k, Integer(1), order.count)], nonnegative=True)


def running(weight: Sequence, order: Order, build: Builder, scope: Scope, name: str) -> Sequence:
    """Name the sums of the first p weights."""
    p, k = build.index(), build.index()
    total = Sum(weight(k), Tuple(k, Integer(1), p))
    return build.define(name, total, scope, [Tuple(p, Integer(0), order.count)], nonnegative=True)


class Piece:
    """A `Ranked` stage at an array: the quantities of the piece that its split finds."""

    def __init__(self, stage: Ranked, x: Array, build: Builder, scope: Scope) -> None:
        self.stage, self.build, self.scope = stage, build, scope
        self.order = Order(x, build, scope)
        self.x, self.count = self.order.x, self.order.count
        self.weight = None if stage.weights is None else by_rank(stage.weights, self.order, build, scope)
        uses_sums = any(expr.has(W) for expr in (stage.formula, stage.split.rule))
        self.running = running(self.weight, self.order, build, scope, "W") if self.weight and uses_sums else None
        self.stats = {stat.symbol: self._stat(stat) for stat in stage.stats}
        self.split = self._split()

    def _stat(self, stat: Stat) -> Callable[[Expr], Expr]:
        """Return p -> the sum over the head of p entries, the rest, or all."""
        p, k = self.build.index(), self.build.index()
        values: dict[Any, Expr] = {a: self.order.sorted(k), top: self.order.sorted(Integer(1))}
        if self.weight is not None:
            values[w] = self.weight(k)
        ranges = {"head": (Integer(1), p), "tail": (p + 1, self.count), "all": (Integer(1), self.count)}
        total = Sum(self.x.scalars(stat.body).xreplace(values), Tuple(k, *ranges[stat.region]))
        if stat.region == "all" or self.stage.split.kind == "at":
            fixed = total if stat.region == "all" else total.xreplace({p: self._fixed()})
            here = self.build.define(expression(stat.symbol), fixed, self.scope, nonnegative=True)()
            return lambda at: here
        over = [Tuple(p, Integer(0), self.count)]
        return self.build.define(expression(stat.symbol), total, self.scope, over, nonnegative=True)

    def _fixed(self) -> Expr:
        """Return the number of entries in the head where the norm states it."""
        rule = self.x.scalars(self.stage.split.rule)
        whole = rule if rule.is_integer else floor(rule)
        return whole if whole == self.count else Min(whole, self.count)

    def _split(self) -> Expr:
        split = self.stage.split
        if split.kind == "at":
            return self._fixed()
        p = self.build.index()
        low, high = self.x.scalars(split.low), self.x.scalars(split.high)
        node = SplitIndex(split.kind, self._put(split.rule, p), Tuple(p, low, high), self.count)
        return self.build.define(r"\ell", node, self.scope, integer=True, nonnegative=True)()

    def _put(self, expr: Any, p: Expr) -> Any:
        """Put the quantities of a head of p entries for the stage's symbols."""
        values: dict[Any, Any] = {symbol: stat(p) for symbol, stat in self.stats.items()}
        values |= {j: p, top: self.order.sorted(Integer(1)), y: self.order.sorted(p), z: self.order.sorted(p + 1)}
        if self.running is not None:
            values[W] = self.running(p)
        return self.x.scalars(expr).xreplace(values)

    def value(self) -> Expr:
        """Return the formula on the piece."""
        value = self._put(self.stage.formula, self.split)
        nothing = self.stage.formula.xreplace({stat.symbol: S.Zero for stat in self.stage.stats} | {top: S.Zero})
        return value if nothing == 0 else Vanishing(value, self.order.sorted(Integer(1)))

    def entry(self, head: Any, tail: Any) -> Callable[[Place], Expr]:
        """Return place -> entry of the map: the head's slope at ranks up to the split, the tail's beyond."""
        head, tail = (self._put(slope, self.split) for slope in (head, tail))
        whole = head == tail or self.split == self.count

        def weighed(slope: Any, at: Place) -> Expr:
            signed = self.x.signed(slope, at)
            if self.weight is None or not signed.has(w):
                return signed
            return signed.xreplace({w: self.weight(self.order.rank(*at))})

        def entry(at: Place) -> Expr:
            if whole:
                return weighed(head, at)
            return Piecewise((weighed(head, at), self.order.rank(*at) <= self.split), (weighed(tail, at), True))

        return entry
