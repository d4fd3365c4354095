"""The study width-transfer: verdicts, planted faults, and its training by loops over points and an SVD."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.studies import width_transfer as module
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run
from normkit.studies.width import reference
from normkit.studies.width.judging import Judged, judge
from normkit.studies.width.network import RATES, slope, start, train


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("width-transfer")(quick=True)


@pytest.fixture(scope="module")
def found(outcome: Outcome) -> dict[tuple[str, int], Judged]:
    """The long run as if it were a run, six groups each: what verdicts are judged on."""
    return {
        key: Judged(np.full(6, (value.least + value.most) / 2), np.full(6, value.edge))
        for key, value in reference.known().items()
    }


def false(claims: Any) -> set[str]:
    return {claim.id for claim in claims if hasattr(claim, "as_documented") and not claim.as_documented}


def test_verdicts_are_the_documented_ones(outcome: Outcome) -> None:
    assert outcome.as_documented
    verdicts = {claim.id: claim.verdict for claim in outcome.claims}
    assert [name for name, verdict in verdicts.items() if verdict == "false"] == ["S36.exact"]
    assert [name for name, verdict in verdicts.items() if verdict == "conditional"] == ["S36.transfer"]


@pytest.mark.parametrize("norm", ["RMS to RMS", "spectral", "Frobenius", "original"])
def test_training_is_that_of_loops_and_an_svd(norm: str) -> None:
    """One start at one learning rate below the cliff, where runs do not amplify rounding."""
    width, place, steps = 8, 3, 32
    W = [layer[0] for layer in start(np.random.default_rng(5), width, 1)]
    for step in range(steps):
        gradients = [np.zeros_like(each) for each in W]
        for x in ([1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]):
            a = np.array(x)
            same = x[0] * x[1]
            b, c = W[0] @ a, W[1] @ np.maximum(W[0] @ a, 0)
            back = W[2] @ np.maximum(c, 0) - np.array([same, -same])
            gradients[2] += np.outer(back, np.maximum(c, 0))
            back = (W[2].T @ back) * (c > 0)
            gradients[1] += np.outer(back, np.maximum(b, 0))
            gradients[0] += np.outer((W[1].T @ back) * (b > 0), a)
        for layer, G in enumerate(gradients):
            m, n = G.shape
            left, sigma, right = np.linalg.svd(G, full_matrices=False)
            kept = sigma > 1e-10 * sigma[0]
            scale = {"RMS to RMS": np.sqrt(m / n), "original": np.sqrt(max(1, m / n))}.get(norm, 1.0)
            step_along = G / np.linalg.norm(G) if norm == "Frobenius" else scale * left[:, kept] @ right[kept]
            W[layer] = W[layer] - RATES[place] * (1 - step / steps) * step_along
    inputs = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    wanted = np.array([[1, -1], [-1, 1], [-1, 1], [1, -1]])
    got = np.maximum(np.maximum(inputs @ W[0].T, 0) @ W[1].T, 0) @ W[2].T
    ends = train(np.random.default_rng(0), reference.NORMS[norm], width, 5, 1)
    assert ends[0, place] == pytest.approx(np.mean((got - wanted) ** 2), rel=1e-8)


def test_starts_have_singular_values_of_out_over_in() -> None:
    for W in start(np.random.default_rng(0), 6, 2):
        m, n = W.shape[1:]
        assert np.linalg.svd(W, compute_uv=False) == pytest.approx(np.full((2, min(m, n)), np.sqrt(m / n)))


def test_a_group_is_judged_by_geometric_means_and_logs() -> None:
    losses = np.full((1, 2, len(RATES)), 1.0)
    losses[0, :, 5:] = [[1e-4], [1e-2]]
    losses[0, :, 9] = [1e-8, 1e-2]
    made = judge(losses)
    assert made.best.tolist() == [-8 + 0.5 * 9]
    assert made.edge[0] == pytest.approx(-8 + 0.5 * (4 + 1 / 3))
    assert np.isnan(judge(np.ones((1, 1, len(RATES)))).edge[0])
    assert judge(np.full((1, 1, len(RATES)), 1e-3)).edge[0] == -8


def test_a_planted_number_of_the_earlier_run_flips_a_verdict(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    assert false(module._table(found)) == set()
    monkeypatch.setitem(reference.BEST["spectral"], 256, 0.0625)
    assert false(module._table(found)) == {"S36.best"}


def test_a_planted_norm_flips_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain norm in place of that from RMS to RMS."""
    monkeypatch.setitem(reference.NORMS, "RMS to RMS", "spectral")
    at = Run(quick=True, cells=Cells("width-transfer", 0))
    losses = module._losses(at, {8: 1, 16: 2, 32: 2, 64: 2})
    made = {key: judge(each) for key, each in losses.items()}
    assert "S36.long" in false(module._table(made))
    assert "S36.transfer" in false(module._transfer(made))


def test_exponents_decide_the_transfer(found: Any) -> None:
    assert false(module._transfer(found)) == set()
    flat = {key: Judged(each.best, np.full(6, -5.0)) for key, each in found.items()}
    assert false(module._transfer(flat)) == {"S36.transfer", "S36.exponents", "S36.exact"}


def test_a_wrong_map_and_a_wrong_gradient_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    at = Run(quick=True, cells=Cells("width-transfer", 0))
    true = slope
    monkeypatch.setattr(
        module, "slope", lambda weights: (true(weights)[0], [(1.01 * A, B) for A, B in true(weights)[1]])
    )
    monkeypatch.setattr(module, "mapped", lambda spec, A, B: (A, B))
    assert false(module._parts(at)) == {"S36.map", "S36.gradient"}
