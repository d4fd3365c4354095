"""The study schatten-sweep: verdicts, planted faults, and its steps by a recursion that is written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.studies import schatten_sweep as module
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run
from normkit.studies.schatten.factoring import Decay, counts, matrices, numbers, spectrum, turns


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("schatten-sweep")(quick=True)


@pytest.fixture(scope="module")
def found() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    U, Q = turns(rng, 3), turns(rng, 3)
    keys = [(p, kappa) for kappa in module.COUNTS for p in module.EXPONENTS]
    return {key: counts(matrices(*key, module.FAST, U, Q)) for key in keys}, U, Q


def false(claims: Any) -> set[str]:
    return {claim.id for claim in claims if hasattr(claim, "as_documented") and not claim.as_documented}


def test_verdicts_are_the_documented_ones(outcome: Outcome) -> None:
    assert outcome.as_documented
    verdicts = {claim.id: claim.verdict for claim in outcome.claims}
    assert [name for name, verdict in verdicts.items() if verdict == "false"] == ["S35.larger"]
    assert [name for name, verdict in verdicts.items() if verdict == "conditional"] == ["S35.decay"]


def by_hand(p: float, kappa: float) -> int | None:
    """The recursion of 32 numbers in plain arithmetic."""
    wanted, x = np.geomspace(1 / kappa, 1, 32), np.full(32, 1e-3)
    for t in range(160):
        g = x * (x * x - wanted)
        if np.isinf(p):
            step = np.sign(g)
        else:
            size = np.abs(g / np.max(np.abs(g))) ** (1 / (p - 1))
            step = 32 ** (1 / p) * np.sign(g) * size / np.sum(size**p) ** (1 / p)
        x = x - 0.1 * 0.9**t * step
        if np.linalg.norm(x * x - wanted) / np.linalg.norm(wanted) < 1e-6:
            return t + 1
    return None


@pytest.mark.parametrize("p", [2.0, 4.0, 32.0, np.inf], ids=str)
def test_counts_of_the_recursion_are_those_of_plain_arithmetic(p: float) -> None:
    assert [counts(numbers(p, kappa, module.FAST))[0][0] for kappa in (10, 100)] == [by_hand(p, k) for k in (10, 100)]


def test_matrices_step_along_singular_vectors_of_an_svd() -> None:
    rng = np.random.default_rng(1)
    U, Q = turns(rng, 1), turns(rng, 1)
    X = 1e-3 * Q[0]
    M = U[0] @ np.diag(spectrum(10.0)) @ U[0].T
    for t, (got, _) in enumerate(matrices(4.0, 10.0, Decay(0.1, 0.9, 5), U, Q)):
        left, sigma, right = np.linalg.svd((X @ X.T - M) @ X)
        size = sigma ** (1 / 3)
        X = X - 0.1 * 0.9**t * 32**0.25 * (left * (size / np.sum(size**4) ** 0.25)) @ right
        assert got[0] == pytest.approx(X, abs=1e-10)


def test_starts_are_orthogonal() -> None:
    Q = turns(np.random.default_rng(2), 3)
    assert np.swapaxes(Q, -1, -2) @ Q == pytest.approx(np.broadcast_to(np.eye(32), Q.shape), abs=1e-13)
    assert np.linalg.norm(Q[0] - Q[1]) > 1


def test_a_planted_count_flips_a_verdict(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    steps = {key: done for key, (done, _) in found[0].items()}
    assert false(module._counted(steps, 3)) == set()
    monkeypatch.setitem(module.COUNTS, 1000, (None, None, 75, 95, 101, 103, 114))
    assert false(module._counted(steps, 3)) == {"S35.counts"}
    monkeypatch.setitem(module.COUNTS, 1000, (300, None, 65, 95, 101, 103, 114))
    assert false(module._counted(steps, 3)) == {"S35.counts"}


def test_a_slower_norm_flips_the_refutation(found: Any) -> None:
    steps = {key: done for key, (done, _) in found[0].items()}
    assert false(module._counted(steps | {(4.0, 1000): [120, 120, 120]}, 3)) >= {"S35.larger"}


def test_a_planted_decay_flips_verdicts(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    monkeypatch.setattr(module, "SLOW", Decay(0.1, 0.9, 160))
    monkeypatch.setattr(module, "numbers", lambda p, kappa, decay: numbers(p, 1.01 * kappa, decay))
    small = {key: found[0][key] for key in [(4.0, 10.0), (2.0, 100.0), (2.0, 1000.0)]}
    assert false(module._explained(small, *found[1:])) == {"S35.decay", "S35.modes"}


def test_another_network_flips_the_claims_of_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ends are those of the exponent alone, whatever the learning rate."""
    at = Run(quick=True, cells=Cells("schatten-sweep", 0))

    def made(each: Callable[[str], float]) -> Callable[..., Any]:
        return lambda label, function, cells: [{"final": each(cell[2])} for cell in cells]

    monkeypatch.setattr(at.cells, "map", made(lambda norm: 1.0))
    assert false(module._digits(at)) == {"S35.digits"}
    monkeypatch.setattr(at.cells, "map", made(lambda norm: 0.1 if norm == "spectral" else 0.3 if "(8)" in norm else 1))
    assert false(module._digits(at)) == {"S35.digits", "S35.close"}
