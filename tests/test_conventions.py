"""Step conventions: the minimiser against a conic solver, the decrease against losses whose smoothness is known."""

from __future__ import annotations

from itertools import product
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from oracles import express
from sympy import Rational, diff, simplify

import normkit as nk
from normkit import guarantees as of

Arrays = dict[str, np.ndarray[Any, Any]]
PARTS = {"w": "rms->rms", "v": "linf", "u": "lp(3)"}
SCALES = {"w": 1.5, "u": 0.25}


def gradients(seed: int = 0, factor: float = 1.0) -> Arrays:
    draw = np.random.default_rng(seed)
    return {"w": factor * draw.standard_normal((2, 3)), "v": draw.standard_normal(4), "u": draw.standard_normal(3)}


def size_of(outer: str, steps: Any) -> tuple[Any, list[Any]]:
    """Return N(D) as a bound and its constraints, block by block."""
    sizes, constraints = cp.Variable(len(PARTS), nonneg=True), []
    for place, (name, part) in enumerate(PARTS.items()):
        size, more = express(nk.norm(part), steps[name])
        constraints += [*more, SCALES.get(name, 1.0) * size <= sizes[place]]
    whole, more = express(nk.norm(outer), sizes)
    bound = cp.Variable(nonneg=True)
    return bound, [*constraints, *more, whole <= bound]


def model(outer: str, G: Arrays, penalty: Any, radius: float | None, at: Arrays | None = None) -> float:
    """Minimise <G, D> + penalty(N(D)) over N(D) <= radius; or evaluate it at a step."""
    steps = {name: cp.Variable(g.shape) for name, g in G.items()}
    bound, constraints = size_of(outer, steps)
    if radius is not None:
        constraints.append(bound <= radius * (1 if at is None else 1 + 1e-6))
    if at is not None:
        constraints += [steps[name] == at[name] for name in G]
    pairing = sum(cp.sum(cp.multiply(G[name], steps[name])) for name in G)
    problem = cp.Problem(cp.Minimize(pairing + penalty(bound)), constraints)
    problem.solve(solver=cp.CLARABEL)
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
    return float(problem.value)


CASES: list[tuple[nk.Convention, Any, float | None]] = [
    (nk.Sharp(1.75), lambda r: 1.75 / 2 * cp.square(r), None),
    (nk.LMO(0.4), lambda r: 0.0, 0.4),
    (nk.TrustRegion(0.4), lambda r: 0.0, 0.4),
    (nk.TrustRegion(0.4, sharpness=3.0), lambda r: 3.0 / 2 * cp.square(r), 0.4),
    (nk.TrustRegion(50.0, sharpness=3.0), lambda r: 3.0 / 2 * cp.square(r), 50.0),
    (nk.PowerStep(1.75, power=3), lambda r: 1.75 / 3 * cp.power(r, 3), None),
    (nk.PowerStep(1.75, power=1.5), lambda r: 1.75 / 1.5 * cp.power(r, 1.5), None),
]


@pytest.mark.parametrize("outer", ["linf", "l2", "l1"])
@pytest.mark.parametrize(("convention", "penalty", "radius"), CASES, ids=[str(case[0]) for case in CASES])
def test_steps_are_the_solvers_minimisers(convention: Any, penalty: Any, radius: Any, outer: str) -> None:
    G = gradients(factor=0.3)
    D = convention.step(nk.Modular(PARTS, outer, SCALES), None, G)
    least = model(outer, G, penalty, radius)
    assert model(outer, G, penalty, radius, at=D) == pytest.approx(least, rel=5e-5)


def test_the_solver_tells_conventions_apart() -> None:
    G = gradients()
    N = nk.Modular(PARTS, "linf", SCALES)
    least = model("linf", G, lambda r: 3.0 / 2 * cp.square(r), 0.4)
    for wrong in (nk.Sharp(3.0), nk.TrustRegion(0.3, 3.0), nk.LMO(0.2)):
        D = wrong.step(N, None, G)
        try:
            assert model("linf", G, lambda r: 3.0 / 2 * cp.square(r), 0.4, at=D) > least + 1e-2 * abs(least)
        except AssertionError as error:
            assert "infeasible" in str(error)


