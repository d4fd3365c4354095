"""The pieces of the adaptive iteration: chains, bounds from traces, looks, products in parts, steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normkit.backends.cpu import bf16, blas, team
from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.backends.cpu.team import barrier, shared
from normkit.polar import adaptive, chains, looks, products, workspace
from normkit.polar.newton_schulz import step, step_on_gram
from normkit.polar.remez import minimax

THREADS = [size for size in (1, 2, 3, 4) if size <= int(numba.config.NUMBA_NUM_THREADS)]  # type: ignore[attr-defined]


def composite(rows: Any, x: Any) -> Any:
    x = np.asarray(x, np.float64)
    for row in rows:
        x = x * (row[0] + x**2 * (row[1] + x**2 * (row[2] + (x**2 * row[3] if len(row) > 3 else 0.0))))
    return x


# --- chains -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("low", [1e-7, 1e-5, 1e-3, 0.03, 0.2, 0.5, 0.9, 0.97, 0.999, 1 - 1e-7])
@pytest.mark.parametrize("u", [1.0, 1.7, 0.3])
def test_quintics_are_the_best(low: float, u: float) -> None:
    made = np.array(chains.quintic(low * u, u))
    best, least = minimax(5, low * u, u)
    grid = np.linspace(low * u, u, 20001)
    assert np.abs(1 - composite([made], grid)).max() <= least * (1 + 1e-7) + 1e-10
    if low < 0.9:  # nearer to u the coefficients are not determined to more than the square root of the roundoff
        np.testing.assert_allclose(made, best, rtol=1e-9)


@pytest.mark.parametrize("safety", [1.0001, 1.002, 1.02])
def test_the_table_is_greedy_and_its_errors_hold(safety: float) -> None:
    lowers, rows, errors = chains.table(safety)
    assert rows.shape == (chains.GRID, chains.STEPS, 3) and not rows.flags.writeable
    for k in range(0, chains.GRID, 7):
        grid = np.unique(np.r_[np.geomspace(lowers[k], 1, 4000), np.linspace(lowers[k], 1, 4000)])
        low, u = lowers[k], 1.0
        for t in range(1, 9):
            a, b, c = chains.quintic(low, u)
            np.testing.assert_allclose(rows[k, t - 1], [a / safety, b / safety**3, c / safety**5], rtol=1e-9)
            image = composite(rows[k, :t], grid)
            found = np.abs(1 - image).max()
            assert found <= errors[k, t - 1] * (1 + 1e-9) + 1e-13
            assert image.min() > 0
            step_image = composite(rows[k, t - 1 : t], np.linspace(low, u, 4001))
            low = float(np.minimum(composite(rows[k, t - 1 : t], low), 1.0))
            u = max(float(step_image.max()), 2 - low)
        # values that pass 1 by the safety do no harm
        assert np.abs(1 - composite(rows[k, :9], np.r_[grid, safety])).max() <= errors[k, 8] + 2 * (safety - 1)
    coarse = chains.coarse_table(safety)
    np.testing.assert_array_equal(coarse[1], rows[::3])


def test_a_chain_beats_other_compositions() -> None:
    """Of two and three steps, for l = 0.03: no random change of the coefficients gives a smaller error."""
    rng = np.random.default_rng(0)
    grid = np.linspace(0.03, 1, 2001)
    low, u, rows = 0.03, 1.0, []
    for _ in range(3):
        row = chains.quintic(low, u)
        rows.append(row)
        low = float(composite([row], low))
        u = 2 - low
    for t in (2, 3):
        best = np.abs(1 - composite(rows[:t], grid)).max()
        for _ in range(300):
            other = np.array(rows[:t]) * (1 + 10 ** rng.uniform(-5, -1) * rng.standard_normal((t, 3)))
            assert np.abs(1 - composite(other, grid)).max() >= best * (1 - 1e-6)


def predicted(x: Any, weights: Any, lowers: Any, rows: Any, errors: Any, k: int, t: int, low: float) -> float:
    def missing(y: Any) -> Any:
        return (1 - composite(rows[k, :t], y)) ** 2

    square = np.where(x >= lowers[k], 0.5 * errors[k, t - 1] ** 2, missing(x))
    square = np.where(x < low, 0.5 * (square + missing(x / 3)), square)
    return float(np.sqrt(np.sum(weights * square)))


@pytest.mark.parametrize("low", [0.0, 0.2])
def test_choose_takes_the_fewest_steps(low: float) -> None:
    lowers, rows, errors = chains.coarse_table(1.002)
    rng = np.random.default_rng(1)
    for accuracy in (0.3, 0.1, 1e-2, 1e-3, 1e-6):
        for _ in range(6):
            x = np.sort(10 ** rng.uniform(-3, 0, 7))
            weights = rng.dirichlet(np.ones(7) * 0.3)
            chain, steps, said = chains.choose(x, weights, accuracy, lowers, rows, errors, low)
            table = [
                [predicted(x, weights, lowers, rows, errors, k, t, low) for k in range(len(lowers))]
                for t in range(1, steps + 1)
            ]
            assert said == pytest.approx(table[-1][chain], rel=1e-9, abs=1e-12)
            assert said == pytest.approx(min(table[-1]), rel=1e-9, abs=1e-12) and said <= accuracy
            assert all(min(row) > accuracy for row in table[:-1])
    # one node far below in a thousandth of the weight: it may be left for a coarse accuracy only
    x, weights = np.r_[1e-4, np.ones(6)], np.r_[1e-3, np.full(6, 0.999 / 6)]
    coarse, fine = (chains.choose(x, weights, a, lowers, rows, errors, 0.0)[1] for a in (0.1, 0.01))
    assert coarse < fine


def test_choose_says_when_nothing_serves() -> None:
    lowers, rows, errors = chains.coarse_table(1.002)
    x, weights = np.array([1e-12, 1.0]), np.array([0.5, 0.5])
    _, steps, said = chains.choose(x, weights, 1e-3, lowers, rows, errors, 0.0)
    assert steps == chains.STEPS and said > 0.5
    assert chains.choose(np.array([np.nan, 1.0]), weights, 1e-3, lowers, rows, errors, 0.0)[1] == 0


# --- the largest singular value from traces -----------------------------------------------------------------------


def top(values: Any, noise: float = 0.0) -> float:
    x = np.asarray(values, np.longdouble)
    traces = [float(np.sum(x**k)) for k in (1, 2, 3, 4)]
    return float(chains.top_eigenvalue(len(x), *traces, noise))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.sampled_from([1e-5, 1e-2]))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_the_bound_of_the_largest_eigenvalue_holds(values: list[float], noise: float) -> None:
    if max(values) > 1e-3:
        assert top(values, noise) >= max(values) * (1 - 5 * noise)


def test_the_bound_is_tight_where_it_can_be() -> None:
    assert top(np.r_[1.0, np.zeros(63)], 1e-6) == pytest.approx(1.0, rel=1e-2)
    assert top(np.ones(64), 1e-6) == pytest.approx(1.0, rel=0.02)
    spike = np.r_[4.0, np.ones(99)]
    assert 4.0 * (1 - 1e-5) <= top(spike, 1e-6) <= 4.1
    assert top(np.r_[1.0, 0.0], 1e-5) >= 1 - 1e-4 and top(np.r_[np.ones(30), np.zeros(34)], 1e-5) >= 1 - 1e-4
    rng = np.random.default_rng(0)
    for m, n in ((64, 64), (200, 200), (100, 400)):
        values = np.linalg.svd(rng.standard_normal((m, n)), compute_uv=False) ** 2
        frobenius, fourth = values.sum(), (values**4).sum() ** 0.25
        assert values[0] <= top(values, 1e-5) <= min(1.35 * values[0], fourth * (1 + 1e-9)) < 0.5 * frobenius


# --- looks --------------------------------------------------------------------------------------------------------


def rows_of(X: np.ndarray) -> np.ndarray:
    """What `distance` writes, for all members in turn."""
    R = np.ascontiguousarray(X @ X.T)
    rows = np.zeros((len(R), 5))
    for member in range(3):
        looks.distance(member, 3, R, rows)
    return rows


def random_rotations(rng: np.random.Generator, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m = len(p)
    U, V = (np.linalg.qr(rng.standard_normal((m, m)))[0] for _ in range(2))
    return (U * p) @ V.T, U @ V.T


@pytest.mark.parametrize("spread", [1.0, 0.3, 1e-2, 1e-5])
def test_the_error_of_an_iterate_is_bounded(spread: float) -> None:
    rng = np.random.default_rng(2)
    for kind in range(30):
        p = [
            1 + spread * rng.uniform(-1, 1, 40),
            np.where(rng.random(40) < 0.2, 1 - spread, 1.0),
            np.full(40, 1 + spread),
        ]
        X, Q = random_rotations(rng, np.abs(p[kind % 3]))
        true = np.linalg.norm(X - Q) / np.sqrt(40)
        bound = float(looks.error(rows_of(X), 1e-15))
        assert true <= bound * (1 + 1e-9) + 1e-9
        assert bound <= 3 * true + 1e-7


def test_the_bound_supposes_positive_singular_values() -> None:
    """R = X X' does not see a sign: with one flipped, |X - polar| is 2 while R = I."""
    rng = np.random.default_rng(3)
    X, Q = random_rotations(rng, np.r_[-1.0, np.ones(39)])
    assert np.linalg.norm(X - Q) / np.sqrt(40) > 0.3 and float(looks.error(rows_of(X), 0.0)) < 1e-6


