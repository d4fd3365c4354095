"""Ellipsoidal norms sqrt(x' P x) of vectors and sqrt(tr X' A X B) of matrices."""

from __future__ import annotations

from collections.abc import Iterable

from normkit.catalogue.lp import L2
from normkit.elimination import as_matrix, cholesky
from normkit.functional import Functional, Map
from normkit.linear import Matrix, TwoSided
from normkit.norm import Norm, Theorem
from normkit.parameter import Parameter


class Quadratic(Norm, name="quadratic"):
    r"""sqrt(x' P x) for a symmetric positive definite P; its dual is sqrt(g' P^-1 g), dualize P^-1 g / N*(g).

    With the Cholesky factor P = C C' the value is the Euclidean norm of C' x and the dual that of C^-1 g: no inverse
    is formed, and neither square root sees a negative number.
    """

    matrix: Parameter
    theorem = Theorem("ellipsoid", r"N^*(g)=\sqrt{g^\top P^{-1}g},\quad P=CC^\top", "boyd2004convex")

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", as_matrix(self.matrix, "the P of quadratic"))
        cholesky(self.matrix, "the P of quadratic")

    @property
    def absolute(self) -> bool:
        return all(r == c or not entry for r, row in enumerate(self.matrix.rows()) for c, entry in enumerate(row))

    @property
    def length(self) -> int | None:
        return self.matrix.shape[0]

    def value(self) -> Functional:
        factor = Matrix(cholesky(self.matrix, "the P of quadratic"))
        return Map(factor.adjoint, L2().value())

    def dual_value(self) -> Functional:
        factor = Matrix(cholesky(self.matrix, "the P of quadratic"))
        return Map(factor.inverted, L2().value())

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Parameter.of([[2, 1, 0], [1, 3, -1], [0, -1, 1]]))


class Kronecker(Norm, name="kron"):
    r"""sqrt(tr X' A X B), A, B symmetric positive definite; dualize A^-1 G B^-1 / N*(G) (Shampoo)."""

    left: Parameter
    right: Parameter
    theorem = Theorem("ellipsoid", r"N^*(G)=\sqrt{\operatorname{tr}G^\top A^{-1}GB^{-1}}", "boyd2004convex")

    def __post_init__(self) -> None:
        for side, what in (("left", "the A of kron"), ("right", "the B of kron")):
            matrix = as_matrix(getattr(self, side), what)
            cholesky(matrix, what)
            object.__setattr__(self, side, matrix)

    @property
    def ndim(self) -> int:
        return 2

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (self.left.shape[0], self.right.shape[0])

    def _factors(self) -> tuple[Matrix, Matrix]:
        return Matrix(cholesky(self.left, "the A of kron")), Matrix(cholesky(self.right, "the B of kron"))

    def value(self) -> Functional:
        left, right = self._factors()
        return Map(TwoSided(left.adjoint, right), L2().value())

    def dual_value(self) -> Functional:
        left, right = self._factors()
        return Map(TwoSided(left.inverted, right.adjoint.inverted), L2().value())

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Parameter.of([[2, 1], [1, 1]]), Parameter.of([[1, 0, 0], [0, 4, 1], [0, 1, 2]]))
