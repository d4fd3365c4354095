"""Bonds that make probabilities of the channels at each position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.modular.extent import Extent, Given
from normkit.modular.leaf import Weightless, mismeasured


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
