"""Mixed norms of matrices: a norm of the norms of the rows, of the columns, or a vector norm of the entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sympy import Integer, Rational

from normkit.catalogue.lp import L1, L2, Linf, Lp
from normkit.catalogue.ranked import TopK
from normkit.errors import ParameterError
from normkit.functional import Functional, Map, Mixed
from normkit.linear import Flatten
from normkit.norm import Decomposition, Norm, Theorem

PRODUCT = Theorem(
    "product rule", r"\bigl(\Phi(N(x_1),\dots,N(x_k))\bigr)^*=\Phi^*(N^*(g_1),\dots,N^*(g_k))", "combettes2018learning"
)


def require_outer(outer: Norm, what: str) -> None:
    """Raise unless `outer` is a vector norm that is monotone in the magnitudes (catches what is not a norm)."""
    if not (outer.ndim == 1 and outer.absolute):
        raise ParameterError(f"the outer norm of {what} must be monotone: a vector norm of the magnitudes; got {outer}")


class Rowwise(Norm):
    """Shared body of `Rows` and `Cols`."""

    outer: Norm
    inner: Norm
    theorem = PRODUCT

    def __post_init__(self) -> None:
        require_outer(self.outer, self.name)
        if self.inner.ndim != 1:
            raise ParameterError(f"the inner norm of {self.name} must be a vector norm; got {self.inner}")

    @property
    def axis(self) -> Literal["rows", "cols"]:
        return "rows" if self.name == "rows" else "cols"

    @property
    def ndim(self) -> int:
        return 2

    @property
    def absolute(self) -> bool:
        return self.inner.absolute

    @property
    def shape(self) -> tuple[int | None, ...]:
        lengths = (self.outer.length, self.inner.length)
        return lengths if self.axis == "rows" else lengths[::-1]

    def value(self) -> Functional:
        return Mixed(self.outer.value(), self.inner.value(), self.axis)

    @property
    def dual(self) -> Norm:
        return type(self)(self.outer.dual, self.inner.dual)

    def dual_value(self) -> Functional:
        return Mixed(self.outer.dual_value(), self.inner.dual_value(), self.axis)


class Rows(Rowwise, name="rows"):
    r"""outer(inner(X_1:), ..., inner(X_m:)): a norm of the vector of row norms."""

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Linf(), L2())
        yield cls(Lp(Integer(3)), Lp(Rational(3, 2)))
        yield cls(TopK(Integer(2)), L1())


class Cols(Rowwise, name="cols"):
    r"""outer(inner(X_:1), ..., inner(X_:n)): a norm of the vector of column norms."""

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(L1(), L2())
        yield cls(Linf(), L2())
        yield cls(L2(), Linf())


class Entries(Norm, name="entries"):
    r"""N(vec X): a vector norm of all entries of a matrix, row by row."""

    of: Norm
    theorem = PRODUCT

    def __post_init__(self) -> None:
        if self.of.ndim != 1:
            raise ParameterError(f"entries needs a vector norm; got {self.of}")

    @property
    def ndim(self) -> int:
        return 2

    @property
    def absolute(self) -> bool:
        return self.of.absolute

    def value(self) -> Functional:
        return Map(Flatten(), self.of.value())

    @property
    def dual(self) -> Norm:
        return Entries(self.of.dual)

    def dual_value(self) -> Functional:
        return Map(Flatten(), self.of.dual_value())

    def synthesis(self) -> Decomposition | None:
        parts = self.of.synthesis()
        if parts is None or any(linear is not None for linear, _ in parts[1]):
            return None
        return parts[0], tuple((None, Entries(part)) for _, part in parts[1])

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(L1())
        yield cls(TopK(Integer(3)))
        yield cls(Lp(Integer(4)))


class OfEntries(Norm):
    """A norm of matrices that has a name of its own for what `Entries` says of a vector norm."""

    theorem = Entries.theorem

    @property
    def ndim(self) -> int:
        return 2

    @property
    def absolute(self) -> bool:
        return True


class Max(OfEntries, name="max"):
    r"""Largest magnitude of an entry of a matrix, max_ij |x_ij|; the induced norm ``l1->linf``."""

    def value(self) -> Functional:
        return Linf().value()

    @property
    def dual(self) -> Norm:
        return Sum()

    def dual_value(self) -> Functional:
        return L1().value()


class Sum(OfEntries, name="sumabs"):
    r"""Sum of the magnitudes of the entries of a matrix, sum_ij |x_ij|."""

    def value(self) -> Functional:
        return L1().value()

    @property
    def dual(self) -> Norm:
        return Max()

    def dual_value(self) -> Functional:
        return Linf().value()