def test_rows_add_up_to_traces() -> None:
    X = np.random.default_rng(4).standard_normal((37, 50)) / 10
    R = X @ X.T
    rows = rows_of(X)
    S = R @ R
    for member in range(2):
        looks.traces(member, 2, R, S, rows)
    expected = [np.trace(R), np.trace(S), np.trace(S @ R), np.trace(S @ S), np.sum((R - np.eye(37)) ** 2)]
    np.testing.assert_allclose(rows.sum(axis=0), expected, rtol=1e-12)
    assert looks.total(rows, 2) == pytest.approx(expected[2], rel=1e-13)
    for member in range(4):
        looks.squares_of(member, 4, S, rows)
    assert looks.total(rows, 1) == pytest.approx(np.sum(S**2), rel=1e-13)
    assert float(looks.error(np.zeros((5, 5)), 0.0)) == 1.0


@pytest.mark.parametrize("k", [1, 2, 3, 7, 14])
def test_quadrature_is_the_eigenvalues_of_the_tridiagonal(k: int) -> None:
    rng = np.random.default_rng(k)
    for scale in (1.0, 1e-6, 0.0):
        alpha, beta = rng.random(14), scale * rng.random(14)
        nodes, weights = np.empty(14), np.empty(14)
        looks.quadrature(alpha, beta, k, nodes, weights)
        J = np.diag(alpha[:k]) + np.diag(beta[: k - 1], 1) + np.diag(beta[: k - 1], -1)
        values, vectors = np.linalg.eigh(J)
        order = np.argsort(nodes[:k])
        np.testing.assert_allclose(nodes[:k][order], values, atol=1e-14)
        np.testing.assert_allclose(weights[:k][order], vectors[0] ** 2, atol=1e-12)
        assert (nodes[k:] == 1).all() and not weights[k:].any()


