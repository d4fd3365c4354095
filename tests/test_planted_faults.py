"""Law 14: faults planted into norms and into maps are caught, each by the law that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sympy import Integer, Rational, sqrt

import normkit as nk
from normkit import backends
from normkit.backends.reference import Reference, ReferenceKernel
from normkit.catalogue.ranked import weighted
from normkit.functional import Functional, Lift, Scale, Weights, a, m, maximum, n, s, total
from normkit.testing import LawBroken, check_norm

# --- faults in a norm ---------------------------------------------------------------------------------------------


class Vector(nk.Norm):
    """A vector norm of the magnitudes."""

    @property
    def absolute(self) -> bool:
        return True


class WrongScale(Vector):
    """The root mean square with the dual's factor on the wrong side."""

    def value(self) -> Functional:
        return total(a**2, sqrt(s / n))

    def dual_value(self) -> Functional:
        return total(a**2, sqrt(s / n))


class ExponentOffByOne(Vector):
    """l3 whose conjugate exponent is 5/2 instead of 3/2."""

    def value(self) -> Functional:
        return total(a**3, s ** Rational(1, 3))

    def dual_value(self) -> Functional:
        return total(a ** Rational(5, 2), s ** Rational(2, 5))


class OwnDual(Vector):
    """l3 said to be its own dual."""

    def value(self) -> Functional:
        return total(a**3, s ** Rational(1, 3))

    @property
    def dual(self) -> nk.Norm:
        return self


class IncreasingWeights(Vector):
    """A weighted sum of the sorted magnitudes that is not convex."""

    def value(self) -> Functional:
        return weighted(Weights.values([1, 2, 4, 4, 5, 6]))

    def dual_value(self) -> Functional:
        return maximum(a)

    @property
    def length(self) -> int | None:
        return 6


class NotHomogeneous(Vector):
    """The square of the Euclidean norm."""

    def value(self) -> Functional:
        return total(a**2)

    def dual_value(self) -> Functional:
        return total(a**2, sqrt(s))


class ForgetfulDual(Vector):
    """A multiple of linf whose dual forgets the multiple."""

    def value(self) -> Functional:
        return Scale(Integer(2), maximum(a))

    @property
    def dual(self) -> nk.Norm:
        return nk.L1()

    def dual_value(self) -> Functional:
        return Scale(Rational(1, 2), total(a))


class RowsForColumns(nk.Norm):
    """rms->rms with rows and columns exchanged in the dual's factor."""

    @property
    def ndim(self) -> int:
        return 2

    def value(self) -> Functional:
        return Scale(sqrt(n / m), Lift(maximum(a)))

    def dual_value(self) -> Functional:
        return Scale(sqrt(n / m), Lift(total(a)))


class WrongGauge(nk.Spectral):
    """The spectral norm said to be the lift of l2."""

    def value(self) -> Functional:
        return Lift(maximum(a))

    def dual_value(self) -> Functional:
        return Lift(total(a))

    @property
    def dual(self) -> nk.Norm:
        return nk.Dual(self)

    @property
    def gauge(self) -> nk.Norm:
        return nk.L2()


NORMS = [
    (WrongScale(), 2),
    (WrongScale(), 3),
    (ExponentOffByOne(), 2),
    (ExponentOffByOne(), 3),
    (OwnDual(), 2),
    (OwnDual(), 6),
    (IncreasingWeights(), 1),
    (NotHomogeneous(), 1),
    (ForgetfulDual(), 6),
    (RowsForColumns(), 2),
    (RowsForColumns(), 3),
    (WrongGauge(), 10),
]


@pytest.mark.parametrize(("norm", "law"), NORMS, ids=lambda part: str(part))
def test_a_faulty_norm_breaks_the_law(norm: nk.Norm, law: int) -> None:
    with pytest.raises(LawBroken, match=rf"breaks law {law} "):
        check_norm(norm, laws=[law])


# --- faults in a map ----------------------------------------------------------------------------------------------

Item = np.ndarray[Any, Any]
Spoil = Callable[[Item, Item], Item]


@dataclass(frozen=True)
class FaultyKernel:
    """A reference kernel whose maps, or whose values, are spoilt."""

    good: ReferenceKernel
    spoil: Spoil | None = None
    factor: float = 1.0
    source: str = "faulty"

    def value(self, x: Item) -> Item:
        return self.factor * self.good.value(x)

    def map(self, x: Item, out: Item) -> Item:
        values = self.good.map(x, out)
        for place in range(len(x)):
            if self.spoil is not None and np.isfinite(values[place]) and x[place].any():
                out[place] = self.spoil(x[place], out[place].copy())
        return self.factor * values


class Faulty(Reference):
    """The reference back end with one fault."""

    def __init__(self, spoil: Spoil | None = None, factor: float = 1.0) -> None:
        self.spoil, self.factor = spoil, factor

    def compile(self, plan: Any, dtype: Any) -> Any:
        return FaultyKernel(super().compile(plan, dtype), self.spoil, self.factor)


