"""Workspaces that a thread keeps from one matrix to the next of a shape, so that their memory is not asked for anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

KEPT = 1 << 28
"""Bytes of the largest workspace that a thread keeps."""


class Space(Protocol):
    """What can be kept."""

    @property
    def nbytes(self) -> int:
        """Size of all arrays."""


S = TypeVar("S", bound=Space)


class Last(threading.local):
    """What this thread used last, and the arguments that it was made of."""

    key: tuple[Any, ...] | None = None
    space: Any = None

    def __init__(self) -> None:
        _all.add(self)


_all: set[Last] = set()


def forget() -> None:
    """Let go of what this thread keeps: for callers that need the memory for something else."""
    for last in _all:
        last.key = last.space = None


def kept(last: Last, make: Callable[..., S], *key: Any) -> S:
    """Return ``make(*key)``: what this thread used last, if it fits, or a new one, kept unless it is too large."""
    if last.key != key:
        last.key = last.space = None
        made = make(*key)
        if made.nbytes > KEPT:
            return made
        last.key, last.space = key, made
    found: S = last.space
    return found