@pytest.mark.parametrize("size", [size for size in THREADS if size < 3])
def test_lanczos_finds_the_ends(size: int) -> None:
    m = 60
    values = np.r_[1e-6, np.linspace(0.5, 1, m - 2), 4.0]
    U = np.linalg.qr(np.random.default_rng(5).standard_normal((m, m)))[0]
    R = (U * values) @ U.T
    k = looks.KRYLOV
    start = np.ones(m) / np.sqrt(m)
    alpha, beta = np.zeros(k), np.zeros(k)
    room = (np.empty((k, m)), np.empty(m), np.empty(m))
    team.run(lanczos_of, size, R, start, *room, alpha, beta)
    nodes, weights = np.empty(k), np.empty(k)
    looks.quadrature(alpha, beta, k, nodes, weights)
    assert nodes.max() == pytest.approx(4.0, rel=1e-6) and nodes.min() == pytest.approx(1e-6, abs=1e-3)
    assert weights.sum() == pytest.approx(1.0)
    for power in (1, 2, 5, 2 * k - 1):  # Gauss: exact up to degree 2 k - 1
        exact = start @ ((U * values**power) @ U.T) @ start
        assert np.sum(weights * nodes**power) == pytest.approx(exact, rel=1e-9)
    # a Krylov space of dimension 2
    flat = np.eye(m) + np.outer(start, np.eye(m)[0]) + np.outer(np.eye(m)[0], start)
    team.run(lanczos_of, size, flat, start, *room, alpha, beta)
    assert 0.0 in beta[:3]


@shared()
def lanczos_of(
    member: int, size: int, state: Any, R: Any, start: Any, basis: Any, v: Any, w: Any, alpha: Any, beta: Any
) -> None:
    looks.lanczos(member, size, state, R, start, basis, v, w, alpha, beta)


