"""The study gram-spectrum: verdicts, planted faults, and its numbers by other means."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import mpmath
import numpy as np
import pytest

from normkit import studies
from normkit.studies.grams import contraction, moments, noise, subsamples
from normkit.studies.grams.matrices import rows as unit_rows
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.claims import Claim
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run

REFUTED = {"gram.linear", "gram.trace", "gram.structure", "gram.variance", "gram.scale"}


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("gram-spectrum")(quick=True)


def claims(module: Any) -> dict[str, Claim]:
    at = Run(quick=True, cells=Cells("gram-spectrum", 0))
    return {each.id: each for each in module.parts(at) if isinstance(each, Claim)}


def wrong(module: Any) -> set[str]:
    return {name for name, claim in claims(module).items() if not claim.as_documented}


def rows(outcome: Outcome, table: str) -> list[Any]:
    return next(list(each.rows) for each in outcome.tables if each.id == table)


def test_every_verdict_is_the_documented_one(outcome: Outcome) -> None:
    assert outcome.as_documented
    found = {claim.id: claim.verdict for claim in outcome.claims}
    assert {name for name, verdict in found.items() if verdict == "false"} == REFUTED
    assert [name for name, verdict in found.items() if verdict == "conditional"] == ["gram.collapse"]


def scaled(factor: float) -> Callable[[Any], Callable[..., Any]]:
    """Return what makes a function give `factor` times what it gave, entry by entry of a tuple."""
    return lambda right: lambda *a: tuple(factor * each for each in right(*a))


@pytest.mark.parametrize(
    ("module", "name", "plant", "flipped"),
    [
        # One subset too many; no room for chance.
        (subsamples, "comb", lambda right: lambda n, k: right(n, k) + 1, {"gram.determinants", "gram.binet"}),
        (subsamples, "log", lambda right: lambda x: right(x) if x < 3 else 0.0, {"gram.few"}),
        # Bounds, norms, means and drifts of another size.
        (moments, "quadrature", lambda right: lambda G, end: 1.5 * right(G, end), {"gram.family", "gram.moments"}),
        (moments, "norms", scaled(0.9), {"gram.polar"}),
        (noise, "baseline", scaled(1.05), {"gram.noise"}),
        (contraction, "drift", scaled(1.1), {"gram.drift", "gram.rate"}),
    ],
    ids=["subsets", "room", "bounds", "norms", "baseline", "drift"],
)
def test_a_planted_fault_flips_verdicts(
    module: Any, name: str, plant: Any, flipped: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, plant(getattr(module, name)))
    assert flipped <= wrong(module)


def test_without_a_share_of_fresh_samples_there_is_no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contraction, "FRESH", 0.0)
    assert claims(contraction)["gram.collapse"].verdict == "holds"


def test_the_baseline_by_beta_variables() -> None:
    """The squared distance of row i + 1 from the span of i rows is Beta((d - i)/2, i/2)."""
    n, d = 9, 12
    mean = variance = mpmath.mpf(0)
    for i in range(1, n):
        a, b = mpmath.mpf(d - i) / 2, mpmath.mpf(i) / 2
        weight = lambda x, a=a, b=b: x ** (a - 1) * (1 - x) ** (b - 1) / mpmath.beta(a, b)  # noqa: E731
        first = mpmath.quad(lambda x, w=weight: w(x) * mpmath.log(x), [0, 0.5, 1])
        second = mpmath.quad(lambda x, w=weight: w(x) * mpmath.log(x) ** 2, [0, 0.5, 1])
        mean, variance = mean + first, variance + second - first**2
    assert noise.baseline(n, d) == pytest.approx((float(mean), float(variance)), rel=1e-5)


def test_the_drift_by_chi_square_variables() -> None:
    draws = np.random.default_rng(3)
    degrees = contraction.SAMPLES - np.arange(contraction.DIMENSION)
    steps = np.log(draws.chisquare(degrees, size=(40_000, len(degrees))) / contraction.SAMPLES).sum(axis=1)
    mean, variance = contraction.drift()
    assert mean == pytest.approx(steps.mean(), abs=4 * (variance / 40_000) ** 0.5)
    assert variance == pytest.approx(steps.var(), rel=0.05)


@pytest.mark.parametrize(("end", "side"), [(0.2, "below"), (0.1, "below"), (2.5, "above"), (4.0, "above")])
def test_bounds_from_moments_by_a_search_for_the_node(end: float, side: str) -> None:
    """Of all pairs of atoms, one at the end, with the first two moments the one with the third number wanted."""
    spectrum = np.array([0.2, 0.5, 0.7, 1.1, 2.5])
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0]
    node = np.linspace(0.05, 5, 400_001)
    node = node[np.abs(node - end) > 1e-3]
    weight = 5 * (1 - node) / (end - node)
    best = np.argmin(np.abs(weight * end**2 + (5 - weight) * node**2 - spectrum @ spectrum))
    bound = weight[best] * np.log(end) + (5 - weight[best]) * np.log(node[best])
    assert moments.quadrature((Q * spectrum) @ Q.T, end) == pytest.approx(bound, abs=1e-3)
    assert (bound < np.log(spectrum).sum()) == (side == "below")


def test_means_over_subsets_by_a_loop(outcome: Outcome) -> None:
    at = Run(quick=True, cells=Cells("gram-spectrum", 0))
    X = unit_rows(at.rng("rows", "decay"), "decay", 10, 16)
    found = [2 * np.log(np.linalg.svd(X[list(S)], compute_uv=False)).sum() for S in combinations(range(10), 3)]
    table = {row[0]: row[1:] for row in rows(outcome, "rows")}
    assert table["decay"][1] == pytest.approx(np.mean(found) / 3, rel=1e-12)
