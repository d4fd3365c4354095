"""Weighted lp and maximum norms: lp of rescaled entries, dual by the map rule."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer, Rational, oo

from normkit.catalogue.lp import L1, Linf, Lp
from normkit.errors import ParameterError
from normkit.functional import Functional, Map
from normkit.linear import Diagonal
from normkit.norm import Norm, Theorem
from normkit.parameter import Parameter

MAP = Theorem("invertible map", r"(N\circ A)^*(g)=N^*(A^{-\top}g)", "rockafellar1970convex")


def positive_weights(values: object, name: str) -> Parameter:
    """Return a list of positive weights as a parameter, or raise `ParameterError`."""
    weights = Parameter.of(values)
    if len(weights.shape) != 1:
        raise ParameterError(f"{name} needs a list of weights, one per entry; got shape {weights.shape}")
    if min(weights) <= 0:
        raise ParameterError(f"{name} needs positive weights; got {min(weights):.6g}. Leave entries without weight out")
    return weights


class WeightedLp(Norm, name="wlp"):
    r"""(sum_i w_i |x_i|^p)^(1/p) for p >= 1 and weights w > 0; its dual weighs by w^(-1/p)."""

    p: Expr
    weights: Parameter
    theorem = MAP

    def __post_init__(self) -> None:
        p = Lp(self.p).p
        if p is oo:
            raise ParameterError("wlp needs a finite p: (sum w |x|^p)^(1/p) tends to linf. Use wlinf(weights)")
        object.__setattr__(self, "p", p)
        object.__setattr__(self, "weights", positive_weights(self.weights, "wlp"))

    @property
    def absolute(self) -> bool:
        return True

    @property
    def length(self) -> int | None:
        return len(self.weights)

    def value(self) -> Functional:
        return Map(Diagonal(self.weights, 1 / self.p), Lp(self.p).value())

    def dual_value(self) -> Functional:
        return Map(Diagonal(self.weights, -1 / self.p), Lp(self.p).dual_value())

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        weights = Parameter.of([1, 2, 0.5, 4, 1, 3])
        for p in (Integer(1), Rational(3, 2), Integer(2)):
            yield cls(p, weights)


class WeightedLinf(Norm, name="wlinf"):
    r"""max_i w_i |x_i| for weights w > 0; its dual is sum_i |g_i| / w_i."""

    weights: Parameter
    theorem = MAP

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", positive_weights(self.weights, "wlinf"))

    @property
    def absolute(self) -> bool:
        return True

    @property
    def length(self) -> int | None:
        return len(self.weights)

    def value(self) -> Functional:
        return Map(Diagonal(self.weights, Integer(1)), Linf().value())

    def dual_value(self) -> Functional:
        return Map(Diagonal(self.weights, Integer(-1)), L1().value())

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Parameter.of([1, 2, 0.5, 4, 1, 3]))
