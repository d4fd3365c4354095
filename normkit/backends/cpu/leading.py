"""The leading singular pairs of a large matrix from some eigenvectors of its Gram matrix, as accurate as from an SVD.

The Gram matrix in float64 is wrong by u sigma_1^2, u = 2^-53, so that its eigenvector i is wrong by
u sigma_1^2 / (sigma_i^2 - sigma_j^2) = u sigma_1 / (sigma_i - sigma_j) * sigma_1 / (sigma_i + sigma_j): the error of an
SVD in float64, times at most 1 / SHARE where all sigma_i >= SHARE sigma_1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.svd import _gram, one_by_one, svd

Array = NDArray[Any]

SHARE = 0.25
"""Share of sigma_1 that all pairs must have."""
GAP = 2.0**-20
"""Share of sigma_1 between the last pair and the next singular value: nearer ones are a tie, and left to the SVD."""
FEW = 8
"""At most one in so many pairs is worth it; from this many rows on."""


def leading_or_all(batch: Array, count: int | None) -> tuple[Array, Array, Array]:
    """Return U, sigma, V' of an SVD, or of large matrices the first `count` columns of U and rows of V'.

    sigma (B, min(m, n)) is 0 from `count` on then. None asks for all pairs.
    """
    if count is None or not one_by_one(batch) or FEW * count > min(batch.shape[1:]):
        return svd(batch)
    found = [leading(matrix, count) for matrix in batch]
    if any(one is None for one in found):
        return svd(batch)
    left, sigma, right = (np.stack(part) for part in zip(*(one for one in found if one is not None), strict=True))
    padded = np.zeros((len(batch), min(batch.shape[1:])))
    padded[:, :count] = sigma
    return left.astype(batch.dtype, copy=False), padded, right.astype(batch.dtype, copy=False)


def leading(matrix: Array, count: int) -> tuple[Array, Array, Array] | None:
    """Return `count` pairs U (m, k), sigma (k,), V' (k, n) in float64; None if they are small or near a tie."""
    from scipy.linalg import eigh

    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    size = len(wide)
    values, vectors = eigh(_gram(wide), subset_by_index=(size - count - 1, size - 1), check_finite=False)
    sigma = np.sqrt(np.maximum(values[::-1], 0.0))
    if sigma[0] == 0.0 or sigma[-2] < SHARE * sigma[0] or sigma[-2] - sigma[-1] < GAP * sigma[0]:
        return None
    short = vectors[:, :0:-1]
    long = (wide.T @ short.astype(wide.dtype, copy=False)).astype(np.float64, copy=False)
    long /= np.linalg.norm(long, axis=0)
    left, right = (short, long) if wide is matrix else (long, short)
    return left, sigma[:count], right.T
