"""The study stiefel-muon: verdicts, planted faults, and its brackets around the optimum of a semidefinite program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.studies import stiefel_muon as module
from normkit.studies.kit.outcome import Outcome
from normkit.studies.tangent import ascent as ascending
from normkit.studies.tangent.ascent import ascent
from normkit.studies.tangent.published import published


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("stiefel-muon")(quick=True)


def not_as_documented() -> set[str]:
    return {claim.id for claim in studies.get("stiefel-muon")(quick=True).claims if not claim.as_documented}


def points(m: int, n: int, rank: int, draws: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng([m, n, rank])
    W = np.linalg.qr(rng.standard_normal((draws, m, n)))[0]
    return W, rng.standard_normal((draws, m, rank)) @ rng.standard_normal((draws, rank, n))


def test_verdicts_are_the_documented_ones(outcome: Outcome) -> None:
    assert outcome.as_documented
    verdicts = {claim.id: claim.verdict for claim in outcome.claims}
    assert [name for name, verdict in verdicts.items() if verdict == "conditional"] == ["S50.project"]
    assert {name for name, verdict in verdicts.items() if verdict == "measured"} == {
        "S50.last", "S50.published", "S50.average",
    }  # fmt: skip


@pytest.mark.parametrize("shape", [(6, 3, 3), (6, 4, 2)], ids=["tall", "low rank"])
def test_the_optimum_is_between_the_bounds(shape: tuple[int, int, int]) -> None:
    cvxpy = pytest.importorskip("cvxpy", reason="the optimum comes from a semidefinite program")
    for W, G in zip(*points(*shape), strict=True):
        A = cvxpy.Variable(W.shape)
        flat = W.T @ A
        problem = cvxpy.Problem(
            cvxpy.Minimize(cvxpy.sum(cvxpy.multiply(G, A))), [cvxpy.norm(A, 2) <= 1, flat + flat.T == 0]
        )
        best = problem.solve(solver=cvxpy.CLARABEL)
        for found in ascent(W, G, 256):
            assert found.lower - 1e-6 <= best <= found.upper + 1e-6
        assert found.gap < 0.5 * abs(best)


def test_the_gap_never_grows() -> None:
    gaps = np.array([found.gap for found in ascent(*points(6, 4, 4), 256)])
    assert np.all(np.diff(gaps, axis=0) <= 0)


def test_a_longer_radius_scales_everything() -> None:
    W, G = points(6, 3, 3)
    for one, four in zip(ascent(W, G, 16), ascent(W, G, 16, radius=4.0), strict=True):
        assert four.step == pytest.approx(4 * one.step, abs=1e-12)
        assert four.lower == pytest.approx(4 * one.lower, abs=1e-12)


def test_the_published_ascent_is_that_of_its_page() -> None:
    """The loop of the page for one matrix, with an SVD."""
    W, G = (each[1] for each in points(8, 4, 4))
    L = -(W.T @ G + G.T @ W) / 4
    for step in range(100):
        left, _, right = np.linalg.svd(G + 2 * W @ L, full_matrices=False)
        A = left @ right
        L = L - 0.01 * (1 - step / 100) * (W.T @ A + A.T @ W)
    assert published(*points(8, 4, 4))[1] == pytest.approx(A, abs=1e-9)


def test_an_ascent_that_goes_down_keeps_its_certificate_and_a_wrong_bound_loses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bounds do not rest on the ascent, but they do on the multiplier being symmetric."""
    W, G = points(8, 4, 4)
    *_, down = ascent(W, G, 16, rate=-1.0)
    assert np.all(down.gap > 0)
    monkeypatch.setattr(ascending, "normal", lambda W, A: ascending.transposed(W) @ A)
    assert {"S50.bound", "S50.square"} <= not_as_documented()


@pytest.mark.parametrize(
    ("name", "planted", "claims"),
    [
        ("SHAPES", module.SHAPES | {"8 x 8": (8, 7, 7)}, {"S50.square", "S50.project"}),
        ("tangent", lambda W, A: A, {"S50.bound", "S50.project"}),
    ],
    ids=["not square", "not tangent"],
)
def test_planted_faults_flip_verdicts(
    name: str, planted: Any, claims: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, planted)
    assert claims <= not_as_documented()


def test_a_step_that_is_not_scaled_leaves_the_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ascending, "_feasible", lambda W, A, radius: 2 * ascending.tangent(W, A))
    assert {"S50.feasible", "S50.certified"} <= not_as_documented()


def test_numbers_do_not_rest_on_the_other_shapes(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    monkeypatch.setattr(module, "SHAPES", {name: module.SHAPES[name] for name in ("8 x 8", "8 x 4")})
    again = studies.get("stiefel-muon")(quick=True)
    rows = [row for table in outcome.tables if table.id == "gaps" for row in table.rows if row[0] != "8 x 6, rank 2"]
    new = [row for table in again.tables if table.id == "gaps" for row in table.rows]
    assert sorted(map(list, new), key=str) == sorted(map(list, rows), key=str)
