"""Dual ascent for Muon on the Stiefel manifold: a tangent step and a proof of how good it is, for batches.

The problem at W with W'W = I, m >= n:  minimize <G, A> over N(A) <= radius with sym(W'A) = 0, N the spectral norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import normkit as nk
from normkit.descent import dualize_with_value

Matrix = NDArray[np.float64]
NORM = "spectral"


@dataclass(frozen=True)
class Bracket:
    """What an ascent knows after some steps: a feasible step and bounds of the least <G, A> from both sides.

    Attributes
    ----------
    steps : int
    step : ndarray (..., m, n)
        Tangent at W and in the ball: of all averages so far, projected and scaled, the one of the least <G, step>.
    upper, lower : ndarray (...)
        <G, step>, and the largest value of the dual function that was met.
    mean : ndarray (...)
        <G, A> of the average of the second half of the iterates, projected and scaled: no less than `upper`.
    last : ndarray (..., m, n)
        The last iterate; in the ball, tangent only in some cases.
    """

    steps: int
    step: Matrix
    upper: Matrix
    lower: Matrix
    mean: Matrix
    last: Matrix

    @property
    def gap(self) -> Matrix:
        """What `step` can miss at most."""
        return self.upper - self.lower


def transposed(A: Matrix) -> Matrix:
    """Return the transpose of every matrix."""
    return np.swapaxes(A, -1, -2)


def normal(W: Matrix, A: Matrix) -> Matrix:
    """Return sym(W'A), which is 0 for what is tangent at W."""
    product = transposed(W) @ A
    return (product + transposed(product)) / 2


def tangent(W: Matrix, A: Matrix) -> Matrix:
    """Return A without its part W S, S symmetric, that leaves the manifold."""
    return A - W @ normal(W, A)


def off(W: Matrix, A: Matrix) -> Matrix:
    """Return by how much every A misses the tangent space: the spectral norm of sym(W'A)."""
    return np.asarray(nk.value(NORM, normal(W, A)))


def pairing(A: Matrix, B: Matrix) -> Matrix:
    """Return <A, B> of every pair of matrices."""
    return np.asarray(np.sum(A * B, axis=(-1, -2)))


def ascent(W: Matrix, G: Matrix, steps: int, radius: float = 1.0, rate: float = 1.0) -> Iterator[Bracket]:
    """Yield what is known after 1, 2, 4, 8, ... steps, up to `steps`.

    For any symmetric S and tangent A in the ball <G, A> = <G + W S, A> >= -radius N*(G + W S) = d(S), so every value
    of d is a lower bound. Its supergradient at S is sym(W'A) with A = -radius D(G + W S); steps fall like
    1 / sqrt(j), in units of the spectral norm of G, and are the weights of the averages, too.

    Parameters
    ----------
    W : ndarray (..., m, n)
        W'W = I.
    G : ndarray (..., m, n)
        Gradients, not 0. Where G = W S for a symmetric S, every tangent step has the value 0.
    steps : int
        The most steps of the ascent, 1 or more.
    radius, rate : float
        Of the ball, and of the ascent.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.tangent.ascent import ascent
    >>> *_, found = ascent(np.eye(3, 2), np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 1.0]]), 64)
    >>> found.steps, bool(found.lower <= found.upper)
    (64, True)
    """
    size = np.asarray(nk.value(NORM, G))[..., None, None]
    S, lower = -normal(W, G), np.full(G.shape[:-2], -np.inf)
    total, half, weight, half_weight = np.zeros_like(G), np.zeros_like(G), 0.0, 0.0
    step, upper = np.zeros_like(G), np.zeros(G.shape[:-2])
    for j in range(1, steps + 1):
        found = dualize_with_value(NORM, G + W @ S)
        A, share = -radius * found.array, 1 / np.sqrt(j)
        lower = np.maximum(lower, -radius * found.dual_norm)
        total, weight = total + share * A, weight + share
        S = S + rate * share * size * normal(W, A) / radius
        if j & (j - 1) == 0:
            mean = _feasible(W, (total - half) / (weight - half_weight), radius)
            value = pairing(G, mean)
            step = np.where((value < upper)[..., None, None], mean, step)
            upper = np.minimum(upper, value)
            half, half_weight = total, weight
            yield Bracket(j, step, upper, lower, value, A)


def _feasible(W: Matrix, A: Matrix, radius: float) -> Matrix:
    """The tangent part of A, scaled into the ball."""
    step = tangent(W, A)
    return step / np.maximum(1.0, np.asarray(nk.value(NORM, step)) / radius)[..., None, None]
