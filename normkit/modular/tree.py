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

How inputs and outputs are measured says `normkit.modular.extent`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.errors import ParameterError, ShapeError
from normkit.modular.extent import Extent, Given, Positions, Seen, total
from normkit.names import flat, listed, nested
from normkit.points import initialize, project

if TYPE_CHECKING:
    from normkit.calculus.modular import Modular
    from normkit.modular.leaf import Atom, Leaf

Weights = Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Module(ABC):
    """A node of a tree; frozen. ``m(weights, x)`` runs it on one input; ``repr`` is the expression that builds it."""

    # --- what a module states ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def mass(self) -> float:
        """The share of the change of the output that belongs to its weights; 0 for bonds and frozen modules."""

    @property
    @abstractmethod
    def sensitivity(self) -> float:
        """A Lipschitz constant in the input, for weights of norm at most 1."""

    @property
    @abstractmethod
    def positions(self) -> frozenset[Positions]:
        """The ways of measuring positions, ``max`` and ``mean``, for which its bounds hold."""

    @abstractmethod
    def walk(self, seen: Seen) -> Iterator[tuple[Leaf, Seen]]:
        """Yield every leaf with what it sees, in the order in which they run, for what the whole module sees."""

    @abstractmethod
    def tare(self, mass: float) -> Module:
        """Return the same module with its masses multiplied so that they add up to `mass`; 0 freezes it."""

    @abstractmethod
    def renamed(self, prefix: str) -> Module:
        """Return the same module with a prefix in front of the name of every atom."""

    @abstractmethod
    def extent(self, given: Given) -> Given:
        """Return a bound on the output for inputs up to a bound and weights of norm at most 1."""

    @abstractmethod
    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the output for one input; a tuple of them where the module ends in one."""

    # --- composition -----------------------------------------------------------------------------------------------

    def __matmul__(self, before: Any) -> Module:
        from normkit.modular.composition import Composite, module

        return Composite(self, module(before))

    def __rmatmul__(self, after: Any) -> Module:
        from normkit.modular.composition import Composite, module

        return Composite(module(after), self)

    def __add__(self, other: Any) -> Module:
        from normkit.modular.bonds import Add

        return Add() @ (self, other)

    def __mul__(self, factor: float) -> Module:
        from normkit.modular.bonds import Multiply

        return Multiply(factor) @ self

    __rmul__ = __mul__

    def __pow__(self, times: int) -> Module:
        if not (isinstance(times, int) and times >= 1):
            raise ParameterError(f"a module is repeated a positive number of times; got {times!r}")
        copies = [self.renamed(f"{place}/") for place in range(times)]
        return reduce(lambda before, after: after @ before, copies)

    # --- what follows ----------------------------------------------------------------------------------------------

    def leaves(self) -> Iterator[tuple[Leaf, Seen]]:
        """Yield every leaf with what it sees, in the order in which they run, for inputs of norm at most 1."""
        yield from self.walk(Seen(1.0, Extent(1.0, None), 1.0))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array of weights, by name."""
        return {name: atom.shape for name, (atom, _) in self.atoms().items()}

    @property
    def scales(self) -> dict[str, float]:
        """s_l by name, of the atoms that have a mass."""
        return {name: seen.scale for name, (_, seen) in self.atoms().items() if seen.scale > 0}

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of the atoms without mass: the norm leaves them out, and no update moves them."""
        return tuple(name for name, (_, seen) in self.atoms().items() if seen.scale == 0)

    def bound(self, size: float) -> float:
        """Return a bound on the output for inputs up to a size and weights of norm at most 1; of a tuple, the sum."""
        return total(self.extent(Extent(size, None)))

    @property
    def proved(self) -> bool:
        """Whether the perturbation bound is proved for weights and inputs of norm at most 1; `why` says why not."""
        return not self.why

    @property
    def why(self) -> tuple[str, ...]:
        """What keeps the perturbation bound from being proved; empty if it is."""
        found = [doubt for leaf, seen in self.leaves() for doubt in leaf.doubts(seen.given)]
        if not self.positions:
            found.append("no way of measuring positions serves all modules: see their `positions`")
        return tuple(dict.fromkeys(found))

    def norm(self) -> Modular:
        """Return max_l s_l N_l(W_l) over the atoms that have a mass.

        Raises
        ------
        ParameterError
            If no atom has a mass, or a name occurs twice.
        """
        from normkit.calculus.modular import Modular

        named, scales = self.atoms(), self.scales
        if not scales:
            raise ParameterError("the masses of this tree are all zero; give a mass to what is to be trained")
        return Modular({name: named[name][0].measure for name in scales}, "linf", scales)

    def initialize(self, *, seed: Any = None, dtype: Any = np.float64) -> dict[str, Any]:
        """Return weights of norm 1 each, in the atom's own norm; see `normkit.initialize`."""
        draw = np.random.default_rng(seed)
        return {
            name: initialize(atom.measure, atom.shape, seed=draw, dtype=dtype)
            for name, (atom, _) in self.atoms().items()
        }

    def project(self, weights: Weights) -> dict[str, Any]:
        """Return weights of norm at most 1 each, in the atom's own norm, nested as they come; see `normkit.project`."""
        named, given = self.atoms(), dict(flat(weights, "the weights of a tree"))
        if given.keys() != named.keys():
            raise ShapeError(f"the tree has the weights {listed(named)}; got {listed(given)}")
        return nested(weights, {name: project(named[name][0].measure, array) for name, array in given.items()})

    def atoms(self) -> dict[str, tuple[Atom, Seen]]:
        """Return every atom with what it sees, by name, those of mass 0 too; a name that occurs twice raises."""
        from normkit.modular.leaf import Atom

        found: dict[str, tuple[Atom, Seen]] = {}
        for leaf, seen in self.leaves():
            if isinstance(leaf, Atom):
                if leaf.name in found:
                    raise ParameterError(
                        f"two modules of the tree are named {leaf.name!r}; give each a name of its own"
                    )
                found[leaf.name] = leaf, seen
        return found

    def table(self) -> str:
        """Return a text with a line for each atom (what it sees of the tree), and what is not proved."""
        from normkit.modular.show import table

        return table(self)

    def __repr__(self) -> str:
        from normkit.modular.show import expression

        return expression(self)
