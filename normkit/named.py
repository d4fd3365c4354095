"""Named arrays at the door: a mapping becomes arrays in the order of a norm's names, and goes back as it came."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.arrays import Array, as_array, batch, own_type
from normkit.codegen.plan import MapPlan, Missing, Plan, Product, ScalePlan
from normkit.errors import ParameterError, ShapeError
from normkit.linear import Regroup
from normkit.names import flat, listed, nested

PLAIN = frozenset(np.dtype(name) for name in ("float16", "float32", "float64"))
"""Dtypes of NumPy's own that need no further look."""
SMALL, STACK = 1 << 14, 1 << 20
"""Arrays of up to SMALL entries are stacked, up to STACK entries at a time; larger ones run by themselves."""


@dataclass(frozen=True)
class Named:
    """The arrays of a mapping in the order of the names of a norm.

    Attributes
    ----------
    given : mapping
        What the caller gave; nested mappings stay nested in what goes back.
    originals : list
        The arrays as they were given.
    arrays : list of ndarray
        As NumPy arrays of floats.
    what : str
        What errors call the mapping.
    """

    names: tuple[str, ...]
    given: Any
    originals: list[Any]
    arrays: list[Array]
    what: str

    def back(self, results: list[Array]) -> dict[str, Any]:
        """Return results, in the order of the names, as the caller's mapping with the caller's types."""
        own = {name: own_type(t, g) for name, t, g in zip(self.names, results, self.originals, strict=True)}
        return nested(self.given, own)

    def called(self, place: int) -> str:
        """Return what errors call an array."""
        return f"{self.what} {self.names[place]!r}"


def take(product: Product, mapping: Any, what: str) -> Named:
    """Return the arrays of a mapping, which must have exactly the names of the norm, each the shape that it takes.

    Raises
    ------
    ShapeError
        If the mapping has other names, or an array another number of axes or other lengths than its norm takes.
    DTypeError
        For arrays of integers, complex numbers, objects.
    """
    found = by_name(product, mapping, what)
    originals = [found[name] for name in product.names]
    arrays = [
        x if type(x) is np.ndarray and x.dtype in PLAIN else as_array(x, f"{what} {name!r}")
        for name, x in zip(product.names, originals, strict=True)
    ]
    named = Named(product.names, mapping, originals, arrays, what)
    for places in groups(product, named):
        _check(product, named, places[0])
    return named


def by_name(product: Product, mapping: Any, what: str) -> dict[str, Any]:
    """Return the values of a mapping by name; names are those of the norm, or `ShapeError` says which are not."""
    try:
        found = dict(flat(mapping, what))
    except ParameterError as error:
        raise ShapeError(f"{error}. {_wanted(product)}") from error
    if found.keys() != set(product.names):
        missing = [name for name in product.names if name not in found]
        extra = [name for name in found if name not in set(product.names)]
        parts = [f"lacks {listed(missing)}"] * bool(missing) + [f"has {listed(extra)}"] * bool(extra)
        near = difflib.get_close_matches(extra[0], missing, 1) if extra and missing else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ShapeError(f"{what} {' and '.join(parts)}. {_wanted(product)}{hint}")
    return found


def _wanted(product: Product) -> str:
    return f"The norm takes {len(product.names)} named arrays: {listed(product.names)}."


def _check(product: Product, named: Named, place: int) -> None:
    """Raise unless an array is one item of its norm."""
    program, array, what = product.programs[product.kinds[place]], named.arrays[place], named.called(place)
    items = batch(array, program.shape, program.spec, what)
    if items.leading:
        raise ShapeError(
            f"{program.spec} takes {_axes(len(program.shape))}; got {what} of shape {array.shape}. Say which axes are "
            "rows and columns with Matricize, or which ones number matrices with Slices"
        )
    _check_axes(program.dual, array.shape, what)


def _check_axes(plan: Plan | Missing, shape: tuple[int, ...], what: str) -> None:
    """Raise unless the named axes of a norm, if it has any, fit a shape."""
    while isinstance(plan, ScalePlan):
        plan = plan.inner
    if isinstance(plan, MapPlan) and isinstance(plan.linear, Regroup):
        try:
            plan.linear.pattern.sizes(shape)
        except ShapeError as error:
            raise ShapeError(f"{what}: {error}") from error


def _axes(count: int) -> str:
    return f"one array of {count} {'axis' if count == 1 else 'axes'}"


def groups(product: Product, named: Named) -> Iterator[list[int]]:
    """Yield the places of arrays that share norm, shape, dtype and device (which arrays traced by JAX do not have)."""
    found: dict[Any, list[int]] = {}
    for place, (kind, array) in enumerate(zip(product.kinds, named.arrays, strict=True)):
        found.setdefault((kind, array.shape, array.dtype, getattr(array, "device", None)), []).append(place)
    yield from found.values()


def stacks(product: Product, named: Named) -> Iterator[list[int]]:
    """Yield the places of arrays that run as one batch: all of a group while they are small, else one by one."""
    for places in groups(product, named):
        size = named.arrays[places[0]].size
        count = 1 if size > SMALL else STACK // size
        for start in range(0, len(places), count):
            yield places[start : start + count]


def stacked(named: Named, places: list[int]) -> Array:
    """Return arrays as one batch: a view of a single one, else a copy."""
    if len(places) == 1:
        return named.arrays[places[0]][None]
    return np.stack([named.arrays[place] for place in places])
