"""The largest magnitudes of every line, in order, with the powers of two that scale them.

Indices and magnitudes of all entries take twice the room of a float32 array. Where only magnitudes are asked for, lines
are sorted without indices, and the last index of a head is found again where a tie is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.descending import descending
from normkit.backends.cpu.generated import generate
from normkit.backends.cpu.lines import Lines, frozen
from normkit.backends.cpu.order import LARGE, select_top
from normkit.backends.cpu.peaks import peaks
from normkit.backends.cpu.pool import parallel
from normkit.backends.cpu.scaling import exponents, halves

Array = NDArray[Any]
Floats = NDArray[np.float64]


TIES = 1 << 18
"""Entries of tied lines that are looked through at a time."""


@dataclass(frozen=True)
class Ranks:
    """The K largest magnitudes of every line, (L, K), with their indices; f * g = 2**-e scales a line's to about 1.

    A line that is not finite has zeros here; its entry of `tops`, the largest magnitudes, says so.
    """

    array: Array
    order: NDArray[np.int32] | None
    magnitudes: Array
    f: Floats
    g: Floats
    e: NDArray[np.int64]
    tops: Floats

    def edges(self, heads: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
        """Return the magnitude and the index of the last of the first j entries of every line; j = 0: infinity, -1."""
        last = np.maximum(heads - 1, 0)
        edges = np.take_along_axis(self.magnitudes, last[:, None], axis=1)[:, 0]
        if self.order is None:
            places = self._places(last)
        else:
            places = np.take_along_axis(self.order, last[:, None], axis=1)[:, 0].astype(np.int64)
        return np.where(heads > 0, edges, edges.dtype.type(np.inf)), np.where(heads > 0, places, -1)

    def _places(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of the entry of a rank (from 0) of every line, or the last index if no tie ranks behind."""
        count, length = self.array.shape
        places = np.full(count, length - 1, np.int64)
        lines = np.flatnonzero(ranks + 1 < length)
        here, behind = (self.magnitudes[lines, ranks[lines] + step] for step in (0, 1))
        tied = lines[(here == behind) & (here > 0)]  # the map of a zero is zero on either side
        size = max(1, TIES // length)
        for start in range(0, len(tied), size):
            some = tied[start : start + size]
            edge = self.magnitudes[some, ranks[some]][:, None]
            above = np.count_nonzero(self.magnitudes[some] > edge, axis=1)
            equal = np.cumsum(np.abs(self.array[some]) == edge, axis=1, dtype=np.int32)
            places[some] = np.argmax(equal == (ranks[some] - above + 1)[:, None], axis=1)
        return places


def ranked(array: Array, kept: int, indices: bool = True) -> Ranks:
    """Sort lines (L, n) as far as their `kept` largest entries, without `indices` if these are not needed."""
    tops = peaks(Lines(array, "rows", (1, len(array)))).values(array.dtype)
    bad = ~np.isfinite(tops)
    if bad.any():  # the order of NaN is not defined
        array = frozen(np.where(bad[:, None], array.dtype.type(0), array))
    e = exponents(tops)
    if indices or 8 * kept < array.shape[1]:
        return Ranks(array, *_order(array, kept), *halves(e), e, tops)
    return Ranks(array, None, descending(array), *halves(e), e, tops)


def _order(array: Array, kept: int) -> tuple[NDArray[np.int32], Array]:
    count, length = array.shape
    if length >= LARGE and count == 1:
        order, magnitudes = select_top(array[0], kept)
        return order[None], magnitudes[None]
    order, magnitudes = np.empty((count, kept), np.int32), np.empty((count, kept), array.dtype)
    if length >= LARGE:
        for line in range(count):
            order[line], magnitudes[line] = select_top(array[line], kept)
    else:
        parallel(generate("orders", array.dtype).orders, count, array.size, array, order, magnitudes)
    return order, magnitudes
