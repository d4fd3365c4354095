"""Thin SVD of a batch of matrices: LAPACK called from a compiled parallel loop, a matrix per thread.

The routines are those of `scipy.linalg.cython_lapack`, reached by address. Addresses differ from process
to process, so compiled code receives them as arguments and none is written into numba's cache on disk.
The memory of a C-ordered matrix A is LAPACK's column-major A^T = V S U^T: its left factor is our Vt and
its right factor our U, and nothing is transposed.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numba import get_num_threads, prange
from numba.extending import get_cython_function_address
from numpy.typing import NDArray

from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.backends.cpu.jit import cached
from normkit.backends.cpu.pointers import call
from normkit.backends.precision import eps_of, rank_tolerance

Floats = NDArray[np.float32] | NDArray[np.float64]
LAPACK = "scipy.linalg.cython_lapack"
SMALL = 10_000
"""Products m n min(m, n), summed over a batch, below which one thread is sooner done than all are awake."""


@cached()
def _gesdd(address: int, job: Any, ints: Any, a: Any, u: Any, s: Any, vt: Any, work: Any, iwork: Any) -> int:
    """Divide and conquer; returns LAPACK's info. `ints`: n, m, min(m, n), size of work, and room for info."""
    p = ints.ctypes.data
    n, m, k, size, info = p, p + 4, p + 8, p + 12, p + 16
    left, right = vt.ctypes.data, u.ctypes.data
    arrays = (a.ctypes.data, s.ctypes.data, work.ctypes.data, iwork.ctypes.data)
    call(
        address,
        (job.ctypes.data, n, m, arrays[0], n, arrays[1], left, n, right, k, arrays[2], size, arrays[3], info),
    )
    return int(ints[4])


@cached()
def _gesvd(address: int, job: Any, ints: Any, a: Any, u: Any, s: Any, vt: Any, work: Any) -> int:
    """QR iteration, slower and more patient; arguments as `_gesdd`."""
    p = ints.ctypes.data
    n, m, k, size, info = p, p + 4, p + 8, p + 12, p + 16
    left, right = vt.ctypes.data, u.ctypes.data
    arrays = (a.ctypes.data, s.ctypes.data, work.ctypes.data)
    job_at = job.ctypes.data
    call(
        address,
        (job_at, job_at, n, m, arrays[0], n, arrays[1], left, n, right, k, arrays[2], size, info),
    )
    return int(ints[4])


@cached()
def _workspace(addresses: tuple[int, int], job: Any, ints: Any, a: Any, u: Any, s: Any, vt: Any) -> Any:
    """Ask both routines for their best workspace, and allocate the larger."""
    query, iwork = np.zeros(1, a.dtype), np.empty(8 * s.size, np.int32)
    ints[3] = -1
    _gesdd(addresses[0], job, ints, a, u, s, vt, query, iwork)
    size = query[0]
    _gesvd(addresses[1], job, ints, a, u, s, vt, query)
    work = np.empty(int(max(size, query[0]) * 1.001) + 64, a.dtype)  # float32 may have rounded the size down
    ints[3] = work.size
    return work, iwork


@cached()
def _factor(
    addresses: Any, job: Any, ints: Any, matrix: Any, a: Any, u: Any, s: Any, vt: Any, work: Any, iwork: Any
) -> int:
    """Factor one matrix; `a` is scratch. Where gesdd does not converge, which is rare, gesvd tries."""
    a[:] = matrix
    info = _gesdd(addresses[0], job, ints, a, u, s, vt, work, iwork)
    if info > 0:
        a[:] = matrix
        info = _gesvd(addresses[1], job, ints, a, u, s, vt, work)
    return info


@cached()
def _svd_some(addresses: Any, job: Any, first: int, end: int, A: Any, U: Any, S: Any, Vt: Any, info: Any) -> None:
    """Factor some matrices; U and Vt may have a batch of one as scratch when no vectors are asked for."""
    m, n = A.shape[1:]
    ints = np.array([n, m, min(m, n), 0, 0], np.int32)
    a = np.empty((m, n), A.dtype)
    work, iwork = _workspace(addresses, job, ints, a, U[0], S[0], Vt[0])
    for b in range(first, end):
        v = b % U.shape[0]
        info[b] = _factor(addresses, job, ints, A[b], a, U[v], S[b], Vt[v], work, iwork)


