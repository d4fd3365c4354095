"""Vector norms of the sorted magnitudes: top-k, OWL (SLOPE), (k,p) and k-support."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from sympy import Expr, Integer, Min, Piecewise, Rational, Symbol, floor, oo

from normkit.catalogue.lp import L1, Linf, Lp, SymmetricGauge
from normkit.constants import at_least, exact
from normkit.errors import ParameterError
from normkit.functional import (
    Functional,
    Ranked,
    Split,
    Stat,
    W,
    Weights,
    a,
    i,
    j,
    max_of,
    maximum,
    n,
    s,
    total,
    w,
    y,
)
from normkit.norm import Norm, Theorem
from normkit.parameter import Parameter

S = Symbol("S", positive=True)
"""Sum over the head."""
T = Symbol("T", nonnegative=True)
"""Sum over the tail."""


def weighted(weights: Weights) -> Ranked:
    """Return sum_i w_i x_(i), the magnitudes x_(1) >= x_(2) >= ... sorted (Ky Fan's rearrangement functional)."""
    return Ranked(Split("at", n), (Stat(S, "head", a * w),), S, weights)


def prefix_ratio(weights: Weights) -> Ranked:
    """Return max_k (x_(1) + ... + x_(k)) / (w_1 + ... + w_k), the dual of `weighted`; the first k of a tie."""
    return Ranked(Split("argmax", S / W), (Stat(S, "head", a),), S / W, weights)


class OWL(SymmetricGauge, name="owl"):
    r"""Ordered weighted l1 (SLOPE, OSCAR): sum_i w_i x_(i) with w_1 >= ... >= w_n >= 0, w_1 > 0."""

    weights: Parameter
    theorem = Theorem("OWL", r"N^*(g)=\max_k \sum_{i\le k}g_{(i)}\big/\sum_{i\le k}w_i", "zeng2014ordered")

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", Parameter.of(self.weights))
        values = list(self.weights)
        if len(self.weights.shape) != 1:
            raise ParameterError(f"owl needs a list of weights; got shape {self.weights.shape}")
        if values[0] <= 0 or values[-1] < 0 or any(v > u for u, v in pairwise(values)):
            raise ParameterError(f"owl needs weights w_1 >= ... >= w_n >= 0 with w_1 > 0; got {self.weights}")

    @property
    def length(self) -> int | None:
        return len(self.weights)

    def value(self) -> Functional:
        return weighted(Weights.values(self.weights))

    def dual_value(self) -> Functional:
        return prefix_ratio(Weights.values(self.weights))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Parameter.of([3, 2, 2, 1, Rational(1, 2), 0]))
        yield cls(Parameter.of([1, 1, 0, 0, 0, 0]))


class TopK(SymmetricGauge, name="topk"):
    r"""Sum of the k largest magnitudes, k real >= 1: the fraction of k weighs the next magnitude."""

    k: Expr
    theorem = Theorem("Watson", r"N^*(g)=\max(\|g\|_\infty,\|g\|_1/k)", "watson1992linear")

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", at_least(self.k, 1, "the k of topk"))

    def value(self) -> Functional:
        whole = floor(self.k)
        if whole == self.k:
            return Ranked(Split("at", self.k), (Stat(S, "head", a),), S)
        rest = self.k - whole
        return weighted(Weights.rule(Piecewise((1, i <= whole), (rest, i <= whole + 1), (0, True))))

    def dual_value(self) -> Functional:
        return max_of((maximum(a), total(a, s / self.k)))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Integer(2))
        yield cls(Rational(5, 2))


class KP(SymmetricGauge, name="kp"):
    r"""The (k,p) norm: l_p of the k largest magnitudes, k a positive integer, p >= 1 or oo (then it is linf)."""

    k: Expr
    p: Expr
    theorem = Theorem(
        "(k,p) norm",
        r"N^*(g)=\bigl\|(g_{(1)},\dots,g_{(r)},\alpha,\dots,\alpha)\bigr\|_{p^*},\ "
        r"\alpha=\tfrac1{k-r}\textstyle\sum_{i>r}g_{(i)}",
        "argyriou2012sparse",
    )

    def __post_init__(self) -> None:
        k, p = at_least(self.k, 1, "the k of kp"), Lp(self.p).p
        if k != floor(k):
            raise ParameterError(f"the k of kp must be an integer; got {self.k}")
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "p", p)

    def value(self) -> Functional:
        if self.p is oo:
            return Linf().value()
        return Ranked(Split("at", self.k), (Stat(S, "head", a**self.p),), S ** (1 / self.p))

    @property
    def dual(self) -> Norm:
        return KSupport(self.k) if self.p == 2 else super().dual

    def dual_value(self) -> Functional:
        if self.p == 1:
            return TopK(self.k).dual_value()
        if self.p is oo:
            return L1().value()
        q, k = self.p / (self.p - 1), Min(self.k, n)
        last = Split("last", y * (k - j) > T, Integer(0), k - 1)
        stats = (Stat(S, "head", a**q), Stat(T, "tail", a))
        return Ranked(last, stats, (S + (k - j) ** (1 - q) * T**q) ** (1 / q))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        for k, p in ((2, 1), (2, 2), (3, Rational(3, 2))):
            yield cls(Integer(k), exact(p))


class KSupport(SymmetricGauge, name="ksupport"):
    r"""k-support norm: the gauge of the hull of the k-sparse unit vectors of l2; dual to ``kp(k, 2)``."""

    k: Expr
    theorem = Theorem("k-support", r"N^*(g)=\bigl(\textstyle\sum_{i\le k}g_{(i)}^2\bigr)^{1/2}", "argyriou2012sparse")

    def __post_init__(self) -> None:
        k = at_least(self.k, 1, "the k of ksupport")
        if k != floor(k):
            raise ParameterError(f"the k of ksupport must be an integer; got {self.k}")
        object.__setattr__(self, "k", k)

    def value(self) -> Functional:
        return KP(self.k, Integer(2)).dual_value()

    @property
    def dual(self) -> Norm:
        return KP(self.k, Integer(2))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Integer(1))
        yield cls(Integer(3))
