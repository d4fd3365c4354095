"""numba.cuda, imported in one place, after the shims that it needs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

if not hasattr(np, "row_stack"):
    np.row_stack = np.vstack  # numba-cuda 0.30 names it; NumPy 2.5 has it no more

from numba import cuda as _cuda

cuda: Any = _cuda
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"

__all__ = ["SIMULATED", "cuda"]
