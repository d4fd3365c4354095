"""Duality map -> formula, stage by stage: the same tree, slopes and tie rules as the back ends', written with SymPy.

`forward` returns the value of a stage and its *pullback*: coefficient -> coefficient times the map, as in reverse-mode
differentiation. Every slope is the `DualityMap`'s own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

from sympy import Expr, Integer, Max, Mul, S, Sum, Symbol, Tuple

from normkit.formulas.arrays import Array, Builder, Place, Scope, chosen, one_hot
from normkit.formulas.linear import parameter
from normkit.formulas.nodes import FirstArgmax, Maximiser, MaxOver
from normkit.functional import (
    Atomic,
    DualityMap,
    Ranked,
    Reduce,
    Root,
    Scale,
    Search,
    a,
    s,
)


@dataclass(frozen=True)
class Run:
    """The value of a stage at an array, and coefficient -> coefficient * map."""

    value: Expr
    pull: Callable[[Expr], Array]


def forward(map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    """Return the value and the pullback of a duality map at a symbolic array."""
    return forward_stage(map_.of, map_, x, build, scope)


@singledispatch
def forward_stage(stage: Any, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    """Return the symbolic value of one kind of stage at x, and its pullback; register new kinds here."""
    raise TypeError(f"no formula for the stage {type(stage).__name__}; add one to formulas/stages.py")


@forward_stage.register
def _(stage: Reduce, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    reduce = _sum if stage.op == "sum" else _max
    return reduce(stage, map_, x, build, scope)


def _sum(stage: Reduce, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    post, body = x.scalars(stage.post), x.scalars(stage.body)
    if x.items is not None:
        total = sum((body.xreplace({a: item}) for item in x.items), S.Zero)
    elif x.lengths == (1,):
        total = body.xreplace({a: x.magnitude((S.One,))})
    else:
        place, ranges = build.place(x.lengths)
        total = Sum(body.xreplace({a: x.magnitude(place)}), *ranges)
    named = build.define("s", total, scope, nonnegative=True)()

    def pull(coefficient: Expr) -> Array:
        slope = x.scalars(map_.slope("entry")).xreplace({s: named})
        return replace(x, entry=lambda at: coefficient * x.signed(slope, at), items=None, nonnegative=False)

    return Run(post.xreplace({s: named}), pull)


def _max(stage: Reduce, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    post, body = x.scalars(stage.post), x.scalars(stage.body)
    if x.items is not None:
        return _choice(map_, x, post, body, build, scope)
    place, ranges = build.place(x.lengths)
    scores = body.xreplace({a: x.magnitude(place)})
    first = tuple(Integer(1) for _ in place)
    largest = body.xreplace({a: x.magnitude(first)}) if x.decreasing else MaxOver(scores, *ranges)
    named = build.define("s", largest, scope, nonnegative=True)()

    def pull(coefficient: Expr) -> Array:
        hot: Place = first
        if not x.decreasing:
            letters = ("i", "j", "k", "l")
            hot = tuple(
                build.define(rf"{letters[at]}^{{\star}}", FirstArgmax(at, scores, *ranges), scope, integer=True)()
                for at in range(len(place))
            )
        slope = x.scalars(map_.slope("entry")).xreplace({s: named})
        return one_hot(x, hot, coefficient * x.signed(slope, hot))

    return Run(post.xreplace({s: named}), pull)


def _choice(map_: DualityMap, x: Array, post: Expr, body: Expr, build: Builder, scope: Scope) -> Run:
    """Return the maximum of a few numbers: the first largest is chosen by conditions that can be read."""
    items = x.items or ()
    scores = [body.xreplace({a: item}) for item in items]
    named = build.define("s", Max(*scores), scope, nonnegative=True)()

    def pull(coefficient: Expr) -> Array:
        slope = x.scalars(map_.slope("entry")).xreplace({s: named})
        conditions = [
            score >= Max(*scores[at + 1 :]) if scores[at + 1 :] else S.true for at, score in enumerate(scores)
        ]
        return chosen(conditions, [coefficient * slope.xreplace({a: item}) for item in items])

    return Run(post.xreplace({s: named}), pull)


@forward_stage.register
def _(stage: Ranked, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    from normkit.formulas.ranked import Piece

    piece = Piece(stage, x, build, scope)

    def pull(coefficient: Expr) -> Array:
        entry = piece.entry(map_.slope("head"), map_.slope("tail"))
        return replace(x, entry=lambda at: coefficient * entry(at), items=None, nonnegative=False)

    return Run(piece.value(), pull)


@forward_stage.register
def _(stage: Search, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    from normkit.formulas.ranked import Order, by_rank

    order = Order(x, build, scope)
    sequences = [by_rank(each, order, build, scope) for each in stage.weights]
    k, index = build.index(), build.index()
    limit = Tuple(index, Integer(1), order.count)
    bodies = [order.sorted(index), *(each(index) for each in sequences), S.Zero, S.Zero][:3]
    scalars = Tuple(*(x.scalars(number) for number in stage.scalars))
    node = Maximiser(Symbol(stage.algorithm), k, *bodies, scalars, limit)
    found = build.define(r"\tau", node, scope, [Tuple(k, Integer(1), order.count)], nonnegative=True)
    value = Sum(order.sorted(index) * found(index), limit)

    def pull(coefficient: Expr) -> Array:
        def entry(at: Place) -> Expr:
            return coefficient * order.x.signed(found(order.rank(*at)), at)

        return replace(x, entry=entry, items=None, nonnegative=False)

    return Run(value, pull)


@forward_stage.register
def _(stage: Root, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    from normkit.formulas.roots import Level

    level = Level(stage, map_, x, build, scope)

    def pull(coefficient: Expr) -> Array:
        entry = level.entry()
        return replace(x, entry=lambda at: coefficient * entry(at), items=None, nonnegative=False)

    return Run(level.value(), pull)


@forward_stage.register
def _(stage: Scale, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    factor = x.scalars(stage.factor)
    inner = forward(map_.parts[0], x, build, scope)
    return Run(factor * inner.value, lambda coefficient: inner.pull(Mul(factor, coefficient)))


@forward_stage.register
def _(stage: Atomic, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    from sympy import Abs, sign

    place, ranges = build.place(x.lengths)
    atom = parameter("A", stage.atoms, build)
    count = Integer(stage.atoms.shape[0])
    k = build.index()
    pairing = build.define("p", Sum(atom(k, *place) * x.entry(place), *ranges), scope, [Tuple(k, Integer(1), count)])
    best = build.define(
        r"k^{\star}", FirstArgmax(0, Abs(pairing(k)), Tuple(k, Integer(1), count)), scope, integer=True
    )()

    def pull(coefficient: Expr) -> Array:
        factor = coefficient * sign(pairing(best))
        return replace(x, entry=lambda at: factor * atom(best, *at), items=None, nonnegative=False)

    return Run(Abs(pairing(best)), pull)
