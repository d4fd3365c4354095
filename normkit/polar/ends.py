"""The ends of a spectrum from a few steps of Lanczos on the Gram matrix in float32; nothing is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar.cholesky import gram, tiled_threads

Array = NDArray[Any]

STEPS = 12
ABOVE = 1.05
"""By how much the largest singular value may pass the largest Ritz value; rational steps take that."""
NOTHING, SEEN = 1e-6, 0.2
"""Shares of the largest: below the first a Ritz value counts as zero, above the second as the smallest singular
value."""


def ends(A: Array) -> tuple[float, float] | None:
    """Return a guess of the smallest singular value of a matrix and of the largest; None if the matrix may be singular.

    Where Lanczos does not find the smallest, a typical one of a square matrix, which is about sigma_1/m, is guessed;
    methods notice where that is wrong.
    """
    m = min(A.shape)
    X = np.ascontiguousarray(A, np.float32)
    R = np.zeros((m, m), np.float32)
    with tiled_threads():
        gram(X, R)
        values = _ritz(R)
    largest = float(np.sqrt(values[-1]))
    least = float(np.sqrt(max(values[0], 0.0)))
    if least <= NOTHING * largest:
        return None
    return (0.7 * least if least >= SEEN * largest else min(0.1 * least, 0.5 * largest / m)), ABOVE * largest


def _ritz(R: Array) -> NDArray[np.float64]:
    """Return the Ritz values of a symmetric R, given by its lower triangle in C order, ascending."""
    from scipy.linalg import blas, eigvalsh_tridiagonal

    m = len(R)
    v = np.random.default_rng(m).standard_normal(m)
    basis = [v / np.sqrt(np.square(v).sum())]
    alpha: list[float] = []
    beta: list[float] = []
    for _ in range(min(STEPS, m)):
        w = blas.ssymv(1.0, R.T, basis[-1].astype(np.float32)).astype(np.float64)
        alpha.append(float((basis[-1] * w).sum()))
        for _ in range(2):
            for u in basis:
                w -= (u * w).sum() * u
        size = float(np.sqrt(np.square(w).sum()))
        if size <= 1e-6 * abs(alpha[0]):
            break
        beta.append(size)
        basis.append(w / size)
    return np.asarray(eigvalsh_tridiagonal(alpha, beta[: len(alpha) - 1]), np.float64)