# --- products in parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("m", [1, 5, 16, 17, 40, 96, 100, 131, 256])
def test_every_entry_of_a_symmetric_product_is_computed_once(size: int, m: int) -> None:
    cover = np.zeros((m, m), int)
    for p in range(size):
        first, last = products.part(m, size, p)
        for i in range(first, last):
            cover[i, first : i + 1] += 1
        for d in range(1, size // 2 + 1):
            rows, columns = products.below(m, size, p, d)
            if rows[1] > rows[0] and columns[1] > columns[0]:
                assert rows[0] >= columns[1] or rows[0] >= columns[0]
                cover[rows[0] : rows[1], columns[0] : columns[1]] += 1
    np.testing.assert_array_equal(cover, np.tril(np.ones((m, m), int)))


@pytest.mark.parametrize("size", range(1, 9))
def test_parts_cover_a_range(size: int) -> None:
    for length in (0, 1, 15, 16, 33, 100, 1000):
        cuts = [products.part(length, size, i) for i in range(size)]
        assert cuts[0][0] == 0 and cuts[-1][1] == length
        assert all(a[1] == b[0] for a, b in pairwise(cuts))
        assert max(b - a for a, b in cuts) <= length / size + 2 * products.TILE


@shared()
def gram_of(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    X: Any,
    C: Any,
    alpha: Any,
    D: Any,
    beta: Any,
) -> None:
    products.gram(products.desk(found, letters, kind, state, packed, X), member, size, X, C, alpha, D, beta)
    barrier(state, size)


@shared()
def commuting_of(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    A: Any,
    B: Any,
    C: Any,
    D: Any,
    beta: Any,
) -> None:
    products.commuting(products.desk(found, letters, kind, state, packed, A), member, size, A, B, C, D, beta)
    barrier(state, size)


@shared()
def long_of(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    A: Any,
    X: Any,
    Y: Any,
    beta: Any,
) -> None:
    products.long(products.desk(found, letters, kind, state, packed, X), member, size, A, X, Y, beta)
    barrier(state, size)


def known(dtype: Any, m: int = 0, n: int = 0, name: str = "") -> tuple[Any, ...]:
    precision = workspace.PRECISIONS[name or np.dtype(dtype).name]
    packed = workspace._packed(m, n, precision)
    return blas.addresses(np.dtype(dtype).name), blas.LETTERS, precision.kind, packed


@pytest.mark.parametrize("size", THREADS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 4e-15)])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 7), (17, 33), (64, 64), (97, 50), (101, 230), (200, 7)])
def test_products_by_a_team(size: int, dtype: Any, tolerance: float, m: int, n: int) -> None:
    rng = np.random.default_rng(m + n)
    X = rng.standard_normal((m, n)).astype(dtype)
    A = rng.standard_normal((m, m))
    A = (A + A.T).astype(dtype) / np.dtype(dtype).type(np.sqrt(m))
    B = (A @ A / 4 + A).astype(dtype)
    B = ((B + B.T) / 2).astype(dtype)
    C, Y, nan = np.full((m, m), np.nan, dtype), np.full((m, n), np.nan, dtype), np.full((m, m), np.nan, dtype)

    def near(found: Any, exact: Any, scale: float) -> None:
        np.testing.assert_allclose(found, exact, atol=tolerance * max(scale, 1e-30))

    wide = np.float64
    with single_threaded_blas():
        team.run(gram_of, size, *known(dtype), X, C, 1.0, nan, 0.0)  # D is not read
        near(C, X.astype(wide) @ X.T.astype(wide), n)
        np.testing.assert_array_equal(C, C.T)
        team.run(gram_of, size, *known(dtype), X, C, 0.5, A, -2.0)
        near(C, 0.5 * X.astype(wide) @ X.T.astype(wide) - 2.0 * A, n + 8)
        np.testing.assert_array_equal(C, C.T)
        D = A.copy()
        team.run(commuting_of, size, *known(dtype), A, B, C, D, 3.0)
        near(C, A.astype(wide) @ B.astype(wide) + 3.0 * D, 30)
        np.testing.assert_array_equal(C, C.T)
        team.run(commuting_of, size, *known(dtype), A, B, D, D, 3.0)  # in place
        near(D, C, 30)
        team.run(long_of, size, *known(dtype), A, X, Y, 0.0)
        near(Y, A.astype(wide) @ X.astype(wide), 30)
        team.run(long_of, size, *known(dtype), A, X, Y, 1.5)
        near(Y, A.astype(wide) @ X.astype(wide) + 1.5 * X, 30)


# --- steps --------------------------------------------------------------------------------------------------------


