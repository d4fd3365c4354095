"""Bonds that divide the channels at every position by their size. Without eps they have no Lipschitz constant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from normkit.errors import ParameterError
from normkit.modular.extent import Extent, Given, total
from normkit.modular.leaf import Weightless


@dataclass(frozen=True, repr=False)
class RMSNorm(Weightless):
    """x -> x / sqrt(‖x‖^2 + eps), ‖x‖ the RMS of the channels at a position: sensitivity 1/sqrt(least^2 + eps).

    The derivative is (I - x x' / (n (‖x‖^2 + eps))) / sqrt(‖x‖^2 + eps), of norm 1/sqrt(‖x‖^2 + eps) across x. So the
    best constant is 1/sqrt(eps), attained at x = 0; for eps = 0 there is none: the map is not even continuous at 0.
    ``least`` claims that no position ever has an RMS below it, which no tree can prove: then `why` says so. The output
    is at most 1, and at most ‖x‖/sqrt(eps). There are no weights; put a `Gain` after it.

    Raises
    ------
    ParameterError
        If eps or least is negative or not finite, or both are 0.
    """

    eps: float
    least: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("eps", self.eps), ("least", self.least)):
            if not (isinstance(value, int | float) and 0 <= value < float("inf")):
                raise ParameterError(f"the {name} of {type(self).__name__} is a number >= 0; got {value!r}")
        if self.eps == 0 and self.least == 0:
            raise ParameterError(
                f"{type(self).__name__} without eps is not Lipschitz at 0, where the direction jumps; give eps > 0, or "
                "say with least= which RMS no position falls below"
            )

    @property
    def sensitivity(self) -> float:
        """1/sqrt(least^2 + eps)."""
        return 1.0 / sqrt(self.least**2 + self.eps)

    def extent(self, given: Given) -> Given:
        """1, or the size times 1/sqrt(eps) if that is less."""
        return Extent(min(1.0, total(given) / sqrt(self.eps)) if self.eps > 0 else 1.0)

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield that inputs are assumed not to be small, if they are."""
        if self.least > 0:
            yield f"{type(self).__name__} assumes that no position has an RMS below {self.least:g}"

    def at(self, x: Any) -> Any:
        """Return x divided by its size."""
        return x / np.sqrt(np.mean(np.square(x), axis=0, keepdims=True) + self.eps)


@dataclass(frozen=True, repr=False)
class LayerNorm(RMSNorm):
    """`RMSNorm` of x - mean(x): an orthogonal projection first, of sensitivity 1. There, `least` is of the deviation.

    So the constant is the same, 1/sqrt(eps), and there is none for eps = 0. Put a `Gain` and a `Bias` after it.
    """

    def at(self, x: Any) -> Any:
        """Return the deviation from the mean, divided by its size."""
        return super().at(x - np.mean(x, axis=0, keepdims=True))
