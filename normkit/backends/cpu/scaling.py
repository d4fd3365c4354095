"""Powers of two that bring magnitudes near 1, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAFE = (1e-250, 1e250)
"""Sums of powers, and factors, in this range have lost nothing to underflow or overflow."""


def exponents(tops: Floats) -> NDArray[np.int64]:
    """Return e with top in [2**(e-1), 2**e); 0 where top is zero or not finite."""
    found: NDArray[np.int64] = np.where(np.isfinite(tops), np.frexp(tops)[1], 0).astype(np.int64)
    return found


def normalized(
    batch: NDArray[Any], dtype: np.dtype[Any], step: int = 1
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """Return matrices (B, m, n) in a dtype over 2**e, e, and which are not finite (and stand there as zeros).

    The largest magnitude of each is in [1/2, 1), or in [2**-step, 1) where e is to be a multiple of `step`.
    """
    with np.errstate(all="ignore"):
        work = batch.astype(dtype)
        tops = np.maximum(work.max(axis=(1, 2), initial=0.0), -work.min(axis=(1, 2), initial=0.0)).astype(np.float64)
    e, bad = -(-exponents(tops) // step) * step, ~np.isfinite(tops)
    divide(work, e)[bad] = 0
    return work, e, bad


def divide(work: NDArray[Any], e: NDArray[np.int64]) -> NDArray[Any]:
    """Divide matrices (B, m, n) by 2**e in place, exactly where nothing underflows; return them."""
    with np.errstate(all="ignore"):
        for part in halves(e):
            work *= part.astype(work.dtype)[:, None, None]
    return work


def halves(e: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return f and g with f * g = 2**-e, both in range for every exponent of a float64."""
    half = e // 2
    return np.ldexp(1.0, -half), np.ldexp(1.0, half - e)