@shared()
def steps_of(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    X: Any,
    Y: Any,
    squares: Any,
    plan: Any,
    looked: bool,
) -> None:
    desk = products.desk(found, letters, kind, state, packed, X)
    R, S, P = squares
    for i in range(len(plan)):
        products.gram(desk, member, size, X, R, 1.0, R, 0.0)
        barrier(state, size)
        if looked:
            products.gram(desk, member, size, R, S, 1.0, R, 0.0)
            barrier(state, size)
        step(member, size, state, desk, X, Y, R, S, P, plan[i], looked)
        X, Y = Y, X


@shared()
def steps_on_gram_of(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    X: Any,
    Y: Any,
    squares: Any,
    plan: Any,
    looked: bool,
) -> None:
    desk = products.desk(found, letters, kind, state, packed, X)
    R, S, P, Q, after = squares
    products.gram(desk, member, size, X, R, 1.0, R, 0.0)
    barrier(state, size)
    for i in range(len(plan)):
        squared = looked and i == 0
        if squared:
            products.gram(desk, member, size, R, S, 1.0, R, 0.0)
            barrier(state, size)
        step_on_gram(member, size, state, desk, R, S, P, Q, after, plan[i], squared, i == 0)
        Q, after = after, Q
    products.long(desk, member, size, Q, X, Y, 0.0)
    barrier(state, size)


PLANS = {
    "quintic": [(3.4445, -4.7750, 2.0315, 0.0), (1.875, -1.25, 0.375, 0.0), (1.875, -1.25, 0.375, 0.0)],
    "cubic": [(1.5, -0.5, 0.0, 0.0)] * 3,
    "septic": [(35 / 16, -35 / 16, 21 / 16, -5 / 16)] * 2,
    "mixed": [(3.4, -4.7, 2.0, 0.0), (35 / 16, -35 / 16, 21 / 16, -5 / 16), (1.5, -0.5, 0.0, 0.0)],
}


@pytest.mark.parametrize("size", [size for size in THREADS if size < 3])
@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(("m", "n"), [(32, 96), (64, 64), (48, 200)])
def test_steps_are_polynomials_of_singular_values(m: int, n: int, name: str, looked: bool, size: int) -> None:
    rng, plan = np.random.default_rng(m), np.array(PLANS[name])
    U, V = np.linalg.qr(rng.standard_normal((m, m)))[0], np.linalg.qr(rng.standard_normal((n, m)))[0]
    sigma = np.geomspace(0.01, 1, m)
    G, exact = (U * sigma) @ V.T, (U * composite(plan, sigma)) @ V.T
    made = []
    for function, count in ((steps_of, 3), (steps_on_gram_of, 5)):
        X, Y = G.copy(), np.full_like(G, np.nan)
        squares = tuple(np.full((m, m), np.nan) for _ in range(count))
        with single_threaded_blas():
            team.run(function, size, *known(np.float64), X, Y, squares, plan, looked)
        made.append(Y if count == 5 or len(plan) % 2 else X)
        np.testing.assert_allclose(made[-1], exact, atol=1e-12)
    np.testing.assert_allclose(made[0], made[1], atol=1e-12)


# --- the whole ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_gram", [False, True])
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_an_iteration_ends_where_it_says(on_gram: bool, name: str) -> None:
    rng = np.random.default_rng(6)
    precision = workspace.PRECISIONS[name]
    for m, n in ((32, 96), (64, 64), (48, 200)):
        U, V = np.linalg.qr(rng.standard_normal((m, m)))[0], np.linalg.qr(rng.standard_normal((n, m)))[0]
        last = 0
        for accuracy in (0.3, 1e-2, 1e-4):
            space = workspace.Workspace(m, n, precision, on_gram)
            space.X[:] = (U * np.geomspace(1, 0.05, m)) @ V.T
            found = space.iterate(accuracy, 1e30)
            if found is None:  # the m x m side leaves what it cannot see to others
                assert on_gram and accuracy < 0.01
                continue
            true = np.linalg.norm(found.iterate - U @ V.T) / np.sqrt(m)
            # what m x m products in float32 gather is estimated, not bounded
            assert true <= found.error * 1.01 + (5e-5 if name == "float32" else 1e-9) and found.error <= accuracy
            # a plan for l = 0.05 has 3, 4 and 5 steps; the first of them are taken before the spectrum is known
            assert last <= found.steps <= {0.3: 4, 1e-2: 7, 1e-4: 7}[accuracy] and found.flops > 0
            assert np.linalg.norm(found.iterate, 2) <= found.top * (1 + 1e-6)
            last = found.steps


