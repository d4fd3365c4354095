"""One-sided whitening: (G G')^(-1/2) G, through the Gram matrix in float64."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from normkit.polar.relatives.roots import MARGIN

Floats = NDArray[np.float64]
Side = Literal["auto", "left", "right"]
ROUNDOFF = 2.0**-53


def resolution(size: int) -> float:
    """Return the share of sigma_1 below which a Gram matrix of float64 knows nothing of a singular value.

    Its eigenvalues sigma^2 are wrong by about 2^-53 sigma_1^2 sqrt(m).
    """
    return math.sqrt(MARGIN * math.sqrt(size) * ROUNDOFF)


def whiten(batch: Floats, rank_tol: float, side: Side) -> Floats:
    """(G G')^(-1/2) G = G (G' G)^(-1/2) = U_r V_r', over sigma > max(rank_tol, resolution) * sigma_1.

    The error is about 2^-53 (sigma_1 / sigma_r)^2.

    Parameters
    ----------
    batch : array (B, m, n)
        0 gives 0.
    rank_tol : float
        Relative to sigma_1.
    side : "auto", "left" or "right"
        G G' (m, m), G' G (n, n), or the smaller of the two.
    """
    left = batch.shape[1] <= batch.shape[2] if side == "auto" else side == "left"
    made = np.empty(batch.shape)
    for G, out in zip(batch, made, strict=True):
        X = G if left else G.T
        values, vectors = np.linalg.eigh(X @ X.T)
        share = max(rank_tol, resolution(len(X)))
        kept = values > share**2 * values[-1]
        basis = vectors[:, kept]
        white = (basis / np.sqrt(values[kept])) @ (basis.T @ X)
        out[...] = white if left else white.T
    return made
