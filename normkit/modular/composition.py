"""The two ways of putting modules together: one after the other, and side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from normkit.errors import ParameterError
from normkit.modular.extent import BOTH, Given, Positions, Seen
from normkit.modular.tree import Module, Weights

if TYPE_CHECKING:
    from normkit.modular.leaf import Leaf


def module(what: Any) -> Module:
    """Return a module as it is, and a tuple of modules as one.

    Raises
    ------
    ParameterError
        For anything else.
    """
    if isinstance(what, tuple):
        return Tuple(tuple(map(module, what)))
    if not isinstance(what, Module):
        raise ParameterError(f"a tree is made of modules and tuples of them; got a {type(what).__name__}")
    return what


def _share(part: Module, whole: Module) -> float:
    """Return p / p_i, what the norm of a part is multiplied with; 0 if it is frozen."""
    return whole.mass / part.mass if part.mass > 0 else 0.0


def _tared(part: Module, whole: Module, mass: float) -> Module:
    return part.tare(mass * part.mass / whole.mass if whole.mass > 0 else 0.0)


@dataclass(frozen=True, repr=False)
class Composite(Module):
    """after(before(x))."""

    after: Module
    before: Module

    @property
    def mass(self) -> float:
        """The sum of the masses."""
        return self.after.mass + self.before.mass

    @property
    def sensitivity(self) -> float:
        """The product of the sensitivities."""
        return self.after.sensitivity * self.before.sensitivity

    @property
    def positions(self) -> frozenset[Positions]:
        """The ways that serve both."""
        return self.after.positions & self.before.positions

    def walk(self, seen: Seen) -> Iterator[tuple[Leaf, Seen]]:
        """The part before is multiplied by the sensitivity of what follows; shares are p_i / p."""
        first, second = _share(self.before, self), _share(self.after, self)
        yield from self.before.walk(replace(seen, scale=seen.scale * self.after.sensitivity * first))
        yield from self.after.walk(
            Seen(seen.scale * second, self.before.extent(seen.given), seen.before * self.before.sensitivity)
        )

    def tare(self, mass: float) -> Module:
        """Multiply the masses of both."""
        return Composite(_tared(self.after, self, mass), _tared(self.before, self, mass))

    def renamed(self, prefix: str) -> Module:
        """Rename both."""
        return Composite(self.after.renamed(prefix), self.before.renamed(prefix))

    def extent(self, given: Given) -> Given:
        """The bound of what follows at the bound of what comes before."""
        return self.after.extent(self.before.extent(given))

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return after(before(x))."""
        return self.after(weights, self.before(weights, x))


@dataclass(frozen=True, repr=False)
class Tuple(Module):
    """(M_1(x), ..., M_k(x)); the norm of a tuple is the sum of the norms."""

    parts: tuple[Module, ...]

    @property
    def mass(self) -> float:
        """The sum of the masses."""
        return sum(part.mass for part in self.parts)

    @property
    def sensitivity(self) -> float:
        """The sum of the sensitivities."""
        return sum(part.sensitivity for part in self.parts)

    @property
    def positions(self) -> frozenset[Positions]:
        """The ways that serve all."""
        return reduce(frozenset.intersection, (part.positions for part in self.parts), BOTH)

    def walk(self, seen: Seen) -> Iterator[tuple[Leaf, Seen]]:
        """Shares are p_i / p."""
        for part in self.parts:
            yield from part.walk(replace(seen, scale=seen.scale * _share(part, self)))

    def tare(self, mass: float) -> Module:
        """Multiply the masses of all."""
        return Tuple(tuple(_tared(part, self, mass) for part in self.parts))

    def renamed(self, prefix: str) -> Module:
        """Rename all."""
        return Tuple(tuple(part.renamed(prefix) for part in self.parts))

    def extent(self, given: Given) -> Given:
        """The bounds of all."""
        return tuple(part.extent(given) for part in self.parts)

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return all outputs."""
        return tuple(part(weights, x) for part in self.parts)
