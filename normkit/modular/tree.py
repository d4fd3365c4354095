r"""Trees of modules with mass and sensitivity: the modular norm (Large et al. 2024, arXiv:2405.14813).

A module maps weights and an input to an output. Its *mass* p is its share of the change of the output, its
*sensitivity* c a Lipschitz constant in the input, its norm measures its weights, so that for weights of norm at most 1
and inputs of norm at most 1, to first order,

    ‖f(w + dw)(x) - f(w)(x)‖ <= ‖dw‖,        ‖f(w)(x + dx) - f(w)(x)‖ <= c ‖dx‖.

    M2 @ M1     p = p1 + p2,     c = c1 c2,     max(c2 (p/p1) ‖w1‖, (p/p2) ‖w2‖)
    (M1, M2)    p = p1 + p2,     c = c1 + c2,   max((p/p1) ‖w1‖, (p/p2) ‖w2‖);  outputs are measured by the sum
    M1 + M2     the tuple, then the sum of the outputs
    a * M       c = abs(a) c1, the norm times abs(a):  a bond in front, of sensitivity abs(a), not a

Unrolled, every atom l gets one number s_l, and the norm is max s_l ‖w_l‖: a `Modular` norm with outer norm ``linf``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.errors import ParameterError, ShapeError
from normkit.names import listed
from normkit.points import initialize, project

if TYPE_CHECKING:
    from normkit.calculus.modular import Modular
    from normkit.modular.atoms import Atom

Weights = Mapping[str, Any]


@dataclass(frozen=True)
class Module(ABC):
    """A node of a tree; frozen. ``m(weights, x)`` runs it on one input."""

    # --- what a module states ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def mass(self) -> float:
        """The share of the change of the output that belongs to its weights; 0 for bonds and frozen modules."""

    @property
    @abstractmethod
    def sensitivity(self) -> float:
        """A Lipschitz constant in the input, for weights of norm at most 1."""

    @abstractmethod
    def scaled(self, factor: float) -> Iterator[tuple[Atom, float]]:
        """Yield every atom with a mass and its s_l, for a tree whose norm is multiplied by `factor`."""

    @abstractmethod
    def atoms(self) -> Iterator[Atom]:
        """Yield all atoms, those of mass 0 too."""

    @abstractmethod
    def tare(self, mass: float) -> Module:
        """Return the same module with its masses multiplied so that they add up to `mass`; 0 freezes it."""

    @abstractmethod
    def renamed(self, prefix: str) -> Module:
        """Return the same module with a prefix in front of the name of every atom."""

    @abstractmethod
    def bound(self, size: float) -> float:
        """Return a bound on the output for inputs up to a size and weights of norm at most 1."""

    @abstractmethod
    def doubts(self, size: float) -> Iterator[str]:
        """Yield what keeps the perturbation bound from being proved, for inputs up to a size."""

    @abstractmethod
    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the output for one input; a tuple of them where the module ends in one."""

    # --- composition -----------------------------------------------------------------------------------------------

    def __matmul__(self, before: Any) -> Module:
        return Composite(self, _module(before))

    def __rmatmul__(self, after: Any) -> Module:
        return Composite(_module(after), self)

    def __add__(self, other: Any) -> Module:
        from normkit.modular.atoms import Add

        return Composite(Add(), Tuple((self, _module(other))))

    def __mul__(self, factor: float) -> Module:
        from normkit.modular.atoms import Multiply

        return Composite(Multiply(float(factor)), self)

    __rmul__ = __mul__

    def __pow__(self, times: int) -> Module:
        if not (isinstance(times, int) and times >= 1):
            raise ParameterError(f"a module is repeated a positive number of times; got {times!r}")
        copies = [self.renamed(f"{place}/") for place in range(times)]
        return reduce(lambda before, after: after @ before, copies)

    # --- what follows ----------------------------------------------------------------------------------------------

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array of weights, by name."""
        return {name: atom.shape for name, atom in self._named().items()}

    @property
    def scales(self) -> dict[str, float]:
        """s_l by name, of the atoms that have a mass."""
        return {atom.name: scale for atom, scale in self.scaled(1.0)}

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of the atoms without mass: the norm leaves them out, and no update moves them."""
        return tuple(name for name in self.shapes if name not in self.scales)

    @property
    def proved(self) -> bool:
        """Whether the perturbation bound is proved for weights and inputs of norm at most 1; `why` says why not."""
        return not self.why

    @property
    def why(self) -> tuple[str, ...]:
        """What keeps the perturbation bound from being proved; empty if it is."""
        return tuple(dict.fromkeys(self.doubts(1.0)))

    def norm(self) -> Modular:
        """Return max_l s_l N_l(W_l) over the atoms that have a mass.

        Raises
        ------
        ParameterError
            If no atom has a mass, or a name occurs twice.
        """
        from normkit.calculus.modular import Modular

        named, scales = self._named(), self.scales
        if not scales:
            raise ParameterError("the masses of this tree are all zero; give a mass to what is to be trained")
        return Modular({name: named[name].measure for name in scales}, "linf", scales)

    def initialize(self, *, seed: Any = None, dtype: Any = np.float64) -> dict[str, Any]:
        """Return weights of norm 1 each, in the atom's own norm; see `normkit.initialize`."""
        draw = np.random.default_rng(seed)
        return {
            name: initialize(atom.measure, atom.shape, seed=draw, dtype=dtype) for name, atom in self._named().items()
        }

    def project(self, weights: Weights) -> dict[str, Any]:
        """Return weights of norm at most 1 each, in the atom's own norm; see `normkit.project`."""
        named = self._named()
        if weights.keys() != named.keys():
            raise ShapeError(f"the tree has the weights {listed(named)}; got {listed(weights)}")
        return {name: project(named[name].measure, array) for name, array in weights.items()}

    def _named(self) -> dict[str, Atom]:
        found: dict[str, Atom] = {}
        for atom in self.atoms():
            if atom.name in found:
                raise ParameterError(f"two modules of the tree are named {atom.name!r}; give each a name of its own")
            found[atom.name] = atom
        return found


