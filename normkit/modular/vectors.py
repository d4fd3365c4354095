"""Atoms that hold one number for every channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from normkit.modular.extent import Extent, Given, total
from normkit.modular.leaf import Atom
from normkit.modular.measures import norm
from normkit.modular.tree import Weights

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True, repr=False)
class Channelwise(Atom):
    """A vector of `size` numbers, the same at every position."""

    axes: ClassVar[str] = "o"

    size: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """(size,)."""
        return (self.size,)

    def along(self, weights: Weights, x: Any) -> Any:
        """Return its numbers in the shape of the channels of x."""
        return self.array(weights).reshape(-1, *[1] * (x.ndim - 1))


@dataclass(frozen=True, repr=False)
class Bias(Channelwise):
    """x -> x + b, b (size,) in ``rms``. Its output may have norm 2: average it, as in ``0.5 * Bias("b", 8)``."""

    @property
    def measure(self) -> Norm:
        """``rms``."""
        return norm("rms")

    def extent(self, given: Given) -> Given:
        """The size of the input plus 1."""
        return Extent(total(given) + 1.0)

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield nothing: b moves the output by itself, whatever the input is."""
        return iter(())

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return x + b."""
        return x + self.along(weights, x)


@dataclass(frozen=True, repr=False)
class Gain(Channelwise):
    """x -> g x entrywise, g (size,) in ``linf``: ‖g x‖ <= max abs(g_i) ‖x‖."""

    @property
    def measure(self) -> Norm:
        """``linf``."""
        return norm("linf")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return g x."""
        return self.along(weights, x) * x
