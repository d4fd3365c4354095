"""The kernel of a plan for NumPy arrays: to the GPU, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.device_kernel import DeviceKernel, device_kernel
from normkit.backends.cuda.interop import STORED, View, view
from normkit.backends.cuda.room import room
from normkit.codegen.plan import Plan

Array = NDArray[Any]


@dataclass(frozen=True)
class HostedKernel:
    """See `normkit.backends.Kernel`; one copy of the input goes to the GPU, one of the maps comes back."""

    plan: Plan
    dtype: np.dtype[Any]
    accuracy: float | None = None

    @cached_property
    def _kernel(self) -> DeviceKernel:
        return device_kernel(self.plan, self.dtype.name, self.accuracy)

    @property
    def source(self) -> str:
        """The plan with its scalars: loops are generated from it for the layouts of the arrays that come."""
        return f"# {self.plan!r}\n"

    def value(self, x: Array) -> NDArray[np.float64]:
        """Return the value of every item."""
        return self._kernel.value(self._sent(x))

    def map(self, x: Array, out: Array) -> NDArray[np.float64]:
        """Write the map of every item to `out`; return the values."""
        maps = room(x.shape, self._bits)
        values = self._kernel.map(self._sent(x), self._view(maps))
        out[...] = maps.copy_to_host().view(self.dtype)
        return values

    @property
    def _bits(self) -> np.dtype[Any]:
        return np.dtype(STORED.get(self.dtype.name, self.dtype.name))

    def _sent(self, x: Array) -> View:
        return self._view(cuda.to_device(np.ascontiguousarray(x).view(self._bits)))

    def _view(self, array: Any) -> View:
        return view(array, dtype=self.dtype.name)
