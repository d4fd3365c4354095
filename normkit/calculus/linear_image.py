"""Norms of linear images: N(P x) and N(L X R) for invertible maps, and the quotient by a map onto."""

from __future__ import annotations

from collections.abc import Iterable

from normkit.catalogue.lp import L1, L2, Linf
from normkit.catalogue.ranked import TopK
from normkit.catalogue.spectral import Nuclear, Spectral
from normkit.catalogue.weighted import MAP
from normkit.elimination import as_invertible, as_matrix, rank
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Functional, Map
from normkit.linear import Matrix, TwoSided
from normkit.norm import Decomposition, Norm, Theorem
from normkit.parameter import Parameter


def _require_ndim(norm: Norm, ndim: int, what: str) -> None:
    if norm.ndim != ndim:
        raise ParameterError(f"{what} needs a {'vector' if ndim == 1 else 'matrix'} norm; got {norm}")


def _require_length(have: int | None, want: int, norm: Norm, what: str) -> None:
    if have not in (None, want):
        raise ParameterError(f"{what}: {norm} takes {have} entries where the matrix has {want}")


class Linmap(Norm, name="linmap"):
    r"""N(P x) for an invertible matrix P; dualize is P^-1 t_N(P^-T g), computed with one LU factorisation of P."""

    of: Norm
    matrix: Parameter
    theorem = MAP

    def __post_init__(self) -> None:
        _require_ndim(self.of, 1, "linmap")
        object.__setattr__(self, "matrix", as_invertible(self.matrix, "the P of linmap"))
        _require_length(self.of.length, self.matrix.shape[0], self.of, "linmap")

    @property
    def length(self) -> int | None:
        return self.matrix.shape[0]

    def value(self) -> Functional:
        return Map(Matrix(self.matrix), self.of.value())

    def dual_value(self) -> Functional:
        return Map(Matrix(self.matrix).inverted.adjoint, self.of.dual_value())

    def synthesis(self) -> Decomposition:
        return L1(), ((Matrix(self.matrix).inverted, self.of),)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        matrix = Parameter.of([[2, 1, 0], [-1, 1, 0], [0, 1, 3]])
        for norm in (Linf(), L1(), TopK(2)):
            yield cls(norm, matrix)


class Sandwich(Norm, name="sandwich"):
    r"""N(L X R) for invertible L and R: two-sided preconditioning. Dualize is L^-1 t_N(L^-T G R^-T) R^-1."""

    of: Norm
    left: Parameter
    right: Parameter
    theorem = MAP

    def __post_init__(self) -> None:
        _require_ndim(self.of, 2, "sandwich")
        if self.of.subspace is not None:
            raise ParameterError(
                f"sandwich needs a norm of all matrices; got {self.of}. Restrict last: sym(sandwich(...))"
            )
        for side, what, have in zip(("left", "right"), ("L", "R"), self.of.shape, strict=True):
            matrix = as_invertible(getattr(self, side), f"the {what} of sandwich")
            _require_length(have, matrix.shape[0], self.of, "sandwich")
            object.__setattr__(self, side, matrix)

    @property
    def ndim(self) -> int:
        return 2

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (self.left.shape[0], self.right.shape[0])

    @property
    def linear(self) -> TwoSided:
        """The map X -> L X R."""
        return TwoSided(Matrix(self.left), Matrix(self.right))

    def value(self) -> Functional:
        return Map(self.linear, self.of.value())

    def dual_value(self) -> Functional:
        return Map(self.linear.inverted.adjoint, self.of.dual_value())

    def synthesis(self) -> Decomposition:
        return L1(), ((self.linear.inverted, self.of),)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        left, right = Parameter.of([[2, 1], [0, 1]]), Parameter.of([[1, 0, 2], [0, 1, 0], [1, 1, 0]])
        yield cls(Spectral(), left, right)
        yield cls(Nuclear(), left, right)


class Quotient(Norm, name="quotient"):
    r"""inf of N(z) over P z = x for a matrix P onto; dualize is P t_N(P' g), and N*(P' g) is the dual norm.

    The value is an optimisation problem, except for a square P, where z = P^-1 x is the only choice.
    """

    of: Norm
    matrix: Parameter
    theorem = Theorem("quotient norm", r"\bigl(\inf_{Pz=x}N(z)\bigr)^*(g)=N^*(P^\top g)", "rockafellar1970convex")

    def __post_init__(self) -> None:
        _require_ndim(self.of, 1, "quotient")
        matrix = as_matrix(self.matrix, "the P of quotient")
        object.__setattr__(self, "matrix", matrix)
        rows, columns = matrix.shape
        if rank(matrix) < rows:
            raise ParameterError(f"the P of quotient must be onto (full row rank); this {rows}x{columns} matrix is not")
        _require_length(self.of.length, columns, self.of, "quotient")

    @property
    def length(self) -> int | None:
        return self.matrix.shape[0]

    def value(self) -> Functional:
        rows, columns = self.matrix.shape
        if rows < columns:
            raise NoClosedForm(
                f"the quotient norm inf {{N(z): Pz = x}} of {self.of} by a {rows}x{columns} matrix is an optimisation "
                "problem. Its dual norm and dualize map are explicit; the value is for a square P",
                "solver",
            )
        return Map(Matrix(self.matrix).inverted, self.of.value())

    def dual_value(self) -> Functional:
        return Map(Matrix(self.matrix).adjoint, self.of.dual_value())

    def synthesis(self) -> Decomposition:
        return L1(), ((Matrix(self.matrix), self.of),)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        matrix = Parameter.of([[1, 0, 2, -1, 1], [0, 1, 1, 1, 0], [1, 1, 0, 0, -3]])
        for norm in (L1(), L2(), Linf()):
            yield cls(norm, matrix)
