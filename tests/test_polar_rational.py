"""Rational and exact polar factors against mpmath and SVDs in float64; their coefficients against 50 digits."""

import math

import mpmath
import numpy as np
import pytest

from normkit.backends.cpu import blas, team
from normkit.backends.cpu.blas import desk
from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.backends.cpu.team import barrier, shared
from normkit.polar import cholesky, exact
from normkit.polar.halley_plans import rounding
from normkit.polar.newton import newton
from normkit.polar.products import gram_by_blas, part
from normkit.polar.qdwh import qdwh
from normkit.polar.zolo import zolo
from normkit.polar.zolotarev import bounded_weights, nodes, partial_fractions, solves_for, weights

SINGLE, DOUBLE = np.float32, np.float64
SHAPES = [(1, 1), (1, 7), (7, 1), (40, 40), (40, 60), (60, 40), (30, 150), (150, 30), (270, 280), (280, 270)]


def haar(m, k, rng):
    q, r = np.linalg.qr(rng.standard_normal((m, k)))
    return q * np.sign(np.diag(r))


def build(shape, sigma, dtype=DOUBLE, seed=0):
    rng, k = np.random.default_rng(seed), min(shape)
    return ((haar(shape[0], k, rng) * sigma) @ haar(shape[1], k, rng).T).astype(dtype)


def by_svd(X):
    u, _, vt = np.linalg.svd(X.astype(DOUBLE), full_matrices=False)
    return u @ vt


def by_mpmath(X):
    with mpmath.workdps(50):
        wide = X.shape[0] <= X.shape[1]
        u, _, v = mpmath.svd_r(mpmath.matrix((X.T if wide else X).tolist()))
        T = np.array((u * v).tolist(), dtype=DOUBLE)
    return T.T if wide else T


def error(T, expected):
    return np.linalg.norm(T - expected) / math.sqrt(min(T.shape))


