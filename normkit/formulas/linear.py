"""Linear maps on symbolic arrays, and array parameters as named tables of exact numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch
from math import prod
from typing import Any

from sympy import And, Eq, Expr, Integer, KroneckerDelta, Mod, Piecewise, Rational, S, Sum, Tuple, floor

from normkit.formulas.arrays import Array, Builder, Scope, one_hot
from normkit.formulas.nodes import Inside, InverseEntry, Listed
from normkit.linear import (
    Band,
    Compose,
    Diagonal,
    Flatten,
    Linear,
    Matrix,
    Project,
    Regroup,
    Select,
    Transpose,
    TwoSided,
)
from normkit.parameter import Parameter


def table(values: Any) -> Any:
    """Return nested values as a SymPy tuple of the rationals that the floats are."""
    return Tuple(*map(table, values)) if isinstance(values, tuple) else Rational(values)


def parameter(name: str, values: Parameter, build: Builder) -> Callable[..., Expr]:
    """Name an array parameter; the result takes indices from 1."""
    if values not in build.tables:
        places, ranges = build.place([Integer(count) for count in values.shape])
        build.tables[values] = build.define(name, Listed(table(values.nested()), *places), (), ranges)
    return build.tables[values]


def side(matrix: Matrix, build: Builder, name: str) -> Callable[[Expr, Expr], Expr]:
    """Name the matrix of a map: (row, column) -> entry, inverted and transposed as its flags say."""
    if not matrix.inverse:
        named = parameter(name, matrix.matrix, build)
    else:
        key = (matrix.matrix, "inverse")
        if key not in build.tables:
            (first, second), ranges = build.place([Integer(count) for count in matrix.matrix.shape])
            rows = table(matrix.matrix.nested())
            build.tables[key] = build.define(f"{name}^{{-1}}", InverseEntry(rows, first, second), (), ranges)
        named = build.tables[key]
    return (lambda i, j: named(j, i)) if matrix.transpose else named


@singledispatch
def apply(linear: Linear, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    """Return linear(x); `like` is the array that the stage sees, whose shape the adjoint of `Flatten` restores."""
    raise TypeError(f"no formula for the linear map {type(linear).__name__}; add one to formulas/linear.py")


def _product(matrix: Matrix, x: Array, build: Builder, axis: int, name: str) -> Array:
    """Sum over one axis of the array against the columns of a matrix."""
    entry_of = side(matrix, build, name)
    rows, columns = matrix.matrix.shape[::-1] if matrix.transpose else matrix.matrix.shape
    k = build.index()

    def entry(at: tuple[Expr, ...]) -> Expr:
        inside = (*at[:axis], k, *at[axis + 1 :])
        return Sum(entry_of(at[axis], k) * x.entry(inside), Tuple(k, Integer(1), Integer(columns)))

    lengths = (*x.lengths[:axis], Integer(rows), *x.lengths[axis + 1 :])
    return replace(
        x,
        lengths=lengths,
        entry=entry,
        nonnegative=False,
        decreasing=False,
        items=None,
        hot=None,
        choice=None,
        cases=None,
    )


def _linear(x: Array, build: Builder, scope: Scope) -> Array:
    """Return the array with one axis, row by row."""
    if len(x.lengths) == 1:
        return x
    rows, columns = x.lengths

    def entry(at: tuple[Expr, ...]) -> Expr:
        return x.entry((floor((at[0] - 1) / columns) + 1, Mod(at[0] - 1, columns) + 1))

    return replace(x, lengths=(rows * columns,), entry=entry, size=(Integer(1), rows * columns), items=None, hot=None)


@apply.register
def _(linear: Matrix, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    named = build.array("y", _linear(x, build, scope), scope)
    image = _product(linear, named, build, 0, "P")
    return replace(build.array("y", image, scope), size=(Integer(1), image.lengths[0]))


@apply.register
def _(linear: TwoSided, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    image = build.array("Y", x, scope)
    if linear.left is not None:
        image = build.array("Y", _product(linear.left, image, build, 0, "L"), scope)
    if linear.right is not None:
        image = build.array("Y", _product(linear.right.adjoint, image, build, 1, "R"), scope)
    return replace(image, size=image.lengths)


@apply.register
def _(linear: Diagonal, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    weight = parameter("w", linear.weights, build)
    from sympy import nsimplify

    power = nsimplify(linear.power)
    return replace(
        x, entry=lambda at: weight(*at) ** power * x.entry(at), decreasing=False, items=None, choice=None, cases=None
    )


@apply.register
def _(linear: Select, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    named = parameter("I", Parameter.of([index + 1 for index in linear.indices]), build)
    count = Integer(len(linear.indices))

    def places(at: Expr) -> Expr:
        return Integer(linear.indices[int(at) - 1] + 1) if at.is_Integer else named(at)

    if not linear.scatter:
        flat = _linear(x, build, scope)
        size = (Integer(1), count)
        return replace(
            flat, lengths=(count,), entry=lambda at: flat.entry((places(at[0]),)), size=size, decreasing=False
        )
    image, k = x if count == 1 else build.array("u", x, scope), build.index()

    def entry(at: tuple[Expr, ...]) -> Expr:
        position = at[0] if len(at) == 1 else (at[0] - 1) * like.lengths[1] + at[1]
        if count == 1:
            return KroneckerDelta(position, places(S.One)) * image.entry((S.One,))
        return Sum(KroneckerDelta(places(k), position) * image.entry((k,)), Tuple(k, Integer(1), count))

    return replace(like, entry=entry, nonnegative=False, decreasing=False, items=None)


@apply.register
def _(linear: Band, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    if not linear.put:
        lengths = (Integer(linear.stop - linear.start), *x.lengths[1:])
        size = (lengths[0], prod(lengths[1:], start=S.One)) if len(lengths) > 1 else (S.One, lengths[0])
        return replace(
            x, lengths=lengths, entry=lambda at: x.entry((at[0] + linear.start, *at[1:])), size=size, decreasing=False
        )
    if x.hot is not None:
        return one_hot(like, (x.hot[0] + linear.start, *x.hot[1:]), x.entry(x.hot))
    image = build.array("U", x, scope)

    def entry(at: tuple[Expr, ...]) -> Expr:
        inside = And(at[0] > linear.start, at[0] <= linear.stop)
        return Piecewise((image.entry((at[0] - linear.start, *at[1:])), inside), (S.Zero, True))

    return replace(like, entry=entry, nonnegative=False, decreasing=False, items=None)


@apply.register
def _(linear: Compose, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    return apply(linear.outer, apply(linear.inner, x, like, build, scope), like, build, scope)


@apply.register
def _(linear: Transpose, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    hot = None if x.hot is None else x.hot[::-1]
    return replace(x, lengths=x.lengths[::-1], entry=lambda at: x.entry(at[::-1]), size=x.lengths[::-1], hot=hot)


@apply.register
def _(linear: Flatten, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    """Only the rows and columns that scalars see change: a stage over all entries runs over all axes."""
    if linear.restore:
        return replace(x, size=like.size)
    count: Expr = S.One
    for length in x.lengths:
        count *= length
    return replace(x, size=(Integer(1), count))


@apply.register
def _(linear: Regroup, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    sizes = _sizes(linear, like.lengths)
    own = _held(linear)
    if linear.restore:
        lengths, there, here = like.lengths, linear.groups, own
    else:
        lengths, there, here = _lengths(linear.groups, sizes), own, linear.groups
    hot = None if x.hot is None else _moved(x.hot, there, here, sizes)
    columns: Expr = S.One
    for length in lengths[1:] if len(lengths) > 1 else lengths:
        columns *= length
    size = like.size if linear.restore else (lengths[0] if len(lengths) > 1 else S.One, columns)

    def entry(at: tuple[Expr, ...]) -> Expr:
        return x.entry(_moved(at, here, there, sizes))

    return replace(x, lengths=lengths, entry=entry, size=size, decreasing=False, items=None, hot=hot)


def _held(linear: Regroup) -> tuple[tuple[int, ...], ...]:
    """Return the places of the named axes that every axis of the array holds."""
    ends = [sum(map(len, linear.pattern.axes[: place + 1])) for place in range(len(linear.pattern.axes))]
    return tuple(tuple(range(end - len(held), end)) for end, held in zip(ends, linear.pattern.axes, strict=True))


def _sizes(linear: Regroup, lengths: tuple[Expr, ...]) -> list[Expr]:
    """Return the length of every named axis, by the lengths of the array's axes."""
    sizes: list[Expr] = []
    for held, length in zip(linear.pattern.axes, lengths, strict=True):
        known = Integer(prod(axis.size for axis in held if axis.size is not None))
        sizes += [length / known if axis.size is None else Integer(axis.size) for axis in held]
    return sizes


