"""The words that kernels are written in: numba's `cuda`, its scalar types, and `device` for functions of a kernel.

A kernel's source has no types of Python: numba infers its own. So these names are untyped here, in one place.
"""

from __future__ import annotations

from typing import Any

import numba

from normkit.backends.cuda import compat

cuda: Any = compat.cuda
float32: Any = numba.float32
int32: Any = numba.int32
uint16: Any = numba.uint16
uint32: Any = numba.uint32
uint64: Any = numba.uint64

_options: dict[str, bool] = {} if compat.SIMULATED else {"forceinline": True}  # the simulator knows no such option
device: Any = cuda.jit(device=True, **_options)
"""Decorator of functions that are compiled into the kernels which call them."""
