"""Entries as they are stored, in NumPy: half precision by its bits, bfloat16 among them, which NumPy does not know."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.polar.memory import Place
from normkit.backends.cuda.polar.ops import WIDE

Array = NDArray[Any]


class _Interface:
    """What NumPy reads to see memory at an address as an array."""

    def __init__(self, place: Place) -> None:
        kind = np.dtype("uint16" if place.dtype == "bfloat16" else place.dtype)
        self.__array_interface__ = {
            "shape": place.shape,
            "strides": tuple(kind.itemsize * each for each in place.strides),
            "typestr": kind.str,
            "data": (place.address, False),
            "version": 3,
        }


def raw(place: Place) -> Array:
    """Return the entries at a place of the CPU's memory, without a copy; bfloat16 as its bits, uint16."""
    return np.asarray(_Interface(place))


def widen(entries: Array, dtype: str) -> Array:
    """Return entries of a stored type in the type that sums of products have."""
    if dtype != "bfloat16":
        return entries.astype(WIDE[dtype])
    return (entries.astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow(values: Array, dtype: str) -> Array:
    """Return values rounded once to a stored type, ties to even; beyond its range, infinity.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([1.0, 1.006, np.nan, 1e39])
    >>> widen(narrow(values, "bfloat16"), "bfloat16")
    array([1.       , 1.0078125,       nan,       inf], dtype=float32)
    """
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return values.astype(dtype)
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(0x40)  # adding to the bits of a NaN might carry it to a number
    return np.where(np.isnan(values), quiet, rounded).astype(np.uint16)


def read(place: Place) -> Array:
    """Return a copy of the entries at a place, in the type that sums of products have."""
    return widen(raw(place), place.dtype)


def write(place: Place, values: Array) -> None:
    """Round values to what is stored at a place, and put them there."""
    raw(place)[...] = narrow(values, place.dtype)
