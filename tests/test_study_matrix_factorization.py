"""The study of matrix factorization: verdicts, planted faults, and its numbers by other means."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.studies import factoring
from normkit.studies.factoring import (
    asymmetric,
    baselines,
    conserved,
    decoupling,
    halvings,
    problems,
    scalars,
    staircase,
    starts,
    symmetric,
)
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run

NAME = "matrix-factorization"
CONDITIONAL = {"S20.start", "S20.decay", "S20.lemma", "S21.positive", "S22.orientation", "S25.orientation"}


@pytest.fixture(scope="module")
def cells() -> Cells:
    """Cells shared by the tests: what was run once is not run again."""
    return Cells(NAME, 0)


@pytest.fixture(scope="module")
def outcome(cells: Cells) -> Outcome:
    return studies.get(NAME)(quick=True, cells=cells)


def test_verdicts_are_those_of_the_page(outcome: Outcome) -> None:
    assert [claim.id for claim in outcome.claims if not claim.as_documented] == []
    verdicts = {claim.id: claim.verdict for claim in outcome.claims}
    assert {id for id, verdict in verdicts.items() if verdict == "false"} == {"S23.share"}
    assert {id for id, verdict in verdicts.items() if verdict == "conditional"} == CONDITIONAL
    assert {id.split(".")[0] for id in verdicts} == set(studies.get(NAME).ids)


def test_figures_say_what_they_are(outcome: Outcome) -> None:
    from matplotlib.figure import Figure as Canvas

    for figure in outcome.figures:
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        assert all(axes.get_xlabel() for axes in canvas.axes)
        assert canvas.axes[0].get_ylabel()
        assert any(axes.get_legend() for axes in canvas.axes)


FAULTS: dict[str, tuple[Any, str, Any, str]] = {
    "orthogonal": (symmetric, "ORTHOGONAL", {0.5: (20, 21, 21, 24), 0.7: (27,) * 4, 0.9: (88,) * 4}, "S20.orthogonal"),
    "scalar": (symmetric, "SCALAR", symmetric.SCALAR | {0.5: (20, 21, 21, 22)}, "S20.scalar"),
    "Gaussian": (symmetric, "GAUSSIAN", {0.7: (37, 39, 39, 42), 0.9: (98, 119, 118, 117)}, "S20.Gaussian"),
    "descent": (symmetric, "DESCENT", (21, 219, 1770, 13302), "S20.descent"),
    "bound": (scalars, "bound", lambda *of: 19, "S20.bound"),
    "recursion": (symmetric, "_alone", lambda kappa, ratio: 30, "S20.same"),
    "modes": (decoupling, "EXACT", 1e-17, "S20.modes"),
    "lemma": (scalars, "excess", lambda rng, cases, low, high: 0.1, "S20.lemma"),
    "counts": (asymmetric, "COUNTS", {0.5: (20, 21, 21, 21), 0.7: (35,) * 4, 0.9: (106,) * 4}, "S21.counts"),
    "both": (asymmetric, "DESCENT", (21, 225, 1801, 13558), "S21.descent"),
    "conserved": (asymmetric, "EXACT", 1e-17, "S21.conserved"),
    "start": (starts, "COUNT", 100, "S22.counts"),
    "stuck": (starts, "STUCK", 0.25, "S22.stuck"),
    "sign": (baselines, "SIGN", {1: 150, 100: 1413}, "S23.sign"),
    "two": (baselines, "TWO", (300, 600), "S23.two"),
    "fails": (baselines, "SIGN_END", 6.6e-6, "S23.fails"),
    "Adam": (baselines, "ADAM", (244, 245, 400, 413), "S23.Adam"),
    "first": (staircase, "FIRST", staircase.FIRST | {"Muon": (575, 400, 283, 201, 143, 106)}, "S24.Muon"),
    "slope": (staircase, "SLOPE", 0.0055, "S24.slope"),
    "halvings": (halvings, "SQUARES", halvings.SQUARES | {5: 5.4e-2}, "S25.early"),
    "quarter": (halvings, "QUARTER", 0.5, "S25.quarter"),
    "overlaps": (conserved, "OVERLAPS", dict.fromkeys(conserved.OVERLAPS, (1.0, 1.0, 1.0)), "S26.Muon"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_flips_the_verdict(
    fault: str, cells: Cells, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, planted, id = FAULTS[fault]
    assert {claim.id: claim for claim in outcome.claims}[id].as_documented
    monkeypatch.setattr(module, name, planted)
    piece = {scalars: decoupling if fault == "lemma" else symmetric}.get(module, module)
    claims = {each.id: each for each in piece.parts(Run(0, True, cells=cells)) if hasattr(each, "verdict")}
    assert not claims[id].as_documented


def test_a_method_that_is_not_muon_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps a twentieth longer than their schedule follow no recursion."""
    muon = decoupling.muon
    monkeypatch.setattr(decoupling, "muon", lambda lr: muon(lambda step: 1.05 * lr(step)))
    found = decoupling.modes(np.random.default_rng(0), 10, "muon", 0.5, 30)
    assert max(found["values"]) > 1e-3


