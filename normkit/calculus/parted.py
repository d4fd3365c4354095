"""The product rule on disjoint parts of one array, each with a norm of its own."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from normkit.calculus.mixed import PRODUCT
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Combine, Functional, Map
from normkit.linear import Linear
from normkit.norm import Decomposition, Norm


class Parted(Norm):
    """outer(N_1(x_1), ..., N_k(x_k)) of disjoint parts x_i of an array; one inner norm may serve all parts."""

    outer: Norm
    inner: tuple[Norm, ...]
    theorem = PRODUCT

    def _check(self, count: int) -> None:
        """Raise unless there are norms for so many parts; keep one norm that serves all only once."""
        inner = self.inner if isinstance(self.inner, tuple) else (self.inner,)
        if len(inner) not in (1, count):
            raise ParameterError(
                f"{self.name} needs one inner norm, or one for each of {count} blocks; got {len(inner)}"
            )
        if self.outer.length not in (None, count):
            raise ParameterError(
                f"{self.name}: the outer norm {self.outer} takes {self.outer.length} blocks; got {count}"
            )
        object.__setattr__(self, "inner", inner[:1] if len(set(inner)) == 1 else inner)

    @property
    @abstractmethod
    def takes(self) -> tuple[Linear, ...]:
        """The map from the array to every part."""

    @property
    def inners(self) -> tuple[Norm, ...]:
        """The norm of every part."""
        return self.inner * len(self.takes) if len(self.inner) == 1 else self.inner

    @property
    def absolute(self) -> bool:
        return all(norm.absolute for norm in self.inner)

    def value(self) -> Functional:
        parts = (Map(take, norm.value()) for take, norm in zip(self.takes, self.inners, strict=True))
        return Combine(self.outer.value(), tuple(parts))

    @property
    def dual(self) -> Norm:
        return replace(self, outer=self.outer.dual, inner=tuple(norm.dual for norm in self.inner))

    def dual_value(self) -> Functional:
        parts = (Map(take, norm.dual_value()) for take, norm in zip(self.takes, self.inners, strict=True))
        return Combine(self.outer.dual_value(), tuple(parts))

    def synthesis(self) -> Decomposition | None:
        if not _has_value(self.outer):
            return None
        places: list[Linear | None] = [take.adjoint for take in self.takes]
        return self.outer, tuple(zip(places, self.inners, strict=True))


def _has_value(norm: Norm) -> bool:
    try:
        norm.value()
    except NoClosedForm:
        return False
    return True
