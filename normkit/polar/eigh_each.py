"""Polar factors of a batch through the eigenvalues of the Gram matrices in float64, a matrix per thread; compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from numpy.typing import NDArray

from normkit.backends.cpu import blas, pool
from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.backends.cpu.pointers import call
from normkit.backends.cpu.team import shared
from normkit.polar.moves import write

Array = NDArray[Any]

LAPACK = "scipy.linalg.cython_lapack"
JOB = np.frombuffer(b"VU", np.uint8)
RESOLVED = 8 * 2.0**-53
"""Eigenvalues of a Gram matrix below this share of the largest are not resolved."""
TURN = 4 * 2.0**-53
"""How far eigh turns the direction of an eigenvalue of 1, times the largest."""


@shared()
def _eigen(address: int, job: Any, ints: Any, R: Any, values: Any, work: Any, iwork: Any) -> int:
    """dsyevd: the eigenvalues of R to `values`, the eigenvectors to its rows; return LAPACK's info."""
    m = len(R)
    ints[0], ints[1], ints[2], ints[3] = m, len(work), len(iwork), 0
    p, q = ints.ctypes.data, job.ctypes.data
    places = (R.ctypes.data, values.ctypes.data, work.ctypes.data, iwork.ctypes.data)
    call(address, (q, q + 1, p, places[0], p, places[1], places[2], p + 4, places[3], p + 8, p + 12))
    return int(ints[3])


@shared()
def _each(
    first: int,
    last: int,
    address: int,
    found: Any,
    letters: Any,
    job: Any,
    A: Any,
    rank_tol: float,
    accuracy: float,
    out: Any,
    ranks: Any,
) -> None:
    """Write the partial isometries of A[first:last]; ranks[b] = -1 where some singular value is not resolved."""
    m, n = min(A.shape[1], A.shape[2]), max(A.shape[1], A.shape[2])
    wide = A.shape[1] == m
    X, Y = np.empty((m, n)), np.empty((m, n))
    R, V, P = np.empty((m, m)), np.empty((m, m)), np.empty((m, m))
    values, ints = np.empty(m), np.empty(4, np.int32)
    work, iwork = np.empty(1 + 6 * m + 2 * m * m), np.empty(3 + 5 * m, np.int32)
    desk = blas.desk(found, letters, X)
    for b in range(first, last):
        write(A[b], X, wide, 1.0, 1.0)
        blas.square(desk, X, R, (0, m), 1.0, 0.0)
        if _eigen(address, job, ints, R, values, work, iwork) != 0:
            ranks[b] = -1
            continue
        top, kept, turned = max(values[m - 1], 0.0), 0, 0.0
        for i in range(m):
            real = values[i] > rank_tol * rank_tol * top and values[i] > 0.0
            kept += real
            turned += (TURN * top / values[i]) ** 2 if real else 0.0
            factor = 1.0 / values[i] ** 0.5 if real else 0.0
            for j in range(m):
                V[i, j] = R[i, j] * factor
        ranks[b] = kept
        if (kept < m and rank_tol * rank_tol < RESOLVED) or turned > accuracy * accuracy * kept:
            ranks[b] = -1
            continue
        _product(desk, V, R, P, X, Y)
        write(Y, out[b], wide, 1.0, 1.0)


@shared()
def _product(desk: Any, V: Any, R: Any, P: Any, X: Any, Y: Any) -> None:
    """Y = V' R X, where the rows of R are eigenvectors and those of V multiples of them."""
    m = len(R)
    for i in range(m):
        for j in range(i):
            V[i, j], V[j, i] = V[j, i], V[i, j]
    blas.times(desk, V, R, P, (0, m), (0, m), 1.0, 0.0)
    blas.times(desk, P, X, Y, (0, m), (0, X.shape[1]), 1.0, 0.0)


def eigh_each(batch: Array, rank_tol: float, accuracy: float, out: Array) -> NDArray[np.int64]:
    """Write U_r V_r' of every matrix of a batch (B, m, n) to `out`; return the ranks, -1 for what needs an SVD.

    Those are matrices with a singular value that the Gram matrix does not resolve to the accuracy, though `rank_tol`
    may keep it.
    """
    ranks = np.zeros(len(batch), np.int64)
    address = get_cython_function_address(LAPACK, "dsyevd")
    known = (address, blas.addresses("float64"), blas.LETTERS, JOB)
    with single_threaded_blas():
        work = (np.ascontiguousarray(batch), rank_tol, accuracy, out, ranks)
        pool.parallel(_each, len(batch), 16 * batch.size * min(batch.shape[1:]), *known, *work)
    return ranks
