"""Polar factors from complete factorizations: with singular values, a rank, and partial isometries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]
RESOLVED = 8.0
"""eigh of a Gram matrix resolves sigma above the root of this many roundoffs, relative to sigma_1."""


@dataclass(frozen=True)
class Exact:
    """What a factorization found.

    Attributes
    ----------
    rank : int
        Singular values above rank_tol * sigma_1.
    singular : float64 array (min(m, n),)
        Decreasing.
    resolved : float
        Singular values at or below this are not resolved: only their being small is known.
    dropped : int
        Directions between rank_tol * sigma_1 and `resolved`, which are missing in the result though they count in exact
        arithmetic; they are not in `rank`. 0 for an SVD.
    """

    rank: int
    singular: NDArray[np.float64]
    resolved: float
    dropped: int = 0


def svd(X: Matrix, out: Matrix, *, rank_tol: float) -> Exact:
    """U_r V_r' over the singular values sigma_i > rank_tol sigma_1, by divide and conquer; 0 if X is zero.

    Parameters
    ----------
    X : C-ordered array (m, n), float32 or float64
        Finite; not changed.
    out : array (m, n) of X's dtype
        Receives the partial isometry.
    rank_tol : float
        Relative to sigma_1.

    Raises
    ------
    numpy.linalg.LinAlgError
        If neither gesdd nor gesvd converges.
    """
    import scipy.linalg

    try:
        left, sigma, right = scipy.linalg.svd(X.T, full_matrices=False, check_finite=False)
    except np.linalg.LinAlgError:
        left, sigma, right = scipy.linalg.svd(X.T, full_matrices=False, check_finite=False, lapack_driver="gesvd")
    rank = int(np.count_nonzero(sigma > rank_tol * sigma[0]))
    _product(left[:, :rank], right[:rank], out)
    smallest = float(np.finfo(X.dtype).eps * sigma[0])
    return Exact(rank, sigma.astype(np.float64), smallest)


def eigh(X: Matrix, out: Matrix, *, rank_tol: float) -> Exact:
    """(X X')^(-1/2) X on the range, X X' = V diag(lambda) V' in float64, of the shorter side.

    An eigenvalue of a Gram matrix is wrong by about 2^-53 sigma_1^2: singular values below sqrt(8 * 2^-53) sigma_1 =
    3e-8 sigma_1 are not resolved, and are dropped even where `rank_tol` would keep them; the result says how many these
    are as far as they can be told. The factor is accurate to about 2^-53 (sigma_1/sigma_r)^2.

    Parameters
    ----------
    X : C-ordered array (m, n), float32 or float64
        Finite, of entries near 1; not changed.
    out : array (m, n) of X's dtype
        Receives the partial isometry; 0 if X is zero.
    rank_tol : float
        Relative to sigma_1.
    """
    from scipy.linalg import blas, lapack

    wide = X.shape[0] <= X.shape[1]
    A = np.asfortranarray(X.T if wide else X, np.float64)
    size = A.shape[1]
    gram = blas.dsyrk(1.0, A, trans=1, lower=1)
    work, iwork = (int(value) for value in lapack.dsyevd_lwork(size, lower=1)[:2])
    values, vectors, info = lapack.dsyevd(gram, lower=1, lwork=work, liwork=iwork, overwrite_a=1)
    if info:
        raise np.linalg.LinAlgError("the eigenvalues of the Gram matrix did not converge; use normkit.polar.exact.svd")
    sigma = np.sqrt(np.maximum(values[::-1], 0.0))
    resolved = math.sqrt(RESOLVED * 2.0**-53) * sigma[0]
    kept = sigma > max(rank_tol * sigma[0], resolved)
    rank = int(np.count_nonzero(kept))
    dropped = int(np.count_nonzero((sigma > rank_tol * sigma[0]) & ~kept))
    if not rank:
        out[...] = 0
        return Exact(rank, sigma, float(resolved), dropped)
    basis = vectors[:, ::-1][:, :rank]
    root = blas.dgemm(1.0, np.asfortranarray(basis / sigma[:rank]), basis, trans_b=1)
    factor = blas.dgemm(1.0, A, root)
    out[...] = factor.T if wide else factor
    return Exact(rank, sigma, float(resolved), dropped)


def _product(left: Matrix, right: Matrix, out: Matrix) -> None:
    """out' <- left right."""
    from scipy.linalg import blas

    if not left.shape[1]:
        out[...] = 0
        return
    gemm = blas.sgemm if out.dtype == np.float32 else blas.dgemm
    if out.flags.c_contiguous:
        gemm(1.0, left, right, beta=0.0, c=out.T, overwrite_c=1)
    else:
        out[...] = gemm(1.0, left, right).T
