"""The same code object with other names: `numba.cuda`, scalar types and instructions stand for their models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from normkit.testing.simt import hopper, tensor_cores
from normkit.testing.simt.block import Group
from normkit.testing.simt.models import MODELS

SCALARS = {name: np.dtype(name) for name in ("int32", "int64", "uint16", "uint32", "uint64", "float32", "float64")}
KNOWN = (tensor_cores, hopper)
"""Modules that register models when they are imported."""


class Scalar:
    """A scalar type of numba: called it converts, and it is the type of an array."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, value: Any) -> Any:
        """Convert a value, wrapping around as a register does."""
        return np.asarray(value).astype(self.dtype)[()]


def bind(function: Any, group: Group) -> Callable[..., Any]:
    """Return a function with the same code whose globals and closure are those of the emulator."""
    code = function.__code__
    names = {name: _stands_for(value, group) for name, value in function.__globals__.items() if name in code.co_names}
    cells = tuple(CellType(_stands_for(cell.cell_contents, group)) for cell in function.__closure__ or ())
    return FunctionType(code, names, function.__name__, function.__defaults__, cells or None)


def _stands_for(value: Any, group: Group) -> Any:
    named = getattr(value, "simt_model", None)
    if named is not None:
        if named[0] not in MODELS:
            raise NotImplementedError(f"the emulator has no model of the instruction {named[0]!r}")
        return partial(MODELS[named[0]], group, *named[1:])
    if isinstance(value, ModuleType):
        return group.cuda if value.__name__ == "numba.cuda" else value
    if hasattr(value, "py_func"):  # a device function
        return bind(value.py_func, group)
    if type(value).__module__.startswith("numba") and str(value) in SCALARS:
        return Scalar(SCALARS[str(value)])
    return value
