"""Inverse square and fourth roots of symmetric positive semidefinite matrices, from eigenvalues in float64.

An iteration by products (coupled Newton-Schulz: Higham, Functions of Matrices (2008), section 6.7) was no faster in
float64 and lost digits in float32; see docs/polar-relatives.md for the measurement.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from normkit.backends.precision import COARSEST
from normkit.polar.relatives.sign import symmetric_part

Floats = NDArray[np.float64]

MARGIN = 8.0


def eigenvalue_tolerance(size: int, eps: float) -> float:
    """Return the share of the largest eigenvalue at and below which one is noise: 8 sqrt(m) eps.

    Rounding the entries of P moves eigenvalues by at most ||P||_F eps / 2 <= sqrt(m) lambda_1 eps / 2; the rest is for
    products that P was summed from. At most `COARSEST`.
    """
    return min(MARGIN * math.sqrt(size) * eps, COARSEST)


def inverse_root(batch: Floats, power: int, ridge: Floats, rank_tol: float) -> tuple[Floats, Floats]:
    """Return (P + ridge I)^(-1/power) on the range, and the eigenvalues of P + ridge I, increasing.

    Parameters
    ----------
    batch : array (B, m, m)
        Symmetric.
    power : int
        The root.
    ridge : array (B,)
        Not negative.
    rank_tol : float
        Eigenvalues at or below rank_tol * lambda_1 give 0.
    """
    values, vectors = np.linalg.eigh(batch)
    values += ridge[:, None]
    kept = values > rank_tol * np.maximum(values[:, -1:], 0.0)
    gains = np.where(kept, np.where(kept, values, 1.0) ** (-1.0 / power), 0.0)
    return symmetric_part((vectors * gains[:, None, :]) @ vectors.swapaxes(1, 2)), values