def test_short_forms_are_the_functions() -> None:
    G, g = gradients(), np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [4.0, 4.0, 1.0]])
    N = nk.Modular(PARTS, "l2", SCALES)
    for convention, wanted in (
        (nk.Sharp(0.7), lambda norm, x: nk.steepest_descent(norm, x, sharpness=0.7)),
        (nk.PowerStep(0.7), lambda norm, x: nk.steepest_descent(norm, x, sharpness=0.7)),
        (nk.LMO(0.7), lambda norm, x: nk.lmo(norm, x, radius=0.7)),
        (nk.TrustRegion(0.7), lambda norm, x: nk.lmo(norm, x, radius=0.7)),
    ):
        assert np.allclose(convention.step("linf", None, g), wanted("linf", g), rtol=1e-15)
        made, right = convention.step(N, None, G), wanted(N, G)
        assert all(np.allclose(made[name], right[name], rtol=1e-15) for name in G)
    with pytest.raises(TypeError):
        nk.Sharp(0.7).step("linf", None, g, radius=3.0)


def test_frank_wolfe_averages_and_stays_in_the_ball() -> None:
    draw = np.random.default_rng(3)
    N = nk.Modular(PARTS, "l2", SCALES)
    convention = nk.FrankWolfe(2.0, rate=0.3)
    W = {name: np.zeros_like(g) for name, g in gradients().items()}
    for seed in range(30):
        G = gradients(seed)
        D = convention.step(N, W, G)
        lmo = nk.lmo(N, G, radius=2.0)
        assert all(np.allclose(W[name] + D[name], 0.7 * W[name] + 0.3 * lmo[name]) for name in G)
        W = {name: W[name] + D[name] for name in G}
        assert float(N(W)) <= 2.0 * (1 + 1e-12)
    X = draw.standard_normal((5, 3))
    made = convention.step("linf", X, -X)
    assert np.allclose(X + made, 0.7 * X + 0.6 * np.sign(X))
    with pytest.raises(nk.ShapeError, match="weights and the gradient differ in shape"):
        convention.step("linf", X[0], X)
    with pytest.raises(nk.ShapeError, match="the weights 'w' and the gradient differ in shape"):
        convention.step(N, W | {"w": np.ones((3, 3))}, G)
    with pytest.raises(nk.ShapeError, match="the weights lacks 'u'"):
        convention.step(N, {"w": W["w"], "v": W["v"]}, G)


# --- the decrease -------------------------------------------------------------------------------------------------


def quadratic(seed: int, size: int = 5) -> tuple[np.ndarray[Any, Any], dict[str, float]]:
    """Return a positive semidefinite H and its smoothness in l1, l2 and linf: exact, linf by enumerating signs."""
    root = np.random.default_rng(seed).standard_normal((size, size - 1))
    H = root @ root.T
    signs = [np.array(s) for s in product([-1.0, 1.0], repeat=size)]
    return H, {
        "l1": float(np.max(np.diag(H))),
        "l2": float(np.linalg.eigvalsh(H)[-1]),
        "linf": float(max(s @ H @ s for s in signs)),
    }


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
@pytest.mark.parametrize("seed", range(8))
def test_quadratics_fall_by_what_is_guaranteed(norm: str, seed: int) -> None:
    H, constants = quadratic(seed)
    L, W = constants[norm], np.random.default_rng(seed + 100).standard_normal(5)
    g = H @ W
    for convention in (
        *(nk.Sharp(c * L) for c in (0.6, 1.0, 3.0)),
        *(nk.LMO(r) for r in (0.01, 0.5, 5.0)),
        nk.TrustRegion(0.1, L),
        nk.TrustRegion(5.0, L),
        nk.PowerStep(L, power=2),
        nk.FrankWolfe(2.0, rate=0.1),
        nk.FrankWolfe(0.5, rate=1.0),
        nk.LayerwiseSmooth(L, 0.1),
    ):
        V = W + convention.step(norm, W, g)
        falls = 0.5 * (W @ H @ W - V @ H @ V)
        assert falls >= convention.guaranteed(norm, W, g, smoothness=L) - 1e-9 * abs(W @ H @ W)


def test_a_smaller_constant_promises_too_much() -> None:
    """The decrease of a sharp step is exact along one direction: no smaller smoothness would do."""
    g = np.array([3.0, 4.0])
    H = 2.0 * np.outer(g, g) / 25
    W = g / 2
    V = W + nk.Sharp(2.0).step("l2", W, H @ W)
    falls = 0.5 * (W @ H @ W - V @ H @ V)
    assert falls == pytest.approx(float(nk.Sharp(2.0).guaranteed("l2", W, H @ W, smoothness=2.0)), rel=1e-12)
    assert falls < float(nk.Sharp(2.0).guaranteed("l2", W, H @ W, smoothness=1.9))


