"""What a plan becomes: a tree of nodes that take whole stacks of items.

Arrays have shape (G, L, *item), values and coefficients (G, L), both float64. A node reports NaN for an item that
holds a NaN or an infinity; what it writes for that item is arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.scalar import function
from normkit.codegen.plan import Scalar

Array = NDArray[Any]
Floats = NDArray[np.float64]
Pull = Callable[[Floats, Array], None]
"""Writes coefficient * map of every item: ``pull(coefficients, out)``. Called once at most."""


class Node:
    """A value and its map."""

    def value(self, x: Array) -> Floats:
        """Return the values of all items."""
        return self.forward(x)[0]

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Return the values, and the map for coefficients that are not known yet."""
        raise NotImplementedError

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Write coefficient * map of every item; return the values."""
        values, pull = self.forward(x)
        pull(coefficients, out)
        return values

    def slope(self, m: float, n: float) -> float | None:
        """Return the map at a positive entry if it is the same for every item, else None."""
        return None

    def reach(self, length: int) -> int | None:
        """Return how many of the largest of so many entries decide value and map, None if that depends on them."""
        return None

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the source of the generated modules that run for a dtype."""
        return []


def evaluate(scalar: Scalar, *arguments: Any) -> Floats:
    """Return a scalar at arrays; no warnings: what is not finite is dealt with by the caller."""
    with np.errstate(all="ignore"):
        return np.asarray(function(scalar)(*arguments), dtype=np.float64)


def scaled(values: Floats, exponents: Any) -> Floats:
    """Return values * 2**exponents; an overflow is an infinity, not a warning."""
    with np.errstate(all="ignore"):
        return np.asarray(np.ldexp(values, exponents))
