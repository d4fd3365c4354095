"""QDWH with every step by a Householder factorization, in float64: for matrices that are nearly rank deficient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar.ends import ends, probe
from normkit.polar.halley_plans import ROUNDOFF, SHARE
from normkit.polar.zolotarev import weights

Matrix = NDArray[Any]
DOUBTS = (0.1, 1e-3, 0.0)
"""Shares of an estimated smallest singular value that are tried in turn where it turns out to be too high."""
MOST_STEPS = 40


def qdwh_by_qr(X: Matrix, out: Matrix, bounds: tuple[float, float] | None, goal: float) -> tuple[int, float, float]:
    """[sqrt(c) Y; I] = [Q1; Q2] R, Y <- (b/c) Y + (a - b/c) Q1 Q2' / sqrt(c), in float64; see `normkit.polar.qdwh`.

    Returns steps, operations and the residual.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the iteration does not converge.
    """
    lower, upper = bounds or ends(X)
    l, flops, steps = min(max(lower / upper, 1e-30), 1.0), 0.0, 0  # noqa: E741
    wide = X.shape[0] <= X.shape[1]
    Y = np.array(X.T if wide else X, np.float64, order="F") / upper
    doubts, residual = [min(l, max(l * share, ROUNDOFF[X.dtype.name])) for share in DOUBTS], math.inf
    while steps < MOST_STEPS:
        w = weights(l)
        Y *= w.b / w.c
        Y += (w.a - w.b / w.c) * regularized(Y * (w.c / w.b), 1.0 / w.c) / w.c
        steps += 1
        flops += X.size * min(X.shape) * 4.0 * (1.0 + min(X.shape) / max(X.shape))
        doubts, l = [min(w(doubt), 1.0) for doubt in doubts], min(w(l), 1.0)  # noqa: E741
        if 1.0 - l <= SHARE * goal:
            residual = probe(Y.T)
            if residual <= 2.0 * goal:
                out[...] = Y.T if wide else Y
                return steps, flops, residual
            l = doubts.pop(0) if len(doubts) > 1 else doubts[0]  # noqa: E741
    raise np.linalg.LinAlgError(
        f"QDWH by QR left a residual of {residual:.1e} after {steps} steps; is the matrix rank deficient? "
        "Use normkit.polar.exact."
    )


def regularized(A: Matrix, shift: float) -> Matrix:
    """A (A'A + c I)^-1 = Q1 Q2' / sqrt(c) with [A; sqrt(c) I] = [Q1; Q2] R, A (n, m) Fortran-ordered with n >= m."""
    from scipy.linalg import blas, lapack

    long, short = A.shape
    stack = np.zeros((long + short, short), order="F")
    stack[:long] = A
    np.einsum("ii->i", stack[long:])[:] = math.sqrt(shift)
    size = int(lapack.dgeqrf_lwork(long + short, short)[0])
    packed, tau, _, _ = lapack.dgeqrf(stack, lwork=size, overwrite_a=1)
    Q, _, _ = lapack.dorgqr(packed, tau, lwork=size, overwrite_a=1)
    halves = np.asfortranarray(Q[:long]), np.asfortranarray(Q[long:])
    return np.asarray(blas.dgemm(1.0 / math.sqrt(shift), *halves, trans_b=1))
