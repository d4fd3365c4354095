"""Stand-ins for what a generated module defines: they make the templates readable, lintable and importable."""

from __future__ import annotations

from typing import Any

import numpy as np

Float: Any = np.float64
"""The dtype of the arrays."""
Bits: Any = np.int64
"""The integer of its size."""
MAGNITUDE: Any = np.int64(0x7FFFFFFFFFFFFFFF)
"""The mask that clears the sign of an entry."""
DEGREE = 1
"""d if body(a) = a**d, an integer, so that sums over entries of any scale can be rescaled exactly; else 0."""
LINEAR = True
"""Whether slope(a, s) = a * slope(1, s)."""


def body(a: float, m: float, n: float) -> float:
    """Return the term of one magnitude."""
    return a


def slope(a: float, s: float, m: float, n: float) -> float:
    """Return the derivative at one magnitude."""
    return a / s


KIND = "at"
"""How a head is found: at, first, last or argmax."""
COUNT = 1
"""The number of stats."""
REGIONS = ("head",)
"""Where each stat is summed: head, tail or all."""
WEIGHTED = False
"""Whether ranks have weights."""


def rule(
    a: float, w: float, j: float, y: float, z: float, W: float, y_1: float, stats: Any, m: float, n: float
) -> float:
    """Return the length, the condition or the score of a head of j entries."""
    return j


def head(
    a: float, w: float, j: float, y: float, z: float, W: float, y_1: float, stats: Any, m: float, n: float
) -> float:
    """Return the derivative at an entry of the head."""
    return 1.0


def tail(
    a: float, w: float, j: float, y: float, z: float, W: float, y_1: float, stats: Any, m: float, n: float
) -> float:
    """Return the derivative at an entry of the tail."""
    return 0.0


def stat(k: int, a: float, w: float, y_1: float, m: float, n: float) -> float:
    """Return the term of stat k at one entry."""
    return a


def algorithm(y: Any, w: Any, v: Any, p: Any, t: Any) -> None:
    """Write the maximiser of <y, t>."""


def root_term(which: int, a: float, m: float, n: float) -> float:
    """Return one of the scalars of a root at one argument."""
    return a


def entry(a: float, kappa: float, s: float, m: float, n: float) -> float:
    """Return the map of a root at one argument."""
    return a
