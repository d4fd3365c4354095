"""Unitarily invariant norms of matrices: symmetric gauges of the singular values."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer, Rational, sqrt

from normkit.catalogue.lp import L1, L2, Linf, Lp
from normkit.catalogue.ranked import TopK
from normkit.functional import Functional, Lift, a, s, total
from normkit.norm import Dual, Norm, Theorem

LIFT = Theorem("von Neumann trace inequality", r"(\varphi\circ\sigma)^*=\varphi^*\circ\sigma", "lewis1995convex")


class UnitarilyInvariant(Norm):
    """phi(singular values of X) for a symmetric gauge phi, the class's `gauge`."""

    theorem = LIFT

    @property
    def ndim(self) -> int:
        return 2

    def value(self) -> Functional:
        assert self.gauge is not None
        return Lift(self.gauge.value())

    def dual_value(self) -> Functional:
        assert self.gauge is not None
        return Lift(self.gauge.dual_value())


class Spectral(UnitarilyInvariant, name="spectral"):
    r"""Largest singular value; its steepest descent is the orthogonal polar factor U V' (Muon)."""

    @property
    def gauge(self) -> Norm:
        return Linf()

    @property
    def dual(self) -> Norm:
        return Nuclear()


class Nuclear(UnitarilyInvariant, name="nuclear"):
    r"""Sum of the singular values; its steepest descent is the leading singular pair u_1 v_1'."""

    @property
    def gauge(self) -> Norm:
        return L1()

    @property
    def dual(self) -> Norm:
        return Spectral()


class Frobenius(UnitarilyInvariant, name="fro"):
    r"""Euclidean norm of the entries, sqrt(sum_ij x_ij^2); self-dual."""

    @property
    def gauge(self) -> Norm:
        return L2()

    @property
    def absolute(self) -> bool:
        return True

    def value(self) -> Functional:
        return total(a**2, sqrt(s))

    @property
    def dual(self) -> Norm:
        return Frobenius()

    def dual_value(self) -> Functional:
        return self.value()


class Schatten(UnitarilyInvariant, name="schatten"):
    r"""l_p norm of the singular values, p >= 1; dual to Schatten-q with 1/p + 1/q = 1."""

    p: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", Lp(self.p).p)

    @property
    def gauge(self) -> Norm:
        return Lp(self.p)

    @property
    def dual(self) -> Norm:
        gauge = Lp(self.p).dual
        return Schatten(gauge.p) if isinstance(gauge, Lp) else Dual(self)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        for p in (Rational(3, 2), Integer(4)):
            yield cls(p)


class KyFan(UnitarilyInvariant, name="kyfan"):
    r"""Sum of the k largest singular values, k real >= 1."""

    k: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", TopK(self.k).k)

    @property
    def gauge(self) -> Norm:
        return TopK(self.k)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Integer(2))
