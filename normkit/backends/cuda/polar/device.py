"""What plans need of a device: room, who carries out operations, and numbers brought back; here of the CPU's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.driver import HOST
from normkit.backends.cuda.polar.memory import Place
from normkit.backends.cuda.polar.placement import ALIGNMENT
from normkit.backends.cuda.polar.providers import Call, Provider
from normkit.backends.cuda.polar.providers.host import Host
from normkit.backends.cuda.polar.stored import raw, read


class Device(Protocol):
    """A device that carries out plans."""

    @property
    def capability(self) -> tuple[int, int]:
        """Its compute capability; (0, 0) of the CPU."""

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Who carries out operations, by name."""

    @property
    def scratch(self) -> int:
        """Bytes that its libraries may use in a workspace, after the matrices."""

    def current(self) -> AbstractContextManager[None]:
        """Make it the device that libraries work on, for a while."""

    def workspace(self, nbytes: int, stream: int, like: Any) -> tuple[int, Any]:
        """Return the address of so many bytes, and what keeps them.

        Kept for the next call on this stream; allocated by the library of the array `like` where that has a cache.

        Raises
        ------
        BackendError
            If there is too little memory, with how much is needed.
        """

    def captured(self, calls: Sequence[Call]) -> Call:
        """Return one call that does what these do, in order: a graph, which is launched at once."""

    def fetch(self, place: Place, stream: int) -> NDArray[np.float64]:
        """Return the entries at a place in float64, after what was put on the stream is done."""

    def put(self, values: NDArray[Any], place: Place, stream: int) -> None:
        """Copy float64 or float32 values to a packed place; the array may change as soon as this returns."""


class HostDevice:
    """The memory of the CPU, where NumPy carries out plans."""

    capability = (0, 0)
    scratch = 0

    def __init__(self) -> None:
        self.providers: Mapping[str, Provider] = {"numpy": Host()}

    def current(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def workspace(self, nbytes: int, stream: int, like: Any) -> tuple[int, Any]:
        """Return new memory: all of it NaN, so that a matrix that is read before it is written shows."""
        room = np.full(nbytes + ALIGNMENT, 0xFF, np.uint8)
        return -(-room.ctypes.data // ALIGNMENT) * ALIGNMENT, room

    def captured(self, calls: Sequence[Call]) -> Call:
        """Return a call that makes all these calls."""

        def run(stream: int) -> None:
            for call in calls:
                call(stream)

        return run

    def fetch(self, place: Place, stream: int) -> NDArray[np.float64]:
        """Return the entries at a place."""
        return read(place).astype(np.float64)

    def put(self, values: NDArray[Any], place: Place, stream: int) -> None:
        """Copy values to a place."""
        raw(place)[...] = values


@cache
def device(number: int) -> Device:
    """Return a device by its number, or that of the CPU's memory for `HOST`."""
    if number == HOST:
        return HostDevice()
    from normkit.backends.cuda.runtime import GPU

    made: Device = GPU(number)
    return made
