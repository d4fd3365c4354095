"""Back ends: what turns a plan into a kernel that runs. `reference` is NumPy, `cpu` numba, `cuda` numba.cuda."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from normkit.codegen.plan import Plan
from normkit.errors import BackendError

Array = NDArray[Any]


class Kernel(Protocol):
    """A compiled plan for one dtype. Arrays are batches: (batch, *item), C-contiguous or not, never mutated."""

    @property
    def source(self) -> str:
        """The Python source of what runs."""

    def value(self, x: Array) -> NDArray[np.float64]:
        """Return the functional of every item, shape (batch,). NaN where an item is not finite."""

    def map(self, x: Array, out: Array) -> NDArray[np.float64]:
        """Write the duality map of every item to `out` and return the values, shape (batch,); NaN as in `value`."""


class Backend(Protocol):
    """Makes kernels from plans."""

    @property
    def name(self) -> str:
        """What users call it."""

    def is_available(self) -> bool:
        """Tell whether it can run on this machine."""

    def owns(self, array: Any) -> bool:
        """Tell whether it takes this array as it is."""

    def compile(self, plan: Plan, dtype: np.dtype[Any], accuracy: float | None = None) -> Kernel:
        """Return the kernel of a plan for a dtype; with an accuracy, one that reaches that is enough."""


def _reference() -> Backend:
    from normkit.backends.reference import Reference

    return Reference()


def _cpu() -> Backend:
    from normkit.backends.cpu import CPU

    return CPU()


def _cuda() -> Backend:
    from normkit.backends.cuda import CUDA

    return CUDA()


_builtin: dict[str, Callable[[], Backend]] = {"reference": _reference, "cpu": _cpu, "cuda": _cuda}


@cache
def backend(name: str) -> Backend:
    """Return a back end by name; third parties add theirs under the entry point ``normkit.backends``.

    Raises
    ------
    BackendError
        For an unknown name, or a back end that cannot run here.
    """
    found = _find(name)
    if not found.is_available():
        # Where a back end can say why, it does; the method is no part of the protocol.
        why = getattr(found, "why_not", lambda: None)() or "it is not available on this machine"
        raise BackendError(f"no back end {name!r} here: {why}. Use auto, cpu or reference; see normkit doctor")
    return found


def _find(name: str) -> Backend:
    if name == "auto":
        name = "cpu"
    if name in _builtin:
        return _builtin[name]()
    from importlib.metadata import entry_points

    for entry in entry_points(group="normkit.backends"):
        if entry.name == name:
            made: Backend = entry.load()()
            return made
    names = sorted({*_builtin, "auto", *(entry.name for entry in entry_points(group="normkit.backends"))})
    raise BackendError(f"unknown back end {name!r}; known here: {', '.join(names)}")
