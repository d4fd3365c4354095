"""The formulas of a norm: its value, its dual's value, the dualize map, and the update."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Indexed, IndexedBase, Integer, Symbol, Tuple

from normkit.formulas import composed, numbers  # noqa: F401  (they register their rules)
from normkit.formulas.arrays import Array, Builder
from normkit.formulas.formula import Definition, Formula
from normkit.formulas.linear import apply
from normkit.formulas.nodes import sharpness
from normkit.formulas.stages import forward
from normkit.formulas.tidy import assemble
from normkit.functional import DualityMap, Functional, m, n
from normkit.linear import Linear


def input_array(letter: str, ndim: int) -> tuple[IndexedBase, Array, tuple[Symbol, ...]]:
    """Return the variable of a formula, as an array too, and the symbols of its lengths."""
    letter = letter if ndim == 1 else letter.upper()
    base = IndexedBase(letter)
    more = [Symbol(f"n_{at}", integer=True, positive=True) for at in range(3, ndim + 1)]
    lengths = (n,) if ndim == 1 else (m, n, *more)
    columns = Integer(1)
    for length in lengths[1:] if ndim > 1 else lengths:
        columns *= length
    size = (Integer(1) if ndim == 1 else m, columns)
    return base, Array(lengths, lambda at: base[at], size, name=letter), lengths


Shape = tuple[int | None, ...]


def value_formula(functional: Functional, shape: Shape, letter: str, name: str) -> Formula:
    """Return a functional's value as a formula; `name` is the LaTeX of the left-hand side."""
    base, x, lengths = input_array(letter, len(shape))
    build = Builder()
    run = forward(_bare(functional), x, build, ())
    return assemble(base, Definition(Symbol(name), run.value, Tuple()), build.definitions, lengths, shape)


@dataclass(frozen=True)
class MapFormulas:
    """What one duality map states: the value differentiated, the map, and the steepest-descent update."""

    value: Formula
    map: Formula
    update: Formula


def map_formulas(map_: DualityMap, shape: Shape, name: str) -> MapFormulas:
    """Return N*(g), its gradient t, and -(N*(g) / sharpness) t, the minimiser of <g, x> + (sharpness/2) N(x)^2.

    Parameters
    ----------
    map_ : DualityMap
        Of the value of N*.
    shape : tuple of int or None
        Of the arrays; None where any length will do.
    name : str
        LaTeX of N*(g).
    """
    base, x, lengths = input_array("g", len(shape))
    build = Builder()
    run = forward(map_, x, build, ())
    value = assemble(base, Definition(Symbol(name), run.value, Tuple()), build.definitions, lengths, shape)
    place, ranges = build.place(lengths)
    entry = run.pull(Integer(1)).entry(place)
    result = Definition(Indexed(IndexedBase("t"), *place), entry, Tuple(*ranges))
    made = assemble(base, result, build.definitions, lengths, shape)
    size = build.define(name, run.value, ())()
    t = build.define("t", entry, (), ranges)
    at, over = build.place(lengths)
    step = Definition(Indexed(IndexedBase(r"\Delta"), *at), -size / sharpness * t(*at), Tuple(*over))
    keep = [definition.base for definition in build.definitions[-2:]]
    return MapFormulas(value, made, assemble(base, step, build.definitions, lengths, shape, keep))


def image_formula(linear: Linear, shape: Shape) -> Formula:
    """Return a linear map that keeps the shape, as a formula."""
    base, x, lengths = input_array("x", len(shape))
    build = Builder()
    image = apply(linear, x, x, build, ())
    place, ranges = build.place(lengths)
    result = Definition(Indexed(IndexedBase("y"), *place), image.entry(place), Tuple(*ranges))
    return assemble(base, result, build.definitions, lengths, shape)


def _bare(functional: Functional) -> DualityMap:
    """Return the tree of a functional without slopes: enough for its value."""
    return DualityMap(functional, (), tuple(_bare(child) for child in functional.children()))
