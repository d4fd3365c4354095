"""The study muon-optimality: verdicts, planted faults, the optimum by a semidefinite program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run
from normkit.studies.optimality import candidates, corrections, derived, expansion, facts, problem, replay

NAME = "muon-optimality"


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get(NAME)(quick=True)


def verdicts(claims: Any) -> dict[str, str]:
    return {claim.id.removeprefix("S10."): claim.verdict for claim in claims if hasattr(claim, "verdict")}


def run() -> Run:
    return Run(quick=True, cells=Cells(NAME, 0))


def test_every_verdict_is_the_documented_one(outcome: Outcome) -> None:
    assert [claim.id for claim in outcome.claims if not claim.as_documented] == []
    found = verdicts(outcome.claims)
    assert {name for name, verdict in found.items() if verdict == "false"} == {"layer", "row", "four"}
    assert {name for name, verdict in found.items() if verdict == "conditional"} == {"factors", "unique"}
    assert len(found) == 27


def test_the_derivation_is_shown(outcome: Outcome) -> None:
    (table,) = (each for each in outcome.tables if each.id == "derivation")
    assert [row[0] for row in table.rows][1:4] == ["induced norm", "scaling", "von Neumann trace inequality"]
    assert any("√(m/n)" in row[2] for row in table.rows)


def test_the_optimum_is_that_of_a_semidefinite_program() -> None:
    """The block matrix [[b I, X], [X', b I]] is positive semidefinite just where sigma_1(X) <= b."""
    cp = pytest.importorskip("cvxpy", reason="the oracle is a solver")
    G, best = problem.posed(run(), 3, 5)
    top = 0.1 * (3 / 5) ** 0.5
    block = cp.Variable((8, 8), PSD=True)
    fixed = [block[:3, :3] == top * np.eye(3), block[3:, 3:] == top * np.eye(5)]
    solved = cp.Problem(cp.Minimize(cp.sum(cp.multiply(G, block[:3, 3:]))), fixed)
    solved.solve(solver="CLARABEL")
    assert np.sum(G * best) == pytest.approx(solved.value, rel=1e-6)
    np.testing.assert_allclose(block.value[:3, 3:], best, atol=1e-5)


def test_candidates_are_in_the_ball() -> None:
    rng = np.random.default_rng(0)
    _, best = problem.posed(run(), 3, 5)
    top = problem.bound(3, 5)
    for each in (candidates.inside(rng, 500, 3, 5, top), candidates.nearby(rng, 500, best, top)):
        sizes = np.linalg.norm(each, 2, axis=(1, 2))
        assert len(each) == 500 and sizes.max() <= top * (1 + 1e-13) and sizes.max() > 0.99 * top


def test_the_largest_gain_is_that_of_the_singular_values() -> None:
    A = np.random.default_rng(0).standard_normal((20, 3, 5))
    np.testing.assert_allclose(facts.largest_gain(A), np.linalg.norm(A, 2, axis=(1, 2)) * (5 / 3) ** 0.5, rtol=1e-13)


def _longer(sound: Callable[..., Any]) -> Callable[..., Any]:
    return lambda norm, G, **options: 1.001 * sound(norm, G, **options)


def _other(sound: Callable[..., Any]) -> Callable[..., Any]:
    """The direction of another norm, in the ball but not the best."""
    return lambda norm, G, **options: sound("rms->rms" if norm == "l2" else "fro", G, **options) / 2


@pytest.mark.parametrize(
    ("plant", "flipped"),
    [(_longer, {"warmup", "optimum", "same", "value"}), (_other, {"same", "value"})],
    ids=["a step too long", "the step of another norm"],
)
def test_another_step_flips_verdicts(plant: Any, flipped: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = problem.nk.lmo
    if plant is _other:  # the warm-up is of vectors
        monkeypatch.setattr(problem, "_warm_up", lambda at: iter(()))
    monkeypatch.setattr(problem.nk, "lmo", plant(sound), raising=False)
    found = verdicts(problem.parts(run()))
    assert flipped <= {name for name, verdict in found.items() if verdict == "false"}


def test_a_step_that_is_not_the_best_breaks_the_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is better than 0.9 of the optimum need not leave the ball."""
    sound = problem.nk.lmo
    monkeypatch.setattr(problem.nk, "lmo", lambda *args, **options: 0.9 * sound(*args, **options), raising=False)
    found = verdicts(replay.parts(run()))
    assert found["replay"] == found["equality"] == "false"


@pytest.mark.parametrize(
    ("module", "name", "planted", "claim"),
    [
        (derived, "KNOWN", ((2, 3, (3, 4)), (3, 2, (5, -1))), "derived"),
        (derived, "NORM", "spectral", "derived"),
        (expansion, "SMALL", expansion.LENGTHS > 0.4, "taylor"),
    ],
    ids=["another matrix", "another norm", "long steps"],
)
def test_a_planted_number_flips_a_verdict(
    module: Any, name: str, planted: Any, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, planted)
    found = verdicts(module.parts() if module is derived else module.parts(run()))
    assert found[claim] == "false"


def test_refuted_claims_would_hold_if_they_were_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row, where sqrt(m) = 1: there the printed bound is the constraint."""
    monkeypatch.setattr(corrections, "SHAPES", ((1, 5),))
    found = verdicts(corrections._layer(run()))
    assert found == {"layer": "holds", "output": "holds"}


def test_figures_say_what_they_show(outcome: Outcome) -> None:
    from matplotlib.figure import Figure as Canvas

    for figure in outcome.figures:
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        assert all(axes.get_xlabel() and axes.get_ylabel() and axes.get_legend() for axes in canvas.axes)