def _lengths(groups: tuple[tuple[int, ...], ...], sizes: list[Expr]) -> tuple[Expr, ...]:
    return tuple(prod((sizes[place] for place in group), start=S.One) for group in groups)


def _moved(at: tuple[Expr, ...], groups: tuple[tuple[int, ...], ...], into: Any, sizes: list[Expr]) -> tuple[Expr, ...]:
    """Return a place, given by one index for every group of named axes, by one index for every group of `into`."""
    single: dict[int, Expr] = {}
    for index, group in zip(at, groups, strict=True):
        rest = index - 1
        for place in group[:0:-1]:
            above = floor(rest / sizes[place])
            single[place], rest = rest - sizes[place] * above, above
        single[group[0]] = rest
    found = []
    for group in into:
        position: Expr = S.Zero
        for place in group:
            position = position * sizes[place] + single[place]
        found.append(position + 1)
    return tuple(found)


@apply.register
def _(linear: Project, x: Array, like: Array, build: Builder, scope: Scope) -> Array:
    if linear.strict:
        inner = apply(linear.adjoint, x, like, build, scope)
        return build.array("Y", replace(x, entry=lambda at: Inside(x.entry(at), inner.entry(at))), scope)
    image = build.array("Y", x, scope)
    if linear.kind == "blockdiag":
        blocks = [block for block, size in enumerate(linear.sizes, start=1) for _ in range(size)]
        block = parameter("b", Parameter.of(blocks), build)

        def inside(at: tuple[Expr, ...]) -> Expr:
            return Piecewise((image.entry(at), Eq(block(at[0]), block(at[1]))), (S.Zero, True))

        return replace(image, entry=inside, nonnegative=False)
    swap = 1 if linear.kind == "sym" else -1
    return replace(image, entry=lambda at: (image.entry(at) + swap * image.entry(at[::-1])) / 2, nonnegative=False)
