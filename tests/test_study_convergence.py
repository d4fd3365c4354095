"""The study convergence: verdicts, planted faults, and its numbers by other means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.optim import EMA, MVR1, MVR2, SteepestDescent
from normkit.studies.converging import noisy, sharp, smoothness
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.claims import Claim
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run
from normkit.studies.kit.threads import one_thread

REFUTED = {"S34.guarantee", "S30.lmo", "S30.order", "S31.noise"}


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("convergence")(quick=True)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Small matrices are sooner done by one thread, in a study and here."""
    with one_thread():
        yield


def run() -> Run:
    return Run(quick=True, cells=Cells("convergence", 0))


def claims(parts: Any) -> dict[str, Claim]:
    return {each.id: each for each in parts if isinstance(each, Claim)}


def rows(outcome: Outcome, table: str) -> list[Any]:
    return next(list(each.rows) for each in outcome.tables if each.id == table)


def test_every_verdict_is_the_documented_one(outcome: Outcome) -> None:
    assert outcome.as_documented
    found = {claim.id: claim.verdict for claim in outcome.claims}
    assert {name for name, verdict in found.items() if verdict == "false"} == REFUTED
    assert [name for name, verdict in found.items() if verdict == "conditional"] == ["S34.step"]
    assert {name.split(".")[0] for name in found} == {"S30", "S31", "S34"}


def test_a_planted_constant_of_the_spectral_norm_flips_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One eigenvalue too few."""
    right = smoothness.star
    monkeypatch.setattr(smoothness, "star", lambda eigenvalues, columns: right(eigenvalues, columns - 1))
    found = claims(smoothness._constants(run()))
    assert {name for name, claim in found.items() if not claim.as_documented} == set(found)


def test_a_planted_condition_flips_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the nuclear rank taken for twice what it is, cases beyond twice L*/L are lost."""
    right = smoothness.nuclear_rank
    monkeypatch.setattr(smoothness, "nuclear_rank", lambda G: 2 * right(G))
    assert claims(smoothness._steps(run()))["S34.step"].verdict == "false"


def test_planted_gaps_flip_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharp, "GAPS", sharp.GAPS | {"PolarGrad 0.2/L": (26.0, 2.16, 0.092, 4.7e-4)})
    assert claims(sharp.parts(run()))["S30.gaps"].verdict == "false"


@pytest.mark.parametrize(("name", "claim"), [("EMA", "S31.variance"), ("MVR1", "S31.mix")])
def test_another_average_flips_a_verdict(name: str, claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[str, Any] = {
        "EMA": lambda beta: EMA(0.8 * beta),
        "MVR1": lambda beta, gamma, clip: MVR1(beta, 0.9 * gamma, clip),
    }
    monkeypatch.setattr(noisy, name, kinds[name])
    assert claims(noisy._mix(run()))[claim].verdict == "false"


def test_a_planted_slope_flips_a_verdict(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    """Of the slopes that the run found, not run anew."""
    found = {row[0]: row[-2] for row in rows(outcome, "rates")}
    values = {name: [(T / 1000) ** found[name] for T in (1000, 3000)] for name in found}
    monkeypatch.setattr(noisy, "averages", lambda rng, name, T: (values[name][T == 3000],) * 2)
    at = Run(quick=True, cells=_Plain())
    assert claims(noisy.parts(at))["S31.mvr2"].verdict == "holds"
    monkeypatch.setattr(noisy, "SLOPES", noisy.SLOPES | {"MVR2": -0.245})
    assert claims(noisy.parts(at))["S31.mvr2"].verdict == "false"


class _Plain(Cells):
    """Cells without a version of the function's file, which a planted function has not."""

    def __init__(self) -> None:
        super().__init__("convergence", 0)

    def map(self, label: str, function: Any, cells: Any) -> list[Any]:
        return [function(None, *cell) for cell in cells]


@pytest.mark.parametrize("kind", ["Muon", "MVR1", "MVR2"])
def test_the_batch_of_seeds_moves_as_the_optimizer_does(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    T = 40
    monkeypatch.setattr(noisy, "SEEDS", 2)
    got = noisy.averages(np.random.default_rng(5), kind, T)
    rng, course = np.random.default_rng(5), noisy.COURSES[kind]
    beta = 1 - T**-course.averaging
    stage = {"Muon": EMA(beta), "MVR1": MVR1(beta, 1 - beta, None), "MVR2": MVR2(beta, 1.0, None)}[kind]
    optimizer = SteepestDescent("spectral", lr=T**-course.length, momentum=stage)
    H = np.linspace(0.5, 2.0, 6)[:, None]
    W = {name: np.ones((6, 5)) for name in "ab"}
    before = dict.fromkeys(W, np.zeros((6, 5)))
    sizes = []
    for step in range(T):
        z, Z = rng.standard_normal((2, 6, 1)), rng.standard_normal((2, 6, 5))
        sizes.append(np.mean([np.linalg.norm(H * each, "nuc") for each in W.values()]))
        noise = {name: (H + 0.5 * z[k], 0.5 * Z[k]) for k, name in enumerate(W)}
        gradients, earlier = (
            {name: bent * at[name] + added for name, (bent, added) in noise.items()} for at in (W, before)
        )
        if step == 0:
            earlier = dict.fromkeys(W, np.zeros((6, 5)))
        before = W
        W = optimizer.step(W, gradients, previous=earlier if kind == "MVR2" else None)
    np.testing.assert_allclose(got, [np.mean(sizes), np.mean(sizes[T // 2 :])], rtol=1e-10)


def test_polar_grad_by_plain_numpy(outcome: Outcome) -> None:
    rng = np.random.default_rng(42)
    A, B, C = (rng.standard_normal(shape) for shape in ((200, 100), (20, 50), (200, 50)))
    X = rng.uniform(-1, 1, (100, 20))
    L = np.linalg.norm(A, 2) ** 2 * np.linalg.norm(B, 2) ** 2

    def loss(X: Any) -> float:
        return 0.5 * float(np.sum((A @ X @ B - C) ** 2))

    least = loss(np.linalg.pinv(A) @ C @ np.linalg.pinv(B))
    for _ in range(200):
        U, sigma, V = np.linalg.svd(A.T @ (A @ X @ B - C) @ B.T, full_matrices=False)
        X = X - 0.2 / L * sigma.sum() * (U @ V)
    assert rows(outcome, "gaps")[0][1] == pytest.approx(loss(X) - least, rel=1e-6)


def test_one_step_by_hand() -> None:
    """H = diag(2, 1), W = I: nuclear rank 9/5, L* = 3; the spectral step ends at 0, the other at diag(0, 1/2)."""
    H = np.diag([2.0, 1.0])
    assert smoothness.single(H, np.eye(2), 2.0, 3.0) == pytest.approx((1.2, 1.5, 1.375), abs=1e-14)
