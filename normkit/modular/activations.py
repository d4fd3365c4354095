"""Bonds that act entry by entry, or on the channels at each position."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from normkit.errors import ShapeError
from normkit.modular.extent import LARGEST, Extent, Given, Positions, parts
from normkit.modular.leaf import Weightless, large, mismeasured, require_lengths

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


@dataclass(frozen=True, repr=False)
class Softmax(Weightless):
    """x -> p, p_i proportional to exp(x_i) over the channels: sensitivity 1/2 in RMS.

    dp = (diag(p) - p p') dx, and u' (diag(p) - p p') u is the variance of u under p, at most (max u - min u)^2 / 4
    (Popoviciu) <= ‖u‖_2^2 / 2, which p = (1/2, 1/2) attains. The output has RMS at most 1.
    """

    @property
    def sensitivity(self) -> float:
        """1/2."""
        return 0.5

    def extent(self, given: Given) -> Given:
        """1: no probability is larger."""
        return Extent(1.0)

    def at(self, x: Any) -> Any:
        """Return the probabilities."""
        return softmax(x, 0)


@dataclass(frozen=True, repr=False)
class Route(Softmax):
    """Softmax from linf to l1: sensitivity 1, and an output of l1 norm 1; what weighs `Experts`, after `Unembed`.

    For abs(u_i) <= 1, sum p_i abs(u_i - E u) is at most 4 P (1 - P) <= 1, P the probability of u_i = 1 at an extreme u.
    """

    @property
    def sensitivity(self) -> float:
        """1."""
        return 1.0

    def extent(self, given: Given) -> Given:
        """1 in l1."""
        return Extent(1.0, "l1")

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield that the input is not bounded in linf, whatever its size."""
        yield from mismeasured("Route", given, "linf")


def softmax(x: Any, axis: int) -> Any:
    """Return exp(x) divided by its sum along an axis; -inf counts as nothing."""
    risen = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return risen / np.sum(risen, axis=axis, keepdims=True)
