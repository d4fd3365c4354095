"""Orthogonal polar factors of batches of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.svd import svd

Array = NDArray[Any]


def polar_factor(batch: Array, rank_eps: float) -> tuple[Array, NDArray[np.float64]]:
    """Partial isometries U_r V_r' of a batch of matrices U diag(s) V', with the sums of all singular values.

    The seam for the orthogonalization core, which will take this function's place; today it is an SVD.

    Parameters
    ----------
    batch : array (B, m, n), float32 or float64
        Finite matrices of entries near 1 (scaled by powers of two); not changed.
    rank_eps : float
        Directions with sigma <= sqrt(max(m, n)) * rank_eps * sigma_1 are dropped.

    Returns
    -------
    T : array (B, m, n)
        The factors; 0 for a zero matrix.
    sums : array (B,) of float64
        The nuclear norms.
    """
    left, sigma, right = svd(batch)
    tolerance = np.sqrt(max(batch.shape[1:])) * rank_eps
    kept = sigma > tolerance * sigma[:, :1]
    return (left * kept[:, None, :]) @ right, sigma.sum(axis=1, dtype=np.float64)
