"""The dual ascent for Muon on the Stiefel manifold as it is published with modular manifolds: its last iterate."""

from __future__ import annotations

import numpy as np

import normkit as nk
from normkit.studies.tangent.ascent import NORM, Matrix, normal

STEPS, RATE, ENOUGH = 100, 0.01, 1e-6


def published(W: Matrix, G: Matrix) -> Matrix:
    """Return the last A of a batch (draws, m, n), to be subtracted from W: 100 steps of rates that fall in a line to 0.

    A = msign(G + 2 W L) with L starting at -(W'G + G'W) / 4, and L <- L - rate (W'A + A'W). An item stops where that
    matrix has entries of 1e-6 in the root mean square.
    """
    L, going = -normal(W, G) / 2, np.ones(G.shape[0], dtype=bool)
    A = np.zeros_like(G)
    for step in range(STEPS):
        A[going] = nk.dualize(NORM, (G + 2 * W @ L)[going])
        H = 2 * normal(W, A)
        going = np.sqrt(np.mean(H * H, axis=(-1, -2))) >= ENOUGH
        if not going.any():
            break
        L = L - RATE * (1 - step / STEPS) * H
    return A
