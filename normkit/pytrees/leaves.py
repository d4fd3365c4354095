"""A pytree as named arrays: nested keys are joined by ``/``, as everywhere in normkit; and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from normkit.arrays import is_float
from normkit.codegen.plan import Product
from normkit.errors import DTypeError, ParameterError, ShapeError
from normkit.named import by_name, take
from normkit.names import listed

BARE = "params"
"""The name of a pytree that is one array."""


@dataclass(frozen=True)
class Leaves:
    """The arrays of a pytree in its order, which for dicts is that of the sorted keys.

    Attributes
    ----------
    names : tuple of str
        Keys, places and fields on the way to each, joined by ``/``.
    arrays : tuple
        Arrays, traced or not, or anything else with a shape and a dtype.
    structure : PyTreeDef
        What the arrays were taken out of; None and other nodes without leaves stay in it.
    """

    names: tuple[str, ...]
    arrays: tuple[Any, ...]
    structure: Any

    def back(self, arrays: Iterable[Any]) -> Any:
        """Return other arrays, in the same order, as the same pytree."""
        return jax.tree_util.tree_unflatten(self.structure, list(arrays))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes by name."""
        return {name: tuple(x.shape) for name, x in zip(self.names, self.arrays, strict=True)}


def leaves(tree: Any) -> Leaves:
    """Take a pytree apart.

    Raises
    ------
    ParameterError
        If two leaves have one name: nested, and with a ``/`` in a key.
    """
    found, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = tuple("/".join(map(_word, path)) or BARE for path, _ in found)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ParameterError(f"the pytree names {listed(twice)} twice: nested, and with a '/' in a key")
    return Leaves(names, tuple(x if hasattr(x, "dtype") else np.asarray(x) for _, x in found), structure)


def _word(key: Any) -> str:
    """Return a step of a path as a text: the key of a dict, the place in a sequence, the field of a class."""
    for field in ("key", "idx", "name"):
        if hasattr(key, field):
            return str(getattr(key, field))
    return str(key)


def same(found: Leaves, other: Leaves, what: str, than: str) -> None:
    """Raise `ShapeError` unless two pytrees have the same names."""
    if found.names != other.names:
        missing = [name for name in other.names if name not in set(found.names)]
        extra = [name for name in found.names if name not in set(other.names)]
        parts = [f"lack {listed(missing)}"] * bool(missing) + [f"have {listed(extra)}"] * bool(extra)
        raise ShapeError(f"{what} {' and '.join(parts) or 'are in another order'}; expected the leaves of {than}")


def check(product: Product, found: Leaves) -> None:
    """Raise for all leaves that their norms do not take.

    Raises
    ------
    DTypeError
        For leaves that are not of floats.
    ShapeError
        For leaves of other names than those of the norm, or of other shapes than their norms take.
    """
    by_name(product, dict(zip(found.names, found.arrays, strict=True)), "the pytree")
    kinds = [f"{name!r} ({x.dtype})" for name, x in zip(found.names, found.arrays, strict=True) if not _taken(x)]
    if kinds:
        raise DTypeError(f"a norm needs floats; got {', '.join(kinds)}. Leave such leaves out with optax.masked")
    places = {name: place for place, name in enumerate(product.names)}
    wrong = _misfits(product, [(places[name], name, shape) for name, shape in found.shapes.items()])
    if wrong:
        raise ShapeError(f"norms that do not take their leaves: {'; '.join(wrong)}")


def _taken(x: Any) -> bool:
    return is_float(np.dtype(x.dtype))


def _misfits(product: Product, wanted: Sequence[tuple[int, str, tuple[int, ...]]]) -> list[str]:
    """Return why norms do not take arrays; of leaves with one norm and shape, for the first."""
    wrong: dict[Any, str] = {}
    for place, name, shape in wanted:
        kind = product.kinds[place], shape
        if kind not in wrong:
            one = np.broadcast_to(np.zeros((), np.float32), shape)
            try:
                take(product.only([place]), {name: one}, "the leaf")
                wrong[kind] = ""
            except ShapeError as error:
                wrong[kind] = str(error)
        elif wrong[kind]:
            wrong[kind] += f" (also {name!r})"
    return [text for text in wrong.values() if text]
