"""Products through bfloat16 against exact integers, ml_dtypes' rounding and float64 sums."""

import os
import platform
import subprocess
import sys

import ml_dtypes
import numba
import numpy as np
import pytest

from normkit.backends.cpu import bf16
from normkit.errors import ShapeError

if not bf16.available():
    pytest.skip("the processor has no AVX-512 BF16 instructions", allow_module_level=True)

from normkit.backends.cpu.bf16 import packing, panels, products

SHAPES = [  # (m, k, n): whole tiles, edges of every kind, one and several blocks along k
    (1, 1, 1),
    (1, 7, 5),
    (6, 2, 64),
    (7, 3, 65),
    (5, 1, 16),
    (13, 33, 17),
    (47, 32, 49),
    (64, 64, 64),
    (97, 31, 200),
    (193, 65, 33),
    (70, 1025, 130),
    (3, 2079, 100),
    (200, 2050, 3),
]
TEAMS = [1, 2, 3, 5, 16]
TINY = 2.0**-126
SENTINEL = np.float32(12345)


def rounded(X):
    """bfloat16 as float64, with what lies below the normal range as zero before and after."""
    X = np.where(np.abs(X) < TINY, 0, X)
    B = X.astype(ml_dtypes.bfloat16).astype(np.float64)
    return np.where(np.abs(B) < TINY, 0, B)


def guarded(m, n, fill):
    """A matrix that lies amid sentinels, and a check that they still stand."""
    room = np.full(m * n + 64, SENTINEL)
    inside = room[32 : 32 + m * n]
    inside[:] = fill

    def unharmed():
        return (room[:32] == SENTINEL).all() and (room[32 + m * n :] == SENTINEL).all()

    return inside.reshape(m, n), unharmed


def integers(rng, *shape):
    return rng.integers(-8, 9, shape).astype(np.float32)


def draws(m, k, n, seed=0):
    rng = np.random.default_rng(seed)
    spread = np.ldexp(1.0, rng.integers(-20, 20, k))
    X = (rng.standard_normal((m, k)) * spread).astype(np.float32)
    Y = (rng.standard_normal((k, n)) / spread[:, None]).astype(np.float32)
    return X, Y


def assert_close_sums(out, X, Y):
    """Every entry within the bound for a float32 sum of k products in any order."""
    A, B = rounded(X), rounded(Y)
    bound = (X.shape[1] + 4) * 2.0**-24 * (np.abs(A) @ np.abs(B)) + X.shape[1] * TINY
    assert (np.abs(out - A @ B) <= bound).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_integers_are_exact(shape):
    m, k, n = shape
    rng = np.random.default_rng(1)
    X, Y, D = integers(rng, m, k), integers(rng, k, n), integers(rng, m, n)
    exact = X.astype(np.int64) @ Y.astype(np.int64)
    out, unharmed = guarded(m, n, np.nan)
    products.multiply(X, Y, out)
    np.testing.assert_array_equal(out, exact)
    products.multiply(X, Y, out, 0.5, -3.0, D)
    np.testing.assert_array_equal(out, 0.5 * exact - 3 * D.astype(np.int64))
    out[:] = D
    products.multiply(X, Y, out, -2.0, 1.0)
    np.testing.assert_array_equal(out, D - 2.0 * exact)
    assert unharmed()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_is_that_of_the_rounded_factors(shape):
    X, Y = draws(*shape)
    out = np.full((shape[0], shape[2]), np.nan, np.float32)
    products.multiply(X, Y, out)
    assert_close_sums(out, X, Y)


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_is_the_symmetric_product(shape):
    m, k, _ = shape
    X, _ = draws(m, k, 1)
    D = np.random.default_rng(2).standard_normal((m, m)).astype(np.float32)
    D += D.T
    out, unharmed = guarded(m, m, np.nan)
    products.gram(X, out)
    np.testing.assert_array_equal(out, out.T)
    full = np.empty_like(out)
    products.multiply(X, X.T, full)
    np.testing.assert_array_equal(out, full)
    products.gram(X, out, 0.25, 2.0, D)
    products.multiply(X, X.T, full, 0.25, 2.0, D)
    np.testing.assert_array_equal(out, full)
    assert unharmed()


