"""Bonds that any tree is made with: the identity, sums, multiples, and maps of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from normkit.errors import ParameterError
from normkit.modular.extent import Extent, Given, common, each, total
from normkit.modular.leaf import Weightless


@dataclass(frozen=True, repr=False)
class Bond(Weightless):
    """A map without weights, with the sensitivity that is *claimed* for it: not proved, and it says so.

    Parameters
    ----------
    label : str
        Its name.
    function : callable
        Takes one input, an array or a tuple of them; maps 0 to 0.
    sensitivity : float
        Positive and finite.

    Raises
    ------
    ParameterError
        For another sensitivity.

    Examples
    --------
    >>> from normkit.modular import Bond
    >>> Bond("cube", lambda x: x**3, 3.0)
    cube(sensitivity 3, not proved)
    """

    label: str
    function: Callable[[Any], Any]
    sensitivity: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.sensitivity, int | float) and 0 < self.sensitivity < float("inf")):
            raise ParameterError(f"the sensitivity of {self.label} is a positive number; got {self.sensitivity!r}")

    def __repr__(self) -> str:
        return f"{self.label}(sensitivity {self.sensitivity:g}, not proved)"

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield that the sensitivity is not proved."""
        yield f"the sensitivity {self.sensitivity:g} of {self.label} is not proved"

    def at(self, x: Any) -> Any:
        """Return the function at x."""
        return self.function(x)


@dataclass(frozen=True, repr=False)
class Identity(Weightless):
    """x -> x."""

    @property
    def sensitivity(self) -> float:
        """1."""
        return 1.0

    def extent(self, given: Given) -> Given:
        """What is given."""
        return given

    def at(self, x: Any) -> Any:
        """Return x."""
        return x


@dataclass(frozen=True, repr=False)
class Add(Weightless):
    """(x_1, ..., x_k) -> x_1 + ... + x_k: the triangle inequality; tuples are measured by the sum."""

    @property
    def sensitivity(self) -> float:
        """1."""
        return 1.0

    def extent(self, given: Given) -> Given:
        """The sum of the sizes, in a norm that all are bounded in."""
        return Extent(total(given), common(given))

    def at(self, x: Any) -> Any:
        """Return the sum."""
        return sum(x[1:], start=x[0])


@dataclass(frozen=True, repr=False)
class Multiply(Weightless):
    """x -> a x, of sensitivity abs(a); every array of a tuple alike.

    Raises
    ------
    ParameterError
        For a = 0, which cuts the tree, or a factor that is not finite.
    """

    factor: float

    def __post_init__(self) -> None:
        if not (isinstance(self.factor, int | float) and 0 < abs(self.factor) < float("inf")):
            raise ParameterError(f"a module is multiplied by a finite number that is not 0; got {self.factor!r}")
        object.__setattr__(self, "factor", float(self.factor))

    @property
    def sensitivity(self) -> float:
        """abs(a)."""
        return abs(self.factor)

    def extent(self, given: Given) -> Given:
        """abs(a) times every size."""
        return each(given, lambda one: Extent(abs(self.factor) * one.size, one.norm))

    def at(self, x: Any) -> Any:
        """Return a x."""
        return tuple(map(self.at, x)) if isinstance(x, tuple) else self.factor * x
