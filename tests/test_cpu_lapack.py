"""Batched singular value decompositions against numpy.linalg, and by reconstruction."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from normkit.backends.cpu import blas_threads, lapack

DTYPES = [np.float32, np.float64]
SHAPES = [(1, 1, 1), (3, 1, 7), (3, 7, 1), (5, 4, 9), (5, 9, 4), (40, 16, 16), (3, 64, 65), (2, 130, 40)]


def draw(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def naive_polar(A):
    U, s, Vt = np.linalg.svd(A.astype(np.float64), full_matrices=False)
    keep = s > np.sqrt(max(A.shape[1:])) * np.finfo(A.dtype).eps * s[:, :1]
    return (U * keep[:, None]) @ Vt, s.sum(axis=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_svd_reconstructs(dtype, shape):
    A = draw(shape, dtype)
    U, s, Vt = lapack.batched_svd(A)
    rtol = 20 * max(shape) * np.finfo(dtype).eps
    identity = np.eye(s.shape[1])
    np.testing.assert_allclose(U * s[:, None] @ Vt, A, atol=rtol * s.max())
    np.testing.assert_allclose(U.mT @ U, np.broadcast_to(identity, U.mT.shape[:1] + identity.shape), atol=rtol)
    np.testing.assert_allclose(Vt @ Vt.mT, np.broadcast_to(identity, U.mT.shape[:1] + identity.shape), atol=rtol)
    np.testing.assert_allclose(s, np.linalg.svd(A, compute_uv=False), atol=rtol * s.max())
    np.testing.assert_allclose(lapack.batched_singular_values(A), s, atol=rtol * s.max())
    assert U.dtype == s.dtype == Vt.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_polar_is_the_product_of_the_vectors(dtype, shape):
    A = draw(shape, dtype)
    expected, nuclear = naive_polar(A)
    T, value = lapack.batched_polar(A)
    condition = np.linalg.cond(A.astype(np.float64)).max()
    np.testing.assert_allclose(T, expected, atol=20 * max(shape) * np.finfo(dtype).eps * condition)
    np.testing.assert_allclose(value, nuclear, rtol=20 * max(shape) * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rank", "shape"), [(1, (6, 5, 8)), (3, (6, 20, 8)), (0, (6, 4, 4))])
def test_rank_deficient_matrices_give_partial_isometries(dtype, rank, shape):
    batch, m, n = shape
    A = (draw((batch, m, rank), np.float64) @ draw((batch, rank, n), np.float64, seed=1)).astype(dtype)
    T, nuclear = lapack.batched_polar(A, rank_tol=1e-5 if dtype is np.float32 else 1e-13)
    singular = np.linalg.svd(T.astype(np.float64), compute_uv=False)
    ideal = np.broadcast_to(np.arange(singular.shape[1]) < rank, singular.shape)
    np.testing.assert_allclose(singular, ideal, atol=1e-5 if dtype is np.float32 else 1e-13)
    np.testing.assert_allclose(np.sum(A * T, axis=(1, 2)), nuclear, rtol=1e-5)


def test_real_small_directions_are_kept():
    """A float32 matrix of condition 1e4 keeps its whole rank under the default tolerance."""
    Q, _ = np.linalg.qr(draw((2, 64, 64), np.float64))
    A = (Q * np.geomspace(1, 1e-4, 64) @ Q.mT).astype(np.float32)
    T, _ = lapack.batched_polar(A)
    np.testing.assert_allclose(np.linalg.svd(T, compute_uv=False), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 0, 5), (3, 4, 0), (0, 0, 0)])
def test_empty(shape):
    batch, m, n = shape
    U, s, Vt = lapack.batched_svd(np.zeros(shape))
    assert (U.shape, s.shape, Vt.shape) == ((batch, m, min(m, n)), (batch, min(m, n)), (batch, min(m, n), n))
    T, nuclear = lapack.batched_polar(np.zeros(shape))
    assert T.shape == shape
    assert nuclear.tolist() == [0.0] * batch


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_are_accepted_and_left_alone(dtype):
    A = draw((6, 9, 10), dtype)
    expected, _ = lapack.batched_polar(A)
    for view in (
        np.asfortranarray(A),
        A.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        np.repeat(A, 2, 0)[::2],
    ):
        view.flags.writeable = False
        before = view.copy()
        np.testing.assert_array_equal(lapack.batched_polar(view)[0], expected)
        np.testing.assert_array_equal(view, before)
    out = np.empty_like(A)
    assert lapack.batched_polar(A, out=out)[0] is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_over_the_range_of_float32(scale):
    A = draw((4, 12, 7), np.float32)
    T, _ = lapack.batched_polar(A * np.float32(scale))
    np.testing.assert_allclose(T, lapack.batched_polar(A)[0], atol=1e-5)


def test_same_bits_for_every_number_of_threads():
    A = draw((50, 24, 24), np.float32)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = lapack.batched_polar(A)[0].tobytes()
    finally:
        numba.set_num_threads(before)
    assert lapack.batched_polar(A)[0].tobytes() == alone


def test_small_batches_stay_on_one_thread_with_the_bits_of_many(monkeypatch):
    A = draw((4, 5, 7), np.float64)
    alone = (*lapack.batched_svd(A), *lapack.batched_polar(A))
    monkeypatch.setattr(lapack, "SMALL", 0)
    for one, many in zip(alone, (*lapack.batched_svd(A), *lapack.batched_polar(A)), strict=True):
        np.testing.assert_array_equal(one, many)
    monkeypatch.undo()

    def wakes(*_):
        pytest.fail("a batch this small must not wait for other threads")

    monkeypatch.setattr(lapack, "_svd_loop", wakes)
    monkeypatch.setattr(lapack, "_polar_loop", wakes)
    lapack.batched_svd(A)
    lapack.batched_polar(A)


def test_nan_is_an_error_not_an_answer():
    A = draw((5, 8, 8), np.float64)
    A[3, 2, 2] = np.nan
    with pytest.raises(np.linalg.LinAlgError, match="matrix 3"):
        lapack.batched_svd(A)


def test_the_fallback_gesvd_reconstructs():
    """The fallback, which gesdd's convergence hides, factors as well."""
    A = draw((5, 8, 6), np.float64)
    ints = np.array([6, 8, 6, 0, 0], np.int32)
    a, u, s, vt = A[0].copy(), np.empty((8, 6)), np.empty(6), np.empty((6, 6))
    addresses, job = lapack._lapack_addresses(A.dtype), np.frombuffer(b"S", np.uint8)
    work, _ = lapack._workspace(addresses, job, ints, a, u, s, vt)
    assert lapack._gesvd(addresses[1], job, ints, a, u, s, vt, work) == 0
    np.testing.assert_allclose(u * s @ vt, A[0], atol=1e-13)


def test_blas_threads_are_restored():
    controls = blas_threads.controls()
    if controls is None:
        pytest.skip("this SciPy is not linked to OpenBLAS")
    read, _ = controls
    before = read()
    with blas_threads.single_threaded_blas(), blas_threads.single_threaded_blas():
        assert read() == 1
    assert read() == before


SECOND_PROCESS = """
import numpy as np
from normkit.backends.cpu import lapack
A = np.random.default_rng(0).standard_normal((20, 6, 5))
U, s, Vt = np.linalg.svd(A, full_matrices=False)
T, nuclear = lapack.batched_polar(A)
assert np.allclose(T, U @ Vt) and np.allclose(nuclear, s.sum(axis=1))
stats = lapack._polar_some.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def test_the_cache_on_disk_is_right_in_another_process(tmp_path):
    """Routine addresses differ between processes; the machine code read back must not hold the old ones."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", SECOND_PROCESS]
    answers = [
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()
        for _ in range(2)
    ]
    assert answers == [["0", "1"], ["1", "0"]]