@pytest.mark.parametrize("m", [1, 5, 16, 64, 100, 1030])
def test_symmetric_mirrors_the_lower_half(m):
    X, Y = draws(m, m, m)
    out, unharmed = guarded(m, m, np.nan)
    products.symmetric(X, Y, out)
    full = np.empty_like(out)
    products.multiply(X, Y, full)
    np.testing.assert_array_equal(out, np.tril(full) + np.tril(full, -1).T)
    assert unharmed()


def packed(X, Y):
    (m, k), n = X.shape, Y.shape[1]
    A, B = packing.buffer(packing.left_size(m, k)), packing.buffer(packing.right_size(k, n))
    packing.pack_rows(X, 0, m, A)
    packing.pack_pairs(Y, 0, packing.panels(n), B)
    return A, B


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES, (300, 1100, 301)])
def test_any_team_computes_the_same_bits_once(shape, symmetric):
    m, k, n = shape
    n = m if symmetric else n
    X, Y = draws(m, k, n)
    A, B = packed(X, Y)
    D = np.random.default_rng(3).standard_normal((m, n)).astype(np.float32)
    results = []
    for size, order in [(size, order) for size in TEAMS for order in (1, -1)]:
        out = D.copy()  # an entry computed twice would take D twice
        for member in range(size)[::order]:
            panels.product_share(member, size, A, B, k, out, out, 1.0, 1.0, symmetric)
        results.append(out)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_shares_of_a_team_are_even():
    for m, n, size in ((256, 256, 2), (768, 768, 2), (2048, 2048, 2), (1024, 4096, 4)):
        for symmetric in (False, True):
            if symmetric and m != n:
                continue
            A = packing.buffer(packing.left_size(m, 2))
            B = packing.buffer(packing.right_size(2, n))
            A[:], B[:] = 0, 0
            counts = []
            for member in range(size):
                out = np.zeros((m, n), np.float32)
                add = np.ones((m, n), np.float32)
                panels.product_share(member, size, A, B, 2, add, out, 1.0, 1.0, symmetric)
                counts.append(out.sum())
            assert max(counts) <= 1.1 * min(counts)


def test_threads_do_not_change_bits():
    X, Y = draws(300, 700, 300)
    before = numba.get_num_threads()
    results = []
    try:
        for threads in sorted({1, before}):
            numba.set_num_threads(threads)
            outs = [np.empty((300, 300), np.float32) for _ in range(3)]
            products.multiply(X, Y, outs[0])
            products.gram(X, outs[1])
            products.symmetric(X, Y, outs[2])
            results.append(outs)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[-1])


SPECIAL = [0.0, -0.0, 1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-23, np.inf, -np.inf, np.nan, np.pi, 3.3895e38]
SPECIAL += [3.4e38, -3.4028e38, TINY, -TINY, TINY / 2, -TINY / 4, TINY * (1 - 2**-20), 1e-45, 1e30, -1e-30]


