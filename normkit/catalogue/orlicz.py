"""Orlicz norms: the Luxemburg norm of any Young function, and the Amemiya form of its dual."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Max, Piecewise, Rational, cosh, exp

from normkit.catalogue.lp import SymmetricGauge
from normkit.functional import Functional, Root, a, kappa, s
from normkit.limits import x
from normkit.norm import Theorem
from normkit.young import Conjugate, Young
from normkit.young_reading import young

ORLICZ = Theorem(
    "Orlicz and Luxemburg norms", r"N^*(g)=\inf_{k>0}\tfrac1k\Bigl(1+\sum_i\varphi^*(k|g_i|)\Bigr)", "rao1991theory"
)


def luxemburg(body: Expr, slope: Expr, limit: Expr | None) -> Functional:
    """Return inf {tau > 0: sum phi(|x_i|/tau) <= 1}: kappa = 1/tau makes the sum 1, unless phi ends before."""
    return Root(body, body, 1 / kappa, stationary=False, limit=limit, slope=slope)


def amemiya(made: Conjugate, limit: Expr | None, saturation: tuple[Expr, Expr] | None, jumps: bool) -> Functional:
    """Return inf over kappa > 0 of (1 + sum psi(kappa |x_i|)) / kappa: at the minimum the sum of h is 1."""
    value = (1 + s) / kappa
    return Root(made.defect, made.body, value, True, limit, made.slope, saturation, jumps)


def finite(expr: Expr) -> Expr | None:
    """Return the expression, None if it is infinite."""
    return None if expr.is_infinite else expr


class Orlicz(SymmetricGauge, name="orlicz"):
    r"""Luxemburg norm inf{tau > 0: sum_i phi(|x_i|/tau) <= 1} of a Young function phi, an expression in one variable.

    phi is convex with phi(0) = 0, finite near 0 and not identically 0; it may be infinite beyond a point, grow linearly
    or have kinks (``Max``, ``Min``, ``Abs``). Huber's function is ``x - Min(x, 1) + Min(x, 1)**2/2``. The
    constant counts: phi and 2*phi give different norms.
    """

    phi: Expr
    theorem = ORLICZ

    def __post_init__(self) -> None:
        object.__setattr__(self, "phi", young(self.phi).expr)

    @property
    def young(self) -> Young:
        """The Young function by its pieces."""
        return young(self.phi)

    def value(self) -> Functional:
        return luxemburg(self.young.body(), self.young.slope(), finite(self.young.end))

    def dual_value(self) -> Functional:
        phi = self.young
        end, top, steepest = map(finite, (phi.end, phi.top, phi.steepest))
        saturation = (top, end) if top is not None and end is not None else None
        return amemiya(phi.conjugate(), steepest if end is None else None, saturation, phi.flat)

    @classmethod
    def examples(cls) -> Iterable[SymmetricGauge]:
        yield cls(exp(x) - 1 - x)
        yield cls(cosh(x) - 1)
        yield cls(Max(0, x - Rational(1, 3)) ** 2)


class Amemiya(SymmetricGauge, name="amemiya"):
    r"""inf over k > 0 of (1 + sum_i psi(k |x_i|)) / k for a Young function psi: the Orlicz norm in Amemiya's form.

    Its dual is the Luxemburg norm of the conjugate psi*.
    """

    psi: Expr
    theorem = Theorem(
        "Orlicz and Luxemburg norms", r"N^*(g)=\inf\{\tau>0:\sum_i\psi^*(|g_i|/\tau)\le1\}", "rao1991theory"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "psi", young(self.psi).expr)

    @property
    def young(self) -> Young:
        """The Young function by its pieces."""
        return young(self.psi)

    def value(self) -> Functional:
        psi = self.young
        end, steepest = finite(psi.end), finite(psi.steepest)
        level = finite(psi.slope_limit())
        saturation = (level, steepest) if end is None and steepest is not None and level is not None else None
        made = Conjugate(psi.body(), psi.slope(), psi.defect())
        return amemiya(made, end, saturation, psi.kinked)

    def dual_value(self) -> Functional:
        psi = self.young
        conjugate = psi.conjugate()
        limit = finite(psi.steepest) if finite(psi.end) is None else None
        body = conjugate.body if limit is None else Piecewise((conjugate.body, a < limit), (psi.slope_limit(), True))
        return luxemburg(body, conjugate.slope, limit)

    @classmethod
    def examples(cls) -> Iterable[SymmetricGauge]:
        yield cls(exp(x) - 1 - x)
        yield cls(x**2 + x)
