"""Gram matrices A = W W' of Gaussian W (m, n), drawn in two ways, and the norms of the gap, functions of A.

With W = L Q, L lower triangular and Q of orthonormal rows, (A^{-1/2} - D^{-1/2}) W = (A^{-1/2} - D^{-1/2}) L Q, and Q
changes no unitarily invariant norm. Bartlett's theorem gives the law of L.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Grams = NDArray[np.float64]
GRAM_ENTRIES = 200_000
"""Of Gram matrices in memory at once."""
ENTRIES = 2_000_000
"""Of W, drawn some columns at a time: W itself is never held."""


def bartlett(rng: Generator, samples: int, m: int, n: int) -> Grams:
    """Return A (samples, m, m) with the law of W W', at a cost that does not depend on n; m <= n.

    A = L L' with L_ii^2 ~ chi-square(n - i + 1) and L_ij ~ N(0, 1) below the diagonal, all independent.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.gap.sampling import bartlett
    >>> A = bartlett(np.random.default_rng(0), 4, 3, 1000)
    >>> A.shape, bool(abs(A[0, 0, 0] / 1000 - 1) < 0.2)
    ((4, 3, 3), True)
    """
    L = np.zeros((samples, m, m))
    below, diagonal = np.tril_indices(m, -1), np.arange(m)
    L[:, below[0], below[1]] = rng.standard_normal((samples, len(below[0])))
    L[:, diagonal, diagonal] = np.sqrt(rng.chisquare(n - diagonal, (samples, m)))
    return L @ np.swapaxes(L, 1, 2)


def direct(rng: Generator, samples: int, m: int, n: int) -> Grams:
    """Return A (samples, m, m) of matrices W that are drawn, some columns at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.gap.sampling import direct
    >>> direct(np.random.default_rng(0), 4, 3, 1000).shape
    (4, 3, 3)
    """
    A = np.zeros((samples, m, m))
    columns = max(1, ENTRIES // (samples * m))
    for start in range(0, n, columns):
        W = rng.standard_normal((samples, m, min(columns, n - start)))
        A += W @ np.swapaxes(W, 1, 2)
    return A


SAMPLERS: Mapping[str, Callable[[Generator, int, int, int], Grams]] = {"bartlett": bartlett, "direct": direct}


def gap(A: Grams) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the operator and the Frobenius norm of (A^{-1/2} - D^{-1/2}) W for every A = W W' (..., m, m), D = diag A.

    With K = A^{-1/2} - D^{-1/2}, by a symmetric eigendecomposition, they are the roots of the largest eigenvalue and of
    the trace of K A K. In float64: K is a difference of nearly equal matrices.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.gap.sampling import gap
    >>> op, fro = gap(np.array([[1.0, 0.6], [0.6, 1.0]]))
    >>> round(float(op**2), 12), round(float(fro**2), 12)  # of unit rows with cosine 0.6
    (0.135088935933, 0.205266807798)
    """
    values, vectors = np.linalg.eigh(A)
    K = (vectors / np.sqrt(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    diagonal = np.arange(A.shape[-1])
    K[..., diagonal, diagonal] -= 1 / np.sqrt(A[..., diagonal, diagonal])
    square = K @ A @ K
    largest = np.linalg.eigvalsh(square)[..., -1]
    return np.sqrt(largest), np.sqrt(np.trace(square, axis1=-2, axis2=-1))


def gaps(
    rng: Generator, m: int, n: int, samples: int, sampler: str = "bartlett"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both norms of the gap of so many draws, (samples,) each."""
    draw, batch = SAMPLERS[sampler], max(1, GRAM_ENTRIES // m**2)
    parts = [gap(draw(rng, min(batch, samples - start), m, n)) for start in range(0, samples, batch)]
    op, fro = zip(*parts, strict=True)
    return np.concatenate(op), np.concatenate(fro)


def moments(rng: Generator, m: int, n: int, samples: int, sampler: str) -> dict[str, Any]:
    """Return mean and standard deviation of both norms: a cell of the table."""
    found: dict[str, Any] = {"samples": samples}
    for name, values in zip(("op", "F"), gaps(rng, m, n, samples, sampler), strict=True):
        found |= {name: float(values.mean()), f"{name}_sd": float(values.std(ddof=1))}
    return found
