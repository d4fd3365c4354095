"""The k leading singular pairs, with a proof that they are the leading ones.

For orthonormal U (m, k), V (n, k) and diagonal S let E = ||(G V - U S, G'U - V S)||_F. Then

    G = U S V' + (I - UU') G (I - VV') + F,  ||F||_2 <= E:

F = U (G'U - V S)' + (I - UU')(G V - U S) V', whose two terms have orthogonal ranges. The singular values of the first
two terms together are those of S and of the second, whose norm is at most beta if ||G - U S V'||_2 <= beta. By Weyl
and Mirsky, abs(sigma_i(G) - S_i) <= E + max(0, beta - S_k) for i = 1..k: none was missed. beta is proved by a Cholesky
factorization of beta^2 I - D D', D = G - U S V', or by ||D||_F.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu import leading as direct
from normkit.polar.bounds import ROUNDOFF, gamma

Floats = NDArray[np.float64]

GUARD = 8
"""Vectors in a block beyond the k that are wanted: they hold the singular values that follow."""
SPAN = 12
"""Blocks after which the subspace is given up for a factorization."""
PATIENCE = 3
"""Blocks before it is asked whether it will be."""


@dataclass(frozen=True)
class Pairs:
    """Leading pairs of one matrix: U (m, k), sigma (k,), V (n, k), residuals (k,), the bound of the module, and how."""

    left: Floats
    sigma: Floats
    right: Floats
    residual: Floats
    bound: float
    method: str


def leading(G: Floats, count: int, tol: float) -> Pairs:
    """Return the first proved to tol * sigma_1 of: a Krylov subspace, eigenvectors of the Gram matrix, an SVD.

    Parameters
    ----------
    G : array (m, n)
        Finite, entries near 1.
    count : int
        Number of pairs, 1..min(m, n).
    tol : float
        Asked of the bound, relative to sigma_1. The last method's pairs are returned whatever their bound.
    """
    X = G if G.shape[0] <= G.shape[1] else G.T
    for method, find in METHODS.items():
        for left, sigma, right in find(X, count, tol):
            made = _proved(X, left, sigma, right, tol, method)
            if made.bound <= tol * made.sigma[0] or method == "svd":
                return made if X is G else Pairs(right, sigma, left, made.residual, made.bound, method)
    raise AssertionError("an SVD always returns")


Factors = tuple[Floats, Floats, Floats]


def _by_krylov(X: Floats, count: int, tol: float) -> Iterator[Factors]:
    """Block Lanczos on X X' from a seeded start, all blocks kept orthogonal; the pairs of the largest Ritz values.

    Q spans the blocks so far, Y = X' Q. The residual X v - sigma u of a pair u = Q y, v = X'u / sigma lies in the next
    block: with X Y_last = Q (..) + Q_next R it is R y_last / sigma. Given up where it falls too slowly.
    """
    width, goal = count + GUARD, tol / (4 * math.sqrt(count))
    start = np.random.default_rng(0).standard_normal((X.shape[1], width))
    Q = np.linalg.qr(X @ start)[0] if SPAN * width <= len(X) else np.empty((len(X), 0))
    Y, seen = X.T @ Q, [math.inf]
    while Q.shape[1] and _hopeful(seen, goal):
        vectors, fresh, residual = _ritz(X, Q, Y, count, width)
        seen.append(residual)
        if residual <= goal:
            yield _pairs(Q @ vectors, Y @ vectors)
            return
        Q, Y = np.hstack([Q, fresh]), np.hstack([Y, X.T @ fresh])


def _ritz(X: Floats, Q: Floats, Y: Floats, count: int, width: int) -> tuple[Floats, Floats, float]:
    """Return the largest Ritz vectors in terms of Q, the next block, and the largest residual over sigma_1."""
    from scipy.linalg import eigh

    following = X @ Y[:, -width:]
    for _ in range(2):
        following -= Q @ (Q.T @ following)
    fresh, R = np.linalg.qr(following)
    size = Q.shape[1]
    values, vectors = eigh(Y.T @ Y, subset_by_index=(size - count, size - 1), check_finite=False)
    beyond = np.linalg.norm(R @ vectors[-width:], axis=0)
    scale = np.sqrt(np.maximum(values[-1] * values, 0.0))
    residual = np.divide(beyond, scale, out=np.where(beyond > 0, math.inf, 0.0), where=scale > 0)
    return vectors[:, ::-1], fresh, float(residual.max())


def _hopeful(seen: list[float], goal: float) -> bool:
    """Tell whether residuals that go on falling as over the last steps reach the goal within the span."""
    steps = len(seen) - 1
    if steps < PATIENCE:
        return True
    rate = (seen[-1] / seen[-PATIENCE]) ** (1 / (PATIENCE - 1))
    return steps < SPAN and seen[-1] * rate ** (SPAN - steps) <= goal


def _pairs(left: Floats, images: Floats) -> Factors:
    """Return U, sigma, V from orthonormal vectors of the range and their images X' U, made orthonormal."""
    basis, triangle = np.linalg.qr(images)
    inner, sigma, outer = np.linalg.svd(triangle)
    return left @ outer.T, sigma, basis @ inner


