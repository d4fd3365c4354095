"""The study in-context-learning: verdicts, planted faults, and its numbers by other means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.studies.incontext import adam, descent, muon, sampled
from normkit.studies.incontext.problem import CELLS, Problem, Spectrum
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run

CONDITIONAL = {"S27.decoupling", "S27.ratio", "S27.start", "S27.adam"}


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("in-context-learning")(quick=True)


def run() -> Run:
    return Run(quick=True, cells=Cells("in-context-learning", 0))


def verdicts(made: Outcome) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in made.claims}


def test_every_verdict_is_the_documented_one(outcome: Outcome) -> None:
    assert outcome.as_documented
    found = verdicts(outcome)
    assert {name for name, verdict in found.items() if verdict == "conditional"} == CONDITIONAL
    assert {name for name, verdict in found.items() if verdict == "false"} == {"S27.cubic"}
    assert {name for name, verdict in found.items() if verdict == "measured"} == {"S27.methods"}
    assert {name.split(".")[0] for name in found} == set(studies.get("in-context-learning").ids)


@pytest.mark.parametrize(
    ("module", "name", "planted", "piece", "claim"),
    [
        (muon, "COUNTS", muon.COUNTS | {0.7: 40}, "counts", "S27.counts"),
        (descent, "COUNTS", descent.COUNTS | {10: (1224, 1776, 3431)}, "steps", "S27.descent"),
        (descent, "CONDITION", descent.CONDITION | {10: (287.0, 405.0, 754.0)}, "steps", "S27.condition"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_planted_number_flips_a_verdict(
    module: Any, name: str, planted: Any, piece: str, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, planted)
    made = Outcome()
    getattr(module, piece)(run(), made)
    assert verdicts(made)[claim] == "false"
    assert not made.as_documented


def test_another_gamma_flips_the_closed_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """1/N in place of 1 + 1/N: the loss of a transformer that never saw the mean."""
    wrong = property(lambda self: self.covariance / self.length + np.trace(self.covariance) / self.length * np.eye(4))
    monkeypatch.setattr(Problem, "gamma", wrong)
    made = Outcome()
    sampled.closed(run(), made)
    assert verdicts(made)["S28.loss"] == "false"
    assert verdicts(made)["S28.prompts"] == "false"


def test_adam_on_one_basis_twice_flips_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another basis nothing takes the condition away."""
    monkeypatch.setattr(adam, "basis", lambda draw: np.eye(20))
    made = Outcome()
    adam.grid(run(), made)
    assert verdicts(made) == {"S27.adam": "holds"}


def test_the_mean_square_of_a_gram_matrix_is_that_of_wishart() -> None:
    """E S^2 = Lambda Gamma for S = X'X/N, by a sum over the 2 x 2 corner of all Gaussian moments (Isserlis)."""
    covariance, length = np.array([[1.0, 0.3], [0.3, 0.5]]), 7
    mean = np.zeros((2, 2))
    for i, j, k in np.ndindex(2, 2, 2):  # S_ij S_jk: equal examples have the fourth moment, others the product
        fourth = covariance[i, j] * covariance[j, k] + covariance[i, j] * covariance[j, k]
        fourth += covariance[i, k] * covariance[j, j]
        mean[i, k] += (fourth + (length - 1) * covariance[i, j] * covariance[j, k]) / length
    assert np.allclose(mean, covariance @ Problem(covariance, length).gamma, atol=1e-14)


@pytest.mark.parametrize("cell", [(10, 20), (10, 200)])
def test_gradient_descent_by_a_loop_of_numbers(cell: tuple[int, int]) -> None:
    spectrum = Spectrum(*cell)
    w, rate, count = np.zeros(20), 1 / spectrum.curvature.max(), 0
    excess = [np.sum(spectrum.curvature * (w - 1 / spectrum.gamma) ** 2)]
    while excess[-1] > 1e-6 * excess[0]:
        w -= rate * spectrum.curvature * (w - 1 / spectrum.gamma)
        excess.append(np.sum(spectrum.curvature * (w - 1 / spectrum.gamma) ** 2))
        count += 1
    assert count == descent.first(lambda t: descent.excess(spectrum, t))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell[0]}-{cell[1]}")
def test_halving_is_bisection(cell: tuple[int, int]) -> None:
    """With rho = 1/2 the weights after t steps are the best t-digit binary fractions of the far end, odd ones."""
    spectrum = Spectrum(*cell)
    path = muon.numbers(spectrum, 0.5)
    for t, w in enumerate(path.weights[1:12], 1):
        digits = w / spectrum.far * 2**t
        assert np.allclose(digits, np.round(digits), atol=1e-9)
        assert np.max(np.abs(w - 1 / spectrum.gamma)) <= spectrum.far * 0.5**t * (1 + 1e-12)


def test_the_gradient_of_a_prompt_is_that_of_its_loss() -> None:
    problem, W = sampled.instance(3)
    loss, gradient = problem.prompts(W, np.random.default_rng(1), 5)
    for place in np.ndindex(4, 4):
        moved = W.copy()
        moved[place] += 1e-6
        ahead, _ = problem.prompts(moved, np.random.default_rng(1), 5)
        assert np.allclose((ahead - loss) / 1e-6, gradient[:, place[0], place[1]], rtol=1e-3, atol=1e-4)
