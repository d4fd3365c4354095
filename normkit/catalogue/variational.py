"""Variational norms: the smallest weighted Euclidean norm over a box of weights with a budget."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer, Max, Min, Rational, ceiling, sqrt

from normkit.catalogue.lp import L2, SymmetricGauge
from normkit.catalogue.ranked import S, T
from normkit.constants import exact, positive
from normkit.errors import ParameterError
from normkit.functional import Functional, Ranked, Search, Split, Stat, Weights, a, i, j, n, scaled, w, y
from normkit.norm import Norm, Theorem


class Box(SymmetricGauge, name="box"):
    r"""min of sqrt(sum_i x_i^2 / theta_i) over lo <= theta <= hi, sum theta <= c; box(0, 1, k) is k-support.

    The dual norm is max of sqrt(sum_i theta_i g_i^2): every weight starts at lo and the largest magnitudes are raised
    to hi first, until the budget is spent (the first of a tie). Where n lo exceeds c, theta = lo is all that is left.
    The value is found by one sort, for 0 < lo < hi with a search along it.

    Parameters
    ----------
    lo, hi : number
        0 <= lo <= hi, hi > 0.
    c : number
        The budget, positive.
    """

    lo: Expr
    hi: Expr
    c: Expr
    theorem = Theorem(
        "variational form",
        r"\Bigl(\min_{\theta\in\Theta}\sqrt{\textstyle\sum x_i^2/\theta_i}\Bigr)^*(g)"
        r"=\max_{\theta\in\Theta}\sqrt{\textstyle\sum\theta_ig_i^2}",
        "mcdonald2016new",
    )

    def __post_init__(self) -> None:
        lo, hi, c = exact(self.lo), positive(self.hi, "the hi of box"), positive(self.c, "the budget c of box")
        if not (lo.is_number and lo.is_real and 0 <= lo <= hi):
            raise ParameterError(f"box needs 0 <= lo <= hi; got lo = {self.lo}, hi = {self.hi}")
        for name, number in (("lo", lo), ("hi", hi), ("c", c)):
            object.__setattr__(self, name, number)

    def value(self) -> Functional:
        if self.lo == self.hi:
            return scaled(1 / sqrt(self.lo), L2().value())
        if self.lo > 0:
            return Search("dual_box", (), (self.lo, self.hi, self.c))
        left = self.c - j * self.hi
        at_top = Split("last", y * left > self.hi * T, Integer(0), Min(n, ceiling(self.c / self.hi) - 1))
        stats = (Stat(S, "head", a**2), Stat(T, "tail", a))
        return Ranked(at_top, stats, sqrt(S / self.hi + T**2 / left))

    def dual_value(self) -> Functional:
        if self.lo == self.hi:
            return scaled(sqrt(self.lo), L2().value())
        width = self.hi - self.lo
        raised = Max(self.c - n * self.lo, 0) / width
        theta = self.lo + width * Min(1, Max(0, raised - (i - 1)))
        return Ranked(Split("at", n), (Stat(S, "head", a**2 * w),), sqrt(S), Weights.rule(theta))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Integer(0), Integer(1), Integer(2))
        yield cls(Integer(0), Integer(2), Integer(3))
        yield cls(Rational(1, 4), Integer(1), Rational(5, 2))
