"""The families of weighted, quadratic, image, group, atomic, variational and restricted norms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit.backends.linear import apply

Array = np.ndarray[Any, Any]

FAMILIES = {
    "normkit.catalogue.weighted",
    "normkit.catalogue.quadratic",
    "normkit.catalogue.atoms",
    "normkit.catalogue.lovasz",
    "normkit.catalogue.variational",
    "normkit.calculus.groups",
    "normkit.calculus.latent",
    "normkit.calculus.linear_image",
    "normkit.calculus.restriction",
}
NORMS = [norm for cls in nk.norms().values() if cls.__module__ in FAMILIES for norm in cls.examples()]
SYNTHESIS = [norm for norm in NORMS if isinstance(norm, nk.Latent | nk.Quotient | nk.Atoms)]
"""Norms with an explicit dual only."""
rng = np.random.default_rng(7)


def value(norm: nk.Norm, x: Array) -> float:
    return float(nk.value(norm, x, backend="reference"))


def dual_value(norm: nk.Norm, g: Array) -> float:
    return float(nk.dual_value(norm, g, backend="reference"))


def dualize(norm: nk.Norm, g: Array) -> Array:
    return np.asarray(nk.dualize(norm, g, backend="reference"))


def item_shape(norm: nk.Norm) -> tuple[int, ...]:
    free = 6 if norm.ndim == 1 else 4
    return tuple(length or free for length in norm.shape)


def inside(norm: nk.Norm, x: Array) -> Array:
    return x if norm.subspace is None else apply(norm.subspace, x, x.shape)


def inputs(norm: nk.Norm) -> list[Array]:
    """Gaussian, heavy-tailed, tied, one-hot, constant and nearly tied items."""
    shape = item_shape(norm)
    hot = np.zeros(shape)
    hot.flat[1] = -2.0
    arrays = [
        rng.standard_normal(shape),
        rng.standard_t(1.5, shape),
        rng.integers(-2, 3, shape).astype(float),
        hot,
        np.ones(shape),
        1 + 1e-9 * rng.standard_normal(shape),
    ]
    # The skew part of a constant is rounding noise, on which relative tolerances mean nothing.
    return [g for x in arrays if np.abs(g := inside(norm, x)).max() > 1e-6]


# --- laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_spec_and_dual_are_involutions(norm: nk.Norm) -> None:
    assert nk.norm(str(norm)) == norm
    assert nk.norm(str(norm.dual)) == norm.dual
    assert norm.dual.dual == norm
    assert norm.dual != norm
    assert hash(nk.norm(str(norm))) == hash(norm)


def test_only_synthesis_norms_lack_a_value() -> None:
    def lacks(stated: Callable[[], object]) -> bool:
        try:
            stated()
        except nk.NoClosedForm:
            return True
        return False

    assert {norm.name for norm in NORMS if lacks(norm.dual_value)} == set()
    assert {norm.name for norm in NORMS if lacks(norm.value)} == {norm.name for norm in SYNTHESIS}


@pytest.mark.parametrize("norm", [*NORMS, *(norm.dual for norm in NORMS if norm not in SYNTHESIS)], ids=str)
def test_dualize_is_feasible_tight_and_best(norm: nk.Norm) -> None:
    for g in inputs(norm):
        t, size = dualize(norm, g), dual_value(norm, g)
        assert np.sum(g * t) == pytest.approx(size, rel=1e-12)
        certificate = nk.certify(norm, g, t, backend="reference")
        assert certificate.kind in ("exact", "certified")
        assert certificate.norm == pytest.approx(1.0, rel=1e-9)
        assert certificate.holds(1e-9)
        np.testing.assert_array_equal(dualize(norm, 4 * g), t)
        np.testing.assert_allclose(inside(norm, t), t, rtol=0, atol=1e-15)
        for noise in (1.0, 1e-3, 1e-6):
            x = inside(norm, t + noise * np.abs(t).max() * rng.standard_normal(t.shape))
            if certificate.kind == "exact":
                assert np.sum(g * x) <= size * value(norm, x) * (1 + 1e-12)


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_dualize_is_the_gradient_of_the_dual_norm(norm: nk.Norm) -> None:
    g = inside(norm, rng.standard_normal(item_shape(norm)))
    t = dualize(norm, g)
    for _ in range(3):
        direction = inside(norm, rng.standard_normal(g.shape))
        slope = (dual_value(norm, g + 1e-6 * direction) - dual_value(norm, g - 1e-6 * direction)) / 2e-6
        assert slope == pytest.approx(np.sum(t * direction), rel=1e-6, abs=1e-8)


# --- definitions, by enumeration and by linear algebra ----------------------------------------------------------------


def test_weighted_norms_by_their_definition() -> None:
    w, x = np.array([1.0, 2.0, 0.5]), np.array([3.0, -1.0, 4.0])
    weights = nk.Parameter.of(w)
    assert value(nk.WeightedLp(3, weights), x) == pytest.approx(float(w @ np.abs(x) ** 3) ** (1 / 3), rel=1e-14)
    assert value(nk.WeightedLinf(weights), x) == 3.0
    assert dual_value(nk.WeightedLinf(weights), x) == pytest.approx(3 + 0.5 + 8, rel=1e-14)
    # (sum w^(1-q) |g|^q)^(1/q) with q = 3/2
    assert dual_value(nk.WeightedLp(3, weights), x) == pytest.approx(
        float(w**-0.5 @ np.abs(x) ** 1.5) ** (2 / 3), rel=1e-14
    )


def test_quadratic_norms_by_linear_algebra() -> None:
    root = rng.standard_normal((4, 4))
    p, x = root @ root.T + np.eye(4), rng.standard_normal(4)
    norm = nk.Quadratic(p)
    assert value(norm, x) == pytest.approx(np.sqrt(x @ p @ x), rel=1e-13)
    assert dual_value(norm, x) == pytest.approx(np.sqrt(x @ np.linalg.solve(p, x)), rel=1e-12)
    step = np.linalg.solve(p, x)
    np.testing.assert_allclose(dualize(norm, x), step / np.sqrt(x @ step), rtol=1e-11)
    b, big = np.diag([1.0, 4.0, 9.0]), rng.standard_normal((4, 3))
    kron = nk.Kronecker(p, b)
    assert value(kron, big) == pytest.approx(np.sqrt(np.trace(big.T @ p @ big @ b)), rel=1e-13)
    g = np.linalg.solve(p, big) @ np.linalg.inv(b)
    np.testing.assert_allclose(dualize(kron, big), g / np.sqrt(np.sum(g * big)), rtol=1e-11)


def test_ill_conditioned_quadratic_keeps_its_digits() -> None:
    x = np.array([1.0, -1.0])
    assert value(nk.norm("quadratic([[1, 1 - 1/2**30], [1 - 1/2**30, 1]])"), x) == pytest.approx(2**-14.5, rel=1e-6)
    assert value(nk.Quadratic(np.diag([1e-200, 1e200])), x) == pytest.approx(1e100, rel=1e-14)


def test_sandwich_and_linmap_by_numpy() -> None:
    left, right, x = rng.standard_normal((3, 3)), rng.standard_normal((2, 2)), rng.standard_normal((3, 2))
    norm = nk.Sandwich(nk.Spectral(), left, right)
    assert value(norm, x) == pytest.approx(np.linalg.norm(left @ x @ right, 2), rel=1e-12)
    image = np.linalg.inv(left).T @ x @ np.linalg.inv(right).T
    assert dual_value(norm, x) == pytest.approx(np.linalg.norm(image, "nuc"), rel=1e-12)
    assert value(nk.Linmap(nk.L1(), left), x[:, 0]) == pytest.approx(np.abs(left @ x[:, 0]).sum(), rel=1e-13)


def test_quotient_against_least_norm_solutions() -> None:
    p, x = rng.standard_normal((2, 4)), rng.standard_normal(2)
    # inf |z|_2 over Pz = x has the dual |P'g|_2; its own dual is the norm of the least-squares solution.
    norm = nk.Quotient(nk.L2(), p)
    assert dual_value(norm, x) == pytest.approx(np.linalg.norm(p.T @ x), rel=1e-13)
    t = dualize(norm, x)
    assert np.linalg.norm(np.linalg.pinv(p) @ t) == pytest.approx(1.0, rel=1e-12)
    with pytest.raises(nk.NoClosedForm, match="optimisation problem"):
        value(norm, x)
    square = nk.Quotient(nk.L1(), p[:, :2])
    assert value(square, x) == pytest.approx(np.abs(np.linalg.solve(p[:, :2], x)).sum(), rel=1e-12)


def test_groups_and_latent_by_enumeration() -> None:
    g = rng.standard_normal(4)
    norm = nk.norm("groups(l1, l2, 3*linf, [[0, 2], [1, 3]])")
    assert value(norm, g) == pytest.approx(np.hypot(g[0], g[2]) + 3 * max(abs(g[1]), abs(g[3])), rel=1e-14)
    assert dual_value(norm, g) == pytest.approx(max(np.hypot(g[0], g[2]), (abs(g[1]) + abs(g[3])) / 3), rel=1e-14)
    latent = nk.norm("latent(l2, [[0, 1], [1, 2, 3]], [1, 2])")
    expected = max(np.hypot(g[0], g[1]), np.linalg.norm(g[1:]) / 2)
    assert dual_value(latent, g) == pytest.approx(expected, rel=1e-14)
    with pytest.raises(nk.NoClosedForm, match="overlap"):
        value(latent, g)
    disjoint = nk.norm("latent(l2, [[0, 1], [2, 3]], [1, 2])")
    assert value(disjoint, g) == pytest.approx(np.hypot(*g[:2]) + 2 * np.hypot(*g[2:]), rel=1e-14)


def test_groups_of_a_nonnegative_form_state_their_value_and_no_dual() -> None:
    """sqrt(c' M c) with M >= 0 is monotone on the orthant; s' M^-1 s is not its polar there."""
    norm, g = nk.norm("groups(quadratic([[1, 9/10], [9/10, 1]]), l2, l1, [[0, 1], [2]])"), np.array([3.0, 4.0, -2.0])
    sizes = np.array([5.0, 2.0])
    assert value(norm, g) == pytest.approx(np.sqrt(sizes @ np.array([[1.0, 0.9], [0.9, 1.0]]) @ sizes), rel=1e-14)
    assert norm.dual.dual == norm
    for ask in (lambda: dual_value(norm, g), lambda: value(norm.dual, g), lambda: dualize(norm, g)):
        with pytest.raises(nk.NoClosedForm, match="quadratic program over the orthant"):
            ask()
    certificate = nk.certify(norm.dual, g, dualize(norm.dual, g), backend="reference")
    assert certificate.kind == "certified"
    assert certificate.holds(1e-12)


def test_latent_tie_takes_one_group_only() -> None:
    np.testing.assert_array_equal(dualize(nk.norm("latent(linf, [[0, 1], [1, 2]])"), np.ones(3)), [1, 1, 0])


def test_atoms_by_enumeration() -> None:
    atoms, g = rng.standard_normal((6, 2, 2)), rng.standard_normal((2, 2))
    pairings = [float(np.sum(atom * g)) for atom in atoms]
    best = int(np.argmax(np.abs(pairings)))
    norm = nk.Atoms(atoms)
    assert norm.shape == (2, 2)
    assert dual_value(norm, g) == pytest.approx(abs(pairings[best]), rel=1e-13)
    np.testing.assert_allclose(dualize(norm, g), np.sign(pairings[best]) * atoms[best], rtol=1e-15)
    with pytest.raises(nk.NoClosedForm, match="linear program"):
        value(norm, g)
    basis = rng.standard_normal((3, 3))
    x = 2 * basis[0] - 3 * basis[2]
    assert value(nk.Atoms(basis), x) == pytest.approx(5.0, rel=1e-12)


def test_box_against_its_vertices_and_a_fine_grid() -> None:
    g = np.array([2.0, -1.0, 0.5])
    lo, hi, c = 0.25, 1.0, 1.8
    # Vertices of the box with budget: all but one entry at an end.
    best = 0.0
    for ends in product((lo, hi), repeat=3):
        for free in range(3):
            theta = np.array(ends)
            theta[free] = np.clip(c - (theta.sum() - theta[free]), lo, hi)
            if theta.sum() <= c + 1e-12:
                best = max(best, float(np.sqrt(theta @ g**2)))
    assert dual_value(nk.norm("box(1/4, 1, 9/5)"), g) == pytest.approx(best, rel=1e-13)
    axis = np.linspace(1e-6, 1, 201)
    grid = np.array(np.meshgrid(axis, axis)).reshape(2, -1)
    last = np.minimum(1.5 - grid.sum(axis=0), 1)
    held = np.vstack([grid, last])[:, last > 0]
    assert value(nk.norm("box(0, 1, 3/2)"), g) == pytest.approx(np.sqrt((g**2 @ (1 / held)).min()), rel=1e-3)
    inside_box = held[:, held.min(axis=0) >= 0.2]
    assert value(nk.norm("box(1/5, 1, 3/2)"), g) == pytest.approx(np.sqrt((g**2 @ (1 / inside_box)).min()), rel=1e-3)


def test_box_without_budget_left_is_euclidean() -> None:
    g = rng.standard_normal(4)
    assert value(nk.norm("box(1/2, 1, 1)"), g) == pytest.approx(np.sqrt(2) * np.linalg.norm(g), rel=1e-14)
    assert dual_value(nk.norm("box(1/2, 1, 1)"), g) == pytest.approx(np.sqrt(1 / 2) * np.linalg.norm(g), rel=1e-14)
    assert value(nk.norm("box(1/8, 1/2, 9)"), g) == pytest.approx(np.sqrt(2) * np.linalg.norm(g), rel=1e-14)


def test_lovasz_against_all_subsets() -> None:
    g = rng.standard_normal(5)
    norm = nk.norm("lovasz(sqrt(n))")
    subsets = [list(c) for size in range(1, 6) for c in combinations(range(5), size)]
    assert dual_value(norm, g) == pytest.approx(max(np.abs(g[c]).sum() / np.sqrt(len(c)) for c in subsets), rel=1e-13)
    ranked = np.sort(np.abs(g))[::-1]
    steps = np.sqrt(np.arange(1, 6)) - np.sqrt(np.arange(5))
    assert value(norm, g) == pytest.approx(steps @ ranked, rel=1e-13)


def test_restrictions_project_gradients_and_refuse_other_values() -> None:
    g = rng.standard_normal((4, 4))
    part = (g + g.T) / 2
    norm = nk.norm("sym(spectral)")
    assert dual_value(norm, g) == pytest.approx(np.linalg.norm(part, "nuc"), rel=1e-13)
    np.testing.assert_array_equal(dualize(norm, g), dualize(norm, part))
    assert value(norm, part) == pytest.approx(np.linalg.norm(part, 2), rel=1e-13)
    with pytest.raises(nk.ShapeError, match="sym matrices only"):
        value(norm, g)
    with pytest.raises(nk.ShapeError, match="square"):
        dual_value(norm, g[:3])
    blocks = nk.norm("blockdiag(nuclear, [1, 3])")
    expected = max(abs(g[0, 0]), np.linalg.norm(g[1:, 1:], 2))
    assert dual_value(blocks, g) == pytest.approx(expected, rel=1e-13)


# --- against a conic solver ------------------------------------------------------------------------------------------


def test_dual_norms_against_a_conic_solver() -> None:
    import cvxpy as cp

    p, g3, g4 = np.array([[2.0, 1, 0], [1, 3, -1], [0, -1, 1]]), rng.standard_normal(3), rng.standard_normal(4)
    x, v, u = cp.Variable(3), cp.Variable(4), cp.Variable((2, 4))
    m, g9 = cp.Variable((3, 3)), rng.standard_normal((3, 3))
    left = np.array([[2.0, 1, 0], [0, 1, 0], [1, 0, 3]])
    cases = [
        ("wlp(3/2, 1, 2, 1/2)", x, g3, [cp.norm(cp.multiply(np.array([1, 2, 0.5]) ** (2 / 3), x), 1.5) <= 1]),
        ("quadratic([[2, 1, 0], [1, 3, -1], [0, -1, 1]])", x, g3, [cp.quad_form(x, p) <= 1]),
        ("linmap(topk(2), [[2, 1, 0], [0, 1, 0], [1, 0, 3]])", x, g3, [cp.sum_largest(cp.abs(left @ x), 2) <= 1]),
        (
            "latent(l2, [[0, 1], [1, 2, 3]], [1, 2])",
            v,
            g4,
            [
                v == u[0] + u[1],
                u[0, 2:] == 0,
                u[1, 0] == 0,
                cp.norm(u[0]) + 2 * cp.norm(u[1]) <= 1,
            ],
        ),
        ("sym(spectral)", m, g9, [cp.sigma_max(m) <= 1, m == m.T]),
        ("skew(nuclear)", m, g9, [cp.normNuc(m) <= 1, m == -m.T]),
        ("sym(max)", m, g9, [cp.max(cp.abs(m)) <= 1, m == m.T]),
        (
            "sandwich(nuclear, [[2, 1, 0], [0, 1, 0], [1, 0, 3]], [[1, 0, 0], [0, 2, 0], [0, 0, 1]])",
            m,
            g9,
            [cp.normNuc(left @ m @ np.diag([1.0, 2, 1])) <= 1],
        ),
    ]
    for spec, variable, g, constraints in cases:
        problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(g, variable))), constraints)
        problem.solve(solver=cp.CLARABEL)
        assert dual_value(nk.norm(spec), g) == pytest.approx(problem.value, rel=1e-6), spec


# --- equivalences -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wlp(3, 1, 1, 1, 1)", "lp(3)"),
        ("wlinf(2, 2, 2, 2)", "2*linf"),
        ("wlp(2, 1, 2, 3, 4)", "quadratic([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 4]])"),
        ("box(0, 1, 2)", "ksupport(2)"),
        ("box(0, 1, 1)", "l1"),
        ("box(0, 1, 9)", "l2"),
        ("box(1/4, 1/4, 3)", "2*l2"),
        ("box(0, 2, 6)", "sqrt(1/2)*ksupport(3)"),
        ("kp(3, oo)", "linf"),
        ("lovasz(n)", "l1"),
        ("lovasz(Min(n, 3))", "topk(3)"),
        ("groups(l1, l1, [[0, 3], [1, 2]])", "l1"),
        ("groups(l2, l2, [[0, 3], [1, 2]])", "l2"),
        ("groups(lp(3), lp(3), [[2], [0, 1, 3]])", "lp(3)"),
        ("latent(l2, [[0], [1], [2], [3]])", "l1"),
        ("atoms([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])", "l1"),
        ("linmap(l1, [[2, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])", "wlp(1, 2, 1, 1, 1)"),
        ("quotient(linf, [[1/2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1/4]])", "wlinf(2, 1, 1, 4)"),
    ],
)
def test_equivalent_norms_agree(one: str, other: str) -> None:
    first, second = nk.norm(one), nk.norm(other)
    for x in (rng.standard_normal(4), np.array([1.0, -1, 0, 2]), np.ones(4)):
        assert value(first, x) == pytest.approx(value(second, x), rel=1e-13)
        assert dual_value(first, x) == pytest.approx(dual_value(second, x), rel=1e-13)


def test_the_vertices_of_the_ball_make_the_norm_again() -> None:
    # linf is the atomic norm of the sign vectors; its dual norm is l1.
    signs = nk.Atoms(np.array(list(product((1.0, -1.0), repeat=3))))
    g = rng.standard_normal(3)
    assert dual_value(signs, g) == pytest.approx(np.abs(g).sum(), rel=1e-14)


# --- bad parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("wlp(1/2, [1, 2])", "p >= 1"),
        ("wlp(oo, [1, 2])", "wlinf"),
        ("wlp(2, [1, 0])", "positive weights"),
        ("wlinf([[1]])", "one per entry"),
        ("quadratic([[1, 2], [2, 1]])", "positive definite"),
        ("quadratic([[1, 1], [1, 1]])", "seminorm"),
        ("quadratic([[1, 1], [0, 1]])", "symmetric"),
        ("quadratic([[1, 1]])", "square"),
        ("kron([[1]], [[0]])", "the B of kron"),
        ("linmap(l1, [[1, 2], [2, 4]])", "singular"),
        ("linmap(l1, [[1, 1], [1, 1 + 1e-16]])", "singular"),
        ("linmap(l1, [[1, 2, 3], [2, 4, 1]])", "square"),
        ("linmap(owl(2, 1, 1), [[1, 2], [3, 4]])", "takes 3 entries"),
        ("linmap(spectral, [[1]])", "vector norm"),
        ("sandwich(spectral, [[1, 1], [1, 1]], [[1]])", "the L of sandwich"),
        ("sandwich(sym(fro), [[1]], [[1]])", "Restrict last"),
        ("quotient(l1, [[1, 1], [2, 2]])", "onto"),
        ("sym(cols(l1, l2))", "unitarily invariant"),
        ("sym(l2)", "matrix norm"),
        ("skew(sym(fro))", "subspace already"),
        ("blockdiag(fro, [1.5])", "positive integers"),
        ("blockdiag(sandwich(fro, [[1]], [[1]]), [1])", "unitarily invariant"),
        ("groups(l1, l2, [[0, 1], [1, 2]])", "index 1 is in two"),
        ("groups(l1, l2, [[0, 1], [3]])", "index 2 is in none"),
        ("groups(l1, l2, l2, [[0], [1], [2]])", "one for each of 3"),
        ("groups(spectral, l2, [[0, 1]])", "monotone"),
        ("groups(quadratic([[1, -1/2], [-1/2, 1]]), l2, [[0], [1]])", "monotone"),
        ("groups(owl(1, 1, 1), l2, [[0], [1]])", "takes 3 blocks"),
        ("groups(l1, owl(2, 1), [[0, 1, 2]])", "3 entries"),
        ("groups(l1, l2, [[1/2]])", "indices"),
        ("groups(l1, l2, [0, 1])", "for a group"),
        ("latent(l2, [[0], [1]], [1, -1])", "must be positive"),
        ("latent(l2, [[0], [1]], [1, 1, 1])", "one weight for each"),
        ("sgl([[0]], 0, 1)", "positive"),
        ("atoms([1, 2])", "one per leading index"),
        ("atoms([[1, 1], [2, 2]])", "span 1 of 2"),
        ("box(2, 1, 1)", "lo <= hi"),
        ("box(0, 1, 0)", "budget"),
        ("lovasz(n**2)", "concave"),
        ("lovasz(1 + n)", "f(0) = 0"),
        ("lovasz(2)", "expression in n"),
        ("lovasz(m)", "expression in n"),
        ("huber", "Orlicz"),
        ("2*elasticnet", "not homogeneous"),
        ("l0", "ksupport"),
        ("asymmetric(1, 2)", "gauge"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(spec: str, message: str) -> None:
    with pytest.raises(nk.SpecError) as caught:
        nk.norm(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_index_lists_print_as_integers_and_long_ones_by_digest() -> None:
    assert str(nk.norm("groups(l1, l2, [[0, 1], [2]])")) == "groups(l1, l2, [[0, 1], [2]])"
    long = nk.Groups(nk.L1(), (nk.L2(),), tuple((2 * k, 2 * k + 1) for k in range(2000)))
    assert len(str(long)) < 60
    assert nk.norm(str(long)) == long


@pytest.mark.parametrize(
    ("spec", "same"),
    [("sym(rms->rms)", "sym(spectral)"), ("skew(rms->rms + fro)", "skew(spectral + fro)"),
     ("blockdiag(rms->rms, [1, 2])", "blockdiag(spectral, [1, 2])")],
)  # fmt: skip
def test_restrictions_of_operator_norms_that_are_scaled_by_the_shape(spec: str, same: str) -> None:
    """On square matrices the scale of rms->rms is 1."""
    g = np.random.default_rng(2).standard_normal((3, 3))
    np.testing.assert_allclose(nk.dualize(spec, g), nk.dualize(same, g), rtol=1e-13)
    assert nk.dual_value(spec, g) == pytest.approx(nk.dual_value(same, g), rel=1e-13)
