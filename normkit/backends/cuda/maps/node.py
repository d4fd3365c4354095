"""What a plan becomes on the device: a tree of nodes that launch kernels and never wait for them.

Values and coefficients are flat float64 device arrays, one number per item. A node reports NaN for an item that holds a
NaN or an infinity; what it writes for that item is arbitrary. Factors of multiples of a norm ride along as `times`: the
value and the map are both multiplied by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normkit.backends.cuda.maps.batch import Batch
from normkit.backends.cuda.maps.run import Run

Device = Any
"""A flat array in device memory."""
Pull = Callable[[Device, Batch], None]
"""Writes times * coefficient * map of every item: ``pull(coefficients, out)``. Called once at most."""


class Node:
    """A value and its map."""

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Write times * value of every item; return the map for coefficients that are not known yet."""
        raise NotImplementedError

    def map(self, run: Run, x: Batch, coefficients: Device, out: Batch, values: Device, times: float) -> None:
        """Write times * coefficient * map, and times * value, of every item."""
        self.forward(run, x, values, times)(coefficients, out)

    def value(self, run: Run, x: Batch, values: Device, times: float) -> None:
        """Write times * value of every item."""
        self.forward(run, x, values, times)

    def slope(self, m: float, n: float) -> float | None:
        """Return the map at a positive entry if it is the same for every item, else None."""
        return None