def test_layers_fall_each_by_its_own() -> None:
    """f = sum of c_l/2 |W_l|^2: with L0 + L1 d_l = c_l the guarantee is the decrease itself."""
    W = {"a": np.array([3.0, 4.0]), "b": np.array([1.0, 0.0, 0.0])}
    c = {"a": 2.0, "b": 0.5}
    G = {name: c[name] * w for name, w in W.items()}
    N = nk.Modular(dict.fromkeys(W, "l2"))
    convention = nk.LayerwiseSmooth({"a": 1.0, "b": 0.25}, {"b": 0.5, "a": 0.1})
    D = convention.step(N, None, G)
    falls = sum(c[name] / 2 * (W[name] @ W[name] - (W[name] + D[name]) @ (W[name] + D[name])) for name in W)
    assert falls == pytest.approx(float(convention.guaranteed(N, None, G)), rel=1e-12)
    assert falls == pytest.approx(10.0**2 / 4 + 0.5**2 / 1)
    zero = G | {"b": np.zeros(3)}
    assert not nk.LayerwiseSmooth(0.0, 2.0).step(N, None, zero)["b"].any()
    assert np.allclose(nk.LayerwiseSmooth(0.0, 2.0).step(N, None, G)["a"], [-0.3, -0.4])
    assert np.allclose(nk.LayerwiseSmooth(2.0, 0.0).step("l2", None, G["a"]), nk.Sharp(2.0).step("l2", None, G["a"]))
    scaled = nk.Modular(dict.fromkeys(W, "l2"), scales={"a": 3})
    own = nk.LayerwiseSmooth(1.0, 1.0)
    assert np.allclose(own.step(scaled, None, G)["a"], own.step("3*l2", None, G["a"]))


def test_modular_quadratics_fall_by_what_is_guaranteed() -> None:
    """For an outer l2 of l2 norms the smoothness of f = 1/2 w'Hw, with scales, is an eigenvalue."""
    H, _ = quadratic(4)
    s = np.array([2.0, 2.0, 2.0, 0.5, 0.5])
    L = float(np.linalg.eigvalsh(H / np.outer(s, s))[-1])
    N = nk.Modular({"a": "l2", "b": "l2"}, "l2", {"a": 2, "b": 0.5})
    w = np.random.default_rng(5).standard_normal(5)
    G = {"a": (H @ w)[:3], "b": (H @ w)[3:]}
    for convention in (nk.Sharp(L), nk.LMO(0.3), nk.TrustRegion(0.3, L), nk.FrankWolfe(1.0, 0.2), nk.PowerStep(L)):
        D = convention.step(N, {"a": w[:3], "b": w[3:]}, G)
        v = w + np.concatenate([D["a"], D["b"]])
        falls = 0.5 * (w @ H @ w - v @ H @ v)
        promised = convention.guaranteed(N, {"a": w[:3], "b": w[3:]}, G, smoothness=L)
        assert isinstance(promised, np.float64)
        assert falls >= promised - 1e-12


def test_formulas_are_those_of_the_books() -> None:
    d, L, lam, eta = of.dual_norm, of.smoothness, of.sharpness, of.radius
    assert simplify(nk.Sharp(1.0).decrease.subs(L, lam) - d**2 / (2 * lam)) == 0
    assert simplify(nk.LMO(1.0).decrease - (eta * d - L * eta**2 / 2)) == 0
    assert simplify(diff(nk.LMO(1.0).decrease, eta).subs(eta, d / L)) == 0
    assert simplify(nk.PowerStep(1.0).decrease.subs(of.power, 2) - nk.Sharp(1.0).decrease) == 0
    p = Rational(3, 2)
    best = nk.PowerStep(1.0).decrease.subs({L: lam, of.power: p})
    assert simplify(best - (1 - 1 / p) * d ** (p / (p - 1)) * lam ** (-1 / (p - 1))) == 0
    assert simplify(nk.LayerwiseSmooth(1.0, 1.0).decrease - d**2 / (2 * (of.L0 + of.L1 * d))) == 0
    w, h, gamma = of.size, of.gap, of.rate
    assert simplify(nk.FrankWolfe(1.0).decrease - (gamma * h - L / 2 * gamma**2 * (w + eta) ** 2)) == 0


