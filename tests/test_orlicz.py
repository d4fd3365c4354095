"""Orlicz norms: against conic solvers and direct minimisation, the edge cases of Young functions, and bad ones."""

from __future__ import annotations

import cvxpy as cp
import mpmath
import numpy as np
import pytest
import scipy.optimize
from sympy import Abs, Max, Piecewise, Rational, Symbol, cosh, diff, exp, lambdify, log, sin, sqrt
from sympy import atanh as artanh

import normkit as nk
from normkit.backends.scalar import function
from normkit.programs import program

x = Symbol("x", positive=True)
HUBER = Piecewise((x**2 / 2, x <= 1), (x - Rational(1, 2), True))

# Young function, and the constraint sum phi(|t|) <= 1 as a convex program where a solver can express it.
CONIC = {
    "exp": (exp(x) - 1 - x, lambda t: cp.exp(t) - 1 - t),
    "cosh": (cosh(x) - 1, lambda t: (cp.exp(t) + cp.exp(-t)) / 2 - 1),
    "entropy": (x * artanh(x) + log(1 - x**2) / 2, lambda t: -(cp.entr(1 + t) + cp.entr(1 - t)) / 2),
    "barrier": (-log(1 - x) - x, lambda t: -cp.log(1 - t) - t),
    "huber": (HUBER, lambda t: cp.huber(t) / 2),
    "root": (sqrt(1 + x**2) - 1, lambda t: cp.vstack([cp.norm(cp.hstack([1, e])) - 1 for e in t])),
    "dead zone": (Max(0, x - Rational(1, 3)) ** 2, lambda t: cp.square(cp.pos(t - 1 / 3))),
    "affine": (Max(x, 2 * x - 1, 3 * x - 5), lambda t: cp.maximum(t, 2 * t - 1, 3 * t - 5)),
    "linear": (x, lambda t: t),
    "corner": (x**2 + x, lambda t: cp.square(t) + t),
    "mixed powers": (x ** Rational(3, 2) + x**3, lambda t: cp.power(t, 1.5) + cp.power(t, 3)),
}
OTHERS = {
    "cube": x**3 / 3,
    "disc": (1 - sqrt(1 - x**2)) / 10,
    "disc 2": 1 - sqrt(1 - x**2),
    "no closed inverse": x**3 + exp(x) - 1 - x,
    "starts steep": x * exp(x),
    "slow": x - log(1 + x),
    "polar": 1 / (1 - x) - 1,
    "gauss": exp(x**2) - 1,
    "small": x**2 / 1000,
    "kinks": Max(x / 10, x - 3),
    "abs": Abs(x) ** Rational(3, 2),
}
EVERY = {name: phi for name, (phi, _) in CONIC.items()} | OTHERS


