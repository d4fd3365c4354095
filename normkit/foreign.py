"""Arrays of other libraries: in through DLPack without a copy, and back in the caller's own type."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit.errors import DTypeError, MissingExtra

if TYPE_CHECKING:
    from normkit.codegen.plan import Program

Array = NDArray[Any]


class Elsewhere(ABC):
    """Base of arrays in memory that is not the CPU's, which answer NumPy's functions themselves (NEP 13 and NEP 18).

    What is written with NumPy's functions runs on them where they are; kernels do not, so they bring their own maps.
    """

    @abstractmethod
    def dualize(self, program: Program, accuracy: float | None, out: Any) -> NDArray[np.float64]:
        """Write the dualize maps of items, numbered by the first axis, to `out`; return their dual norms."""


def is_foreign(x: Any) -> bool:
    """Tell whether x is an array of another library that speaks DLPack."""
    return not isinstance(x, np.ndarray | np.generic | Elsewhere) and hasattr(x, "__dlpack__")


def from_foreign(x: Any, what: str) -> Array:
    """Return a NumPy view of an array in the memory of the CPU; bfloat16 by way of its bits.

    Raises
    ------
    DTypeError
        If its library does not hand it over: on another device, of another kind, or part of a gradient graph.
    MissingExtra
        For bfloat16 without ml_dtypes.
    """
    bits = "bfloat16" in str(getattr(x, "dtype", ""))
    try:
        shared = np.from_dlpack(x.view(_library(x).int16) if bits else x)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise DTypeError(
            f"{what}, a {_name(x)}, cannot be read through DLPack: {said}. Give a detached array in CPU memory"
        ) from error
    return shared.view(_bfloat16()) if bits else shared


def to_foreign(array: Array, like: Any) -> Any:
    """Return a NumPy array in the type of `like`, an array that `from_foreign` took, without a copy where possible."""
    library = _library(like)
    if array.dtype.name != "bfloat16":
        return library.from_dlpack(array)
    return library.from_dlpack(array.view(np.int16)).view(library.bfloat16)


def library(*numbers: Any) -> Any:
    """Return the library that computes with some numbers: NumPy, or that of the first that is an array of another."""
    return next((_library(x) for x in numbers if not isinstance(x, np.ndarray) and is_foreign(x)), np)


def _library(x: Any) -> Any:
    """Return the module with ``from_dlpack`` and the dtypes of an array's library."""
    namespace = getattr(x, "__array_namespace__", None)
    return namespace() if namespace else sys.modules[type(x).__module__.partition(".")[0]]


def _name(x: Any) -> str:
    return f"{type(x).__module__.partition('.')[0]}.{type(x).__name__}"


def _bfloat16() -> np.dtype[Any]:
    try:
        from ml_dtypes import bfloat16
    except ImportError as error:
        raise MissingExtra("bfloat16 arrays need ml_dtypes: pip install ml_dtypes") from error
    kind: np.dtype[Any] = np.dtype(bfloat16)
    return kind
