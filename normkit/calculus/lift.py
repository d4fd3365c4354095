"""The spectral lift: a symmetric gauge of the singular values is a norm, and duality passes through it."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Integer

from normkit.catalogue.ranked import KSupport, TopK
from normkit.catalogue.spectral import UnitarilyInvariant
from normkit.errors import ParameterError
from normkit.norm import Decomposition, Norm


class Lifted(UnitarilyInvariant, name="lift"):
    r"""phi(sigma(X)) for a symmetric gauge phi; the dualize map is U diag(t_phi(sigma)) V'."""

    of: Norm

    def __post_init__(self) -> None:
        if not (self.of.ndim == 1 and self.of.symmetric):
            raise ParameterError(f"lift needs a symmetric gauge of vectors (l1, lp, topk, owl, ...); got {self.of}")

    @property
    def gauge(self) -> Norm:
        return self.of

    @property
    def dual(self) -> Norm:
        return Lifted(self.of.dual)

    def synthesis(self) -> Decomposition | None:
        parts = self.of.synthesis()
        if parts is None or not all(linear is None and part.symmetric for linear, part in parts[1]):
            return None
        return parts[0], tuple((None, Lifted(part)) for _, part in parts[1])

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(TopK(Integer(3)))
        yield cls(KSupport(Integer(2)))
