"""Bonds that average over positions, or put them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.errors import ShapeError
from normkit.modular.extent import LARGEST, MEAN, Extent, Given, Positions, total
from normkit.modular.leaf import Weightless, require_lengths


@dataclass(frozen=True, repr=False)
class Contraction(Weightless):
    """A linear map of positions of sensitivity 1 in RMS."""

    @property
    def sensitivity(self) -> float:
        """1."""
        return 1.0

    def extent(self, given: Given) -> Given:
        """The size, in RMS."""
        return Extent(total(given))


@dataclass(frozen=True, repr=False)
class MeanPool(Contraction):
    """x (channels, ...) -> the mean over all positions (channels,).

    ‖mean x_p‖ <= mean ‖x_p‖, which is at most their root mean square, and that at most their maximum; a constant x
    attains both.
    """

    def at(self, x: Any) -> Any:
        """Return the mean."""
        return np.mean(x, axis=tuple(range(1, x.ndim)))


@dataclass(frozen=True, repr=False)
class AvgPool(Contraction):
    """x -> the means over windows that tile the positions, `window` long in each direction.

    In a window ‖mean x_p‖^2 <= mean ‖x_p‖^2, and the mean over all windows is that over all positions; the largest
    norm does not grow either. Lengths that the window does not divide raise `ShapeError`.
    """

    window: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", tuple(self.window))
        require_lengths("AvgPool", self.window)

    def at(self, x: Any) -> Any:
        """Return the means."""
        lengths = x.shape[1:]
        if len(lengths) != len(self.window) or any(a % b for a, b in zip(lengths, self.window, strict=True)):
            raise ShapeError(f"AvgPool: windows {self.window} do not tile positions of lengths {lengths}")
        cut = [part for a, b in zip(lengths, self.window, strict=True) for part in (a // b, b)]
        return np.mean(x.reshape(-1, *cut), axis=tuple(range(2, 2 + 2 * len(lengths), 2)))


@dataclass(frozen=True, repr=False)
class CausalMean(Contraction):
    """x (channels, ..., words) -> the mean of the words up to each: y_i = (x_1 + ... + x_i) / i.

    A mean is no larger than its largest term. That is the maximum over words; in their root mean square the bound is 2
    (Hardy's inequality), not 1.
    """

    @property
    def positions(self) -> frozenset[Positions]:
        """The maximum."""
        return LARGEST

    def at(self, x: Any) -> Any:
        """Return the means."""
        return np.cumsum(x, axis=-1) / np.arange(1, x.shape[-1] + 1)


@dataclass(frozen=True, repr=False)
class Flatten(Contraction):
    """x (channels, ...) -> all entries as the channels of one position.

    Its RMS is the root mean square over positions, and at most the largest RMS of a position.
    """

    def at(self, x: Any) -> Any:
        """Return the entries, row by row."""
        return x.reshape(-1)


@dataclass(frozen=True, repr=False)
class Reshape(Contraction):
    """x -> the same entries, row by row, as an array of another shape; channels first.

    The RMS of all entries stays what it is. The largest RMS of a position may become anything up to the root of the
    number of positions times as large, so that only the root mean square is claimed.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        require_lengths("Reshape", self.shape)

    @property
    def positions(self) -> frozenset[Positions]:
        """The root mean square."""
        return MEAN

    def at(self, x: Any) -> Any:
        """Return the entries in the shape."""
        return x.reshape(self.shape)
