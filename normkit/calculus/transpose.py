"""N(X'): a norm of the transposed matrix."""

from __future__ import annotations

from collections.abc import Iterable

from normkit.calculus.mixed import Rows
from normkit.catalogue.lp import L1, L2
from normkit.errors import ParameterError
from normkit.functional import Functional, Map
from normkit.linear import Linear, Transpose
from normkit.norm import Decomposition, Norm, Theorem


class Transposed(Norm, name="transpose"):
    r"""N(X'); inside, `m` and `n` are the rows and columns of the transposed array."""

    of: Norm
    theorem = Theorem("transpose", r"N(X^\top)^*=N^*(G^\top)", "rockafellar1970convex")

    def __post_init__(self) -> None:
        if self.of.ndim != 2:
            raise ParameterError(f"transpose needs a matrix norm; got {self.of}")

    @property
    def ndim(self) -> int:
        return 2

    @property
    def absolute(self) -> bool:
        return self.of.absolute

    @property
    def gauge(self) -> Norm | None:
        return self.of.gauge

    @property
    def subspace(self) -> Linear | None:
        # Symmetric, skew and block-diagonal matrices stay so under transposition.
        return self.of.subspace

    @property
    def shape(self) -> tuple[int | None, ...]:
        return self.of.shape[::-1]

    def value(self) -> Functional:
        return Map(Transpose(), self.of.value())

    @property
    def dual(self) -> Norm:
        return Transposed(self.of.dual)

    def dual_value(self) -> Functional:
        return Map(Transpose(), self.of.dual_value())

    def synthesis(self) -> Decomposition | None:
        parts = self.of.synthesis()
        if parts is None or any(linear is not None for linear, _ in parts[1]):
            return None
        return parts[0], tuple((None, Transposed(part)) for _, part in parts[1])

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Rows(L1(), L2()))