def test_numbers_are_the_formulas() -> None:
    g, W = np.array([[1.0, -2.0], [0.5, 0.25]]), np.array([[0.1, 0.2], [0.3, 0.0]])
    d = [float(each) for each in nk.dual_value("linf", g)]
    for convention, numbers in (
        (nk.Sharp(0.7), {of.sharpness: 0.7}),
        (nk.LMO(0.2), {of.radius: 0.2}),
        (nk.TrustRegion(0.2, 3.0), {of.radius: 0.2, of.sharpness: 3.0}),
        (nk.PowerStep(0.7, 3.0), {of.sharpness: 0.7, of.power: 3.0}),
    ):
        made = convention.guaranteed("linf", None, g, smoothness=1.5)
        wanted = [float(convention.decrease.subs(numbers | {of.dual_norm: each, of.smoothness: 1.5})) for each in d]
        assert np.allclose(made, wanted, rtol=1e-13)
    made = nk.FrankWolfe(2.0, 0.5).guaranteed("linf", W, g, smoothness=1.5)
    gaps = [float(np.sum(g[k] * W[k]) + 2 * d[k]) for k in range(2)]
    sizes = [float(np.max(np.abs(W[k]))) for k in range(2)]
    assert np.allclose(made, [0.5 * h - 0.75 * 0.25 * (w + 2) ** 2 for h, w in zip(gaps, sizes, strict=True)])


# --- values ----------------------------------------------------------------------------------------------------------


def test_conventions_are_values() -> None:
    assert nk.Sharp(2) == nk.Sharp(2.0)
    assert len({nk.LMO(1.0), nk.LMO(1.0), nk.TrustRegion(1.0), nk.FrankWolfe(1.0)}) == 3
    with pytest.raises(AttributeError):
        nk.LMO(1.0).radius = 2.0  # type: ignore[misc]
    assert hash(nk.LayerwiseSmooth({"a": 1.0}, 0.0)) == hash(nk.LayerwiseSmooth({"a": 1.0}, 0.0))


WRONG: list[tuple[Any, str]] = [
    (lambda: nk.Sharp(0.0), "sharpness must be a positive finite number; got 0.0"),
    (lambda: nk.Sharp("2"), "sharpness must be a positive finite number; got '2'"),
    (lambda: nk.LMO(float("nan")), "radius must be a positive"),
    (lambda: nk.TrustRegion(1.0, -1.0), "sharpness must be a positive"),
    (lambda: nk.PowerStep(1.0, 1.0), "power must be more than 1"),
    (lambda: nk.FrankWolfe(1.0, 1.5), r"rate must be in \(0, 1\]"),
    (lambda: nk.FrankWolfe(1.0, 0.0), "rate must be a positive"),
    (lambda: nk.LayerwiseSmooth(0.0, 0.0), "one of L0 and L1 must be positive"),
    (lambda: nk.LayerwiseSmooth({"a": -1.0}, 1.0), "L0 must be a positive"),
    (
        lambda: nk.LayerwiseSmooth({"a": 1.0}, 1.0).step("l2", None, [1.0]),
        r"L0 has the names \['a'\]; expected a number",
    ),
    (
        lambda: nk.LayerwiseSmooth(1.0, {"a": 1.0}).step(nk.Modular({"b": "l2"}), None, {"b": np.ones(2)}),
        r"L1 has the names \['a'\]; expected the names of the norm, \['b'\]",
    ),
    (lambda: nk.Sharp(1.0).guaranteed("l2", None, [1.0], smoothness=0.0), "smoothness must be a positive"),
]


@pytest.mark.parametrize(("make", "said"), WRONG)
def test_wrong_numbers(make: Any, said: str) -> None:
    with pytest.raises(nk.ParameterError, match=said):
        make()


def test_steps_that_overflow_say_so() -> None:
    with pytest.raises(nk.NonFiniteError, match="step overflows"):
        nk.PowerStep(1e-300, power=1.1).step("l2", None, np.array([1e300]))
    with pytest.raises(nk.NonFiniteError, match="step overflows float32"):
        nk.Sharp(1e-30).step("l2", None, np.array([1e30], dtype=np.float32))
