"""Device arrays as the polar core takes matrices, by numba alone; and whether there is a device at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.backends.cuda.polar.stored import narrow, widen


def why_not() -> str | None:
    """Return why nothing here can run; None with a GPU."""
    try:
        from normkit.backends.cuda.compat import SIMULATED, cuda
    except ImportError as error:
        return f"numba-cuda is not installed ({error})"
    if SIMULATED or not cuda.is_available():
        return "no GPU: not measured"
    return None


@dataclass(frozen=True)
class DeviceView:
    owner: Any
    dtype: str
    stream: int = 0
    device: int = 0

    @property
    def address(self) -> int:
        return int(self.owner.__cuda_array_interface__["data"][0])

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.owner.shape)

    @property
    def strides(self) -> tuple[int, ...]:
        size = np.dtype(self.owner.dtype).itemsize
        return tuple(step // size for step in self.owner.strides)

    def numbers(self) -> Any:
        """Return the entries, in float64."""
        return widen(self.owner.copy_to_host(), self.dtype).astype(np.float64)

    def bits(self) -> Any:
        return self.owner.copy_to_host().view(np.uint8)


def sent(values: Any, dtype: str, stream: int = 0) -> DeviceView:
    from normkit.backends.cuda.language import cuda

    return DeviceView(cuda.to_device(np.ascontiguousarray(narrow(np.asarray(values), dtype))), dtype, stream)


def poisoned(shape: tuple[int, ...], dtype: str, stream: int = 0) -> DeviceView:
    return sent(np.full(shape, np.nan), dtype, stream)
