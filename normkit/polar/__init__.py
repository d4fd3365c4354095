"""Orthogonal polar factors of batches of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.svd import one_by_one, svd
from normkit.backends.precision import rank_tolerance

Array = NDArray[Any]


def polar_factor(batch: Array, rank_eps: float, out: Array) -> NDArray[np.float64]:
    """Write the partial isometries U_r V_r' of a batch of matrices U diag(s) V'; return the nuclear norms.

    The seam for the orthogonalization core, which will take this function's place; today it is an SVD.

    Parameters
    ----------
    batch : array (B, m, n), float32 or float64
        Finite matrices of entries near 1 (scaled by powers of two); not changed.
    rank_eps : float
        Precision of the entries: directions below `rank_tolerance` are dropped.
    out : array (B, m, n)
        Receives the factors; 0 for a zero matrix. Must not overlap the batch.

    Returns
    -------
    sums : array (B,) of float64
        The nuclear norms.
    """
    tolerance = rank_tolerance(batch.shape[1:], rank_eps)
    if not one_by_one(batch) and out.flags.c_contiguous:
        from normkit.backends.cpu.lapack import batched_polar

        return batched_polar(batch, tolerance, out)[1]
    left, sigma, right = svd(batch)
    left *= (sigma > tolerance * sigma[:, :1])[:, None, :]
    np.matmul(left, right, out=out)
    sums: NDArray[np.float64] = sigma.sum(axis=1, dtype=np.float64)
    return sums
