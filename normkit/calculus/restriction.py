"""Norms restricted to symmetric, skew or block-diagonal matrices, where the projection does not increase them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from normkit.calculus.blocks import as_sizes
from normkit.calculus.induced import Induced
from normkit.calculus.mixed import Entries, Max, Sum
from normkit.calculus.sums import Joint
from normkit.catalogue.spectral import Nuclear, Spectral
from normkit.errors import ParameterError
from normkit.functional import Functional, Map
from normkit.linear import Project
from normkit.norm import Dual, Norm, Scaled, Theorem

CONTRACTION = Theorem(
    "restriction", r"\bigl(N|_S\bigr)^*(g)=N^*(P_Sg)\ \text{ if }\ N(P_Sx)\le N(x)", "rockafellar1970convex"
)


def transpose_invariant(norm: Norm) -> bool:
    """Tell whether N(X') = N(X) for square X is known; then (X + X')/2 and (X - X')/2 do not exceed N(X).

    A coefficient of the shape does not matter: transposing a square matrix leaves it alone.
    """
    norm = _lowered(norm)
    if isinstance(norm, Scaled | Dual):
        return transpose_invariant(norm.of)
    if isinstance(norm, Joint):
        return all(map(transpose_invariant, norm.parts))
    entrywise = isinstance(norm, Max | Sum) or (isinstance(norm, Entries) and norm.of.symmetric)
    return norm.gauge is not None or entrywise


def _lowered(norm: Norm) -> Norm:
    """Return an operator norm as what it is without operators, and any other norm as it is."""
    return norm.lowered() if isinstance(norm, Induced) and norm.operator() is None else norm


def invariant(norm: Norm) -> bool:
    """Tell whether a norm is a multiple, by the shape perhaps, of a unitarily invariant one."""
    plain = _lowered(norm)
    return (plain.of if isinstance(plain, Scaled) else plain).gauge is not None


class Restricted(Norm):
    """N on a subspace S of square matrices; its dual norm, and the maps, take every matrix through the projection on S.

    The value is that of an element of S; a matrix outside S raises `ShapeError`: the norm lives on S only.
    """

    of: Norm
    kind: ClassVar[Literal["sym", "skew", "blockdiag"]]
    theorem = CONTRACTION

    def __post_init__(self) -> None:
        if self.of.ndim != 2:
            raise ParameterError(f"{self.name} needs a matrix norm; got {self.of}")
        if self.of.subspace is not None:
            raise ParameterError(
                f"{self.name} restricts a norm of all matrices; {self.of} is one of a subspace already"
            )
        rows, columns = self.of.shape
        if rows is not None and columns is not None and rows != columns:
            raise ParameterError(f"{self.name} needs a norm of square matrices; {self.of} takes {rows}x{columns}")
        if not self.contracts():
            raise ParameterError(
                f"{self.name} needs a norm that the projection does not increase (unitarily invariant or entrywise); "
                f"nothing of the kind is known of {self.of}"
            )

    def contracts(self) -> bool:
        """Tell whether N(P x) <= N(x) for every x is known."""
        return transpose_invariant(self.of)

    @property
    def ndim(self) -> int:
        return 2

    @property
    def shape(self) -> tuple[int | None, ...]:
        return self.of.shape

    @property
    def subspace(self) -> Project:
        return Project(self.kind)

    def value(self) -> Functional:
        return Map(self.subspace.strictly, self.of.value())

    def dual_value(self) -> Functional:
        return Map(self.subspace, self.of.dual_value())

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        for norm in (Spectral(), Nuclear(), Max()):
            yield cls(norm)


class Symmetric(Restricted, name="sym"):
    r"""N on symmetric matrices; dualize is the symmetric part of t_N((G + G')/2)."""

    kind = "sym"


class Skew(Restricted, name="skew"):
    r"""N on skew-symmetric matrices, X' = -X; dualize is the skew part of t_N((G - G')/2)."""

    kind = "skew"


class BlockDiagonal(Restricted, name="blockdiag"):
    r"""N on block-diagonal matrices with square blocks of the given sizes (pinching, a contraction)."""

    sizes: tuple[int, ...]
    kind = "blockdiag"

    def __post_init__(self) -> None:
        sizes = as_sizes(self.sizes, "blockdiag")
        object.__setattr__(self, "sizes", sizes)
        super().__post_init__()
        if any(side not in (None, sum(sizes)) for side in self.of.shape):
            raise ParameterError(f"blockdiag: {self.of} takes {self.of.shape}; the blocks have {sum(sizes)} rows")

    def contracts(self) -> bool:
        return invariant(self.of) or self.of.absolute

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (sum(self.sizes),) * 2

    @property
    def subspace(self) -> Project:
        return Project("blockdiag", self.sizes)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        for norm in (Spectral(), Nuclear(), Max()):
            yield cls(norm, (2, 1, 3))
