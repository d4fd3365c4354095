"""Arrays as the loops see them: a stack of contiguous lines, or of columns of contiguous matrices.

Nodes exchange arrays of shape (G, L, *item) with any strides. A loop takes either `rows`, (lines, length) in one
contiguous block, or `columns`, (groups, length, lines) in one contiguous block; what is neither is copied once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """Items laid out for the loops: `array` is (G * L, n) for rows, (G, n, L) for columns.

    `flipped` says that the axes of the items were reversed, which a sum over all entries does not see.
    """

    array: Array
    kind: Literal["rows", "columns"]
    lead: tuple[int, int]
    flipped: bool = False

    @property
    def entries(self) -> int:
        """The number of entries, that is of work."""
        return int(self.array.size)


def _flip(x: Array) -> Array:
    return x.transpose(0, 1, *range(x.ndim - 1, 1, -1))


def frozen(x: Array) -> Array:
    """Show x read-only, whatever it is, so that compiled code has one signature."""
    view = x[...]
    view.flags.writeable = False
    return view


def lines(x: Array, out: Array | None = None, ordered: bool = False) -> Lines:
    """Lay out items (G, L, *item) for the loops, in the layout of `out` if x must be copied.

    Parameters
    ----------
    x, out : array (G, L, *item)
        `out` is the array that will be written, if there is one.
    ordered : bool
        Whether the order of the entries within an item matters.
    """
    lead = (x.shape[0], x.shape[1])
    flat = (lead[0] * lead[1], -1 if x.size else 0)
    if x.flags.c_contiguous:
        return Lines(frozen(x.reshape(flat)), "rows", lead)
    if x.ndim == 3 and x.swapaxes(1, 2).flags.c_contiguous:
        return Lines(frozen(x.swapaxes(1, 2)), "columns", lead)
    same = out is None or _flip(out).flags.c_contiguous
    if x.ndim > 3 and not ordered and same and _flip(x).flags.c_contiguous:
        return Lines(frozen(_flip(x).reshape(flat)), "rows", lead, flipped=True)
    if x.ndim == 3 and out is not None and out.swapaxes(1, 2).flags.c_contiguous and not out.flags.c_contiguous:
        return Lines(frozen(np.ascontiguousarray(x.swapaxes(1, 2))), "columns", lead)
    return Lines(frozen(np.ascontiguousarray(x).reshape(flat)), "rows", lead)


def target(out: Array, like: Lines) -> tuple[Array, Callable[[], None]]:
    """Return an array of the layout of `like` to write to, and what to call when it is written."""
    if like.kind == "columns":
        view = out.swapaxes(1, 2)
        shape: tuple[int, ...] = view.shape
    else:
        view = _flip(out) if like.flipped else out
        shape = (out.shape[0] * out.shape[1], -1 if out.size else 0)
    if view.flags.c_contiguous:
        return view.reshape(shape), _nothing
    work = np.empty(view.shape, out.dtype)

    def copy() -> None:
        view[...] = work

    return work.reshape(shape), copy


def row_lines(x: Array) -> Array:
    """Return items (G, L, *item) as contiguous lines (G * L, n), copied if need be."""
    contiguous = np.ascontiguousarray(x)
    return frozen(contiguous.reshape(x.shape[0] * x.shape[1], -1 if x.size else 0))


def row_target(out: Array) -> tuple[Array, Callable[[], None]]:
    """Return contiguous lines (G * L, n) to write to, and what to call when they are written."""
    return target(out, Lines(np.empty((out.shape[0] * out.shape[1], 0)), "rows", (out.shape[0], out.shape[1])))


def _nothing() -> None:
    return None


def size(x: Array) -> tuple[float, float]:
    """Return the rows and columns (m, n) that scalars see of items (G, L, *item): (1, length) for a vector."""
    item = x.shape[2:]
    if len(item) == 1:
        return 1.0, float(item[0])
    return float(item[0]), float(np.prod(item[1:]))
