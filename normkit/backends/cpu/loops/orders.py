"""The largest magnitudes of many short lines, in decreasing order."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from normkit.backends.cpu.loops.bindings import Float
from normkit.backends.cpu.order import argsort_descending_serial
from normkit.backends.cpu.scalars import kernel

Array = NDArray[Any]

OF = Float


@kernel
def orders(first: int, last: int, x: Array, order: Array, magnitudes: Array) -> None:
    """Sort every line of x (L, n); keep the indices and magnitudes of the first K: both (L, K)."""
    kept = order.shape[1]
    for line in range(first, last):
        indices, sorted_line = argsort_descending_serial(x[line])
        order[line] = indices[:kept]
        magnitudes[line] = sorted_line[:kept]