def spectra(k, low):
    one, half = np.ones(k), np.ones(k)
    one[-1] = low
    half[k // 2 :] = low
    cluster = np.full(k, 1 / math.sqrt(weights(low).c))
    cluster[0], cluster[-(k // 4 + 1) :] = 1, low
    return {"log": np.geomspace(1, low, k), "one tiny": one, "half tiny": half, "cluster": cluster}


# Coefficients


@pytest.mark.parametrize("lower", [0.9, 1e-1, 1e-3, 1e-8, 1e-12, 1e-16, 1e-20])
@pytest.mark.parametrize("solves", [1, 2, 5, 8])
def test_nodes_have_all_digits(lower, solves):
    with mpmath.workdps(60):
        square = mpmath.mpf(lower) ** 2
        quarter = mpmath.ellipk(1 - square)
        for i, c in enumerate(nodes(lower, solves), 1):
            u = i * quarter / (2 * solves + 1)
            sn, cn = (mpmath.ellipfun(name, u, m=1 - square) for name in ("sn", "cn"))
            assert abs(c / (square * sn**2 / cn**2) - 1) < 5e-14


@pytest.mark.parametrize("lower", [0.9, 1e-3, 1e-8, 1e-16])
@pytest.mark.parametrize("solves", [1, 3, 8])
def test_partial_fractions_are_the_product(lower, solves):
    fractions, c = partial_fractions(lower, solves), [mpmath.mpf(x) for x in nodes(lower, solves)]
    with mpmath.workdps(50):

        def product(x):
            return x * mpmath.fprod((x * x + c[2 * i + 1]) / (x * x + c[2 * i]) for i in range(solves))

        for x in np.geomspace(lower, 1, 40):
            assert abs(fractions(float(x)) / (product(mpmath.mpf(x)) / product(mpmath.mpf(1))) - 1) < 1e-12
        assert abs(fractions.lower / (product(mpmath.mpf(lower)) / product(mpmath.mpf(1))) - 1) < 1e-13


@pytest.mark.parametrize("lower", [0.5, 1e-2, 1e-6, 1e-16, 1e-20])
def test_weights_have_all_digits_and_are_zolotarevs(lower):
    w = weights(lower)
    with mpmath.workdps(80):
        square = mpmath.mpf(lower) ** 2
        d = mpmath.cbrt(4 * (1 - square) / square**2)
        a = mpmath.sqrt(1 + d) + mpmath.sqrt(8 - 4 * d + 8 * (2 - square) / (square * mpmath.sqrt(1 + d))) / 2
        for got, expected in ((w.a, a), (w.b, (a - 1) ** 2 / 4), (w.c, a + (a - 1) ** 2 / 4 - 1)):
            assert abs(got / expected - 1) < 1e-13
    fractions = partial_fractions(lower, 1)
    for x in np.geomspace(lower, 1, 20):
        assert w(x) == pytest.approx(fractions(x), rel=1e-12)
    assert weights(1.0) == weights(1.0 - 1e-20)
    assert weights(1.0).a == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("lower", "distances"),
    [
        (1e-2, [0.495, 4.8e-3, 1.8e-9]),
        (1e-3, [0.752, 3.7e-2, 8.4e-7]),
        (1e-8, [0.995, 0.578, 9.5e-3, 1.4e-8]),
        (1e-16, [1.0, 0.943, 0.218, 2.3e-4, 1.9e-13]),
    ],
)
def test_qdwh_recursion(lower, distances):
    for distance in distances:
        lower = weights(lower)(lower)
        assert 1 - lower == pytest.approx(distance, rel=0.03)


@pytest.mark.parametrize(
    ("lower", "solves", "distances"),
    [
        (1e-8, 4, [0.578, 1.4e-8]),
        (1e-16, 8, [0.596, 5e-16]),
        (1e-3, 2, [0.336, 2.8e-6]),
        (1e-3, 1, [0.752, 3.7e-2]),
    ],
)
def test_zolo_recursion(lower, solves, distances):
    for distance in distances:
        lower = partial_fractions(lower, solves).lower
        assert 1 - lower == pytest.approx(distance, rel=0.03, abs=2e-15)
    assert solves_for(1e-16, 1e-15) == 8
    assert solves_for(1e-3, 1e-5) == 2


@pytest.mark.parametrize(("lower", "most"), [(1e-4, 1e3), (1e-8, 1e4), (0.1, 4.0), (0.1, 1e9)])
def test_bounded_weights_keep_the_interval(lower, most):
    w = bounded_weights(lower, most)
    x = np.geomspace(lower, 1, 20001)
    image = x * (w.a + w.b * x**2) / (1 + w.c * x**2)
    assert w.c <= most * (1 + 1e-9) or w == weights(lower)
    assert image.max() <= 1 + 1e-14
    assert image.min() >= w(lower) * (1 - 1e-12)
    assert w(lower) > 1.4 * lower


# Blocks


@shared()
def each_block(member, size, state, found, letters, X, R, M, W, room, Y, Z, verdict):
    """R = X X' / n + I and its factor in M; Y = 2 M^-1 X + 3 X, Z = L'^-1 (L^-1 X)."""
    work = desk(found, letters, X)
    gram_by_blas(work, member, size, X, R, 1.0 / X.shape[1], R, 0.0)
    barrier(state, size)
    first, last = part(len(R), size, member)
    for i in range(first, last):
        R[i, i] += 1.0
        M[i] = R[i]
    barrier(state, size)
    cholesky.factor(member, size, state, work, M, W, room, verdict)
    cholesky.solve(member, size, work, M, W, room, X, Y, 2.0, 3.0)
    cholesky.solve_lower(member, size, work, M, W, room, X, Z)
    cholesky.solve_upper(member, size, work, M, W, room, Z)


def room_for(m, n, dtype, threads):
    blocks = np.zeros((-(-m // cholesky.BLOCK), cholesky.BLOCK, cholesky.BLOCK), dtype)
    return blocks, np.empty((threads, cholesky.STRIPE * cholesky.SLAB), dtype)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("shape", [(1, 5), (5, 5), (97, 97), (300, 300), (3, 700), (300, 1900), (430, 640), (777, 777)])
@pytest.mark.parametrize("threads", [1, 2])
def test_blocks(dtype, shape, threads):
    (m, n), threads = shape, min(threads, team.members(threads))
    X = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    R, M, verdict = np.empty((m, m), dtype), np.empty((m, m), dtype), np.zeros(1)
    Y, Z = np.empty_like(X), np.empty_like(X)
    known = blas.addresses(X.dtype.name), blas.LETTERS
    with single_threaded_blas():
        team.run(each_block, threads, *known, X, R, M, *room_for(m, n, dtype, threads), Y, Z, verdict)
    assert verdict[0] == 1
    rtol = 5e-5 if dtype is SINGLE else 1e-12
    expected = X.astype(DOUBLE) @ X.T.astype(DOUBLE) / n + np.eye(m)
    np.testing.assert_allclose(R, expected, rtol=0, atol=rtol)
    L = np.tril(M).astype(DOUBLE)
    np.testing.assert_allclose(L @ L.T, expected, rtol=0, atol=10 * rtol)
    solved = np.linalg.solve(expected, X.astype(DOUBLE))
    np.testing.assert_allclose(Y, 2 * solved + 3 * X, rtol=0, atol=50 * rtol)
    np.testing.assert_allclose(Z, solved, rtol=0, atol=20 * rtol)


@shared()
def only_factor(member, size, state, found, letters, M, W, room, verdict):
    cholesky.factor(member, size, state, desk(found, letters, M), M, W, room, verdict)


@pytest.mark.parametrize("place", [0, 150, 400, 499])
def test_indefinite_matrices_have_no_factor(place):
    M, verdict = np.eye(500), np.ones(1)
    M[place, place] = -1
    threads = team.members(2)
    with single_threaded_blas():
        known = blas.addresses("float64"), blas.LETTERS
        team.run(only_factor, threads, *known, M, *room_for(500, 500, DOUBLE, threads), verdict)
    assert verdict[0] == 0


# QDWH


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "accuracy"), [(SINGLE, 1e-3), (SINGLE, 1e-6), (DOUBLE, 1e-3), (DOUBLE, 1e-12)])
def test_qdwh_keeps_its_accuracy(shape, dtype, accuracy):
    low = 1e-3
    for name, sigma in spectra(min(shape), low).items():
        X = build(shape, sigma, dtype)
        kept, out = X.copy(), np.full(X.shape, np.nan, dtype)
        done = qdwh(X, out, lower=low * 0.8 * min(sigma[-1] / low, 1), upper=1.001 * sigma.max(), accuracy=accuracy)
        assert error(out, by_svd(X)) <= accuracy, name
        assert done.residual <= 3 * accuracy
        assert np.array_equal(X, kept)


@pytest.mark.parametrize("low", [1e-2, 1e-4, 1e-5, 1e-6])
@pytest.mark.parametrize("name", ["log", "one tiny", "half tiny", "cluster"])
def test_qdwh_in_float32_takes_float64_where_float32_would_lose_the_small_directions(low, name):
    X = build((200, 200), spectra(200, low)[name], SINGLE)
    out = np.empty_like(X)
    sigma = np.linalg.svd(X.astype(DOUBLE), compute_uv=False)
    qdwh(X, out, lower=sigma[-1], upper=1.001 * sigma[0], accuracy=1e-3)
    assert error(out, by_svd(X)) <= 1e-3
    qdwh(X, out, lower=sigma[-1], upper=1.001 * sigma[0], accuracy=1e-6)
    assert error(out, by_svd(X)) <= 1e-6


@shared()
def one_step(member, size, state, found, letters, X, R, W, room, Y, weights, verdict):
    work = desk(found, letters, X)
    gram_by_blas(work, member, size, X, R, 1.0, R, 0.0)
    barrier(state, size)
    a, b, c, s = weights
    first, last = part(len(R), size, member)
    for i in range(first, last):
        R[i, i] += 1.0 / (c * s * s)
    barrier(state, size)
    cholesky.factor(member, size, state, work, R, W, room, verdict)
    cholesky.solve(member, size, work, R, W, room, X, Y, (a - b / c) / (c * s), b / c * s)


@pytest.mark.parametrize("low", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("name", ["log", "one tiny", "half tiny", "cluster"])
def test_the_rounding_model_bounds_a_step(low, name):
    X, w = build((256, 256), spectra(256, low)[name], SINGLE), weights(low)
    Z, verdict, threads = np.empty_like(X), np.zeros(1), team.members(2)
    M, known = np.empty((256, 256), SINGLE), (blas.addresses("float32"), blas.LETTERS)
    with single_threaded_blas():
        team.run(
            one_step, threads, *known, X, M, *room_for(256, 256, SINGLE, threads), Z, (w.a, w.b, w.c, 1.0), verdict
        )
    assert verdict[0] == 1
    assert error(by_svd(Z), by_svd(X)) <= rounding(w.c, w(low), 2.0**-24)


@pytest.mark.parametrize("estimate", [1e3, 30.0, 0.1, 1e-6])
@pytest.mark.parametrize("shape", [(64, 64), (40, 200), (200, 40)])
def test_a_wrong_estimate_costs_steps_not_accuracy(estimate, shape):
    X = build(shape, np.geomspace(1, 1e-3, min(shape)))
    for form in ("auto", "qr"):
        out = np.empty_like(X)
        qdwh(X, out, lower=min(1e-3 * estimate, 1.0), upper=1.001, accuracy=1e-11, form=form)
        assert error(out, by_svd(X)) <= 1e-11


@pytest.mark.parametrize("low", [1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("shape", [(8, 8), (6, 14), (14, 6)])
def test_ill_conditioned_matrices_are_as_accurate_as_their_entries_allow(low, shape):
    X = build(shape, np.geomspace(1, low, min(shape)))
    expected, allowed, out = by_mpmath(X), 20 * 2.0**-53 / low, np.empty_like(X)
    bounds = {"lower": 0.9 * low, "upper": 1.0001}
    for form in ("auto", "qr"):
        qdwh(X, out, **bounds, form=form)
        assert error(out, expected) <= allowed
        zolo(X, out, **bounds, form=form)
        assert error(out, expected) <= allowed
    for scaling in ("norms", "optimal"):
        newton(X, out, **bounds, scaling=scaling)
        assert error(out, expected) <= allowed
    exact.svd(X, out, rank_tol=1e-15)
    assert error(out, expected) <= allowed


def test_steps_are_as_few_as_the_recursion_says():
    X = build((128, 128), np.geomspace(1, 1e-3, 128))
    out = np.empty_like(X)
    assert qdwh(X, out, lower=1e-3, upper=1.0, accuracy=1e-3).steps == 3
    assert qdwh(X.astype(SINGLE), out.astype(SINGLE), lower=1e-3, upper=1.0, accuracy=1e-6).steps == 3
    assert qdwh(X, out, lower=1e-3, upper=1.0, accuracy=1e-12).steps == 4
    assert zolo(X, out, lower=1e-3, upper=1.0, accuracy=1e-12).steps == 2
    assert zolo(X, out, lower=1e-3, upper=1.0, accuracy=1e-12, solves=1).steps == 4


@pytest.mark.parametrize(("dtype", "accuracy", "most"), [(SINGLE, 1e-3, 4), (SINGLE, 1e-6, 5), (DOUBLE, 1e-12, 5)])
def test_the_smallest_singular_value_is_measured_again(dtype, accuracy, most):
    """The first look guesses 1/(2 m), 25 times too much; plans from that guess alone would take two steps more."""
    X = build((200, 200), np.geomspace(1, 1e-4, 200), dtype)
    out = np.empty_like(X)
    done = qdwh(X, out, accuracy=accuracy)
    assert error(out, by_svd(X)) <= accuracy
    assert done.steps <= most


@pytest.mark.parametrize("scale", [37.0, 1 / 37.0])
def test_a_scale_costs_no_step(scale):
    """The first step divides by `upper`: in the shift of R and in the weights of both terms."""
    X = build((150, 160), np.geomspace(1, 1e-2, 150))
    plain, scaled = np.empty_like(X), np.empty_like(X)
    one = qdwh(X, plain, lower=1e-2, upper=1.0, accuracy=1e-6)
    other = qdwh(scale * X, scaled, lower=1e-2 * scale, upper=scale, accuracy=1e-6)
    assert one.steps == other.steps == 3
    assert other.residual == pytest.approx(one.residual, rel=1e-3)
    np.testing.assert_allclose(scaled, plain, rtol=0, atol=1e-9)


def test_the_cubic_step_is_centred():
    """What it leaves of singular values x, x^2 = 1 - e, is 3/8 (e^2 - mean of e^2): nothing in the mean."""
    X = build((150, 150), np.geomspace(1, 3e-2, 150))
    out = np.empty_like(X)
    done = qdwh(X, out, lower=3e-2, upper=1.0, accuracy=1e-5)
    apart = 1 - np.linalg.svd(out, compute_uv=False)
    spread = np.sqrt(np.mean(apart**2))
    assert spread > 1e-10
    assert abs(apart.mean()) < 0.05 * spread
    assert error(out, by_svd(X)) <= 0.5 * done.residual


def test_steps_stop_where_a_direction_is_below_the_floor():
    X = build((150, 150), np.r_[np.geomspace(1, 0.1, 149), 1e-6])
    with pytest.raises(np.linalg.LinAlgError, match="rank deficient"):
        qdwh(X, np.empty_like(X), accuracy=1e-10, floor=1e-4)


def test_rank_deficient_matrices_are_refused():
    X = np.diag([1.0, 0.5, 0.0])
    for method in (qdwh, zolo):
        with pytest.raises(np.linalg.LinAlgError, match=r"rank deficient.*exact"):
            method(X, np.empty_like(X), lower=0.5, upper=1.001)
    with pytest.raises(np.linalg.LinAlgError, match="full rank"):
        newton(np.zeros((3, 3)), np.empty((3, 3)), lower=0.5)


# Zolo and Newton


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", [zolo, newton])
@pytest.mark.parametrize(("dtype", "accuracy"), [(SINGLE, 1e-3), (SINGLE, 1e-6), (DOUBLE, 1e-11)])
def test_zolo_and_newton_keep_their_accuracy(shape, method, dtype, accuracy):
    X = build(shape, np.geomspace(1, 1e-3, min(shape)), dtype)
    kept, out = X.copy(), np.full(X.shape, np.nan, dtype)
    method(X, out, lower=8e-4, upper=1.001, accuracy=accuracy)
    assert error(out, by_svd(X)) <= accuracy
    assert np.array_equal(X, kept)


def test_zolo_goes_on_where_the_estimate_was_too_high():
    X = build((50, 50), np.geomspace(1, 1e-4, 50))
    out = np.empty_like(X)
    zolo(X, out, lower=0.1, upper=1.001, accuracy=1e-11)
    assert error(out, by_svd(X)) <= 1e-11


# Factorizations


@pytest.mark.parametrize("shape", [*SHAPES, (12, 200)])
@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("method", [exact.svd, exact.eigh])
def test_factorizations_drop_what_is_below_the_tolerance(shape, dtype, method):
    k, u = min(shape), 2.0**-24 if dtype is SINGLE else 2.0**-53
    rank = (k + 1) // 2
    sigma = np.r_[np.geomspace(3, 0.1, rank), np.full(k - rank, 1e-4)]
    rng = np.random.default_rng(2)
    left, right = haar(shape[0], k, rng), haar(shape[1], k, rng)
    X = ((left * sigma) @ right.T).astype(dtype)
    kept, out = X.copy(), np.full(X.shape, np.nan, dtype)
    found = method(X, out, rank_tol=1e-3)
    assert found.rank == rank
    assert found.dropped == 0
    np.testing.assert_allclose(found.singular, sigma, rtol=100 * u, atol=100 * u + 1e-9)
    assert error(out, left[:, :rank] @ right[:, :rank].T) <= 2000 * u + 1e-11
    assert np.array_equal(X, kept)


@pytest.mark.parametrize("method", [exact.svd, exact.eigh])
def test_zero_has_the_factor_zero(method):
    out = np.full((3, 5), np.nan)
    assert method(np.zeros((3, 5)), out, rank_tol=1e-15).rank == 0
    assert not out.any()


def test_eigh_says_what_it_cannot_resolve():
    X = build((30, 40), np.r_[np.ones(20), np.full(5, 1e-7), np.full(5, 1e-10)])
    out = np.empty_like(X)
    found = exact.eigh(X, out, rank_tol=1e-6)
    assert (found.rank, found.dropped) == (20, 0)
    found = exact.eigh(X, out, rank_tol=1e-14)
    assert found.rank == 25
    assert 1e-10 < found.resolved < 1e-7
    assert exact.svd(X, out, rank_tol=1e-14).rank == 30
