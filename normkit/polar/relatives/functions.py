"""Functions of the singular values: U f(Sigma) V'.

Small matrices are factored by an SVD. Of large ones, the Gram matrix X X' = W diag(sigma^2) W' (short side, float64)
gives the same: U f(Sigma) V' = X + W diag(f(sigma)/sigma - 1) W' X. Its eigenvalues are wrong by 2^-53 sigma_1^2, and
so the result by about 2^-53 (sigma_1/s)^2, s being the smallest singular value at which f(sigma)/sigma is not constant:
it serves where that is near the precision of the caller's entries, which is nearly always so for float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.svd import SMALL, svd
from normkit.backends.precision import rank_tolerance

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

ROUNDOFF = 2.0**-53
LOSS = 16.0
"""Error that the Gram matrix may add, in units of the entries' precision."""
COARSE = 2.0**-30
"""Precision from which it is tried where all singular values matter: of float64, a condition of 6 is too much."""


def clip(batch: Floats, eps: float, low: float, high: float) -> Floats:
    """U min(max(Sigma, low), high) V'; 0 for what is below the rank tolerance and would be lifted."""
    return _apply(batch, eps, lambda sigma: np.clip(sigma, low, high), 0.0 if low > 0 else high)


def hardcap(batch: Floats, eps: float, cap: float) -> Floats:
    """U min(Sigma, cap) V'."""
    return _apply(batch, eps, lambda sigma: np.minimum(sigma, cap), cap)


def relu(batch: Floats, eps: float, level: float) -> Floats:
    """U max(Sigma - level, 0) V'."""
    return _apply(batch, eps, lambda sigma: np.maximum(sigma - level, 0.0), level)


def _apply(batch: Floats, eps: float, f: Function, bend: float) -> Floats:
    """U f(Sigma) V'; f(sigma)/sigma is constant below `bend`."""
    made = [None if max(batch.shape[1:]) <= SMALL else _by_gram(G, eps, f, bend) for G in batch]
    left = [b for b, found in enumerate(made) if found is None]
    out = np.empty(batch.shape)
    if left:
        out[left] = _by_svd(batch[left], eps, f)
    for b, found in enumerate(made):
        if found is not None:
            out[b] = found
    return out


def _by_svd(batch: Floats, eps: float, f: Function) -> Floats:
    left, sigma, right = svd(batch)
    made: Floats = (left * _new(sigma, eps, batch.shape[1:], f)[:, None, :]) @ right
    return made


def _new(sigma: Floats, eps: float, shape: tuple[int, ...], f: Function) -> Floats:
    """Return f(sigma); 0 for what is below the rank tolerance and would be lifted."""
    made = f(sigma)
    real = sigma > rank_tolerance(shape, eps) * sigma.max(axis=-1, keepdims=True)
    return np.where(real | (made <= sigma), made, 0.0)


def _by_gram(G: Floats, eps: float, f: Function, bend: float) -> Floats | None:
    """U f(Sigma) V' through the Gram matrix; None if that loses too many digits."""
    if not (_resolved(float(np.linalg.norm(G)) / np.sqrt(min(G.shape)), bend, eps) if bend > 0 else eps >= COARSE):
        return None
    X = G if G.shape[0] <= G.shape[1] else G.T
    values, vectors = np.linalg.eigh(X @ X.T)
    sigma = np.sqrt(np.maximum(values, 0.0))
    top = sigma[-1]
    real = sigma > rank_tolerance(G.shape, eps) * top
    if not real.any():
        return np.zeros(G.shape)
    if not _resolved(top, max(bend, sigma[real].min()), eps):
        return None
    gains = np.ones_like(sigma)
    np.divide(_new(sigma, eps, G.shape, f), sigma, out=gains, where=sigma > 0)
    made = _scaled_directions(X, vectors, gains)
    return made if X is G else made.T


def _resolved(top: float, last: float, eps: float) -> bool:
    return bool(ROUNDOFF * top * top <= LOSS * eps * last * last)


def _scaled_directions(X: Floats, W: Floats, gains: Floats) -> Floats:
    """W diag(gains) W' X; only those directions are multiplied whose gain is not the usual 0 or 1."""
    usual = 1.0 if np.count_nonzero(gains == 1.0) > np.count_nonzero(gains == 0.0) else 0.0
    some = gains != usual
    basis = W[:, some]
    made: Floats = (basis * (gains[some] - usual)) @ (basis.T @ X)
    if usual:
        made += X
    return made
