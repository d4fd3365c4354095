"""The precision of an array's entries."""

from __future__ import annotations

from typing import Any

import numpy as np


def eps_of(dtype: np.dtype[Any]) -> float:
    """Return the spacing of 1 in a dtype; bfloat16, which NumPy does not know by itself, has 2^-7."""
    return 2.0**-7 if dtype.name == "bfloat16" else float(np.finfo(dtype).eps)