def vectors(n=5):
    draw = np.random.default_rng(n)
    gaussian = draw.standard_normal(n)
    return {
        "gaussian": gaussian,
        "heavy": draw.standard_t(1.2, n) ** 3,
        "tied": np.array([2.0, -2, 2, 1, 0])[:n],
        "nearly tied": 1 + 1e-9 * gaussian,
        "one-hot": np.eye(n)[n // 2] * -3,
        "constant": np.full(n, 1.5),
        "wide": np.array([1.0, 1e-3, 1e-6, 1e-9, 1e-12])[:n],
    }


def dual(norm, g):
    return nk.dual_value(norm, g, backend="reference")


def value(norm, t):
    return nk.value(norm, t, backend="reference")


@pytest.mark.parametrize("name", CONIC)
def test_dual_and_dualize_agree_with_a_conic_solver(name):
    phi, terms = CONIC[name]
    norm = nk.Orlicz(phi)
    for case in ("gaussian", "tied", "one-hot"):
        g = vectors()[case]
        t = cp.Variable(len(g), nonneg=True)
        oracle = cp.Problem(cp.Maximize(np.abs(g) @ t), [cp.sum(terms(t)) <= 1]).solve(solver=cp.CLARABEL)
        assert dual(norm, g) == pytest.approx(oracle, rel=2e-6), case
        assert g @ nk.dualize(norm, g, backend="reference") == pytest.approx(oracle, rel=2e-6), case


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("kind", [nk.Orlicz, nk.Amemiya])
def test_laws_hold_to_rounding(name, kind):
    norm = kind(EVERY[name])
    assert norm.dual.dual == norm
    for case, g in vectors().items():
        t, size = nk.dualize(norm, g, backend="reference"), dual(norm, g)
        assert value(norm, t) == pytest.approx(1, rel=1e-13), case
        assert g @ t == pytest.approx(size, rel=1e-13), case
        for k in (1, 3, 6):
            other = t + np.random.default_rng(k).standard_normal(len(g)) * 10.0**-k
            assert g @ other <= size * value(norm, other) * (1 + 1e-13), case


@pytest.mark.parametrize("name", ["exp", "cosh", "cube", "huber", "corner", "disc"])
def test_luxemburg_value_is_its_definition(name):
    """sum phi(|x|/tau) = 1, or the end of the domain, in 30 digits."""
    phi, end = EVERY[name], 1.0 if name == "disc" else np.inf
    exact = lambdify(x, phi, modules="mpmath")
    for case in ("gaussian", "heavy", "nearly tied", "constant"):
        y = vectors()[case]
        tau = value(nk.Orlicz(phi), y)
        with mpmath.workdps(30):
            total = sum(exact(min(mpmath.mpf(float(abs(e))) / float(tau), end)) for e in y if e)
        if tau > np.abs(y).max() / end * (1 + 1e-15) or end == np.inf:
            assert float(total) == pytest.approx(1, rel=1e-13), case
        else:
            assert total <= 1


@pytest.mark.parametrize("name", ["exp", "cosh", "cube", "huber", "dead zone", "corner", "no closed inverse"])
def test_amemiya_value_is_its_definition(name):
    """inf over k of (1 + sum psi(k |x|)) / k, by a bounded scalar search."""
    psi = lambdify(x, EVERY[name], modules=["numpy", {"Max": np.maximum, "amax": lambda *a, **k: np.max(a[0], axis=0)}])
    for case in ("gaussian", "tied", "constant"):
        y = np.abs(vectors()[case])
        y = y[y > 0]

        def objective(u, y=y):
            return (1 + sum(float(psi(e)) for e in np.exp(u) * y)) / np.exp(u)

        found = scipy.optimize.minimize_scalar(objective, bounds=(-8, 4), method="bounded", options={"xatol": 1e-9})
        assert value(nk.Amemiya(EVERY[name]), y) == pytest.approx(found.fun, rel=1e-9), case


@pytest.mark.parametrize("p", [Rational(3, 2), 2, 3, 4, 7])
def test_powers_are_multiples_of_lp(p):
    """orlicz(x**p/p) = p**(-1/p) lp(p)."""
    norm, factor = nk.Orlicz(x**p / p), float(p) ** (-1 / float(p))
    for case, y in vectors().items():
        assert value(norm, y) == pytest.approx(factor * value(nk.Lp(p), y), rel=1e-13), case
        assert dual(norm, y) == pytest.approx(dual(nk.Lp(p), y) / factor, rel=1e-13), case
        t = nk.dualize(norm, y, backend="reference")
        np.testing.assert_allclose(t * factor, nk.dualize(nk.Lp(p), y, backend="reference"), rtol=1e-12, atol=1e-14)


def test_dead_zone_is_a_ball_sum():
    """(x - c)_+^2 is the gauge of c * (ball of linf) + (ball of l2)."""
    for case, y in vectors().items():
        assert value("orlicz(Max(0, x - 1/3)**2)", y) == pytest.approx(value("ballsum(3*linf, l2)", y), rel=1e-13), case
        assert dual("orlicz(Max(0, x - 1/3)**2)", y) == pytest.approx(np.abs(y).sum() / 3 + np.linalg.norm(y)), case


# --- edge cases ------------------------------------------------------------------------------------------------------


def test_zero_entries_stay_zero_where_phi_is_flat_at_zero():
    t = nk.dualize("orlicz(Max(0, x - 1/3)**2)", np.array([2.0, 0.0]), backend="reference")
    np.testing.assert_allclose(t, [4 / 3, 0.0], rtol=1e-15)


def test_domain_that_ends_before_the_budget_is_spent():
    """phi(1) = log 2 for one nonzero entry: no root, t = sign(g)."""
    norm = nk.Orlicz(x * artanh(x) + log(1 - x**2) / 2)
    np.testing.assert_array_equal(nk.dualize(norm, np.array([-3.0, 0.0]), backend="reference"), [-1.0, 0.0])
    assert dual(norm, np.array([-3.0, 0.0])) == 3.0
    assert value(norm, np.array([-3.0, 0.0])) == 3.0


def test_left_over_budget_goes_to_the_first_tied_maximum():
    """Huber: slopes stop at 1, where kappa max|g| = 1; what the entries below leave goes to the largest."""
    t = nk.dualize(nk.Orlicz(HUBER), np.array([0.1, -5.0, 0.1]), backend="reference")
    phi = np.where(np.abs(t) <= 1, t**2 / 2, np.abs(t) - 0.5)
    assert phi.sum() == pytest.approx(1, rel=1e-15)
    np.testing.assert_allclose(t[[0, 2]], [0.02, 0.02], rtol=1e-15)
    np.testing.assert_array_equal(nk.dualize("orlicz(x)", np.array([2.0, 2.0]), backend="reference"), [1.0, 0.0])


def test_jump_mixes_the_one_sided_limits():
    """phi = max(x, 2x - 1): at the jump the tied entries share what is left equally."""
    norm = nk.Orlicz(Max(x, 2 * x - 1))
    t = nk.dualize(norm, np.array([1.0, 1.0, 2.0]), backend="reference")
    assert value(norm, t) == pytest.approx(1, rel=1e-14)
    assert np.array([1.0, 1.0, 2.0]) @ t == pytest.approx(dual(norm, np.array([1.0, 1.0, 2.0])), rel=1e-14)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
@pytest.mark.parametrize("name", ["exp", "cosh", "huber", "disc", "cube"])
def test_extreme_scales(name, scale):
    for kind in (nk.Orlicz, nk.Amemiya):
        norm, g = kind(EVERY[name]), vectors()["gaussian"]
        np.testing.assert_allclose(
            nk.dualize(norm, scale * g, backend="reference"), nk.dualize(norm, g, backend="reference"), rtol=1e-12
        )
        assert dual(norm, scale * g) / scale == pytest.approx(dual(norm, g), rel=1e-13)


def test_many_equal_entries():
    """n equal entries: h must hold 1/n to full relative precision (no cancellation near 0)."""
    n = 10**6
    norm = nk.Orlicz(cosh(x) - 1)
    with mpmath.workdps(40):
        kappa = mpmath.findroot(lambda k: mpmath.sqrt(1 + k**2) - 1 - mpmath.mpf(1) / n, 0.001)
        exact = float(n * mpmath.asinh(kappa))
    assert dual(norm, np.ones(n)) == pytest.approx(exact, rel=1e-14)


SCALARS = ["exp", "cosh", "root", "entropy", "barrier", "slow", "gauss", "no closed inverse", "starts steep"]


@pytest.mark.parametrize("name", SCALARS)
def test_generated_scalars_keep_their_digits(name):
    """phi, h and psi' of the plan against 40 digits: relative 1e-13 from 1e-12 on."""
    phi = EVERY[name]
    plan, points = program(nk.Orlicz(phi)).dual, np.logspace(-12, 2, 57)
    ends = {"entropy": 1.0, "barrier": 1.0}
    with mpmath.workdps(40):
        exact, slope = (lambdify(x, body, modules="mpmath") for body in (phi, diff(phi, x)))
        inside = points[points < min(ends.get(name, np.inf), 9.0 if name == "gauss" else np.inf)]
        true = np.array([float(exact(mpmath.mpf(float(r)))) for r in inside])
        levels = np.array([float(slope(mpmath.mpf(float(r)))) for r in inside])
    with np.errstate(all="ignore"):
        body = function(program(nk.Orlicz(phi)).value.equation)(inside, 1.0, 5.0)
        back = function(plan.entry)(levels, 1.0, 1.0, 1.0, 5.0)
        spent = function(plan.equation)(levels, 1.0, 5.0)
    np.testing.assert_allclose(body, true, rtol=1e-13)
    # psi'(phi'(r)) = r up to the rounding of phi'(r) itself, which bounded slopes and the ends of domains magnify.
    mild = (levels < 0.9) | (name in ("exp", "cosh", "gauss", "no closed inverse", "starts steep"))
    mild &= inside < 0.9 if name in ends else True
    mild &= levels > 1.01 if name == "starts steep" else True
    np.testing.assert_allclose(back[mild], inside[mild], rtol=1e-12 if name == "starts steep" else 1e-13)
    np.testing.assert_allclose(spent[mild], true[mild], rtol=1e-12 if name == "starts steep" else 1e-13)


# --- specs and bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    ["orlicz(exp(x) - 1 - x)", "orlicz(cosh(x)-1)", "orlicz(x**3/3)", "amemiya(Abs(x)**1.5)",
     "dual(orlicz(x**2*log(x + 1)))", "lift(orlicz(x**2))", "orlicz(x - Min(x, 1) + Min(x, 1)**2/2)",
     "orlicz(sqrt(1 + x**2) - 1)"],
)  # fmt: skip
def test_specs_round_trip(spec):
    norm = nk.norm(spec)
    assert nk.norm(str(norm)) == norm
    assert nk.norm(str(norm.dual)) == norm.dual
    assert norm.dual.dual == norm


