"""The largest magnitudes of every line, in order, with the powers of two that scale them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.exponents import exponents, halves, peaks
from normkit.backends.cpu.generated import generate
from normkit.backends.cpu.lines import Lines, frozen
from normkit.backends.cpu.order import LARGE, select_top
from normkit.backends.cpu.pool import parallel

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranks:
    """The K largest magnitudes of every line, (L, K), with their indices; f * g = 2**-e scales a line's to about 1.

    A line that is not finite has zeros here; its entry of `tops`, the largest magnitudes, says so.
    """

    order: NDArray[np.int32]
    magnitudes: Array
    f: Floats
    g: Floats
    e: NDArray[np.int64]
    tops: Floats

    def edges(self, heads: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
        """Return the magnitude and the index of the last of the first j entries of every line; j = 0: infinity, -1."""
        last = np.maximum(heads - 1, 0)[:, None]
        edges = np.take_along_axis(self.magnitudes, last, axis=1)[:, 0]
        places = np.take_along_axis(self.order, last, axis=1)[:, 0].astype(np.int64)
        return np.where(heads > 0, edges, edges.dtype.type(np.inf)), np.where(heads > 0, places, -1)


def ranked(array: Array, kept: int) -> Ranks:
    """Sort lines (L, n) as far as their `kept` largest entries."""
    tops = peaks(Lines(array, "rows", (1, len(array)))).values(array.dtype)
    bad = ~np.isfinite(tops)
    if bad.any():  # the order of NaN is not defined
        array = frozen(np.where(bad[:, None], array.dtype.type(0), array))
    e = exponents(tops)
    return Ranks(*_order(array, kept), *halves(e), e, tops)


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
