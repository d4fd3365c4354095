"""Launches of kernels over arrays, as data: which kernel, for which types, on which memory, by how many blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from normkit.backends.cuda.polar.memory import Place
from normkit.backends.cuda.polar.ops import ITEMSIZE

THREADS = 256
"""Of every block."""


@dataclass(frozen=True)
class Array:
    """A flat array: entries from the lowest address of a place on."""

    address: int
    length: int
    dtype: str


@dataclass(frozen=True)
class Launch:
    """A kernel over arrays and numbers (int counts, float factors), and how many blocks run it."""

    kernel: Any
    blocks: int
    arguments: tuple[Array | int | float, ...]


class Launcher(Protocol):
    """Compiles kernels, and starts them."""

    def prepare(self, launch: Launch) -> Any:
        """Return what starts a launch: a call with the handle of a stream. It compiles now."""


def flat(place: Place) -> tuple[Array, int]:
    """Return all memory of a place as an array, and where the first entry is in it: strides may be negative."""
    spans = [(length - 1) * step for length, step in zip(place.shape, place.strides, strict=True)]
    below, above = sum(min(0, each) for each in spans), sum(max(0, each) for each in spans)
    return Array(place.address + below * ITEMSIZE[place.dtype], above - below + 1, place.dtype), -below
