"""The functions that scalar sources may call, for compiled code; NumPy's meaning, one number at a time."""

from __future__ import annotations

from collections.abc import Callable
from math import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cos,
    cosh,
    erf,
    exp,
    expm1,
    inf,
    isfinite,
    log,
    log1p,
    nan,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)
from typing import Any

import numpy as np
from numba import njit
from numpy import ceil, floor, sign

from normkit.backends.cpu.jit import cached

__all__ = [
    "absolute",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "exp",
    "expm1",
    "floor",
    "inf",
    "isfinite",
    "kernel",
    "log",
    "log1p",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "nan",
    "scalar",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "summing",
    "tan",
    "tanh",
    "where",
]

INNER: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that only compiled code calls: no way in from Python or C is compiled for them."""

_njit: Any = njit  # its stubs do not know the options about wrappers

scalar: Callable[..., Any] = _njit(**INNER)
"""A function of numbers: IEEE arithmetic as written; the compiler inlines it into the loops."""

summing: Callable[..., Any] = _njit(**INNER, fastmath={"reassoc"})
"""A loop that adds: its own additions may be taken in vector lanes; NaN, infinities and the terms stay exact."""

kernel: Callable[..., Any] = cached(error_model="numpy", nogil=True, no_cfunc_wrapper=True)
"""What Python calls: runs without the interpreter's lock, so that threads can share the work; cached on disk."""


@scalar
def where(condition: bool, yes: float, no: float) -> float:
    """Return `yes` if the condition holds, else `no`."""
    return yes if condition else no


@scalar
def minimum(u: float, v: float) -> float:
    """Return the smaller; NaN if either is."""
    return u if u < v or np.isnan(u) else v


@scalar
def maximum(u: float, v: float) -> float:
    """Return the larger; NaN if either is."""
    return u if u > v or np.isnan(u) else v


@scalar
def absolute(u: float) -> float:
    """Return the magnitude."""
    return abs(u)


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
