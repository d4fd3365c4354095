"""Rows of unit length whose Gram matrices have different shapes, and the logarithm of a determinant."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import normkit as nk

Matrix = NDArray[np.float64]
KINDS = ("noise", "clusters", "decay", "one mean")


def rows(rng: Generator, kind: str, n: int, d: int) -> Matrix:
    """Return n unit vectors of d numbers: noise, three clusters, directions of decaying weight, or around one mean."""
    X = rng.standard_normal((n, d))
    if kind == "clusters":
        X = 2.0 * rng.standard_normal((3, d))[np.arange(n) % 3] + X
    elif kind == "decay":
        X = X * np.arange(1.0, d + 1) ** -1.0
    elif kind == "one mean":
        X = 1.5 + X
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True))


def gram(X: Matrix) -> Matrix:
    """Return X X'."""
    return X @ np.swapaxes(X, -1, -2)


def logdet(G: Any) -> Any:
    """Return the logarithm of the determinant of positive definite matrices."""
    return np.linalg.slogdet(G)[1]


def norms(X: Matrix) -> tuple[float, float, float]:
    """Return the nuclear, the Frobenius and the spectral norm."""
    nuclear, frobenius, largest = (float(nk.value(each, X)) for each in ("nuclear", "fro", "spectral"))
    return nuclear, frobenius, largest