@cached(parallel=True)
def _svd_loop(addresses: Any, job: Any, chunks: int, A: Any, U: Any, S: Any, Vt: Any, info: Any) -> None:
    """Factor every matrix."""
    batch = A.shape[0]
    for c in prange(chunks):
        _svd_some(addresses, job, c * batch // chunks, (c + 1) * batch // chunks, A, U, S, Vt, info)


@cached()
def _polar_some(
    addresses: Any, job: Any, first: int, end: int, A: Any, rank_tol: float, out: Any, nuclear: Any, info: Any
) -> None:
    """Write U_r V_r^T of some matrices to `out`, and the sums of their singular values to `nuclear`."""
    m, n = A.shape[1:]
    k = min(m, n)
    ints = np.array([n, m, k, 0, 0], np.int32)
    a, s = np.empty((m, n), A.dtype), np.empty(k, A.dtype)
    u, vt = np.empty((m, k), A.dtype), np.empty((k, n), A.dtype)
    work, iwork = _workspace(addresses, job, ints, a, u, s, vt)
    for b in range(first, end):
        info[b] = _factor(addresses, job, ints, A[b], a, u, s, vt, work, iwork)
        total = 0.0
        for j in range(k):
            total += s[j]
            if s[j] <= rank_tol * s[0]:
                vt[j] = 0
        nuclear[b] = total
        np.dot(u, vt, out[b])


@cached(parallel=True)
def _polar_loop(
    addresses: Any, job: Any, chunks: int, A: Any, rank_tol: float, out: Any, nuclear: Any, info: Any
) -> None:
    """The same for every matrix."""
    batch = A.shape[0]
    for c in prange(chunks):
        first, end = c * batch // chunks, (c + 1) * batch // chunks
        _polar_some(addresses, job, first, end, A, rank_tol, out, nuclear, info)


def _lapack_addresses(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Find gesdd and gesvd for float32 or float64 in this process."""
    letter = {"float32": "s", "float64": "d"}[dtype.name]
    return (
        get_cython_function_address(LAPACK, f"{letter}gesdd"),
        get_cython_function_address(LAPACK, f"{letter}gesvd"),
    )


def _readable(A: Floats) -> Floats:
    """Show A to numba as C-ordered and read-only, whatever it is: one compiled signature serves all."""
    view = np.ascontiguousarray(A).view()
    view.flags.writeable = False
    return cast(Floats, view)


def _chunks(shape: tuple[int, ...]) -> int:
    """Count the runs of matrices that share a workspace: a few per thread, to even out the load; one if all are small.

    A parallel loop waits for all threads, also for those without work: that is milliseconds on a busy machine.
    """
    batch, m, n = shape
    return 1 if batch * m * n * min(m, n) < SMALL else min(batch, 4 * get_num_threads())


def _raise_unless_converged(info: NDArray[np.int32]) -> None:
    """Name the first matrix that LAPACK could not factor."""
    if info.any():
        bad = int(np.flatnonzero(info)[0])
        raise np.linalg.LinAlgError(f"the SVD of matrix {bad} of the batch did not converge; is it finite?")


def _decompose(A: Floats, vectors: bool) -> tuple[Floats, Floats, Floats]:
    batch, m, n = A.shape
    k, kept = min(m, n), batch if vectors else min(batch, 1)
    U, S, Vt = np.zeros((kept, m, k), A.dtype), np.zeros((batch, k), A.dtype), np.zeros((kept, k, n), A.dtype)
    if A.size:
        info = np.zeros(batch, np.int32)
        job = np.frombuffer(b"S" if vectors else b"N", np.uint8)
        with single_threaded_blas():
            addresses, chunks = _lapack_addresses(A.dtype), _chunks(A.shape)
            if chunks == 1:
                _svd_some(addresses, job, 0, batch, _readable(A), U, S, Vt, info)
            else:
                _svd_loop(addresses, job, chunks, _readable(A), U, S, Vt, info)
        _raise_unless_converged(info)
    return U, S, Vt


def batched_svd(A: Floats) -> tuple[Floats, Floats, Floats]:
    """Thin singular value decompositions A_b = U_b diag(s_b) Vt_b.

    Parameters
    ----------
    A : array (B, m, n), float32 or float64
        Finite; any layout; not changed.

    Returns
    -------
    U, s, Vt : arrays (B, m, k), (B, k), (B, k, n) with k = min(m, n), in A's dtype
        Singular values decrease.

    Raises
    ------
    numpy.linalg.LinAlgError
        If neither gesdd nor gesvd converges.
    """
    return _decompose(A, vectors=True)


def batched_singular_values(A: Floats) -> Floats:
    """Singular values (B, min(m, n)) of a batch A (B, m, n), decreasing: `batched_svd` without vectors."""
    return _decompose(A, vectors=False)[1]


def batched_polar(
    A: Floats, rank_tol: float | None = None, out: Floats | None = None
) -> tuple[Floats, NDArray[np.float64]]:
    """Partial isometries U_r Vt_r, the polar factors on the numerical ranges, with the nuclear norms.

    Parameters
    ----------
    A : array (B, m, n), float32 or float64
        Finite; any layout; not changed. A zero matrix gives zero.
    rank_tol : float, optional
        Directions with sigma <= rank_tol * sigma_1 are dropped; `rank_tolerance` unless given.
    out : C-ordered array (B, m, n) of A's dtype, optional
        Receives the factors; must not overlap A.

    Returns
    -------
    T : array (B, m, n)
        `out` if given.
    nuclear : float64 array (B,)
        Sums of all singular values.

    Raises
    ------
    numpy.linalg.LinAlgError
        If neither gesdd nor gesvd converges.
    """
    batch, m, n = A.shape
    T = np.empty(A.shape, A.dtype) if out is None else out
    nuclear = np.zeros(batch)
    if A.size:
        tolerance = rank_tolerance((m, n), eps_of(A.dtype)) if rank_tol is None else rank_tol
        info, job = np.zeros(batch, np.int32), np.frombuffer(b"S", np.uint8)
        with single_threaded_blas():
            addresses, chunks = _lapack_addresses(A.dtype), _chunks(A.shape)
            if chunks == 1:
                _polar_some(addresses, job, 0, batch, _readable(A), tolerance, T, nuclear, info)
            else:
                _polar_loop(addresses, job, chunks, _readable(A), tolerance, T, nuclear, info)
        _raise_unless_converged(info)
    return T, nuclear