def halves(pairs):
    with np.errstate(invalid="ignore"):  # what pads the buffers may be any NaN
        return pairs.view(np.uint16).view(ml_dtypes.bfloat16).astype(np.float64)


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65])
def test_rounding_is_to_nearest_even_in_all_packings(count):
    rng = np.random.default_rng(count)
    row = rng.choice([*SPECIAL, *rng.standard_normal(20)], (1, count)).astype(np.float32)
    expected = rounded(row[0])
    A, B = packed(row, np.ascontiguousarray(row.T))
    np.testing.assert_array_equal(halves(A)[:count], expected)
    np.testing.assert_array_equal(np.signbit(halves(A)[:count]), np.signbit(row[0].astype(np.float64)))
    np.testing.assert_array_equal(
        halves(B)[: 32 * ((count + 1) // 2)].reshape(-1, 16, 2)[:, 0].ravel()[:count], expected
    )


@pytest.mark.parametrize("shape", [(n, k) for _, k, n in SHAPES])
def test_turned_rows_are_packed_pairs(shape):
    n, k = shape
    X = draws(n, k, 1)[0]
    A, B = packed(X, np.ascontiguousarray(X.T))
    turned = np.zeros_like(B)
    for panel in range(packing.panels(n)):
        packing.turn_rows(A, n, k, panel, panel + 1, turned)
    filled = [  # the pairs that exist, in the columns that exist
        start + pair * width + np.arange(min(width, n - 64 * panel))
        for block in range(packing.blocks(k))
        for panel in range(packing.panels(n))
        for start, width in [packing.panel_at(n, k, block, panel)]
        for pair in range(packing.inside(k, block))
    ]
    np.testing.assert_array_equal(turned[np.concatenate(filled)], B[np.concatenate(filled)])


def test_what_is_not_finite_stays_in_its_row_and_column():
    X, Y = draws(40, 50, 90)
    X[3, 7], Y[49, 80] = np.nan, np.inf
    out = np.zeros((40, 90), np.float32)
    products.multiply(X, Y, out)
    bad = np.zeros(out.shape, bool)
    bad[3], bad[:, 80] = True, True
    np.testing.assert_array_equal(np.isfinite(out), ~bad)
    assert np.isnan(out[3]).all()


def test_empty_sums_and_empty_results():
    out = np.full((7, 70), 3, np.float32)
    products.multiply(np.empty((7, 0), np.float32), np.empty((0, 70), np.float32), out, 1.0, 2.0)
    np.testing.assert_array_equal(out, 6)
    products.multiply(np.empty((7, 0), np.float32), np.empty((0, 70), np.float32), out)
    np.testing.assert_array_equal(out, 0)
    for m, k, n in ((0, 5, 6), (5, 6, 0)):
        products.multiply(np.ones((m, k), np.float32), np.ones((k, n), np.float32), np.empty((m, n), np.float32))
    products.gram(np.ones((0, 4), np.float32), np.empty((0, 0), np.float32))


def test_sums_below_the_normal_range_are_flushed():
    X = np.full((1, 2), 2.0**-70, np.float32)
    out = np.ones((1, 1), np.float32)
    products.multiply(X, np.ascontiguousarray(X.T), out)
    assert out[0, 0] == 0


@pytest.mark.parametrize("shape", [(5, 8, 8, 8), (40, 64, 64, 64), (3, 33, 65, 47), (2, 256, 256, 256), (0, 4, 4, 4)])
def test_batches_are_loops(shape):
    count, m, k, n = shape
    rng = np.random.default_rng(4)
    X, Y = (rng.standard_normal(s).astype(np.float32) for s in ((count, m, k), (count, k, n)))
    out, square = np.empty((count, m, n), np.float32), np.empty((count, m, m), np.float32)
    products.multiply_batch(X, Y, out)
    products.gram_batch(X, square)
    for i in range(count):
        one, two = np.empty((m, n), np.float32), np.empty((m, m), np.float32)
        products.multiply(X[i], Y[i], one)
        products.gram(X[i], two)
        np.testing.assert_array_equal(out[i], one)
        np.testing.assert_array_equal(square[i], two)


def test_inputs_of_other_layouts_and_types():
    X, Y = draws(20, 30, 40)
    out, again = np.empty((20, 40), np.float32), np.empty((20, 40), np.float32)
    products.multiply(X, Y, out)
    fixed = np.asfortranarray(X)
    fixed.flags.writeable = False
    products.multiply(fixed, Y.astype(np.float64), again)
    np.testing.assert_array_equal(out, again)


def test_results_of_other_shapes_and_types_are_refused():
    X = np.ones((4, 6), np.float32)
    for out in (np.empty((4, 5), np.float32), np.empty((4, 4)), np.empty((8, 4), np.float32)[::2]):
        for product in (lambda out=out: products.multiply(X, X.T, out), lambda out=out: products.gram(X, out)):
            with pytest.raises(ShapeError, match=r"needs a C-ordered float32 array \(4, 4\)"):
                product()
    with pytest.raises(ShapeError, match=r"got \(4, 6\) and \(4, 6\)"):
        products.multiply(X, X, np.empty((4, 6), np.float32))


@pytest.mark.skipif(platform.system() != "Linux", reason="features of the processor are read from /proc")
def test_available_is_what_the_processor_says():
    with open("/proc/cpuinfo") as lines:
        assert "avx512_bf16" in lines.read()


@pytest.mark.parametrize("setting", [{"NUMBA_CPU_NAME": "generic"}, {"NUMBA_DISABLE_JIT": "1"}])
def test_not_available_where_numba_compiles_for_another_processor(setting):
    code = "from normkit.backends.cpu import bf16; print(bf16.available())"
    environment = {**os.environ, **setting}
    said = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "False"
