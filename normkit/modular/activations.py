"""Bonds that act entry by entry."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from normkit.errors import ShapeError
from normkit.modular.extent import LARGEST, Extent, Given, Positions, parts
from normkit.modular.leaf import Weightless, large, require_lengths

GELU = 1.1289042
"""Slope of GeLU at sqrt(2), where it is largest: (1 + erf(1))/2 + exp(-1)/sqrt(pi), rounded up."""
SILU = 1.0998394
"""Slope of SiLU at the root of x tanh(x/2) = 2, where it is largest, rounded up."""


@dataclass(frozen=True, repr=False)
class Entrywise(Weightless):
    """x_i -> f(x_i), f with slopes of at most `sensitivity` and abs(f(x)) <= abs(x).

    No two entries move apart by more than that factor, and none grows: in any norm of the magnitudes.
    """

    def extent(self, given: Given) -> Given:
        """What is given: no entry grows."""
        return given

    def at(self, x: Any) -> Any:
        """Return f at every entry; of a tuple at every array."""
        return tuple(map(self.at, x)) if isinstance(x, tuple) else self.entries(x)

    @abstractmethod
    def entries(self, x: Any) -> Any:
        """Return f at every entry."""


@dataclass(frozen=True, repr=False)
class ReLU(Entrywise):
    """x -> max(x, 0): slopes 0 and 1."""

    @property
    def sensitivity(self) -> float:
        """1."""
        return 1.0

    def entries(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return np.maximum(x, 0.0)


@dataclass(frozen=True, repr=False)
class Tanh(Entrywise):
    """x -> tanh(x): slopes 1 - tanh(x)^2 <= 1."""

    @property
    def sensitivity(self) -> float:
        """1."""
        return 1.0

    def entries(self, x: Any) -> Any:
        """Return tanh(x)."""
        return np.tanh(x)


@dataclass(frozen=True, repr=False)
class GeLU(Entrywise):
    """x -> x Phi(x), Phi the normal distribution: slopes of at most 1.1289042, not 1.

    The slope is Phi(x) + x phi(x) and its own slope (2 - x^2) phi(x), so that it is largest at sqrt(2) and smallest,
    -0.1289..., at -sqrt(2). ``1/GELU * GeLU()`` has sensitivity 1. Since 0 < Phi < 1 no entry grows.
    """

    @property
    def sensitivity(self) -> float:
        """1.1289042, rounded up."""
        return GELU

    def entries(self, x: Any) -> Any:
        """Return x Phi(x)."""
        from scipy.special import ndtr

        return x * ndtr(x)


@dataclass(frozen=True, repr=False)
class SiLU(Entrywise):
    """x -> x s(x), s(x) = 1/(1 + exp(-x)), also named swish: slopes of at most 1.0998394, not 1.

    The slope is s (1 + x (1 - s)), and its own slope s (1 - s) (2 - x tanh(x/2)), so that it is largest at the root of
    x tanh(x/2) = 2, and smallest, -0.0998..., at minus that. Since 0 < s < 1 no entry grows. See `Gate` for SwiGLU.
    """

    @property
    def sensitivity(self) -> float:
        """1.0998394, rounded up."""
        return SILU

    def entries(self, x: Any) -> Any:
        """Return x s(x)."""
        from scipy.special import expit

        return x * expit(x)


@dataclass(frozen=True, repr=False)
class Gate(Weightless):
    """(a, b) -> a b entrywise, of `width` channels: sensitivity sqrt(width) for ‖a‖, ‖b‖ <= 1 at every position.

    The product of two vectors is not bounded by that of their RMS alone: max abs(a_i) may be sqrt(width) ‖a‖, and
    ‖a b‖ <= max abs(a_i) ‖b‖ <= sqrt(width) ‖a‖ ‖b‖, which two equal one-hot vectors attain. So ‖da b + a db‖ <=
    sqrt(width) (‖da‖ + ‖db‖). SwiGLU is ``Gate(width) @ (SiLU() @ Linear("gate", ...), Linear("up", ...))``.
    """

    width: int

    def __post_init__(self) -> None:
        require_lengths("Gate", (self.width,))

    @property
    def sensitivity(self) -> float:
        """sqrt(width)."""
        return sqrt(self.width)

    @property
    def positions(self) -> frozenset[Positions]:
        """The maximum: both factors are at most 1 at every position."""
        return LARGEST

    def extent(self, given: Given) -> Given:
        """sqrt(width) times the product of the sizes."""
        first, second = parts(given, 2)
        return Extent(self.sensitivity * first.size * second.size)

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield that a factor may be larger than 1."""
        for factor in parts(given, 2):
            yield from large("a factor of Gate", factor, "rms")

    def at(self, x: Any) -> Any:
        """Return the product."""
        first, second = x
        if len(first) != self.width or first.shape != second.shape:
            raise ShapeError(
                f"{self!r} takes two arrays of {self.width} channels; got {first.shape} and {second.shape}"
            )
        return first * second
