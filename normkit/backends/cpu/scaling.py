"""Powers of two that bring magnitudes near 1, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAFE = (1e-250, 1e250)
"""Sums of powers, and factors, in this range have lost nothing to underflow or overflow."""


def exponents(tops: Floats) -> NDArray[np.int64]:
    """Return e with top in [2**(e-1), 2**e); 0 where top is zero or not finite."""
    found: NDArray[np.int64] = np.where(np.isfinite(tops), np.frexp(tops)[1], 0).astype(np.int64)
    return found


def halves(e: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return f and g with f * g = 2**-e, both in range for every exponent of a float64."""
    half = e // 2
    return np.ldexp(1.0, -half), np.ldexp(1.0, half - e)