def test_any_symbol_and_a_piecewise_huber():
    u = Symbol("u")
    assert nk.Orlicz(u**2) == nk.Orlicz(x**2) == nk.norm("orlicz(x**2)")
    y = vectors()["gaussian"]
    assert value(nk.Orlicz(HUBER), y) == value("orlicz(x - Min(x, 1) + Min(x, 1)**2/2)", y)


@pytest.mark.parametrize(
    ("phi", "message"),
    [
        (x**2 + 1, r"phi\(0\) = 0"),
        (exp(x), r"phi\(0\) = 0"),
        (1 / x, r"phi\(0\) = 0"),
        (sin(x), "must not decrease; sin"),
        (-(x**2), "must not decrease"),
        (x**2 - x, "must not decrease"),
        (sqrt(x), "must be convex"),
        (log(1 + x), "must be convex"),
        (x + sin(x), "must be convex"),
        (0 * x, "an expression in one variable"),
        (x * Symbol("y"), "an expression in one variable"),
        (Max(0, x - x), "an expression in one variable"),
        (sqrt(x - 1), "finite near 0"),
    ],
)
def test_what_is_no_young_function_is_refused(phi, message):
    with pytest.raises(nk.ParameterError, match=message):
        nk.Orlicz(phi)


@pytest.mark.parametrize(
    "spec", ["x", "orlicz(l1)", "orlicz(m*x)", "orlicz()", "orlicz(exp(1000))", "exp(x)", "orlicz(x, x)"]
)
def test_bad_specs(spec):
    with pytest.raises(nk.SpecError):
        nk.norm(spec)


def test_spectral_lift_of_an_orlicz_norm():
    G = np.random.default_rng(0).standard_normal((5, 3))
    T = nk.dualize("lift(orlicz(exp(x) - 1 - x))", G, backend="reference")
    sigma = np.linalg.svd(G, compute_uv=False)
    assert np.sum(G * T) == pytest.approx(dual("orlicz(exp(x) - 1 - x)", sigma), rel=1e-13)
    assert value("lift(orlicz(exp(x) - 1 - x))", T) == pytest.approx(1, rel=1e-13)
