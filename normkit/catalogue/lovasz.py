"""Norms from a concave function of the size of the support: Lovász extensions of F(A) = f(|A|)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sympy import Expr, Function, Min, Rational, sqrt

from normkit.catalogue.lp import SymmetricGauge
from normkit.catalogue.ranked import prefix_ratio, weighted
from normkit.constants import exact
from normkit.errors import ParameterError
from normkit.functional import Functional, Weights, i, n
from normkit.norm import Norm, Theorem

CHECKED = (*range(1, 65), *(2**power for power in range(7, 31)))
"""Sizes at which monotonicity and concavity are checked."""


class Lovasz(SymmetricGauge, name="lovasz"):
    r"""sum_i (f(i) - f(i-1)) x_(i), the Lovász extension of f(|A|) at the sorted magnitudes.

    f is an expression in `n`, the size of a set: increasing, concave, f(0) = 0. The dual norm is
    max_A |g|(A) / f(|A|).

    Parameters
    ----------
    f : Expr
        Built from `n` by rationals, powers, ``sqrt``, ``Min`` and ``Max``, for example ``sqrt(n)`` or ``Min(n, 3)``.
    """

    f: Expr
    theorem = Theorem("Lovász extension", r"N^*(g)=\max_A |g|(A)/F(A)", "bach2013learning")

    def __post_init__(self) -> None:
        f = exact(self.f)
        object.__setattr__(self, "f", f)
        if not isinstance(f, Expr) or f.free_symbols != {n} or f.has(Function):
            raise ParameterError(f"lovasz needs an expression in n such as sqrt(n) or Min(n, 3); got {self.f}")
        self._require_concave()

    def _require_concave(self) -> None:
        if f0 := self.f.subs(n, 0):
            raise ParameterError(f"lovasz needs f(0) = 0; {self.f} is {f0} there")
        if not self.f.subs(n, 1).is_positive:
            raise ParameterError(f"lovasz needs f(1) > 0; {self.f} is {self.f.subs(n, 1)} there")
        for before, after, size in self._increments():
            if after < -1e-9 * abs(before) or after > before * (1 + 1e-9):
                raise ParameterError(f"lovasz needs an increasing concave f; {self.f} is not at n = {size}")

    def _increments(self) -> Iterator[tuple[float, float, int]]:
        """Yield f(k) - f(k-1), f(k+1) - f(k) and k at the sizes checked."""
        for size in CHECKED:
            below, at, above = (self.f.subs(n, size + step).evalf(40) for step in (-1, 0, 1))
            if not all(number.is_real for number in (below, at, above)):
                raise ParameterError(f"lovasz needs a real f; {self.f} is not at n = {size}")
            yield float(at - below), float(above - at), size

    @property
    def weights(self) -> Weights:
        """The weights by rank, f(i) - f(i-1)."""
        return Weights.rule(self.f.subs(n, i) - self.f.subs(n, i - 1))

    def value(self) -> Functional:
        return weighted(self.weights)

    def dual_value(self) -> Functional:
        return prefix_ratio(self.weights)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        for f in (sqrt(n), Min(n, 3), n ** Rational(3, 4) + n):
            yield cls(f)
