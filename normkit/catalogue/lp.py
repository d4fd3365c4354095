"""The lp norms of vectors and the root mean square."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer, Rational, cancel, expand, oo, radsimp, sqrt

from normkit.constants import exact
from normkit.errors import ParameterError
from normkit.functional import Functional, a, maximum, n, s, total
from normkit.norm import Dual, Norm, Theorem

HOLDER = Theorem("Hölder", r"\|\cdot\|_p^*=\|\cdot\|_{p^*},\quad \tfrac1p+\tfrac1{p^*}=1", "hardy1934inequalities")


LARGEST = 1001
"""Largest exponent p: with magnitudes scaled into [1/2, 1), a**p stays in the range of float64."""


class SymmetricGauge(Norm):
    """A vector norm that depends on the sorted magnitudes only; it can be lifted to singular values."""

    @property
    def absolute(self) -> bool:
        return True

    @property
    def symmetric(self) -> bool:
        return True


class L1(SymmetricGauge, name="l1"):
    r"""Sum of magnitudes, sum_i |x_i|; its steepest descent moves one coordinate (the first largest)."""

    theorem = HOLDER

    def value(self) -> Functional:
        return total(a)

    @property
    def dual(self) -> Norm:
        return Linf()


class Linf(SymmetricGauge, name="linf"):
    r"""Maximum norm, max_i |x_i|; its steepest descent is sign descent."""

    theorem = HOLDER

    def value(self) -> Functional:
        return maximum(a)

    @property
    def dual(self) -> Norm:
        return L1()


class L2(SymmetricGauge, name="l2"):
    r"""Euclidean norm, sqrt(sum_i x_i^2); self-dual, steepest descent is the normalised gradient."""

    theorem = HOLDER

    def value(self) -> Functional:
        return total(a**2, sqrt(s))

    @property
    def dual(self) -> Norm:
        return L2()


class Lp(SymmetricGauge, name="lp"):
    r"""(sum_i |x_i|^p)^(1/p) for p >= 1; dual to l_q with 1/p + 1/q = 1."""

    p: Expr
    theorem = HOLDER

    def __post_init__(self) -> None:
        p = exact(self.p)
        if p is not oo and not (p.is_number and p.is_real and p >= 1):
            raise ParameterError(f"lp needs p >= 1; got p = {self.p}")
        if p not in (1, oo) and max(p, p / (p - 1)) > LARGEST:
            near, other = ("linf", p) if p > 2 else ("l1", p / (p - 1))
            raise ParameterError(
                f"lp takes p = 1, p = oo, or p and p/(p-1) up to {LARGEST}: powers beyond underflow; got p = {self.p}. "
                f"{near} is within a factor n**(1/{float(other):.3g}) of it"
            )
        object.__setattr__(self, "p", p)

    def value(self) -> Functional:
        return maximum(a) if self.p is oo else total(a**self.p, s ** (1 / self.p))

    @property
    def dual(self) -> Norm:
        return Dual(self) if self.p in (1, oo) else Lp(conjugate(self.p))

    def dual_value(self) -> Functional:
        if self.p == 1:
            return maximum(a)
        return total(a) if self.p is oo else self.dual.value()

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        for p in (1, Rational(3, 2), 3, oo):
            yield cls(p)


def conjugate(p: Expr) -> Expr:
    """Return q with 1/p + 1/q = 1, in a form whose conjugate is p again."""
    if p == 1 or p is oo:
        return oo if p == 1 else Integer(1)
    return p / (p - 1) if p.is_Rational else expand(radsimp(cancel(p / (p - 1))))


def plain_lp(p: Expr) -> Norm:
    """Return lp by its plainest name: l1, l2 and linf have their own."""
    known: dict[Expr, Norm] = {Integer(1): L1(), Integer(2): L2(), oo: Linf()}
    return known.get(p) or Lp(p)


class RMS(SymmetricGauge, name="rms"):
    r"""Root mean square, sqrt(sum_i x_i^2 / n); its dual is sqrt(n) times the Euclidean norm."""

    theorem = Theorem("scaling", r"(cN)^*=\tfrac1c N^*", "large2024scalable")

    def value(self) -> Functional:
        return total(a**2, sqrt(s / n))

    def dual_value(self) -> Functional:
        return total(a**2, sqrt(n * s))
