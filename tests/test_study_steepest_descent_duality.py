"""The study steepest-descent-duality: verdicts, planted faults, its oracles against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.studies.duals import couplings, curvature, derivations, descent, layers, network, planes, sweep, triples
from normkit.studies.duals.catalogue import Case
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run

NAME = "steepest-descent-duality"
FALSE = {
    "S11.sign", "S11.ones", "S11.max", "S12.plus", "S12.argmax", "S12.min", "S12.trace", "S12.weights", "S13.equality",
}  # fmt: skip
CONDITIONAL = {"S11.positive", "S11.equal", "S13.definite"}


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get(NAME)(quick=True)


def run() -> Run:
    return Run(quick=True, cells=Cells(NAME, 0))


def verdicts(claims: Any) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in claims if hasattr(claim, "verdict")}


def test_every_verdict_is_the_documented_one(outcome: Outcome) -> None:
    assert [claim.id for claim in outcome.claims if not claim.as_documented] == []
    found = verdicts(outcome.claims)
    assert {name for name, verdict in found.items() if verdict == "false"} == FALSE
    assert {name for name, verdict in found.items() if verdict == "conditional"} == CONDITIONAL
    assert {name.split(".")[0] for name in found} == set(studies.get(NAME).ids)


def test_every_norm_of_the_catalogue_is_in_the_table(outcome: Outcome) -> None:
    (table,) = (each for each in outcome.tables if each.id == "triples")
    assert [row[1] for row in table.rows] == [case.spec for case in triples.CASES]
    assert len(table.rows) >= 15


# --- the oracles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf], ids=str)
def test_cutting_planes_bracket_the_dual_of_lp(p: float) -> None:
    g = np.array([3.0, -4.0, 1.0])
    low, high = planes.bracket(np.random.default_rng(0), lambda X: np.asarray(np.linalg.norm(X, p, axis=1)), g, 40)
    q = {1.0: np.inf, 1.5: 3.0, 2.0: 2.0, np.inf: 1.0}[p]
    assert low * (1 - 1e-12) <= np.linalg.norm(g, q) <= high * (1 + 1e-6)
    assert high / low < 1.001


@pytest.mark.parametrize(("p", "q", "value"), [(1.0, 2.0, 5.0), (2.0, np.inf, 5.0), (np.inf, 1.0, 10.0)], ids=str)
def test_the_sweep_finds_induced_norms(p: float, q: float, value: float) -> None:
    A = np.array([[3.0, -4.0, 0.0], [4.0, 1.0, 0.0]])
    assert sweep.largest(A, p, q) == pytest.approx(value, rel=1e-9)


def test_the_solver_of_the_lengths_finds_corners_and_edges() -> None:
    assert layers.least(np.array([4.0, 2.0]), np.array([1.0, 2.0]), 1.0) == pytest.approx(-12.5, rel=1e-9)
    assert layers.least(np.array([0.0, 2.0]), np.array([1.0, 2.0]), 1.0) == pytest.approx(-0.5, rel=1e-9)


def test_weights_are_of_norm_one() -> None:
    W = network.weights(np.random.default_rng(0))
    assert [each.shape for each in W] == [(30, 20), (40, 30), (10, 40)]
    sizes = [(each.shape[1] / each.shape[0]) ** 0.5 * np.linalg.norm(each, 2) for each in W]
    np.testing.assert_allclose(sizes, 1.0, rtol=1e-12)


# --- planted faults ---------------------------------------------------------------------------------------------------


def test_a_wrong_dual_norm_flips_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triples, "CASES", (Case("sign", "max"), Case("Muon", "spectral")))
    sound = triples.nk.dual_value
    monkeypatch.setattr(triples.nk, "dual_value", lambda *args: 0.8 * sound(*args), raising=False)
    found = verdicts(triples.parts(run()))
    assert {name for name, verdict in found.items() if verdict == "false"} == {
        "S12.pairing", "S12.holder", "S12.ties", "S12.lower", "S12.dual",
    }  # fmt: skip


def test_a_dual_norm_that_is_too_large_is_above_the_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triples, "CASES", (Case("sign", "max"),))
    sound = triples.nk.dual_value
    monkeypatch.setattr(triples.nk, "dual_value", lambda *args: 1.01 * sound(*args), raising=False)
    assert verdicts(triples.parts(run()))["S12.upper"] == "false"


def test_a_wrong_step_flips_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "CASES", (Case("sign", "max"), Case("Muon", "rms->rms")))
    sound = descent.nk.steepest_descent
    wrong = lambda norm, g, **options: 1.01 * sound(norm, g, **options)  # noqa: E731
    monkeypatch.setattr(descent.nk, "steepest_descent", wrong, raising=False)
    assert verdicts(descent.parts(run()))["S11.attained"] == "false"


def test_another_outer_norm_flips_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = layers.nk.Modular
    wrong = lambda norms, outer="linf", **options: sound(norms, outer="l2", **options)  # noqa: E731
    monkeypatch.setattr(layers.nk, "Modular", wrong, raising=False)
    found = verdicts(layers.parts(run()))
    assert {name for name, verdict in found.items() if verdict == "false"} == {
        "S11.modular", "S11.formula", "S11.spectral", "S11.shared",
    }  # fmt: skip
    assert verdicts(couplings.parts())["S11.max"] == "holds"


@pytest.mark.parametrize(
    ("module", "name", "planted", "claim"),
    [
        (layers, "TWO", {"first": (np.eye(2), 1.0), "second": (np.eye(2), 1.0)}, "S11.shared"),
        (network, "SCALES", (3.5, 1.75, 7.1), "S14.scales"),
        (network, "MASSES", (1.0, 2.0, 0.25), "S14.scales"),
        (curvature, "INDEFINITE", np.eye(2), "S13.definite"),
        (sweep, "ORDERS", sweep.ORDERS | {"lp(3)": 4.0}, "S12.induced"),
    ],
    ids=["gradients", "scales", "masses", "hessian", "order"],
)
def test_a_planted_number_flips_a_verdict(
    module: Any, name: str, planted: Any, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, planted)
    (made,) = (each for each in module.parts(run()) if getattr(each, "id", "") == claim)
    assert not made.as_documented


def test_scales_that_are_too_small_break_the_bound_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = network.network

    class Halved:
        def __init__(self) -> None:
            self.scales = sound().scales

        def norm(self) -> Any:
            return network.nk.Modular({name: part / 2 for name, part in sound().norm().parts.items()})

    monkeypatch.setattr(network, "network", Halved)
    assert verdicts(network.parts(run()))["S14.asked"] == "false"


def test_a_smaller_constant_breaks_the_descent_lemma(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = curvature.nk.sharpness
    monkeypatch.setattr(curvature.nk, "sharpness", lambda H, norm: sound(0.9 * H, norm), raising=False)
    found = verdicts(curvature.parts(run()))
    assert found["S13.lemma"] == found["S13.attained"] == found["S13.library"] == "false"


def test_a_step_uphill_and_a_wrong_dual_flip_the_repairs_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, wrong in (("steepest_descent", -1.0), ("dual_value", -1.0)):
        sound = getattr(derivations.nk, name)
        planted = lambda *args, sound=sound, wrong=wrong, **options: wrong * sound(*args, **options)  # noqa: E731
        monkeypatch.setattr(derivations.nk, name, planted, raising=False)
    found = verdicts(derivations.parts())
    assert found["S12.argmin"] == found["S12.max"] == "false"
    assert found["S12.min"] == "holds"


def test_figures_say_what_they_show(outcome: Outcome) -> None:
    from matplotlib.figure import Figure as Canvas

    for figure in outcome.figures:
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        assert all(axes.get_xlabel() for axes in canvas.axes) and canvas.axes[0].get_ylabel()
        assert any(axes.get_legend() for axes in canvas.axes)
