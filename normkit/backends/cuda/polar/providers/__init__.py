"""Who carries out an operation of a plan: kernels of this package, cuBLASLt, torch, or NumPy for memory of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from normkit.backends.cuda.polar.memory import Places
from normkit.backends.cuda.polar.ops import Op

Call = Callable[[int], None]
"""A bound operation: given the handle of a stream, it puts its work there."""


class Provider(Protocol):
    """Carries out operations of some kinds."""

    @property
    def name(self) -> str:
        """As the table of providers has it."""

    @property
    def tile(self) -> int | None:
        """The side of the tiles of symmetric products, of which those above the diagonal are saved; None: none are."""

    def why_not(self, op: Op, at: Places) -> str | None:
        """Return why it cannot carry out an operation on matrices at some places; None if it can."""

    def bind(self, op: Op, at: Places) -> Call:
        """Return a call that carries it out: it may allocate and compile now, and does neither later."""