def wrong_scale(g: Item, t: Item) -> Item:
    return t * 1.001


def missing_sign(g: Item, t: Item) -> Item:
    return np.abs(t)


def ties_summed(g: Item, t: Item) -> Item:
    return np.sign(g) * (np.abs(g) == np.max(np.abs(g)))


def absolute_threshold(g: Item, t: Item) -> Item:
    return t if np.max(np.abs(g)) > 1e-8 else np.zeros_like(t)


def last_index(g: Item, t: Item) -> Item:
    t = np.zeros_like(t)
    last = g.size - 1 - int(np.argmax(np.abs(g)[::-1]))
    t[last] = np.sign(g[last])
    return t


def unstable_sort(g: Item, t: Item) -> Item:
    """Hand out the magnitudes of t in the order of a sort that breaks ties by the last index."""
    out = np.empty_like(t)
    out[np.lexsort((-np.arange(g.size), -np.abs(g)))] = np.sort(np.abs(t))[::-1]
    return np.sign(g) * out


def no_rank_cut(g: Item, t: Item) -> Item:
    left, _, right = np.linalg.svd(g, full_matrices=False)
    return left @ right


def five_steps(g: Item, t: Item) -> Item:
    """The Newton-Schulz iteration that research code copies, as if it were exact."""
    x = g / np.linalg.norm(g)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


def then_rows(g: Item, t: Item) -> Item:
    """Normalise the rows after orthogonalising: the map of no norm."""
    rows = np.linalg.norm(t, axis=1, keepdims=True)
    return t / np.where(rows > 0, rows, 1.0)


def sign_of_zero(g: Item, t: Item) -> Item:
    return np.where(g >= 0, 1.0, -1.0)


def epsilon_below(g: Item, t: Item) -> Item:
    """Divide by the norm plus an epsilon against zero: not scale-free."""
    with np.errstate(over="ignore"):
        return g / (np.linalg.norm(g) + 1e-12)


def softened(g: Item, t: Item) -> Item:
    return t + 1e-3 * np.roll(g, 1) / np.linalg.norm(g)


MAPS: list[tuple[Spoil, str, int]] = [
    (wrong_scale, "linf", 2),
    (missing_sign, "l1", 2),
    (missing_sign, "linf", 4),
    (ties_summed, "l1", 2),
    (ties_summed, "l1", 8),
    (absolute_threshold, "lp(3/2)", 4),
    (last_index, "l1", 5),
    (unstable_sort, "dual(owl([3, 2, 2, 1, 1/2, 0]))", 5),
    (unstable_sort, "dual(topk(3))", 5),
    (no_rank_cut, "spectral", 5),
    (five_steps, "spectral", 2),
    (five_steps, "spectral", 8),
    (then_rows, "spectral", 8),
    (sign_of_zero, "linf", 5),
    (epsilon_below, "l2", 4),
    (softened, "l2", 7),
    (softened, "lp(3)", 12),
]


@pytest.mark.parametrize(("spoil", "spec", "law"), MAPS, ids=lambda part: getattr(part, "__name__", str(part)))
def test_a_faulty_map_breaks_the_law(spoil: Spoil, spec: str, law: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends._builtin, spoil.__name__, lambda: Faulty(spoil))
    with pytest.raises(LawBroken, match=rf"breaks law {law} "):
        check_norm(spec, laws=[law], backends=["reference", spoil.__name__], dtypes=["float64"])


def test_understated_norms_make_a_dishonest_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends._builtin, "understated", lambda: Faulty(factor=0.99))
    with pytest.raises(LawBroken, match="breaks law 13 "):
        check_norm("linf", laws=[13], backends=["understated"])


def test_every_law_is_broken_by_some_fault() -> None:
    from normkit.testing.laws import LAWS

    caught = {law for _, law in NORMS} | {law for *_, law in MAPS} | {13}
    assert caught == set(LAWS)


def test_the_message_names_the_law_the_input_and_the_numbers() -> None:
    with pytest.raises(LawBroken) as caught:
        check_norm(WrongScale(), shape=(4,), dtypes=["float64"], laws=[2])
    text = str(caught.value)
    assert text.startswith("WrongScale breaks law 2 feasible and tight on ")
    assert "4 float64 reference" in text and "N(t) = " in text and "\n" not in text.split(". ")[0]
    assert caught.value.finding.residual > caught.value.finding.tolerance


# --- a norm of a user's own -----------------------------------------------------------------------------------------


class Spread(nk.Norm):
    """The sum of the magnitudes over the square root of their number, a norm stated in two lines."""

    def value(self) -> Functional:
        return total(a, s / sqrt(n))

    def dual_value(self) -> Functional:
        return maximum(sqrt(n) * a)


def test_a_correct_norm_of_a_user_passes() -> None:
    report = check_norm(Spread())
    assert report.worst.holds
    assert len(report.laws) == 11
    assert "2 feasible and tight" in str(report)
