"""Arrays that are one array in memory, as tied weights are, and the shapes of what may be arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from normkit.errors import ShapeError


def shape_of(what: Any, name: str) -> tuple[int, ...]:
    """Return the shape of an array, or a shape itself.

    Raises
    ------
    ShapeError
        If it is neither.
    """
    found = getattr(what, "shape", what)
    if isinstance(found, tuple | list) and all(
        isinstance(length, int | np.integer) and length >= 0 for length in found
    ):
        return tuple(int(length) for length in found)
    raise ShapeError(f"{name!r} is an array, or a shape such as (768, 64); got {what!r:.80}")


def same_arrays(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of arrays that lie in the same memory as an earlier one, entry by entry, with its name."""
    first: dict[Any, str] = {}
    same = {}
    for name, array in arrays.items():
        place = _place(array)
        if place is not None and first.setdefault(place, name) != name:
            same[name] = first[place]
    return same


def _place(array: Any) -> Any:
    """Return where the entries lie and how; None for what is no array of NumPy or torch with entries."""
    if isinstance(array, np.ndarray):
        return (array.ctypes.data, array.shape, array.strides, array.dtype.str) if array.size else None
    pointer = getattr(array, "data_ptr", None)
    if pointer is None or array.numel() == 0 or array.is_meta:
        return None
    return pointer(), tuple(array.shape), tuple(array.stride()), str(array.dtype)
