"""Composed stages: rows and columns, several functionals of one array, linear maps, singular values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from sympy import Expr, Integer, KroneckerDelta, Max, Min, S, Sum, Tuple, sqrt, symbols

from normkit.formulas.arrays import Array, Builder, Place, Scope, cases, one_hot, vector
from normkit.formulas.linear import apply
from normkit.formulas.nodes import Count, Singular, eps
from normkit.formulas.stages import Run, forward, forward_stage
from normkit.functional import Combine, DualityMap, Lift, Map, Mixed


def _at(expr: Expr, place: Place, at: Place) -> Expr:
    return expr.xreplace(dict(zip(place, at, strict=True)))


@forward_stage.register
def _(stage: Mixed, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    rows = stage.axis == "rows"
    count, *lengths = x.lengths if rows else x.lengths[::-1]
    line, outer_map, inner_map = build.index(), *map_.parts

    def entry(at: Place) -> Expr:
        return x.entry((line, *at) if rows else (*at, line))

    within = (*scope, (line, count))
    # A line is a vector; of the slices of an array it is a matrix, or more.
    size = (lengths[0] if len(lengths) > 1 else Integer(1), prod(lengths[1:] or lengths, start=Integer(1)))
    inner = forward(inner_map, Array(tuple(lengths), entry, size, x.nonnegative, name=x.name), build, within)
    # The line is the last index of its scope: as an array over the lines it is an index of its own.
    values = build.define(r"\rho" if rows else r"\gamma", inner.value, within, nonnegative=True)()
    sizes = Array((count,), lambda at: _at(values, (line,), at), (Integer(1), count), nonnegative=True, name="r")
    outer = forward(outer_map, sizes, build, scope)

    def pull(coefficient: Expr) -> Array:
        shares = outer.pull(coefficient)
        if shares.hot is not None:
            share = shares.entry(shares.hot)
        else:
            share = shares.entry((line,))
            if not share.is_number and share.has(line):
                share = build.define(r"\alpha", share, within)()
        pulled = inner.pull(share)

        def swap(at: Place) -> Place:
            return at if rows else at[::-1]

        def here(at: Place) -> Expr:
            first, *others = swap(at)
            return _at(pulled.entry(tuple(others)), (line,), (first,))

        if shares.hot is None:
            return replace(x, entry=here, nonnegative=False)
        if pulled.hot is None:
            (best,) = shares.hot
            return replace(x, entry=lambda at: KroneckerDelta(swap(at)[0], best) * here(at), nonnegative=False)
        hot = swap((shares.hot[0], *(_at(index, (line,), shares.hot) for index in pulled.hot)))
        return one_hot(x, hot, _at(pulled.entry(pulled.hot), (line,), shares.hot))

    return Run(outer.value, pull)


@forward_stage.register
def _(stage: Combine, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    outer_map, *part_maps = map_.parts
    runs = [forward(part, x, build, scope) for part in part_maps]
    values = [build.define(f"v_{{{at}}}", run.value, scope, nonnegative=True)() for at, run in enumerate(runs, start=1)]
    outer = forward(outer_map, vector(values, "v"), build, scope)

    def pull(coefficient: Expr) -> Array:
        shares = outer.pull(coefficient)
        if shares.choice is not None and shares.items is not None:
            kept = [run.pull(share) for run, share in zip(runs, shares.items, strict=True)]
            return cases(x, list(zip(kept, shares.choice, strict=True)))
        weights = [shares.entry((Integer(at),)) for at in range(1, len(runs) + 1)]
        parts = [
            run.pull(share if share.is_number else build.define(rf"\alpha_{{{at}}}", share, scope)())
            for at, (run, share) in enumerate(zip(runs, weights, strict=True), start=1)
            if share != 0
        ]
        return replace(x, entry=lambda at: sum((part.entry(at) for part in parts), S.Zero), nonnegative=False)

    return Run(outer.value, pull)


@forward_stage.register
def _(stage: Map, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    image = apply(stage.linear, x, x, build, scope)
    inner = forward(map_.parts[0], image, build, scope)
    return Run(inner.value, lambda coefficient: apply(stage.linear.adjoint, inner.pull(coefficient), x, build, scope))


@forward_stage.register
def _(stage: Lift, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> Run:
    x = build.array("Y", x, scope)
    place, (over_rows, over_columns) = build.place(x.lengths)
    body, count = x.entry(place), Min(*x.lengths)
    same = body.xreplace(dict(zip(place, symbols("i j"), strict=True)))

    def singular(which: int, name: str, **assumptions: bool) -> Callable[..., Expr]:
        key = (name, same, scope)
        if key in build.tables:  # one decomposition, however many parts of a norm take it
            return build.tables[key]
        k, row = build.index(), build.index()
        node = Singular(which, row if which else S.One, k, body, over_rows, over_columns)
        rows = [] if not which else [Tuple(row, Integer(1), x.lengths[which - 1])]
        build.tables[key] = build.define(name, node, scope, [*rows, Tuple(k, Integer(1), count)], **assumptions)
        return build.tables[key]

    sigma = singular(0, r"\sigma", nonnegative=True)
    values = Array(
        (count,),
        lambda at: sigma(*at),
        (Integer(1), count),
        nonnegative=True,
        decreasing=True,
        name=r"\sigma",
        matrix=x.size,
    )
    inner = forward(map_.parts[0], values, build, scope)

    def pull(coefficient: Expr) -> Array:
        left, right = singular(1, "U"), singular(2, "V")
        return spread(inner.pull(coefficient), left, right)

    def numerical_rank() -> Expr:
        key = ("r", same, scope)
        if key not in build.tables:
            k = build.index()
            nonzero = Count(sigma(k) > sqrt(Max(*x.lengths)) * eps * sigma(Integer(1)), Tuple(k, Integer(1), count))
            build.tables[key] = build.define("r", nonzero, scope, integer=True, nonnegative=True)
        return build.tables[key]()

    def spread(shares: Array, left: Callable[..., Expr], right: Callable[..., Expr]) -> Array:
        """U diag(shares) V'."""
        if shares.cases is not None:
            return cases(x, [(spread(part, left, right), when) for part, when in shares.cases])
        if shares.hot is not None:
            (k,), share = shares.hot, shares.entry(shares.hot)
            return replace(x, entry=lambda at: share * left(at[0], k) * right(at[1], k), nonnegative=False)
        k = build.index()
        rank = numerical_rank()
        share = shares.entry((k,))
        constant, share = share.as_independent(k, as_Add=False) if not share.is_Piecewise else (S.One, share)
        if not (share.is_Pow or share.is_Indexed or share.is_number):
            own = build.index()
            named = build.define(r"\tau", share.xreplace({k: own}), scope, [Tuple(own, Integer(1), count)])
            share = named(k)

        def entry(at: Place) -> Expr:
            return constant * Sum(share * left(at[0], k) * right(at[1], k), Tuple(k, Integer(1), rank))

        return replace(x, entry=entry, nonnegative=False)

    return Run(inner.value, pull)
