"""Sums and maxima of two norms on one space: their duals against a conic solver, laws to rounding, and old traps."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from oracles import oracle_dual

import normkit as nk

N = 5
RNG = np.random.default_rng(7)
W = [3.0, 2.0, 2.0, 1.0, 0.5]
C = [1.0, 0.5, 0.5, 0.4, 0.0]


def owl(w):
    steps = np.append(np.array(w), 0.0)
    return lambda x: sum((steps[k] - steps[k + 1]) * cp.sum_largest(cp.abs(x), k + 1) for k in range(len(w)))


def dual_owl(w):
    return lambda x: cp.maximum(*(cp.sum_largest(cp.abs(x), k + 1) / sum(w[: k + 1]) for k in range(len(w))))


ATOMS = {
    "l1": cp.norm1,
    "linf": cp.norm_inf,
    "l2": cp.norm2,
    "rms": lambda x: cp.norm2(x) / np.sqrt(N),
    "topk(2)": lambda x: cp.sum_largest(cp.abs(x), 2),
    "dual(topk(2))": lambda x: cp.maximum(cp.norm_inf(x), cp.norm1(x) / 2),
    f"owl({W})": owl(W),
    f"owl({C})": owl(C),
    f"dual(owl({W}))": dual_owl(W),
    f"dual(owl({C}))": dual_owl(C),
}
PAIRS = [(first, second) for place, first in enumerate(ATOMS) for second in list(ATOMS)[place + 1 :]]


def vectors(n=N):
    """Random, tied, nearly tied, sparse, one-hot and constant vectors."""
    draw = np.random.default_rng(n)
    gaussian = draw.standard_normal(n)
    return {
        "gaussian": gaussian,
        "heavy": draw.standard_t(1.2, n) ** 3,
        "tied": np.array(([2, -2, 2, 1, 0, 1] * n)[:n], dtype=float),
        "nearly tied": 1 + 1e-9 * gaussian,
        "sparse": np.where(np.arange(n) % 2 == 0, gaussian, 0.0),
        "one-hot": np.eye(n)[n // 2] * -3,
        "constant": np.full(n, 1.5),
    }


def solved(g, constraints):
    x = cp.Variable(len(g))
    problem = cp.Problem(cp.Maximize(g @ x), constraints(x))
    return problem.solve(solver=cp.CLARABEL)


def ask(spec, g):
    """N*(g), t, N(t)."""
    norm = nk.norm(spec)
    t = nk.dualize(norm, g, backend="reference")
    return nk.dual_value(norm, g, backend="reference"), t, nk.value(norm, t, backend="reference")


def assert_laws(spec, g, tol=1e-13):
    dual, t, size = ask(spec, g)
    assert abs(size - 1) < tol, spec
    scale = np.abs(g).max()
    assert abs((g / scale) @ t / (dual / scale) - 1) < tol, spec
    for k in range(8):  # Hölder, also close to the maximiser
        x = t + np.random.default_rng(k).standard_normal(len(g)) * 10.0 ** -(k + 1)
        value = nk.value(spec, x, backend="reference")
        assert (g / scale) @ x <= dual / scale * value * (1 + tol), spec


@pytest.mark.parametrize("pair", PAIRS, ids=" & ".join)
def test_sum_and_maximum_agree_with_a_conic_solver(pair):
    (first, second), c = pair, round(float(RNG.uniform(0.2, 3.0)), 3)
    f, h = ATOMS[first], ATOMS[second]
    gradients = vectors()
    for name in ("gaussian", "tied"):
        g = gradients[name]
        plus = solved(g, lambda x: [f(x) + c * h(x) <= 1])
        assert ask(f"{first} + {c}*{second}", g)[0] == pytest.approx(plus, rel=1e-6)
        both = solved(g, lambda x: [f(x) <= 1, c * h(x) <= 1])
        assert ask(f"max({first}, {c}*{second})", g)[0] == pytest.approx(both, rel=1e-6)


@pytest.mark.parametrize("pair", PAIRS, ids=" & ".join)
def test_laws_hold_to_rounding(pair):
    first, second = pair
    for g in vectors().values():
        assert_laws(f"{first} + 7/10*{second}", g)
        assert_laws(f"max({first}, 7/10*{second})", g)


@pytest.mark.parametrize(
    "spec", ["3/5*l1 + l2", "max(l1, 6/5*l2)", "topk(2) + l2", "max(linf, 3/4*l1)", "lp(3) + lp(3/2)"]
)
@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_extreme_scales(spec, scale):
    g = vectors()["gaussian"]
    dual, t, _ = ask(spec, g)
    far, same, _ = ask(spec, g * scale)
    np.testing.assert_allclose(same, t, rtol=1e-13, atol=1e-15)
    assert far / scale == pytest.approx(dual, rel=1e-13)


def power(x, p):
    return cp.norm_inf(x) if p == "oo" else cp.pnorm(x, p, approx=False)


PAIRS_OF_POWERS = [
    *[(4, 1.5, 0.5), (3, 2, 1.1), (1.2, 2, 1.1), (6, 1.1, 0.3), (1, 3, 1.5), (3, 1, 0.4), (1, 1.2, 1.1)],
    *[("oo", 3, 0.8), (1.5, "oo", 1.3), ("oo", 1.05, 0.6), (8, "oo", 1.1)],
]


@pytest.mark.parametrize(("p", "r", "c"), PAIRS_OF_POWERS)
def test_two_lp_norms(p, r, c):
    for name, g in vectors().items():
        plus, both = f"lp({p}) + {c}*lp({r})", f"max(lp({p}), {c}*lp({r}))"
        assert_laws(plus, g)
        assert_laws(both, g)
        if name == "gaussian":
            summed = solved(g, lambda x: [power(x, p) + c * power(x, r) <= 1])
            assert ask(plus, g)[0] == pytest.approx(summed, rel=1e-5)
            joint = solved(g, lambda x: [power(x, p) <= 1, c * power(x, r) <= 1])
            assert ask(both, g)[0] == pytest.approx(joint, rel=1e-5)


def test_simplification():
    """A part that another one is never below drops out; multiples of one norm are one multiple."""
    g = vectors()["gaussian"]
    for spec, simple in {
        "max(1/2*linf, l2)": "l2",
        "max(l1, 1/2*l2)": "l1",
        "max(3*linf, l2)": "3*linf",  # sqrt(5) < 3
        "max(l1, 3*l2)": "3*l2",
        "l1 + l1": "2*l1",
        "max(lp(3), 2*lp(3))": "2*lp(3)",
        "l1 + linf + topk(2)": "owl([3, 2, 1, 1, 1])",
        "topk(1) + lp(oo)": "2*linf",
        "kp(2, 1) + l2": "topk(2) + l2",
        "max(linf, 1/2*l1)": "dual(topk(2))",
        "lovasz(Min(n, 2)) + 2*l2": "topk(2) + 2*l2",
        "lovasz(Min(n, 2)) + l1": "topk(2) + l1",
        "max(dual(lovasz(Min(n, 2))), 7/10*linf, l2)": "max(dual(topk(2)), 7/10*linf, l2)",
        "kp(3, oo) + l2": "linf + l2",
    }.items():
        dual, t, _ = ask(spec, g)
        expected, s, _ = ask(simple, g)
        assert dual == pytest.approx(expected, rel=1e-14), spec
        np.testing.assert_allclose(t, s, rtol=1e-12, atol=1e-15, err_msg=spec)


def test_three_parts_fold():
    g = vectors()["gaussian"]
    folded = solved(g, lambda x: [cp.norm1(x) + cp.norm_inf(x) + 2 * cp.norm2(x) <= 1])
    assert ask("l1 + linf + 2*l2", g)[0] == pytest.approx(folded, rel=1e-6)
    joint = solved(g, lambda x: [cp.norm1(x) <= 2, cp.norm_inf(x) <= 1, 0.9 * cp.norm2(x) <= 1])
    assert ask("max(linf, 1/2*l1, 9/10*l2)", g)[0] == pytest.approx(joint, rel=1e-6)


# --- matrices --------------------------------------------------------------------------------------------------------

MATRICES = {
    "spectral + 1/10*nuclear": lambda X: cp.sigma_max(X) + 0.1 * cp.normNuc(X),
    "spectral + 2*fro": lambda X: cp.sigma_max(X) + 2 * cp.norm(X, "fro"),
    "max(spectral, 1/2*fro)": lambda X: cp.maximum(cp.sigma_max(X), cp.norm(X, "fro") / 2),
    "max(nuclear, 3/2*fro)": lambda X: cp.maximum(cp.normNuc(X), 1.5 * cp.norm(X, "fro")),
    "max + fro": lambda X: cp.max(cp.abs(X)) + cp.norm(X, "fro"),
    "max(sumabs, 2*fro)": lambda X: cp.maximum(cp.sum(cp.abs(X)), 2 * cp.norm(X, "fro")),
    "max(max, 1/4*sumabs)": lambda X: cp.maximum(cp.max(cp.abs(X)), cp.sum(cp.abs(X)) / 4),
    "entries(topk(3)) + 1/2*max": lambda X: cp.sum_largest(cp.vec(cp.abs(X), order="C"), 3) + cp.max(cp.abs(X)) / 2,
}


@pytest.mark.parametrize("spec", MATRICES)
def test_matrices_agree_with_a_conic_solver(spec):
    draw = np.random.default_rng(3)
    G = draw.standard_normal((4, 3))
    X = cp.Variable((4, 3))
    problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, X))), [MATRICES[spec](X) <= 1])
    oracle = problem.solve(solver=cp.CLARABEL)
    dual, T, size = ask(spec, G)
    assert dual == pytest.approx(oracle, rel=1e-6)
    assert np.sum(G * T) == pytest.approx(dual, rel=1e-13)
    assert size == pytest.approx(1, rel=1e-13)
    low_rank = draw.standard_normal((4, 1)) @ draw.standard_normal((1, 3))
    dual, T, size = ask(spec, low_rank)
    assert np.sum(low_rank * T) == pytest.approx(dual, rel=1e-12)
    assert size == pytest.approx(1, rel=1e-12)


def test_common_factor_of_the_shape_passes_through():
    G = RNG.standard_normal((4, 2))
    plain = ask("spectral + 2*fro", G)[0]
    assert ask("sqrt(n/m)*spectral + 2*sqrt(n/m)*fro", G)[0] == pytest.approx(plain * np.sqrt(2), rel=1e-14)


@pytest.mark.parametrize(
    "spec",
    ["max(spectral, 4*max)", "rows(l1, l2) + fro", "kp(2, 2) + l1", "orlicz(x**3) + l1", "sqrt(n/m)*max + fro"],
)
def test_what_is_not_closed_says_so(spec):
    norm = nk.norm(spec)
    with pytest.raises(nk.NoClosedForm, match="has no closed form here"):
        nk.dualize(norm, np.ones((2, 3) if norm.ndim == 2 else 3), backend="reference")


def test_synthesis_norm_without_value_certifies_its_own_answer():
    G = RNG.standard_normal((4, 3))
    norm = nk.norm("ballsum(3/2*spectral, 3*max)")
    T = nk.dualize(norm, G, backend="reference")
    certificate = nk.certify(norm, G, T, backend="reference")
    assert certificate.kind == "certified"
    assert certificate.holds(1e-12)
    with pytest.raises(nk.NoClosedForm):
        nk.value(norm, G)


def test_values_of_synthesis_norms_by_the_pair_rules():
    """ballsum and infconv have an explicit value where the pair of duals is closed: the infimum over decompositions."""
    x = vectors()["gaussian"]
    u = cp.Variable(N)
    least = cp.Problem(cp.Minimize(cp.maximum(cp.norm_inf(u), cp.norm2(x - u)))).solve(solver=cp.CLARABEL)
    assert nk.value("ballsum(linf, l2)", x, backend="reference") == pytest.approx(least, rel=1e-6)
    least = cp.Problem(cp.Minimize(cp.norm1(u) + 2 * cp.norm2(x - u))).solve(solver=cp.CLARABEL)
    assert nk.value("infconv(l1, 2*l2)", x, backend="reference") == pytest.approx(least, rel=1e-6)


# --- where textbook formulas break -----------------------------------------------------------------------------------


def test_double_root_at_the_edge_takes_the_tied_face():
    _, t, _ = ask("max(l1, 6/5*l2)", np.array([1.0, 1.0]))
    np.testing.assert_array_equal(t, [0.5, 0.5])


@pytest.mark.parametrize("seed", range(5))
def test_nearly_tied_face_stays_feasible(seed):
    g = 1 + 1e-9 * np.random.default_rng(seed).standard_normal(6)
    _, _, size = ask("max(l1, 11/5*l2)", g)
    assert abs(size - 1) < 1e-14


def test_vanishing_leading_coefficient():
    """j a^2 = b^2 on the first piece: 0/0 in the textbook root of the quadratic."""
    dual, t, size = ask("l1 + l2", np.array([3.0, 1.0]))
    assert size == pytest.approx(1, rel=1e-15)
    assert dual == pytest.approx(1.5, rel=1e-15)
    np.testing.assert_allclose(t, [0.5, 0.0], atol=1e-16)


def test_zero_gradient_and_one_entry():
    for spec in ("3/5*l1 + l2", "max(topk(2), 1/2*l1)", "max(l1, 6/5*l2)", "lp(3) + l2"):
        np.testing.assert_array_equal(nk.dualize(spec, np.zeros(4), backend="reference"), np.zeros(4))
        assert_laws(spec, np.array([-2.0]))


@pytest.mark.parametrize("name", ["plus", "maximum", "ballsum", "infconv"])
def test_examples_round_trip(name):
    for norm in nk.norms()[name].examples():
        assert nk.norm(str(norm)) == norm
        assert norm.dual.dual == norm


# --- coefficients that depend on the shape of the matrix --------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        "rms->rms + fro",
        "max(rms->rms, 1/2*nuclear)",
        "max(sqrt(n/m)*spectral, fro)",
        "ballsum(rms->rms, fro, 1/2*nuclear)",
        "schatten(3) + rms->rms",
    ],
)
@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (3, 3), (1, 3)])
def test_unitarily_invariant_parts_may_depend_on_the_shape(spec: str, shape: tuple[int, ...]) -> None:
    norm, g = nk.norm(spec), np.random.default_rng(1).standard_normal(shape)
    for backend in ("reference", "cpu"):
        assert nk.dual_value(norm, g, backend=backend) == pytest.approx(oracle_dual(norm, g), rel=1e-6)
        t = nk.dualize(norm, g, backend=backend)
        assert nk.certify(norm, g, t).holds(1e-12)
    assert nk.norm(str(norm)) == norm


def test_the_source_of_a_norm_that_depends_on_the_shape_says_so() -> None:
    source = nk.compile("max(rms->rms, fro)").source
    assert "bound to every shape" in source and "def " in source


def test_every_search_has_a_formula() -> None:
    from normkit.backends.search import ALGORITHMS
    from normkit.formulas import search

    assert set(search.ALGORITHMS) == set(search.BALLS) == set(ALGORITHMS)
