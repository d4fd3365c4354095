"""Induced (operator) norms ``alpha->beta``: sup of beta(X v) over alpha(v) <= 1, where a closed form is known."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer, Rational

from normkit.calculus.mixed import Cols, Rows
from normkit.calculus.ordered import as_power
from normkit.catalogue.lp import L1, L2, RMS, Linf, Lp, plain_lp
from normkit.catalogue.spectral import Spectral
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Functional, m, n
from normkit.norm import Norm, Operator, Scaled, Theorem, scale


class Induced(Norm, name="induced"):
    r"""max of beta(X v) over alpha(v) <= 1, written ``alpha->beta``: what X does to the size of its input.

    Closed forms: alpha = l1 (largest column in beta), beta = linf (largest row in alpha's dual), l2->l2 (largest
    singular value), and positive multiples of these, such as every ``rms``. The rest is NP-hard in general.
    """

    domain: Norm
    codomain: Norm
    theorem = Theorem(
        "induced norm",
        r"\|X\|_{1\to\beta}=\max_j\beta(X_{:j}),\quad \|X\|_{\alpha\to\infty}=\max_i\alpha^*(X_{i:}),\quad"
        r"\|X\|_{2\to2}=\sigma_1(X)",
        "hendrickx2010matrix",
    )

    def __post_init__(self) -> None:
        for part in (self.domain, self.codomain):
            if part.ndim != 1:
                raise ParameterError(f"an induced norm a->b needs two vector norms; got {part}")

    @property
    def ndim(self) -> int:
        return 2

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (self.codomain.length, self.domain.length)

    def lowered(self) -> Norm:
        """Return the same norm without reference to operators, by the identity table; `NoClosedForm` if it has none."""
        into, domain = _strip(self.domain)
        out, codomain = _strip(self.codomain)
        coefficient = out.subs(n, m) / into
        if domain == L1():
            return scale(coefficient, Cols(Linf(), codomain))
        if codomain == Linf():
            return scale(coefficient, Rows(Linf(), domain.dual))
        if domain == codomain == L2():
            return scale(coefficient, Spectral())
        raise NoClosedForm(
            f"the operator norm {self} has no closed form (NP-hard in general). Bounds: normkit value --bounds. "
            "Closed: l1->any, any->linf, l2->l2 and multiples (rms); for l2 norms with matrices sandwich(l2->l2, L, R)",
            "hard",
        )

    def value(self) -> Functional:
        return self.lowered().value()

    def dual_value(self) -> Functional:
        return self.lowered().dual_value()

    def operator(self) -> Operator | None:
        try:
            self.lowered()
        except NoClosedForm:
            return Operator(self.domain, self.codomain, _exponent(self.domain), _exponent(self.codomain))
        return None

    @property
    def gauge(self) -> Norm | None:
        try:
            return self.lowered().gauge
        except NoClosedForm:
            return None

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(RMS(), RMS())
        yield cls(L1(), RMS())
        yield cls(L1(), Lp(Rational(3, 2)))
        yield cls(L2(), Linf())
        yield cls(RMS(), Linf())
        yield cls(L1(), Linf())
        yield cls(Lp(Integer(3)), Linf())


def _exponent(norm: Norm) -> Expr | None:
    """Return p if the norm is a multiple of lp."""
    power = as_power(norm)
    return power and power.p


def _strip(norm: Norm) -> tuple[Expr, Norm]:
    """Return (c, N) with norm = c * N, N one of the plain norms where possible; c in terms of the length `n`."""
    power = as_power(norm)
    if power is not None:
        return power.factor, plain_lp(power.p)
    if isinstance(norm, Scaled):
        return norm.factor, norm.of
    return Integer(1), norm
