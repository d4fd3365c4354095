"""The study specmuon: verdicts, planted faults, and its network and rules by other means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from normkit import studies
from normkit.optim import SpecMuonA, SpecMuonB
from normkit.studies.energies import fits, heat, quadratic
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("specmuon")(quick=True)


def run() -> Run:
    return Run(quick=True, cells=Cells("specmuon", 0))


def verdicts(made: Outcome) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in made.claims}


def test_every_verdict_is_the_documented_one(outcome: Outcome) -> None:
    assert outcome.as_documented
    found = verdicts(outcome)
    assert {name for name, verdict in found.items() if verdict == "false"} == {"S32.a-dissipation"}
    assert {name for name, verdict in found.items() if verdict == "conditional"} == {"S32.b-energy"}
    assert {"S62.fits", "S62.b-resets", "S62.a-rises"} <= {name for name in found if found[name] == "measured"}
    assert {name.split(".")[0] for name in found} == set(studies.get("specmuon").ids)


@pytest.mark.parametrize(
    ("name", "planted", "claim"),
    [
        ("LOSSES", quadratic.LOSSES | {80: 3.9e-3}, "S32.a-loss"),
        ("PARTED", (0.2, 1.0), "S32.b-parted"),
        ("XI", 0.25, "S32.a-rule"),
        ("B", SpecMuonB(k=6, beta=0.9, step=0.02), "S32.b-energy"),
        ("A", SpecMuonA(k=6, xi=0.2, eps=1e-3), "S32.a-spread"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_planted_number_flips_a_verdict(name: str, planted: Any, claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quadratic, name, planted)
    made = Outcome()
    quadratic.both(run(), made)
    assert verdicts(made)[claim] == "false"
    assert not made.as_documented


def test_a_gradient_without_a_term_flips_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the third derivative of tanh."""
    whole = heat._through_tanh

    def without(z: Any, back: Any) -> Any:
        made = whole(z, back)
        a = np.tanh(z[0])
        made[0] -= (1 - a**2) * (6 * a**2 - 2) * back[3] * z[1] ** 2
        return made

    monkeypatch.setattr(heat, "_through_tanh", without)
    made = Outcome()
    fits.factors(run(), made)
    assert verdicts(made)["S62.gradient"] == "false"


def test_derivatives_of_the_network_are_differences_of_it() -> None:
    draw = np.random.default_rng(5)
    weights, points, step = heat.initial(draw), draw.random((2, 7)), 1e-4

    def value(shift: tuple[float, float]) -> Any:
        a = points + step * np.array(shift)[:, None]
        for name in heat.NAMES:
            a = weights[name] @ np.vstack([a, np.ones(a.shape[1])])
            a = np.tanh(a) if name != heat.NAMES[-1] else a
        return a[0]

    u, u_x, u_t, u_xx = heat._forward(weights, points)[-1][:, 0]
    assert np.allclose(u, value((0, 0)), atol=1e-14)
    assert np.allclose(u_x, (value((1, 0)) - value((-1, 0))) / (2 * step), atol=1e-6)
    assert np.allclose(u_t, (value((0, 1)) - value((0, -1))) / (2 * step), atol=1e-6)
    assert np.allclose(u_xx, (value((1, 0)) - 2 * u + value((-1, 0))) / step**2, atol=1e-5)


def test_the_solution_solves_the_heat_equation() -> None:
    x, t = np.meshgrid(np.linspace(0.1, 0.9, 7), np.linspace(0.1, 0.9, 5))
    e = 1e-3
    along = (heat.exact(x, t + e) - heat.exact(x, t - e)) / (2 * e)
    bend = (heat.exact(x + e, t) - 2 * heat.exact(x, t) + heat.exact(x - e, t)) / e**2
    assert np.allclose(along, heat.NU * bend, atol=1e-4)
    assert np.allclose(heat.exact(np.array([0.0, 1.0]), np.array([0.3, 0.7])), 0, atol=1e-14)
    assert np.isclose(heat.exact(np.array(0.25), np.array(0.0)), 1.5 * np.sqrt(0.5))


def test_the_relaxation_of_b_has_a_real_root_in_exact_arithmetic() -> None:
    """By fractions at points where double precision loses it: r~ some 1e-8 of E+."""
    from fractions import Fraction

    draw, lost = np.random.default_rng(0), 0
    for _ in range(2000):
        r, reached, gone = float(10 ** draw.uniform(-9, -7)), float(draw.uniform(0.1, 1)), 1e-22
        exact, double = (
            b * b - 4 * a * c
            for a, b, c in (
                ((q(r) - q(reached)) ** 2, 2 * q(reached) * (q(r) - q(reached)), q(reached) ** 2 - q(r) ** 2 - q(gone))
                for q in (Fraction, float)
            )
        )
        assert exact > 0
        lost += double < 0
    assert lost > 0


def test_a_run_of_a_is_a_scalar_recursion_on_muon() -> None:
    """One factor, followed here by its own formulas, on the polar factor by an SVD, with momentum after it."""
    H, lr, xi = quadratic.H, quadratic.LR, quadratic.XI
    W = np.random.default_rng(0).standard_normal((8, 6))
    losses, _ = quadratic.run(quadratic.A, lr, W)
    B, r = np.zeros_like(W), np.sqrt(losses[0])
    for t in range(100):
        left, _, right = np.linalg.svd(H * W, full_matrices=False)
        root = np.sqrt(np.sum(H * W**2) / 2)
        shrunk = r / (1 + lr / (2 * root))
        mixed = np.sqrt((1 - xi) * shrunk**2 + xi * r**2 + (1 - xi) * (shrunk - r) ** 2)
        r = sorted([shrunk, root, mixed])[1]
        B = 0.9 * B + shrunk / root * left @ right
        W = W - lr * B
        assert np.isclose(np.sum(H * W**2) / 2, losses[t + 1], rtol=1e-2)
