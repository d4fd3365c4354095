"""The precision of an array's entries."""

from __future__ import annotations

from typing import Any

import numpy as np

COARSEST = 2.0**-5
"""No singular value above this share of the largest counts as zero, however coarse the entries are."""


def eps_of(dtype: np.dtype[Any]) -> float:
    """Return the spacing of 1 in a dtype; bfloat16, which NumPy does not know by itself, has 2^-7."""
    return 2.0**-7 if dtype.name == "bfloat16" else float(np.finfo(dtype).eps)


def rank_tolerance(shape: tuple[int, ...], eps: float) -> float:
    """Return the share of the largest singular value at and below which one counts as zero: sqrt(max(m, n)) * eps.

    `shape` is (m, n).

    The bound is one for rounding at its worst. Of bfloat16 entries it would pass 1 for long rows, where the rounding of
    the entries is in truth far below it: at most `COARSEST`.
    """
    return min(float(np.sqrt(max(shape))) * eps, COARSEST)