def _by_gram(X: Floats, count: int, tol: float) -> Iterator[Factors]:
    if count < len(X):
        found = direct.leading(X, count)
        if found is not None:
            yield _pairs(found[0], X.T @ found[0])


def _by_svd(X: Floats, count: int, tol: float) -> Iterator[Factors]:
    left, sigma, right = np.linalg.svd(X, full_matrices=False)
    yield left[:, :count], sigma[:count], right[:count].T


METHODS: dict[str, Callable[[Floats, int, float], Iterator[Factors]]] = {
    "krylov": _by_krylov,
    "gram": _by_gram,
    "svd": _by_svd,
}


def _proved(X: Floats, U: Floats, sigma: Floats, V: Floats, tol: float, method: str) -> Pairs:
    """Attach residuals and the bound of the module, roundings included."""
    ahead, back = X @ V - U * sigma, X.T @ U - V * sigma
    residual = np.maximum(np.linalg.norm(ahead, axis=0), np.linalg.norm(back, axis=0))
    length = float(np.linalg.norm(X))
    # Products over the long side, and U and V replaced by their orthonormal polar factors.
    slack = (gamma(X.shape[1] + 8) * math.sqrt(len(sigma)) + _skew(U) + _skew(V)) * 4.0 * length
    total = math.hypot(float(np.linalg.norm(ahead)), float(np.linalg.norm(back))) * (1 + gamma(X.size + 8)) + slack
    beta = _remainder(X, (U * sigma) @ V.T, len(sigma), float(sigma[-1]) + tol / 2 * float(sigma[0]))
    return Pairs(U, sigma, V, residual, total + max(0.0, beta - float(sigma[-1])), method)


def _skew(U: Floats) -> float:
    """Bound ||U'U - I||_F, the computation included."""
    size: int = U.shape[1]
    apart: Floats = U.T @ U - np.eye(size)
    return float(np.linalg.norm(apart)) + gamma(len(U) + 8) * size


def _remainder(X: Floats, part: Floats, count: int, goal: float) -> float:
    """Return a proved bound on ||X - U S V'||_2, `part` = U S V' rounded: near `goal` if that is one, or ||.||_F."""
    D = X - part
    rounded = 1 + gamma(D.size + 8)
    error = gamma(count + 8) * count * (float(np.linalg.norm(X)) + float(np.linalg.norm(part))) * rounded
    length = float(np.linalg.norm(D)) * rounded
    bound: float = length if length <= goal else min(length, _by_cholesky(D, length, goal))
    return bound + error


def _by_cholesky(D: Floats, length: float, goal: float) -> float:
    """Return a bound near `goal` on ||D||_2, or infinity; errors as in `bounds.largest_eigenvalue_bound`."""
    from scipy.linalg import lapack

    size = len(D)
    shifted = D @ D.T
    np.negative(shifted, out=shifted)
    shifted[np.diag_indices(size)] += goal * goal
    if lapack.dpotrf(shifted.T, lower=1, overwrite_a=1)[1]:  # the transpose is in Fortran's order
        return math.inf
    error = gamma(D.shape[1] + 16) * length * length + gamma(size + 16) * size * goal * goal
    return math.sqrt(goal * goal + error) * (1 + 8 * ROUNDOFF)
