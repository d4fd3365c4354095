"""What the NVIDIA driver says of this machine, asked by ctypes: no package is needed to know that there is no GPU."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

NAME = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
"""The driver library."""
HOST = -1
"""The device of memory that is the CPU's, where NumPy carries plans out: for tests, and wherever there is no GPU."""
MAJOR, MINOR, PROCESSORS = 75, 76, 16
"""Attributes of a device in the driver's numbering: compute capability, and streaming multiprocessors."""


@dataclass(frozen=True)
class Device:
    """A GPU: its number, name, compute capability, streaming multiprocessors, and bytes of memory."""

    ordinal: int
    name: str
    capability: tuple[int, int]
    processors: int
    memory: int


@dataclass(frozen=True)
class Driver:
    """What is there: the CUDA version that the driver supports, and its devices; or why there is nothing."""

    version: tuple[int, int] | None
    devices: tuple[Device, ...] = ()
    missing: str | None = None


@cache
def driver() -> Driver:
    """Return what the driver of this machine says, asked once."""
    try:
        library = ctypes.CDLL(NAME)
    except OSError:
        return Driver(None, missing=f"there is no NVIDIA driver on this machine ({NAME} was not found)")
    return ask(library)


def ask(library: Any) -> Driver:
    """Return what a driver library says.

    Parameters
    ----------
    library
        With the functions of the CUDA driver interface, each of which returns 0 for success.
    """
    number = ctypes.c_int()
    version = None
    if not library.cuDriverGetVersion(ctypes.byref(number)):
        version = (number.value // 1000, number.value % 1000 // 10)
    if code := library.cuInit(0):
        return Driver(version, missing=f"the NVIDIA driver cannot start (cuInit: {text(library, code)})")
    if code := library.cuDeviceGetCount(ctypes.byref(number)):
        return Driver(version, missing=f"the NVIDIA driver lists no devices ({text(library, code)})")
    if not number.value:
        return Driver(version, missing="the NVIDIA driver sees no GPU (is CUDA_VISIBLE_DEVICES empty?)")
    return Driver(version, tuple(_device(library, ordinal) for ordinal in range(number.value)))


def _device(library: Any, ordinal: int) -> Device:
    name, memory, found = ctypes.create_string_buffer(256), ctypes.c_size_t(), []
    handle = ctypes.c_int()
    library.cuDeviceGet(ctypes.byref(handle), ordinal)
    library.cuDeviceGetName(name, len(name), handle)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
    for attribute in (MAJOR, MINOR, PROCESSORS):
        number = ctypes.c_int()
        library.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle)
        found.append(number.value)
    return Device(ordinal, name.value.decode(errors="replace"), (found[0], found[1]), found[2], memory.value)


def text(library: Any, code: int) -> str:
    """Return a status of the driver in its own words."""
    said = ctypes.c_char_p()
    library.cuGetErrorString(code, ctypes.byref(said))
    return f"error {code}" + (f", {said.value.decode(errors='replace')}" if said.value else "")
