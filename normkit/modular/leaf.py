"""The leaves of a tree: atoms, which hold one array of weights each, and bonds, which hold none."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from normkit.errors import ParameterError, ShapeError
from normkit.modular.extent import BOTH, Channels, Extent, Given, Positions, Seen, common, total
from normkit.modular.tree import Module, Weights
from normkit.names import found, listed

if TYPE_CHECKING:
    from normkit.norm import Norm

ROUNDING = 1e-12
"""How far above 1 a bound may lie that is 1 but for rounding."""


@dataclass(frozen=True, repr=False)
class Leaf(Module):
    """A module without parts."""

    @property
    def positions(self) -> frozenset[Positions]:
        """Both: what is done at every position alike, or to patches of an image, obeys its bounds either way."""
        return BOTH

    def walk(self, seen: Seen) -> Iterator[tuple[Leaf, Seen]]:
        """Yield itself."""
        yield self, seen

    @abstractmethod
    def doubts(self, given: Given) -> Iterator[str]:
        """Yield what keeps its bounds from being proved, for inputs up to a bound."""


# --- atoms ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Atom(Leaf):
    """A module with one array of weights, of sensitivity 1 for weights of norm 1.

    ``mass`` is a number, not negative. ``layout`` is the order of the axes of the array, by their letters in `axes`;
    the norm goes with the letters, so that it is the same in every layout.
    """

    axes: ClassVar[str] = "o i"
    """The letters of the axes, in the order of the default layout."""
    gives: ClassVar[Channels] = "rms"
    takes: ClassVar[Channels] = "rms"

    name: str
    mass: float = field(default=1.0, kw_only=True)
    layout: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not (isinstance(self.mass, int | float) and 0 <= self.mass < float("inf")):
            raise ParameterError(f"the mass of {self.name!r} is a number that is not negative; got {self.mass!r}")
        object.__setattr__(self, "layout", " ".join(self.layout.split()) or self.axes)
        if sorted(self.layout.split()) != sorted(self.axes.split()):
            raise ParameterError(f"the layout of {self.name!r} orders the axes {self.axes!r}; got {self.layout!r}")
        require_lengths(repr(self.name), self.sizes)

    @property
    @abstractmethod
    def measure(self) -> Norm:
        """The norm of its weights."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """The lengths of the axes in the default layout; what else must be a positive integer may follow."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its weights."""
        return tuple(self.sizes[self.axes.split().index(axis)] for axis in self.layout.split())

    @property
    def sensitivity(self) -> float:
        """1: ‖f(w)(x)‖ <= ‖w‖ ‖x‖, or f moves as x does."""
        return 1.0

    def array(self, weights: Weights) -> Any:
        """Return its weights, from a mapping nested or not, with the axes of the default layout.

        Raises
        ------
        ShapeError
            If there are none, or their shape is another.
        """
        array = found(weights, self.name)
        if array is None:
            raise ShapeError(f"the tree has weights {self.name!r}; got {listed(weights)}")
        if np.shape(array) != self.shape:
            raise ShapeError(f"the weights {self.name!r} have shape {self.shape}; got {np.shape(array)}")
        return np.transpose(array, [self.layout.split().index(axis) for axis in self.axes.split()])

    def tare(self, mass: float) -> Module:
        """Replace the mass."""
        return replace(self, mass=float(mass))

    def renamed(self, prefix: str) -> Module:
        """Replace the name."""
        return replace(self, name=prefix + self.name)

    def extent(self, given: Given) -> Given:
        """The size of the input: the map is linear, of norm at most 1."""
        return Extent(total(given), self.gives)

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield that inputs of more than 1 move the output by more than the weights' norm."""
        yield from large(repr(self.name), given, self.takes)


def large(who: str, given: Given, norm: Channels) -> Iterator[str]:
    """Yield that an input is not known to be at most 1 in the norm that a leaf takes, if so."""
    if total(given) > 1 + ROUNDING:
        yield f"{who} may see an input of norm {total(given):.4g}, more than 1"
    yield from mismeasured(who, given, norm)


def mismeasured(who: str, given: Given, norm: Channels) -> Iterator[str]:
    """Yield that an input is not known to be bounded in the norm that a leaf takes, if so."""
    got = common(given)
    if not Extent(1.0, got).at_least(norm):
        yield f"{who} takes an input in {norm}, and sees one that is bounded in {got}"


def require_lengths(who: str, lengths: tuple[int, ...]) -> None:
    """Raise `ParameterError` unless there are lengths, and all are positive integers."""
    if not lengths or not all(isinstance(length, int) and length > 0 for length in lengths):
        raise ParameterError(f"the lengths of {who} are positive integers; got {lengths}")


# --- bonds -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Weightless(Leaf):
    """A map without weights whose bounds are proved, in its docstring.

    It maps 0 to 0 unless it says how large its output is at most.
    """

    @property
    def mass(self) -> float:
        """0."""
        return 0.0

    def tare(self, mass: float) -> Module:
        """Return itself."""
        return self

    def renamed(self, prefix: str) -> Module:
        """Return itself."""
        return self

    def extent(self, given: Given) -> Given:
        """The sensitivity times the size."""
        return Extent(self.sensitivity * total(given))

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield nothing: its bounds hold for every input."""
        return iter(())

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the map at x."""
        return self.at(x)

    @abstractmethod
    def at(self, x: Any) -> Any:
        """Return the map at x."""
