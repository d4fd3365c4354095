"""Singular values of a batch: many small matrices one per thread, few large ones with threads inside LAPACK."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SMALL = 256
"""Length of the longer side up to which a thread of its own serves a matrix best."""
STRIP = 512
"""Columns that are widened to float64 at a time."""


def one_by_one(batch: Array) -> bool:
    """Tell whether NumPy is called for every matrix: then nothing is compiled, nor numba imported."""
    if max(batch.shape[1:]) <= SMALL:
        return False
    if len(batch) == 1:
        return True
    from numba import get_num_threads

    return len(batch) < int(get_num_threads())


def svd(batch: Array) -> tuple[Array, Array, Array]:
    """Return thin factors U (B, m, k), sigma (B, k) decreasing, V' (B, k, n) of a finite batch (B, m, n)."""
    if not one_by_one(batch):
        from normkit.backends.cpu.lapack import batched_svd

        return batched_svd(batch)
    if len(batch) == 1:  # not stacked: that would copy the factors
        left, sigma, right = np.linalg.svd(batch[0], full_matrices=False)
        return left[None], sigma[None], right[None]
    factors = [np.linalg.svd(matrix, full_matrices=False) for matrix in batch]
    left, sigma, right = (np.stack(part) for part in zip(*factors, strict=True))
    return left, sigma, right


def singular_values(batch: Array) -> Array:
    """Return sigma (B, k), decreasing."""
    if not one_by_one(batch):
        from normkit.backends.cpu.lapack import batched_singular_values

        return batched_singular_values(batch)
    return np.stack([np.linalg.svd(matrix, compute_uv=False) for matrix in batch])


def largest_singular_values(batch: Array) -> Array:
    """Return sigma_1 (B,) in float64: of large matrices the root of the largest eigenvalue of the Gram matrix.

    That is as accurate as an SVD for sigma_1, and for no other singular value; entries are near 1 and do not overflow.
    """
    if not one_by_one(batch):
        return singular_values(batch)[:, 0].astype(np.float64)
    return np.array([np.sqrt(max(np.linalg.eigvalsh(_gram(matrix))[-1], 0.0)) for matrix in batch])


def _gram(matrix: Array) -> Array:
    """Return the smaller of A A' and A' A in float64, strip by strip."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    total = np.zeros((len(wide), len(wide)))
    for start in range(0, wide.shape[1], STRIP):
        strip = wide[:, start : start + STRIP].astype(np.float64)
        total += strip @ strip.T
    return total
