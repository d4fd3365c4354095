"""The kernel of a plan for views of device memory: on the view's device, in the order of its stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.compat import SIMULATED, cuda
from normkit.backends.cuda.interop import LEGACY, View
from normkit.backends.cuda.maps.batch import batch
from normkit.backends.cuda.maps.kernel import CUDAKernel
from normkit.backends.cuda.maps.moves import ones, scaled
from normkit.backends.cuda.maps.pairing import pairing
from normkit.backends.cuda.maps.run import Arena, Run, Sizes
from normkit.backends.cuda.polar.lift import LiftedPolar
from normkit.backends.cuda.room import room
from normkit.codegen.plan import Plan

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DeviceKernel:
    """Runs a `CUDAKernel` on views (batch, *item); numbers arrive in the memory of the CPU, which waits for them."""

    inner: CUDAKernel

    def value(self, x: View) -> Floats:
        """Return the value of every item; NaN where an item is not finite."""
        with queue(x.device, x.stream) as stream:
            return _numbers(self.inner.value(x.numba(), stream), stream)

    def map(self, x: View, out: View) -> Floats:
        """Write the map of every item to `out`, which does not overlap x; return the values."""
        with queue(x.device, x.stream) as stream:
            return _numbers(self.inner.map(x.numba(), out.numba(), stream), stream)


def scale(x: View, factors: Floats) -> None:
    """Multiply every item by a factor, in float64."""
    with queue(x.device, x.stream) as stream:
        run, items = Run(Sizes(), Arena(), stream), batch(x.numba(), x.dtype)
        scaled(run, items, run.upload(factors), 1.0, items)


def copy(target: View, source: View) -> None:
    """Write the entries of an array to another of the same shape and dtype, whatever their strides."""
    with queue(target.device, target.stream) as stream:
        run, x = Run(Sizes(), Arena(), stream), batch(source.numba(), source.dtype)
        scaled(run, x, ones(run, x.count), 1.0, batch(target.numba(), target.dtype))


def paired(x: View, y: View) -> Floats:
    """Return <x, y> of every item in float64."""
    with queue(x.device, x.stream) as stream:
        run, values = Run(Sizes(), Arena(), stream), room(max(1, x.shape[0]), np.float64)[: x.shape[0]]
        pairing(run, batch(x.numba(), x.dtype), batch(y.numba(), y.dtype), values)
        return _numbers(values, stream)


@lru_cache(maxsize=1024)
def device_kernel(plan: Plan, dtype: str, accuracy: float | None = None) -> DeviceKernel:
    """Return the kernel of a plan for a dtype by its name; its loops are compiled at their first call."""
    return DeviceKernel(CUDAKernel(plan, dtype, accuracy, LiftedPolar(accuracy)))


@contextmanager
def queue(device: int, stream: int) -> Iterator[Any]:
    """Make a device current and give the stream of a handle as kernels of numba take it."""
    if SIMULATED:
        yield 0
        return
    with cuda.gpus[device]:
        yield _stream(device, stream)


@cache
def _stream(device: int, handle: int) -> Any:
    return cuda.default_stream() if handle == LEGACY else cuda.external_stream(handle)


def wait(x: View) -> None:
    """Wait for what was launched in the order of a view's stream."""
    with queue(x.device, x.stream) as stream:
        if not SIMULATED:
            stream.synchronize()


def _numbers(values: Any, stream: Any) -> Floats:
    host = values.copy_to_host(stream=stream)
    if not SIMULATED:
        stream.synchronize()
    return cast(Floats, host)
