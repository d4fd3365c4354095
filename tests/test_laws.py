"""The law suite on every registered norm, on every construction with sampled parts, on every dtype and back end."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from sympy import Integer, Rational, sqrt

import normkit as nk
from normkit.backends import backend
from normkit.errors import BackendError, ParameterError, ShapeError
from normkit.functional import m, n
from normkit.testing import LawBroken, check_norm
from normkit.testing.check import shapes
from normkit.testing.laws import LAWS

EXAMPLES = [example for cls in nk.norms().values() for example in cls.examples()]


def back_ends() -> list[str]:
    """The reference, and numba's back end where it runs."""
    names = ["reference"]
    try:
        backend("cpu")
    except (BackendError, ImportError):
        return names
    return [*names, "cpu"]


def test_every_registered_norm_has_examples() -> None:
    """But for `dual`, of which every norm below is an example."""
    without = {name for name, cls in nk.norms().items() if not list(cls.examples())}
    assert without <= {"dual"}


@pytest.mark.parametrize("norm", EXAMPLES, ids=str)
def test_every_registered_norm_obeys_the_laws(norm: nk.Norm) -> None:
    report = check_norm(norm)
    assert report.worst.holds
    assert "2 feasible and tight" in report.laws or "1 norm" in report.laws


@pytest.mark.parametrize("norm", EXAMPLES, ids=str)
def test_the_dual_obeys_the_laws(norm: nk.Norm) -> None:
    """N.dual is a norm like any other, also where it has no name of its own."""
    assert check_norm(norm.dual, dtypes=["float64"], laws=[1, 2, 3, 5, 8]).worst.holds


@pytest.mark.parametrize("norm", EXAMPLES, ids=str)
def test_half_precision_obeys_the_laws(norm: nk.Norm) -> None:
    assert check_norm(norm, dtypes=["float16", ml_dtypes.bfloat16], laws=[2, 4, 5, 12]).worst.holds


@pytest.mark.parametrize("norm", EXAMPLES, ids=str)
def test_back_ends_agree(norm: nk.Norm) -> None:
    names = back_ends()
    report = check_norm(norm, shape=shapes(norm)[-1], dtypes=["float64"], backends=names, laws=[2, 4, 5, 12])
    assert report.worst.holds
    assert {finding.case.split()[-1] for finding in report} == set(names)


@pytest.mark.parametrize("spec", ["l1", "rms", "rows(linf, l2)", "cols(l1, l2)", "rms->rms", "dual(topk(2))"])
@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16], ids=["float32", "float16", "bfloat16"])
def test_back_ends_agree_on_narrow_entries(spec: str, dtype: str) -> None:
    assert check_norm(spec, dtypes=[dtype], backends=back_ends(), laws=[2, 4, 5, 12]).worst.holds


CONSTRUCTED = {
    "scale by the shape": sqrt(n / m) * nk.Spectral(),
    "scale by a length": 1 / n * nk.L1(),
    "rows of gauges": nk.Rows(nk.TopK(2), nk.KSupport(2)),
    "cols of scaled": nk.Cols(nk.L2(), 3 * nk.RMS()),
    "rows of a sum": nk.Rows(nk.Linf(), nk.BallSum((nk.Linf(), nk.L2()))),
    "entries of a dual": nk.Entries(nk.TopK(3).dual),
    "lift of a dual": nk.Lifted(nk.KP(2, 3).dual),
    "lift of owl": nk.Lifted(nk.OWL([3, 2, 1])),
    "lift of an infimal convolution": nk.Lifted(nk.InfConv((nk.L1(), 2 * nk.L2()))),
    "induced into rms": nk.Induced(2 * nk.L1(), nk.RMS()),
    "induced from topk": nk.Induced(nk.TopK(2), nk.Linf()),
    "induced with both scaled": nk.Induced(Rational(1, 3) * nk.RMS(), 4 * nk.L2()),
    "transpose with shape": nk.Transposed(sqrt(n / m) * nk.Rows(nk.L1(), nk.Linf())),
    "ball sum of three": nk.BallSum((nk.Spectral(), nk.Frobenius(), nk.Max())),
    "infimal convolution of mixed": nk.InfConv((nk.Rows(nk.L1(), nk.L2()), 2 * nk.Max())),
    "maximum that depends on the shape": nk.Maximum((nk.Induced(nk.RMS(), nk.RMS()), nk.Frobenius())),
    "sum that depends on the shape": nk.Plus((sqrt(n / m) * nk.Spectral(), m * nk.Nuclear())),
    "dual of a dual in rows": nk.Rows(nk.OWL([2, 1, 1, 0]).dual, nk.L1()),
    "nested": nk.InfConv((nk.BallSum((nk.Spectral(), nk.Max())), Integer(2) * nk.Induced(nk.L1(), nk.L2()))),
}


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_constructions_obey_the_laws(name: str) -> None:
    norm = CONSTRUCTED[name]
    shape = (3, 3) if name == "lift of owl" else None
    assert check_norm(norm, shape=shape).worst.holds


