"""Matrices that are in a ball by their making, or better than an optimum by chance; no norm is computed here.

A matrix P diag(d) Q' with orthonormal columns in P and Q has the singular values d. So it is in the ball of the RMS
operator norm of radius eta where all d are at most eta sqrt(m/n), and every matrix of the ball is of this form.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Matrices = NDArray[np.float64]
SHAPES = ((3, 5), (5, 3), (4, 4))
RADIUS = 0.1
"""eta."""


def orthonormal(rng: Generator, count: int, rows: int, columns: int) -> Matrices:
    """Return matrices with orthonormal columns, uniform among these, as a batch.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.optimality.candidates import orthonormal
    >>> Q = orthonormal(np.random.default_rng(0), 2, 4, 3)
    >>> bool(np.allclose(np.swapaxes(Q, 1, 2) @ Q, np.eye(3)))
    True
    """
    Q, R = np.linalg.qr(rng.standard_normal((count, rows, columns)))
    signs = np.where(np.einsum("bii->bi", R) < 0, -1.0, 1.0)
    return np.asarray(Q * signs[:, None, :])


def inside(rng: Generator, count: int, m: int, n: int, bound: float) -> Matrices:
    """Return matrices with singular values up to a bound: half of them with all at the bound, the extreme points."""
    r = min(m, n)
    d = bound * rng.random((count, r))
    d[: count // 2] = bound
    return (orthonormal(rng, count, m, r) * d[:, None, :]) @ np.swapaxes(orthonormal(rng, count, n, r), 1, 2)


def nearby(rng: Generator, count: int, best: Matrices, bound: float) -> Matrices:
    """Return matrices of the ball at all distances from one of them, half turned, half on the way to another.

    Turned by Cayley transforms of skew matrices, which are orthogonal; on the way to matrices of `inside`.
    """
    half = count // 2
    m, n = best.shape
    turned = _turn(rng, half, m) @ best @ np.swapaxes(_turn(rng, half, n), 1, 2)
    share = 10.0 ** rng.uniform(-6, 0, (count - half, 1, 1))
    return np.concatenate([turned, best + share * (inside(rng, count - half, m, n, bound) - best)])


def _turn(rng: Generator, count: int, size: int) -> Matrices:
    A = rng.standard_normal((count, size, size)) * 10.0 ** rng.uniform(-6, 0, (count, 1, 1))
    skew, one = A - np.swapaxes(A, 1, 2), np.eye(size)
    return np.asarray(np.linalg.solve(one + skew, one - skew))


def anywhere(rng: Generator, count: int, best: Matrices) -> Matrices:
    """Return matrices at all distances from one, in and out of the ball: about half of them better by <G, .>."""
    distance = 10.0 ** rng.uniform(-4, 1, (count, 1, 1))
    return best + distance * float(np.max(np.abs(best))) * rng.standard_normal((count, *best.shape))
