"""The functions that scalar sources may call, for device code, and powers of two; NumPy's meaning, one at a time.

In the simulator a thread is a Python thread, and `math` raises where a device returns NaN: NumPy's functions stand in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from normkit.backends.cuda.compat import SIMULATED, cuda

__all__ = [
    *("absolute", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "exp", "expm1"),
    *("exponent", "floor", "inf", "isfinite", "kernel", "log", "log1p", "logical_and", "logical_not", "logical_or"),
    *("maximum", "minimum", "nan", "scalar", "scaled", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "two", "where"),
]

_jit: Any = cuda.jit

scalar: Callable[..., Any] = _jit(device=True)
"""A function of numbers that kernels call; the compiler inlines it."""

kernel: Callable[..., Any] = _jit
"""What the host launches."""

RENAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
RENAMED |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}


def _named(name: str) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = getattr(np, RENAMED.get(name, name)) if SIMULATED else getattr(math, name)
    return found


sqrt, exp, log, expm1, log1p = (_named(name) for name in ("sqrt", "exp", "log", "expm1", "log1p"))
sin, cos, tan, asin, acos, atan = (_named(name) for name in ("sin", "cos", "tan", "asin", "acos", "atan"))
sinh, cosh, tanh, asinh, acosh, atanh = (_named(name) for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"))
floor, ceil, isfinite = _named("floor"), _named("ceil"), _named("isfinite")
erf = math.erf


@scalar
def where(condition: bool, yes: float, no: float) -> float:
    """Return `yes` if the condition holds, else `no`."""
    return yes if condition else no


@scalar
def minimum(u: float, v: float) -> float:
    """Return the smaller; NaN if either is."""
    return u if u < v or u != u else v


@scalar
def maximum(u: float, v: float) -> float:
    """Return the larger; NaN if either is."""
    return u if u > v or u != u else v


@scalar
def absolute(u: float) -> float:
    """Return the magnitude."""
    return abs(u)


@scalar
def sign(u: float) -> float:
    """Return 1, -1, or u itself where it is zero or NaN."""
    return u / abs(u) if u > 0 or u < 0 else u


@scalar
def logical_and(u: bool, v: bool) -> bool:
    """Return whether both hold."""
    return u and v


@scalar
def logical_or(u: bool, v: bool) -> bool:
    """Return whether either holds."""
    return u or v


@scalar
def logical_not(u: bool) -> bool:
    """Return whether it does not hold."""
    return not u


@scalar
def two(k: int) -> Any:
    """Return 2**k as float64 from its bits, for k within the exponents of normal numbers."""
    return np.int64((k + 1023) << 52).view(np.float64)


@scalar
def exponent(v: float) -> Any:
    """Return e with v in [2**(e-1), 2**e), for a positive finite float64; 0 for zero."""
    if v == 0.0:
        return np.int64(0)
    if v < 2.0**-1000:  # may be subnormal, whose bits hold no exponent
        return np.int64((np.float64(v * 2.0**64).view(np.int64) >> 52) - 1022 - 64)
    return np.int64((np.float64(v).view(np.int64) >> 52) - 1022)


@scalar
def scaled(value: float, e: int) -> Any:
    """Return value * 2**e in two steps, for the power itself may be out of range."""
    half = e // 2
    return np.float64(value) * two(half) * two(e - half)
