"""The ends of a spectrum, and how far an iterate is from orthogonal, for methods that work in plain NumPy and SciPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
PROBES = 32
LOOKS = 10
"""Steps of a bidiagonalization: of a factor, whose singular values lie together, it shows the largest."""


def ends(A: Array) -> tuple[float, float]:
    """Return a guess of the smallest singular value of a matrix and of the largest, by a few steps of Lanczos.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix may be singular.
    """
    from normkit.polar.long_space import long_space

    wide = np.ascontiguousarray(A if A.shape[0] <= A.shape[1] else A.T)
    found = long_space(*wide.shape).look(wide)
    if found is None:
        raise np.linalg.LinAlgError("Lanczos finds a singular value of 0, or nearly 0; use normkit.polar.exact")
    return found


def norm(A: Array) -> float:
    """||A||_F; numpy.linalg.norm calls NumPy's own BLAS, whose threads go on spinning beside those of SciPy's."""
    return math.sqrt(float(np.square(A, dtype=np.float64).sum()))


def probe(Y: Array) -> float:
    """Estimate ||I - Y Y'||_F / sqrt(m) from products with a few random vectors, Y of float64."""
    from scipy.linalg import blas

    wide, short = Y.shape[0] <= Y.shape[1], min(Y.shape)
    V = np.asfortranarray(np.random.default_rng(1).standard_normal((short, PROBES)))
    across = blas.dgemm(1.0, Y.T, V, trans_a=not wide)  # Y.T is in Fortran's order: nothing is copied
    rest = blas.dgemm(-1.0, Y.T, across, beta=1.0, c=V, trans_a=wide)
    return norm(rest) / math.sqrt(PROBES * short)


def reach(T: Array) -> float:
    """Estimate the largest singular value of T, from below, by a few steps of Golub-Kahan bidiagonalization."""
    from scipy.linalg import blas

    gemv = blas.dgemv if T.dtype == np.float64 else blas.sgemv
    wide = T if T.flags.c_contiguous else np.ascontiguousarray(T)
    v: Array = np.asarray(np.random.default_rng(1).standard_normal(T.shape[1]), wide.dtype)
    v /= norm(v)
    u, beta = np.zeros(T.shape[0], wide.dtype), 0.0
    bidiagonal = np.zeros((LOOKS, LOOKS + 1))
    for step in range(LOOKS):  # wide.T is in Fortran's order: nothing is copied
        u = gemv(1.0, wide.T, v, trans=1) - wide.dtype.type(beta) * u
        alpha = norm(u)
        if alpha == 0:
            break
        u /= wide.dtype.type(alpha)
        v = gemv(1.0, wide.T, u) - wide.dtype.type(alpha) * v
        beta = norm(v)
        bidiagonal[step, step : step + 2] = alpha, beta
        if beta == 0:
            break
        v /= wide.dtype.type(beta)
    return float(np.linalg.norm(bidiagonal, 2))
