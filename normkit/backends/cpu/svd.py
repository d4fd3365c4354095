"""Singular values of a batch: many small matrices one per thread, few large ones with threads inside LAPACK."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from normkit.backends.cpu.lapack import batched_singular_values, batched_svd

Array = NDArray[Any]

SMALL = 256
"""Length of the longer side up to which a thread of its own serves a matrix best."""


def _one_by_one(batch: Array) -> bool:
    return max(batch.shape[1:]) > SMALL and len(batch) < get_num_threads()


def svd(batch: Array) -> tuple[Array, Array, Array]:
    """Return thin factors U (B, m, k), sigma (B, k) decreasing, V' (B, k, n) of a finite batch (B, m, n)."""
    if not _one_by_one(batch):
        return batched_svd(batch)
    if len(batch) == 1:  # not stacked: that would copy the factors
        left, sigma, right = np.linalg.svd(batch[0], full_matrices=False)
        return left[None], sigma[None], right[None]
    factors = [np.linalg.svd(matrix, full_matrices=False) for matrix in batch]
    left, sigma, right = (np.stack(part) for part in zip(*factors, strict=True))
    return left, sigma, right


def singular_values(batch: Array) -> Array:
    """Return sigma (B, k), decreasing."""
    if not _one_by_one(batch):
        return batched_singular_values(batch)
    return np.stack([np.linalg.svd(matrix, compute_uv=False) for matrix in batch])