def _module(what: Any) -> Module:
    if isinstance(what, tuple):
        return Tuple(tuple(map(_module, what)))
    if not isinstance(what, Module):
        raise ParameterError(f"a tree is made of modules and tuples of them; got a {type(what).__name__}")
    return what


@dataclass(frozen=True)
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

    def scaled(self, factor: float) -> Iterator[tuple[Atom, float]]:
        """The part before is multiplied by the sensitivity of what follows; shares are p_i / p."""
        if self.before.mass > 0:
            yield from self.before.scaled(factor * self.after.sensitivity * (self.mass / self.before.mass))
        if self.after.mass > 0:
            yield from self.after.scaled(factor * (self.mass / self.after.mass))

    def atoms(self) -> Iterator[Atom]:
        """Those before, then those after."""
        yield from self.before.atoms()
        yield from self.after.atoms()

    def tare(self, mass: float) -> Module:
        """Multiply the masses of both."""
        shares = [part.mass / self.mass if self.mass > 0 else 0.0 for part in (self.after, self.before)]
        return Composite(self.after.tare(mass * shares[0]), self.before.tare(mass * shares[1]))

    def renamed(self, prefix: str) -> Module:
        """Rename both."""
        return Composite(self.after.renamed(prefix), self.before.renamed(prefix))

    def bound(self, size: float) -> float:
        """The bound of what follows at the bound of what comes before."""
        return self.after.bound(self.before.bound(size))

    def doubts(self, size: float) -> Iterator[str]:
        """Those of both."""
        yield from self.before.doubts(size)
        yield from self.after.doubts(self.before.bound(size))

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return after(before(x))."""
        return self.after(weights, self.before(weights, x))


@dataclass(frozen=True)
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

    def scaled(self, factor: float) -> Iterator[tuple[Atom, float]]:
        """Shares are p_i / p."""
        for part in self.parts:
            if part.mass > 0:
                yield from part.scaled(factor * (self.mass / part.mass))

    def atoms(self) -> Iterator[Atom]:
        """Those of the parts in their order."""
        for part in self.parts:
            yield from part.atoms()

    def tare(self, mass: float) -> Module:
        """Multiply the masses of all."""
        whole = self.mass
        return Tuple(tuple(part.tare(mass * part.mass / whole if whole > 0 else 0.0) for part in self.parts))

    def renamed(self, prefix: str) -> Module:
        """Rename all."""
        return Tuple(tuple(part.renamed(prefix) for part in self.parts))

    def bound(self, size: float) -> float:
        """The sum of the bounds."""
        return sum(part.bound(size) for part in self.parts)

    def doubts(self, size: float) -> Iterator[str]:
        """Those of all."""
        for part in self.parts:
            yield from part.doubts(size)

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return all outputs."""
        return tuple(part(weights, x) for part in self.parts)
