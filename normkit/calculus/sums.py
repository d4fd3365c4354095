"""Sum and maximum of norms on one space, and their duals: ball sum and infimal convolution."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from sympy import Integer, Rational

from normkit.catalogue.lp import L1, L2, Linf
from normkit.catalogue.ranked import TopK
from normkit.catalogue.spectral import Frobenius, Nuclear, Spectral
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Functional, max_of, sum_of
from normkit.linear import Linear
from normkit.norm import Decomposition, Norm, Theorem


class Joint(Norm):
    """Shared body of the four operations on several norms of one space."""

    parts: tuple[Norm, ...]

    def __post_init__(self) -> None:
        # The operations are associative: one nested in itself is one of more parts, and prints as that.
        parts = (part.parts if type(part) is type(self) else (part,) for part in self.parts)
        object.__setattr__(self, "parts", tuple(chain.from_iterable(parts)))
        if len(self.parts) < 2:
            raise ParameterError(f"{self.name} needs at least two norms; got {len(self.parts)}")
        if len({part.ndim for part in self.parts}) > 1:
            kinds = ", ".join(f"{part} takes {'vectors' if part.ndim == 1 else 'matrices'}" for part in self.parts)
            raise ParameterError(f"{self.name} needs norms on one space; got {kinds}")

    @property
    def ndim(self) -> int:
        return self.parts[0].ndim

    @property
    def absolute(self) -> bool:
        return all(part.absolute for part in self.parts)

    @property
    def symmetric(self) -> bool:
        return all(part.symmetric for part in self.parts)

    @property
    def gauge(self) -> Norm | None:
        gauges = [part.gauge for part in self.parts]
        return type(self)(tuple(gauge for gauge in gauges if gauge)) if all(gauges) else None

    @property
    def subspace(self) -> Linear | None:
        spaces = {part.subspace for part in self.parts}
        return spaces.pop() if len(spaces) == 1 else None

    @property
    def length(self) -> int | None:
        return next((part.length for part in self.parts if part.length), None)


class Plus(Joint, name="plus"):
    r"""N_1 + ... + N_k on one space; its dual ball is the sum of the dual balls."""

    theorem = Theorem(
        "Minkowski sum of dual balls", r"(N_1+N_2)^*(g)=\inf_u\max(N_1^*(u),N_2^*(g-u))", "rockafellar1970convex"
    )

    def value(self) -> Functional:
        return sum_of(part.value() for part in self.parts)

    @property
    def dual(self) -> Norm:
        return BallSum(tuple(part.dual for part in self.parts))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls((Rational(3, 5) * L1(), L2()))
        yield cls((Linf(), L2()))
        yield cls((TopK(Integer(2)), 2 * L2()))
        yield cls((Spectral(), Rational(1, 10) * Nuclear()))


def plus(first: Norm, second: Norm) -> Plus:
    """Return first + second, with nested sums made flat."""
    parts = [part.parts if isinstance(part, Plus) else (part,) for part in (first, second)]
    return Plus(parts[0] + parts[1])


class BallSum(Joint, name="ballsum"):
    r"""inf over u of max(N_1(u), N_2(x-u)): the gauge of the sum of the unit balls. Dualize adds the parts' maps."""

    theorem = Theorem("support function of a sum", r"N^*(g)=N_1^*(g)+N_2^*(g)", "rockafellar1970convex")

    def value(self) -> Functional:
        from normkit.calculus.pairs import sum_dual

        return sum_dual(tuple(part.dual for part in self.parts))

    def synthesis(self) -> Decomposition:
        return Linf(), tuple((None, part) for part in self.parts)

    @property
    def dual(self) -> Norm:
        return Plus(tuple(part.dual for part in self.parts))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls((Rational(3, 2) * Spectral(), 3 * Frobenius()))
        yield cls((Linf(), L2()))


class Maximum(Joint, name="maximum"):
    r"""max(N_1, ..., N_k) on one space; its ball is the intersection of the balls. Written ``max(a, b)``."""

    theorem = Theorem("infimal convolution", r"\max(N_1,N_2)^*(g)=\inf_u N_1^*(u)+N_2^*(g-u)", "rockafellar1970convex")

    def value(self) -> Functional:
        return max_of(part.value() for part in self.parts)

    @property
    def dual(self) -> Norm:
        return InfConv(tuple(part.dual for part in self.parts))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls((Linf(), Rational(3, 4) * L1()))
        yield cls((L1(), Rational(6, 5) * L2()))
        yield cls((2 * Linf(), L2()))
        yield cls((TopK(Integer(2)), Rational(1, 2) * L1()))
        yield cls((Spectral(), Rational(1, 2) * Frobenius()))


class InfConv(Joint, name="infconv"):
    r"""inf over u of N_1(u) + N_2(x-u): the gauge of the hull of the union of the balls."""

    theorem = Theorem("support function of a union", r"N^*(g)=\max(N_1^*(g),N_2^*(g))", "rockafellar1970convex")

    def value(self) -> Functional:
        from normkit.calculus.pairs import max_dual

        return max_dual(tuple(part.dual for part in self.parts))

    def synthesis(self) -> Decomposition:
        return L1(), tuple((None, part) for part in self.parts)

    @property
    def dual(self) -> Norm:
        return Maximum(tuple(part.dual for part in self.parts))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls((L1(), Integer(2) * L2()))
        yield cls((Spectral(), 2 * Frobenius()))


Rule = Callable[[tuple[Norm, ...]], Functional]


def unknown_pair(parts: tuple[Norm, ...], operation: str) -> NoClosedForm:
    """Return the error for parts whose sum or maximum has no dual in closed form here."""
    listed = f" {operation} ".join(map(str, parts)) if operation == "+" else f"max({', '.join(map(str, parts))})"
    return NoClosedForm(
        f"the dual of {listed} has no closed form here. Closed: sums and maxima of two among l1, linf, topk, owl, "
        "duals of these and l2, or of two lp norms; of vectors, of entries, or of singular values alike",
        "solver",
    )
