"""Linear maps with their adjoints: data that both towers read. No SymPy, no NumPy; flags instead of inverses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from normkit.parameter import Parameter
from normkit.patterns import Pattern


@dataclass(frozen=True)
class Linear:
    """A linear map between arrays; `adjoint` is its transpose for the pairing sum of products."""

    @property
    def adjoint(self) -> Linear:
        """The map A' with <A x, u> = <x, A' u>."""
        raise NotImplementedError


@dataclass(frozen=True)
class Matrix(Linear):
    """x -> P x on vectors; `inverse` and `transpose` are flags, so no matrix is inverted to take a dual."""

    matrix: Parameter
    inverse: bool = False
    transpose: bool = False

    @property
    def adjoint(self) -> Matrix:
        """P transposed."""
        return Matrix(self.matrix, self.inverse, not self.transpose)

    @property
    def inverted(self) -> Matrix:
        """P inverted."""
        return Matrix(self.matrix, not self.inverse, self.transpose)


@dataclass(frozen=True)
class TwoSided(Linear):
    """X -> L X R on matrices; either side may be missing."""

    left: Matrix | None
    right: Matrix | None

    @property
    def adjoint(self) -> TwoSided:
        """L' X R'."""
        return TwoSided(self.left and self.left.adjoint, self.right and self.right.adjoint)

    @property
    def inverted(self) -> TwoSided:
        """L^-1 X R^-1."""
        return TwoSided(self.left and self.left.inverted, self.right and self.right.inverted)


@dataclass(frozen=True)
class Diagonal(Linear):
    """x -> weights**power * x entrywise, weights > 0."""

    weights: Parameter
    power: Any

    @property
    def adjoint(self) -> Diagonal:
        """Itself."""
        return self


@dataclass(frozen=True)
class Select(Linear):
    """x -> the entries of the flattened x at `indices`; its adjoint scatters them back into an array of `size`."""

    indices: tuple[int, ...]
    size: int
    scatter: bool = False

    @property
    def adjoint(self) -> Select:
        """Scatter instead of gather."""
        return Select(self.indices, self.size, not self.scatter)


@dataclass(frozen=True)
class Band(Linear):
    """Rows start, ..., stop - 1 of an array of `count` rows (its first axis); the adjoint puts them among zeros."""

    start: int
    stop: int
    count: int
    put: bool = False

    @property
    def adjoint(self) -> Band:
        """Put instead of take."""
        return Band(self.start, self.stop, self.count, not self.put)


@dataclass(frozen=True)
class Transpose(Linear):
    """X -> X'."""

    @property
    def adjoint(self) -> Transpose:
        """Itself."""
        return self


@dataclass(frozen=True)
class Flatten(Linear):
    """An array of any shape, row by row, as one vector; the adjoint restores the shape."""

    restore: bool = False

    @property
    def adjoint(self) -> Flatten:
        """The shape put back."""
        return Flatten(not self.restore)


@dataclass(frozen=True)
class Regroup(Linear):
    """An array with its named axes in other groups: axis k of the image holds those at `groups[k]`, row by row.

    The adjoint puts the array together again.
    """

    pattern: Pattern
    groups: tuple[tuple[int, ...], ...]
    restore: bool = False

    @property
    def adjoint(self) -> Regroup:
        """The array put together again."""
        return Regroup(self.pattern, self.groups, not self.restore)


@dataclass(frozen=True)
class Project(Linear):
    """Orthogonal projection of square matrices on a subspace: ``sym``, ``skew``, or diagonal blocks of `sizes`."""

    kind: Literal["sym", "skew", "blockdiag"]
    sizes: tuple[int, ...] = ()
    strict: bool = False

    @property
    def adjoint(self) -> Project:
        """The projection."""
        return Project(self.kind, self.sizes)

    @property
    def strictly(self) -> Project:
        """The same map, defined on the subspace only: any other matrix is an error."""
        return Project(self.kind, self.sizes, True)


@dataclass(frozen=True)
class Pick(Linear):
    """Named arrays -> the one of a name; the adjoint puts it among zeros. Arrays are told apart before any loop."""

    name: str
    put: bool = False

    @property
    def adjoint(self) -> Pick:
        """Put instead of take."""
        return Pick(self.name, not self.put)


@dataclass(frozen=True)
class Compose(Linear):
    """x -> outer(inner(x))."""

    outer: Linear
    inner: Linear

    @property
    def adjoint(self) -> Compose:
        """The adjoints in reverse order."""
        return Compose(self.inner.adjoint, self.outer.adjoint)