@pytest.mark.parametrize("on_gram", [False, True])
def test_an_iteration_gives_up(on_gram: bool) -> None:
    rng, m = np.random.default_rng(7), 48
    U, V = (np.linalg.qr(rng.standard_normal((m, m)))[0] for _ in range(2))
    precision = workspace.PRECISIONS["float32"]
    cases = {
        "singular": (np.r_[np.ones(24), np.zeros(24)], 1e-3, 1e30),
        "too small": (np.r_[np.ones(24), np.full(24, 1e-6)], 1e-3, 1e30),
        "too dear": (np.geomspace(1, 1e-2, m), 1e-3, 1e5),
    }
    for name, (sigma, accuracy, limit) in cases.items():
        space = workspace.Workspace(m, m, precision, on_gram)
        space.X[:] = (U * sigma) @ V.T
        assert space.iterate(accuracy, limit) is None, name
    space.X[:] = np.nan
    assert space.iterate(1e-3, 1e30) is None
    space.X[:] = U @ V.T  # and does not remember it
    assert space.iterate(1e-3, 1e30) is not None


def test_rounding_counts_towards_the_error() -> None:
    """Where rounding turns directions by more than the accuracy, that is seen before any step."""
    settings_ = np.array([1e-3, 1e-7, 1e-7, 1e-5, 1e30, 0.0])
    nodes, facts = np.zeros((4, 3)), np.zeros(adaptive.FACTS)
    nodes[0], nodes[1] = [1e-4, 0.5, 1.0], [0.3, 0.3, 0.4]
    nodes[2:] = nodes[:2]
    facts[adaptive.SPREAD] = 0.7
    small = adaptive._turned(nodes, True, settings_, facts)
    assert facts[adaptive.TURNED] == small > 0
    facts[adaptive.STEPS], facts[adaptive.SLOPE], facts[adaptive.GATHERED] = 3, 1e3, 1e3
    later = adaptive._turned(nodes, False, settings_, facts)
    assert later > facts[adaptive.TURNED] >= small
    settings_[adaptive.ROUNDING] *= 10
    assert adaptive._turned(nodes, True, settings_, facts) > 50 * small


@pytest.mark.parametrize("on_gram", [False, True])
def test_bfloat16_products_differ_by_their_rounding(on_gram: bool) -> None:
    if not bf16.available():
        pytest.skip("the processor has no AVX-512 BF16 instructions")
    rng = np.random.default_rng(8)
    for m, n in ((64, 64), (48, 200), (100, 130)):
        U, V = np.linalg.qr(rng.standard_normal((m, m)))[0], np.linalg.qr(rng.standard_normal((n, m)))[0]
        X = ((U * np.linspace(0.3, 1, m)) @ V.T).astype(np.float32)
        made = {}
        for name in ("bfloat16", "float32"):
            space = workspace.Workspace(m, n, workspace.PRECISIONS[name], on_gram)
            space.X[:] = X
            found = space.iterate(0.1, 1e30)
            assert found is not None and found.error <= 0.1
            made[name] = found.iterate.astype(np.float64)
            assert np.linalg.norm(made[name] - U @ V.T) / np.sqrt(m) <= 0.1
        C, exact = np.empty((m, m), np.float32), X.astype(np.float64) @ X.T
        for size in (1, min(2, THREADS[-1])):
            team.run(gram_of, size, *known(np.float32, m, n, "bfloat16"), X, C, 1.0, C, 0.0)
            # entries are rounded by 2^-9 at most, independently: sqrt(2 n) of them add up
            off = np.linalg.norm(C - exact) / np.linalg.norm(X @ X.T)
            assert 1e-5 < off < 2.0**-8
            np.testing.assert_array_equal(C, C.T)


def test_follow_takes_the_rows_it_is_given() -> None:
    rng = np.random.default_rng(9)
    G = rng.standard_normal((40, 72)) / 20
    U, s, V = np.linalg.svd(G, full_matrices=False)
    for count in (1, 2, 3):
        rows = np.array(PLANS["mixed"][:count])
        space = workspace.Workspace(40, 72, workspace.PRECISIONS["float64"], False)
        space.X[:] = G
        flops = space.follow(rows)
        np.testing.assert_allclose(space.X, (U * composite(rows, s)) @ V, atol=1e-12)
        assert flops > count * 2 * 40 * 40 * 72
