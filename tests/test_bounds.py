"""Bounds on norms without a closed form: against enumeration, conic solvers and the definition."""

from __future__ import annotations

from itertools import product

import cvxpy as cp
import numpy as np
import pytest

import normkit as nk
from normkit.generation import generate
from normkit.operator_bounds import factorisation_bound
from normkit.programs import program
from normkit.surrogate import surrogate, surrogate_constant

RNG = np.random.default_rng(7)


def enumerated(x: np.ndarray, q: float) -> float:
    """sup over v in {-1,1}^n of ||x v||_q, sign by sign."""
    return max(float(np.linalg.norm(x @ np.array(v), q)) for v in product((-1.0, 1.0), repeat=x.shape[1]))


@pytest.mark.parametrize("q", [1, 1.5, 2, 3])
def test_linf_domain_is_exact_on_few_columns(q: float) -> None:
    x = RNG.standard_normal((5, 6))
    spec = {1: "linf->l1", 1.5: "linf->lp(3/2)", 2: "linf->l2", 3: "linf->lp(3)"}[q]
    b = nk.bounds(spec, x)
    assert b.kind == "exact"
    assert b.lower == pytest.approx(enumerated(x, q), rel=1e-13)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_l1_codomain_is_exact_on_few_rows(p: int) -> None:
    x = RNG.standard_normal((4, 9))
    b = nk.bounds(f"lp({p})->l1", x)
    conjugate = p / (p - 1)
    exact = max(float(np.linalg.norm(x.T @ np.array(u), conjugate)) for u in product((-1.0, 1.0), repeat=4))
    assert b.kind == "exact" and b.lower == pytest.approx(exact, rel=1e-12)
    assert b.witness is not None
    assert np.abs(x @ b.witness).sum() == pytest.approx(b.lower, rel=1e-12)
    assert np.linalg.norm(b.witness, p) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("spec", ["linf->l2", "linf->l1", "linf->lp(3)"])
def test_bracket_holds_the_enumerated_value(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("normkit.operator_bounds.ENUMERATE", 0)
    q = {"linf->l2": 2.0, "linf->l1": 1.0, "linf->lp(3)": 3.0}[spec]
    for _ in range(5):
        x = RNG.standard_normal((4, 7)) * 10.0 ** RNG.integers(-3, 4)
        b, exact = nk.bounds(spec, x), enumerated(x, q)
        assert b.kind == "certified"
        assert b.lower <= exact * (1 + 1e-12) and exact <= b.upper * (1 + 1e-12)


@pytest.mark.parametrize("p,q", [(np.inf, 1.0), (4.0, 4 / 3), (3.0, 1.5), (np.inf, 2.0), (2.0, 1.0)])
def test_factorisation_bound_is_never_below_sampled_ratios(p: float, q: float) -> None:
    x = RNG.standard_normal((6, 5))
    upper = factorisation_bound(x, p, q)
    for _ in range(2000):
        v = RNG.standard_normal(5)
        v = np.sign(v) if np.isinf(p) else v
        assert np.linalg.norm(x @ v, q) <= upper * np.linalg.norm(v, p) * (1 + 1e-12)
    assert upper <= float(np.linalg.norm(x, 2)) * 6 ** (1 / q - 0.5) * 5 ** (0.5 - 1 / p) * (1 + 1e-12)


def test_projective_norm_is_bracketed_around_the_linear_program() -> None:
    """The dual of linf->l1 is the gauge of the hull of s t' over signs: a linear program on 3 x 3."""
    signs = [np.array(u) for u in product((-1.0, 1.0), repeat=3)]
    atoms = np.array([np.outer(u, v).reshape(-1) for u in signs for v in signs if u[0] > 0])
    for _ in range(4):
        g = RNG.standard_normal((3, 3))
        t = cp.Variable(9)
        # max <g, t> over ||t||_{inf->1} <= 1: one inequality for every pair of sign vectors
        exact = cp.Problem(cp.Maximize(g.reshape(-1) @ t), [atoms @ t <= 1, atoms @ t >= -1]).solve(solver="CLARABEL")
        b = nk.bounds("dual(linf->l1)", g)
        assert b.lower <= exact * (1 + 1e-7) and exact <= b.upper * (1 + 1e-7)


def test_surrogate_maximiser_is_feasible_for_the_operator_norm() -> None:
    g = RNG.standard_normal((5, 6))
    lower, upper, t = surrogate(g, np.inf, 1.0)
    assert enumerated(t, 1.0) <= 1 + 1e-12
    assert np.sum(g * t) == pytest.approx(lower, rel=1e-12)
    assert lower <= upper <= lower * 1.01
    assert surrogate_constant(np.inf, 1.0) == pytest.approx(1.00863 * np.pi / (2 * np.log(1 + np.sqrt(2))), rel=1e-12)


def test_zero_is_exact() -> None:
    b = nk.bounds("linf->l1", np.zeros((20, 20)))
    assert (b.lower, b.upper, b.kind) == (0.0, 0.0, "exact")


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_ball_sum_against_its_definition(scale: float) -> None:
    x = RNG.standard_normal(5)
    u = cp.Variable(5)
    exact = cp.Problem(cp.Minimize(cp.maximum(cp.norm_inf(u), cp.norm2(x - u)))).solve(solver="CLARABEL")
    b = generate(program("ballsum(linf, l2)"), scale * x, "reference")
    assert b.lower / scale <= exact * (1 + 1e-7) and exact <= b.upper / scale * (1 + 1e-7)
    assert b.upper <= b.lower * (1 + 1e-6)


def test_infimal_convolution_of_matrices_against_its_definition() -> None:
    x = RNG.standard_normal((4, 3))
    u = cp.Variable((4, 3))
    exact = cp.Problem(cp.Minimize(cp.sigma_max(u) + cp.max(cp.abs(x - u)))).solve(solver="CLARABEL")
    b = nk.bounds("infconv(spectral, max)", x)
    assert b.lower <= exact * (1 + 1e-6) and exact <= b.upper * (1 + 1e-6)
    assert b.upper <= b.lower * (1 + 1e-3)


def test_closed_forms_are_exact() -> None:
    x = RNG.standard_normal((3, 4))
    b = nk.bounds("rms->rms", x)
    assert b.kind == "exact" and b.lower == b.upper == pytest.approx(np.sqrt(4 / 3) * np.linalg.norm(x, 2))


def test_batches_are_refused() -> None:
    with pytest.raises(nk.ShapeError, match="one item"):
        nk.bounds("linf->l1", np.ones((2, 3, 4)))
