"""A GPU as plans need it: room for workspaces, who makes products, graphs, and numbers brought back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.blaslt import SCRATCH
from normkit.backends.cuda.launching import ArrayLauncher, core, driver, stream
from normkit.backends.cuda.polar.memory import Place
from normkit.backends.cuda.polar.providers import Call, Provider
from normkit.backends.cuda.polar.providers.cublas import CuBLASLt
from normkit.backends.cuda.polar.providers.launches import flat
from normkit.backends.cuda.polar.providers.own import Own
from normkit.backends.cuda.polar.providers.products import Products, kernels
from normkit.backends.cuda.polar.providers.torch_products import TorchProducts
from normkit.backends.cuda.polar.stored import widen
from normkit.errors import BackendError

LEAST = (7, 5)
"""The compute capability that the CUDA 13 compiler makes code for at least."""


class GPU:
    """A GPU by its number.

    Attributes
    ----------
    scratch : int
        What cuBLASLt may use in a workspace: one for each stream, as streams run at the same time.

    Raises
    ------
    BackendError
        If its compute capability is below `LEAST`.
    """

    scratch = SCRATCH

    def __init__(self, number: int) -> None:
        self._number, self._device = number, core().Device(number)
        with self.current():
            capability = self._device.compute_capability
        self.capability = (int(capability[0]), int(capability[1]))
        if self.capability < LEAST:
            raise BackendError(
                f"GPU {number} has compute capability {'.'.join(map(str, self.capability))}; kernels are made for "
                f"{'.'.join(map(str, LEAST))} and later: use backend='cpu'"
            )
        self._rooms: dict[int, tuple[int, int, Any]] = {}

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the device's primary context, which other libraries share, the current one for a while."""
        driver("cuInit", 0)
        context = driver("cuDevicePrimaryCtxRetain", self._number)
        driver("cuCtxPushCurrent", context)
        try:
            yield
        finally:
            driver("cuCtxPopCurrent")
            driver("cuDevicePrimaryCtxRelease", self._number)

    @cached_property
    def providers(self) -> Mapping[str, Provider]:
        """Who carries out operations, by name."""
        launcher = ArrayLauncher(self.capability)
        processors = int(self._device.properties.multiprocessor_count)
        made: list[Provider] = [
            Own(launcher),
            CuBLASLt(self._number, launcher),
            TorchProducts(self._number),
            *(Products(name, self._number, self.capability, processors) for name in kernels()),
        ]
        return {provider.name: provider for provider in made}

    def workspace(self, nbytes: int, handle: int, like: Any) -> tuple[int, Any]:
        """Return room that the next call on this stream gets again; it grows, and is never given back."""
        address, size, holder = self._rooms.get(handle, (0, 0, None))
        if size < nbytes:
            address, holder = self._allocate(nbytes, handle, like)
            self._rooms[handle] = (address, nbytes, holder)
        return address, holder

    def _allocate(self, nbytes: int, handle: int, like: Any) -> tuple[int, Any]:
        """Allocate by torch where its cache holds the memory, else by the driver."""
        free, total = driver("cuMemGetInfo")
        try:
            if type(like).__module__.partition(".")[0] == "torch":
                room = like.new_empty((nbytes,), dtype=_torch_bytes())
                return int(room.data_ptr()), room
            buffer = self._device.allocate(nbytes, stream=stream(handle) if handle else self._device.default_stream)
            return int(buffer.handle), buffer
        except (RuntimeError, MemoryError) as error:
            raise BackendError(
                f"the polar core needs a workspace of {nbytes} bytes on GPU {self._number}, where {free} of {total} "
                f"are free: split the batch, or free memory ({' '.join(str(error).split())[:120]})"
            ) from error

    def captured(self, calls: Sequence[Call]) -> Call:
        """Return a call that makes these calls at first, and launches their graph from the second time on.

        The first time libraries load what they need, which a capture does not allow.
        """
        return _Graph(calls)

    def fetch(self, place: Place, handle: int) -> NDArray[np.float64]:
        """Return the entries at a place, once the stream has come so far; strides may be negative."""
        array, start = flat(place)
        kind = np.dtype("uint16" if place.dtype == "bfloat16" else place.dtype)
        host = np.empty(array.length, kind)
        with self.current():
            driver("cuMemcpyDtoHAsync", host.ctypes.data, array.address, host.nbytes, handle)
            driver("cuStreamSynchronize", handle)
        steps = [kind.itemsize * each for each in place.strides]
        found = np.lib.stride_tricks.as_strided(host[start:], place.shape, steps)
        return widen(found, place.dtype).astype(np.float64)

    def put(self, values: NDArray[Any], place: Place, handle: int) -> None:
        """Copy values to a place of the workspace, whose type they have; what lies between its rows is overwritten."""
        host = np.zeros(flat(place)[0].length, values.dtype)
        steps = [values.itemsize * each for each in place.strides]
        np.lib.stride_tricks.as_strided(host, place.shape, steps)[...] = values
        with self.current():
            driver("cuMemcpyHtoDAsync", place.address, host.ctypes.data, host.nbytes, handle)
            driver("cuStreamSynchronize", handle)


class _Graph:
    """Calls that become a CUDA graph when they are made the second time."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls, self._made, self._graph = calls, 0, None

    def __call__(self, handle: int) -> None:
        self._made += 1
        if self._made == 1:
            for call in self._calls:
                call(handle)
            return
        if self._graph is None:
            self._graph = self._capture()
        driver("cuGraphLaunch", self._graph, handle)

    def _capture(self) -> Any:
        from cuda.bindings import driver as library

        own = driver("cuStreamCreate", library.CUstream_flags.CU_STREAM_NON_BLOCKING.value)
        try:
            driver("cuStreamBeginCapture", own, library.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            try:
                for call in self._calls:
                    call(int(own))
            finally:
                graph = driver("cuStreamEndCapture", own)
            return driver("cuGraphInstantiate", graph, 0)
        finally:
            driver("cuStreamDestroy", own)


def _torch_bytes() -> Any:
    import sys

    return sys.modules["torch"].uint8
