"""Descending order of magnitudes against NumPy's stable argsort."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from normkit.backends.cpu import order as machine
from normkit.backends.cpu import radix
from normkit.backends.cpu.descending import descending
from normkit.backends.cpu.ranks import ranked

DTYPES = [np.float32, np.float64]
LARGE = 3 * machine.LARGE + 7


def naive_order(x):
    return np.argsort(-np.abs(x), kind="stable")


def whole(x):
    return machine.select_top(x, x.size)


def draw(name, n, dtype, seed=0):
    rng = np.random.default_rng(seed)
    tiny = np.finfo(dtype).smallest_subnormal
    info = np.finfo(dtype)
    return {
        "normal": lambda: rng.standard_normal(n),
        "ties": lambda: rng.integers(-3, 4, n),
        "equal": lambda: np.where(rng.random(n) < 0.5, 2.5, -2.5),
        "zeros": lambda: np.where(rng.random(n) < 0.5, 0.0, -0.0),
        "subnormals": lambda: rng.integers(-99, 99, n) * tiny,
        "range": lambda: np.ldexp(rng.standard_normal(n), rng.integers(info.minexp, info.maxexp - 24, n)),
        "close": lambda: 1 + rng.integers(0, 50, n) * info.eps,
        "increasing": lambda: np.arange(n),
        "extremes": lambda: rng.choice([0.0, -0.0, tiny, -tiny, info.max, -info.max, 1.0, np.inf], n),
    }[name]().astype(dtype)


KINDS = ["normal", "ties", "equal", "zeros", "subnormals", "range", "close", "increasing", "extremes"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 64, 65, 1000, machine.LARGE - 1, machine.LARGE, LARGE])
def test_order_is_the_stable_order(dtype, kind, n):
    x = draw(kind, n, dtype)
    expected = naive_order(x)
    for sort in (whole, machine.argsort_descending_serial):
        order, magnitudes = sort(x)
        np.testing.assert_array_equal(order, expected)
        np.testing.assert_array_equal(magnitudes, np.abs(x)[expected])
        assert magnitudes.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 65, LARGE])
def test_top_is_the_head_of_the_order(dtype, kind, n):
    x = draw(kind, n, dtype)
    expected = naive_order(x)
    for k in {0, 1, n // 2, n - 1, n}:
        order, magnitudes = machine.select_top(x, k)
        np.testing.assert_array_equal(order, expected[:k])
        np.testing.assert_array_equal(magnitudes, np.abs(x)[expected[:k]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "extremes"])
@pytest.mark.parametrize("n", [0, 1, 2, 65, LARGE])
def test_assign_ranked_is_the_map_of_sorted_weights(dtype, kind, n):
    x = draw(kind, n, dtype)
    for k in {0, min(1, n), n // 3, n}:
        values = np.sort(np.random.default_rng(1).random(k))[::-1].astype(dtype)
        head = naive_order(x)[:k]
        expected = np.zeros_like(x)
        expected[head] = np.sign(x[head]) * values
        out = np.full_like(x, np.nan)
        pairing = machine.assign_ranked(x, values, out)
        np.testing.assert_array_equal(out, expected)
        exact = np.sum(values.astype(np.float64) * np.abs(x[head]).astype(np.float64))
        np.testing.assert_allclose(pairing, exact, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["normal", "range", "close", "increasing"])
def test_groups_sorted_in_parallel(dtype, kind):
    x = draw(kind, 8 * radix.LARGE + 5, dtype)  # four groups of float32, two of float64, and what bins leave over
    np.testing.assert_array_equal(whole(x)[0], naive_order(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_strided_and_read_only_arrays(dtype):
    x = draw("ties", 2 * LARGE, dtype)
    x.flags.writeable = False
    for view in (x[::2], x[::-1], x[:99:3]):
        np.testing.assert_array_equal(whole(view)[0], naive_order(view))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(5))
def test_bits_do_not_depend_on_the_number_of_threads(dtype, seed):
    n = 8 * radix.LARGE + 5
    x, values = draw("normal", n, dtype, seed), draw("normal", n, dtype, seed + 9)
    results = []
    before = numba.get_num_threads()
    try:
        for threads in range(1, before + 1):
            numba.set_num_threads(threads)
            out = np.empty_like(x)
            pairing = machine.assign_ranked(x, values, out)
            results.append((pairing, out.tobytes(), whole(x)[0].tobytes()))
    finally:
        numba.set_num_threads(before)
    assert len(set(results)) == 1


@numba.njit(parallel=True)
def order_rows(x, out):
    for i in numba.prange(x.shape[0]):
        out[i] = machine.argsort_descending_serial(x[i])[0]


def test_serial_order_inside_a_parallel_loop():
    x = draw("ties", 50 * 300, np.float32).reshape(50, 300)
    out = np.empty(x.shape, np.int32)
    order_rows(x, out)
    np.testing.assert_array_equal(out, np.argsort(-np.abs(x), axis=1, kind="stable"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 100), (1, LARGE), (9, 1000)])
def test_magnitudes_without_their_indices(dtype, kind, shape):
    x = draw(kind, shape[0] * shape[1], dtype).reshape(shape)
    kept = x.copy()
    np.testing.assert_array_equal(descending(x), np.sort(np.abs(x), axis=1)[:, ::-1])
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("kind", ["ties", "equal", "zeros", "normal"])
def test_the_last_index_of_a_head_without_indices(kind):
    """Which entries are in a head of j is the same with and without the indices, also where a tie is cut.

    But for zeros, of which all may be in: their map is zero on either side.
    """
    x = draw(kind, 2 * LARGE, np.float32)[None]
    with_indices, without = ranked(x, x.size), ranked(x, x.size, indices=False)
    assert without.order is None
    for j in (0, 1, 2, LARGE, LARGE + 1, x.size - 1, x.size):
        heads = []
        for ranks in (with_indices, without):
            edges, places = ranks.edges(np.array([j]))
            sizes = np.abs(x[0])
            heads.append((sizes > edges[0]) | ((sizes == edges[0]) & (np.arange(x.size) <= places[0])))
        assert heads[0].sum() == j
        np.testing.assert_array_equal(heads[1][x[0] != 0], heads[0][x[0] != 0])


ONE_PROCESS = """
import sys
import numpy as np
from normkit.backends.cpu import order
x = np.random.default_rng(0).standard_normal(300_000).astype(np.float32)
expected = np.argsort(-np.abs(x), kind="stable")
if sys.argv[1] == "top":
    assert np.array_equal(order.select_top(x, 99)[0], expected[:99])
else:
    assert np.array_equal(order.select_top(x, x.size)[0], expected)
"""


def test_the_cache_on_disk_survives_a_change_of_callers(tmp_path):
    """A cached function that links a parallel one read from the cache would crash the third process."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for caller in ("top", "order", "order"):
        subprocess.run([sys.executable, "-c", ONE_PROCESS, caller], env=environment, check=True)