@pytest.mark.parametrize("kappa", [1, 30])
def test_counts_by_an_svd_of_ones_own(kappa: int) -> None:
    """X X' = M without the library, from an orthogonal start."""
    rng = np.random.default_rng(7)
    U, Q = (np.linalg.qr(rng.standard_normal((32, 32)))[0] for _ in range(2))
    M, X, lr, t = (U * np.logspace(0, -np.log10(kappa), 32)) @ U.T, 1e-3 * Q, 0.5, 0
    while np.linalg.norm(X @ X.T - M) >= 1e-6 * np.linalg.norm(M):
        left, _, right = np.linalg.svd((X @ X.T - M) @ X)
        X, lr, t = X - lr * left @ right, lr / 2, t + 1
    assert t == (20 if kappa == 1 else 21)


def test_gradients_are_those_of_the_losses() -> None:
    rng = np.random.default_rng(0)
    made = problems.Asymmetric(problems.orthogonal(rng, 5, 3), np.array([2.0, 1.0, 0.5]), problems.orthogonal(rng, 3))
    square = problems.Symmetric(problems.orthogonal(rng, 3), np.array([2.0, 1.0, 0.5]))
    for problem, factor, shapes in ((made, 0.5, {"P": (5, 3), "Q": (3, 3)}), (square, 0.25, {"X": (3, 3)})):
        weights, along = ({name: rng.standard_normal(of) for name, of in shapes.items()} for _ in range(2))

        def loss(h: float, p: Any = problem, f: float = factor, w: Any = weights, d: Any = along) -> float:
            rel: float = p.look({name: w[name] + h * d[name] for name in w})[0]
            return f * (rel * float(np.linalg.norm(p.M))) ** 2

        slope = sum(float(np.vdot(g, along[name])) for name, g in problem.look(weights)[1].items())
        assert (loss(1e-5) - loss(-1e-5)) / 2e-5 == pytest.approx(slope, rel=1e-7)


def test_orientation_changes_with_one_column() -> None:
    rng = np.random.default_rng(0)
    made = asymmetric.problem(rng, 10)
    assert made.orientation({"P": made.U, "Q": made.V}) == 1
    for side in (1, -1):
        weights = starts.gaussian(rng, made, side)
        core = (made.U.T @ weights["P"]) @ (made.V.T @ weights["Q"]).T
        assert np.sign(np.linalg.det(core / np.abs(core).max())) == side


def test_the_grid_of_adam_is_that_of_the_algorithm() -> None:
    """One run of the grid by Algorithm 1 of arXiv:1412.6980, written out."""
    made, weights = symmetric.problem(np.random.default_rng(3), 10, "orthogonal")
    (run,) = (each for each in baselines.grid(np.random.default_rng(3), "Adam", 10, 400, 0) if each[:2] == [0.1, 0.99])
    X, m, v, t = weights["X"], 0.0, 0.0, 0
    while np.linalg.norm(X @ X.T - made.M) >= 1e-6 * np.linalg.norm(made.M):
        G = (X @ X.T - made.M) @ X
        m, v, t = 0.9 * m + 0.1 * G, 0.999 * v + 0.001 * G**2, t + 1
        X = X - 0.1 * 0.99 ** (t - 1) * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert run[2] == t


def test_the_root_is_that_of_eigenvalues() -> None:
    W = np.random.default_rng(1).standard_normal((6, 4))
    values, vectors = np.linalg.eigh(W.T @ W)
    np.testing.assert_allclose(conserved.root(W), (vectors * np.sqrt(values)) @ vectors.T, atol=1e-13)


@pytest.mark.parametrize("name", [each.name for each in iter_modules(factoring.__path__)])
def test_examples(name: str) -> None:
    assert doctest.testmod(import_module(f"{factoring.__name__}.{name}")).failed == 0