SAME = [
    ("owl([1, 1, 1, 1, 1])", "l1"),
    ("owl([1, 0, 0, 0, 0])", "linf"),
    ("topk(1)", "linf"),
    ("topk(5)", "l1"),
    ("topk(7)", "l1"),
    ("ksupport(1)", "l1"),
    ("ksupport(5)", "l2"),
    ("kp(5, 3)", "lp(3)"),
    ("kp(3, 1)", "topk(3)"),
    ("kp(1, 2)", "linf"),
    ("lp(1)", "l1"),
    ("lp(2)", "l2"),
    ("lp(oo)", "linf"),
    ("sqrt(n)*rms", "l2"),
    ("dual(rms)", "sqrt(n)*l2"),
    ("dual(topk(2))", "max(linf, l1/2)"),
    ("infconv(l1, l1)", "l1"),
    ("kyfan(1)", "spectral"),
    ("kyfan(9)", "nuclear"),
    ("schatten(2)", "fro"),
    ("schatten(1)", "nuclear"),
    ("schatten(oo)", "spectral"),
    ("l1->linf", "max"),
    ("l1->linf", "rows(linf, linf)"),
    ("l1->linf", "cols(linf, linf)"),
    ("entries(l2)", "fro"),
    ("rows(l2, l2)", "fro"),
    ("rows(l1, l1)", "cols(l1, l1)"),
    ("l2->l2", "spectral"),
    ("rms->rms", "sqrt(n/m)*spectral"),
    ("l1->rms", "cols(linf, rms)"),
    ("l2->linf", "rows(linf, l2)"),
    ("rms->linf", "sqrt(n)*rows(linf, l2)"),
    ("transpose(l1->l2)", "l2->linf"),
    ("transpose(rows(l1, l2))", "cols(l1, l2)"),
    ("transpose(rms->rms)", "m/n*(rms->rms)"),
    ("dual(spectral)", "nuclear"),
    ("ballsum(2*spectral, 2*spectral)", "spectral"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_norms_have_equal_values_and_duals(one: str, other: str) -> None:
    """Law 10: known identities, values and dual values, on Gaussian, tied and sparse arrays."""
    first, second = nk.norm(one), nk.norm(other)
    shape = (5,) if first.ndim == 1 else (4, 3)
    draw = np.random.default_rng(3)
    tied = np.eye(*shape) if first.ndim == 2 else np.ones(shape)
    x = np.stack([draw.standard_normal(shape), draw.integers(-2, 3, shape) + 0.0, tied])
    asked = 0
    for ask in (nk.value, nk.dual_value):
        try:
            expected = ask(second, x, backend="reference")
            assert ask(first, x, backend="reference") == pytest.approx(expected, rel=1e-12)
            asked += 1
        except nk.NoClosedForm:
            pass
    assert asked


def test_a_hard_norm_cannot_be_checked() -> None:
    with pytest.raises(nk.NoClosedForm, match="NP-hard"):
        check_norm("linf->l1")


def test_a_shape_that_does_not_fit_is_said() -> None:
    with pytest.raises(ShapeError, match="takes items of shape"):
        check_norm("owl([2, 1])", shape=(3,))


def test_law_numbers_and_report() -> None:
    report = check_norm("rms->rms", dtypes=["float64"], shape=(3, 2))
    assert [int(law.split()[0]) for law in report.laws] == list(LAWS)
    lines = str(report).splitlines()
    assert lines[0].startswith("rms->rms: 11 laws")
    assert len(lines) == 1 + len(report.findings)


def test_a_tight_tolerance_breaks_a_law() -> None:
    """The suite measures: with a hundredth of the tolerance rounding alone is a breach."""
    with pytest.raises(LawBroken):
        check_norm("spectral", slack=1e-4)


def test_a_fixed_seed_gives_the_same_report() -> None:
    assert check_norm("lp(3)", seed=5) == check_norm("lp(3)", seed=5)
    assert check_norm("lp(3)", seed=5) != check_norm("lp(3)", seed=6)


@pytest.mark.parametrize(
    ("spec", "cost"),
    [
        ("l1", "closed"),
        ("topk(2)", "closed"),
        ("rows(linf, l2)", "closed"),
        ("dual(owl([2, 1]))", "sort"),
        ("ksupport(2)", "sort"),
        ("spectral", "svd"),
        ("lift(topk(2))", "svd"),
        ("fro", "closed"),
        ("linf->l1", "hard"),
        ("max(spectral, 4*max)", "solver"),
    ],
)
def test_cost_class(spec: str, cost: str) -> None:
    assert nk.cost_class(nk.norm(spec)) == cost


def test_constructions_refuse_parts_that_do_not_fit() -> None:
    for make, parts in (
        (nk.Rows, (nk.Spectral(), nk.L1())),
        (nk.Lifted, (nk.Spectral(),)),
        (nk.Plus, ((nk.L1(), nk.Max()),)),
    ):
        with pytest.raises(ParameterError):
            make(*parts)
