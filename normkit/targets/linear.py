"""Linear maps of rows, and the shapes of their images."""

from __future__ import annotations

from functools import singledispatch
from math import prod

from normkit.codegen.plan import MapPlan
from normkit.errors import NoClosedForm
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
from normkit.patterns import Axis
from normkit.targets.scalars import Term
from normkit.targets.stages import forward
from normkit.targets.writer import Items, Pull, Writer, length


@singledispatch
def image(linear: Linear, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    """Write linear(x); `shape` is that of the result where x does not fix it (the adjoint of `Flatten`)."""
    raise NoClosedForm(f"no {type(linear).__name__} is printed for {write.target.name}; nk.compile computes it")


@forward.register
def _(plan: MapPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    mapped = image(plan.linear, x, x.shape, write)
    value, inner = forward(plan.inner, mapped, write)

    def pull(coefficient: Term) -> Term:
        pulled = Items(inner(coefficient).text, mapped.count, mapped.shape)
        return Term(image(plan.linear.adjoint, pulled, x.shape, write).text)

    return value, pull


def _let(write: Writer, x: Items, text: str, shape: tuple[str, ...], moved: bool = False) -> Items:
    """Write the image; what only moves entries leaves their scale and signs."""
    name = write.let("x" if x.signed else "y", text).text
    return Items(name, x.count, shape, x.signed or not moved, x.scaled and moved)


@image.register
def _(linear: Transpose, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    return _let(write, x, f"_swapped({x.text}, {', '.join(x.shape)})", x.shape[::-1], moved=True)


@image.register
def _(linear: Flatten, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    return Items(x.text, x.count, shape if linear.restore else (x.entries,), x.signed, x.scaled)


@image.register
def _(linear: Regroup, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    sizes = [
        str(axis.size) if axis.size is not None else whole if len(held) == 1 else _rest(whole, held, write)
        for held, whole in zip(linear.pattern.axes, shape, strict=True)
        for axis in held
    ]
    order = [place for group in linear.groups for place in group]
    groups = tuple(length(*(sizes[place] for place in group)) for group in linear.groups)
    if linear.restore:
        back = sorted(range(len(order)), key=order.__getitem__)
        return _moved(x, [sizes[place] for place in order], back, shape, write)
    return _moved(x, sizes, order, groups, write)


def _rest(whole: str, held: tuple[Axis, ...], write: Writer) -> str:
    """Return the length of the one axis of several in a whole whose length is not given."""
    name = next(axis.name for axis in held if axis.size is None)
    return write.whole(f"{whole} // {prod(axis.size or 1 for axis in held)}", f"size_{name}")


def _moved(x: Items, sizes: list[str], order: list[int], shape: tuple[str, ...], write: Writer) -> Items:
    if order == sorted(order):
        return Items(x.text, x.count, shape, x.signed, x.scaled)
    axes = ", ".join(str(place) for place in (0, *(place + 1 for place in order)))
    return _let(write, x, f"_permuted({x.text}, ({x.count}, {', '.join(sizes)}), ({axes}))", shape, moved=True)


@image.register
def _(linear: Diagonal, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    weights = tuple(weight ** float(linear.power) for weight in linear.weights)
    return _let(write, x, f"{x.text} * {write.constant((weights,), x.text)}", x.shape)


@image.register
def _(linear: Select, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    places = write.table(linear.indices, write.target.table)
    if linear.scatter:
        return _let(write, x, f"_put({x.text}, {places}, {linear.size})", shape)
    return _let(write, x, f"_taken({x.text}, {places})", (str(len(linear.indices)),))


@image.register
def _(linear: Band, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    width = shape[1:]
    start, stop = (length(str(row), *width) if row else "0" for row in (linear.start, linear.stop))
    if linear.put:
        rest = length(str(linear.count - linear.stop), *width) if linear.stop < linear.count else "0"
        return _let(write, x, f"_among_zeros({x.text}, {start}, {rest})", shape)
    return _let(write, x, f"_cut({x.text}, {start}, {stop})", (str(linear.stop - linear.start), *width))


@image.register
def _(linear: Matrix, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    table = tuple(linear.matrix.rows())
    held = table if not linear.transpose else tuple(zip(*table, strict=True))
    if linear.inverse:
        matrix = write.constant(held, x.text)
        return _let(write, x, f"_solved({x.text}, {matrix})", (str(len(held)),))
    matrix = write.constant(tuple(zip(*held, strict=True)), x.text)
    return _let(write, x, f"_product({x.text}, {matrix})", (str(len(held)),))


@image.register
def _(linear: TwoSided, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    if linear.left is not None:
        x = _by_columns(linear.left, x, write)
    return x if linear.right is None else _by_rows(linear.right.adjoint, x, write)


def _by_rows(linear: Matrix, x: Items, write: Writer) -> Items:
    """Apply a matrix to every row of the matrices."""
    m, n = x.shape
    count = length(x.count, m)
    lines = image(linear, Items(f"{x.text}.reshape(({count}, {n}))", count, (n,)), (), write)
    return _let(write, x, f"{lines.text}.reshape(({x.count}, {length(m, *lines.shape)}))", (m, *lines.shape))


def _by_columns(linear: Matrix, x: Items, write: Writer) -> Items:
    turned = image(Transpose(), x, (), write)
    return image(Transpose(), _by_rows(linear, turned, write), (), write)


@image.register
def _(linear: Project, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    if linear.kind == "blockdiag":
        blocks = [block for block, size in enumerate(linear.sizes) for _ in range(size)]
        mask = tuple(float(left == right) for left in blocks for right in blocks)
        return _let(write, x, f"{x.text} * {write.constant((mask,), x.text)}", x.shape)
    sign = "+" if linear.kind == "sym" else "-"
    return _let(write, x, f"0.5 * ({x.text} {sign} _swapped({x.text}, {', '.join(x.shape)}))", x.shape)


@image.register
def _(linear: Compose, x: Items, shape: tuple[str, ...], write: Writer) -> Items:
    return image(linear.outer, image(linear.inner, x, shape, write), shape, write)
