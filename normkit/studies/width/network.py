"""Networks 2-D-D-2 with ReLU on XOR: many starts and learning rates at once, stepped by one norm.

The four points make every gradient a product of factors with four columns. A unitarily invariant norm steps along
singular vectors, so that the map of such a gradient is that of a matrix 4 x 4 between the bases of its factors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import normkit as nk

Floats = NDArray[np.float64]
POINTS: Floats = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
TARGETS: Floats = np.array([[1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
"""1 and -1 for the class of a point: the sign of the product of its coordinates."""
STEPS = 32
PLACES: Floats = np.arange(-8.0, 3.51, 0.5)
RATES: Floats = 2.0**PLACES
"""The learning rates, and where they are in log2."""
ROOM = 2**21
"""Numbers in the hidden matrices of a batch: as many as caches hold."""


def transposed(A: Floats) -> Floats:
    """Return the transpose of every matrix."""
    return np.swapaxes(A, -1, -2)


def start(rng: np.random.Generator, width: int, count: int) -> list[Floats]:
    """Return batches (count, ...) of the three matrices, with orthonormal rows or columns times sqrt(out / in)."""
    shapes = ((width, 2), (width, width), (2, width))
    return [nk.initialize("rms->rms", (count, *shape), seed=rng) for shape in shapes]


def slope(weights: Sequence[Floats]) -> tuple[Floats, list[tuple[Floats, Floats]]]:
    """Return the mean squared errors of a batch of networks, and gradients up to a factor, each as (A, B) for A B'.

    Parameters
    ----------
    weights : sequence of ndarray
        (..., D, 2), (..., D, D), (..., 2, D).
    """
    inputs, befores = [np.broadcast_to(POINTS, (*weights[0].shape[:-2], *POINTS.shape))], []
    for W in weights:
        befores.append(inputs[-1] @ transposed(W))
        inputs.append(np.maximum(befores[-1], 0.0))
    back = befores[-1] - TARGETS
    losses = np.mean(back * back, axis=(-1, -2))
    factors = []
    for place in (2, 1, 0):
        factors.append((transposed(back), transposed(inputs[place])))
        if place:
            back = (back @ weights[place]) * (befores[place - 1] > 0)
    return losses, factors[::-1]


def mapped(spec: str, A: Floats, B: Floats) -> tuple[Floats, Floats]:
    """Return the dualize map of A B' in a norm c(m, n) times a unitarily invariant one, as factors again.

    Where a side is no longer than the factors are wide they are taken as they are.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> from normkit.studies.width.network import mapped
    >>> rng = np.random.default_rng(0)
    >>> A, B = rng.standard_normal((9, 4)), rng.standard_normal((7, 4))
    >>> left, right = mapped("rms->rms", A, B)
    >>> bool(np.allclose(left @ right.T, nk.dualize("rms->rms", A @ B.T)))
    True
    """
    (left, first), (right, second) = (_base(each) for each in (A, B))
    core = first @ transposed(second)
    length = _unit(spec, core.shape[-2], core.shape[-1]) / _unit(spec, A.shape[-2], B.shape[-2])
    return left @ (length * nk.dualize(spec, core)), right


def _base(A: Floats) -> tuple[Floats, Floats]:
    """An orthonormal base of the columns, and A in it."""
    if A.shape[-2] <= A.shape[-1]:
        return np.eye(A.shape[-2]), A
    base, inside = np.linalg.qr(A)
    return base, inside


def _unit(spec: str, m: int, n: int) -> float:
    """c(m, n), as the norm of a matrix with one entry 1."""
    unit = np.zeros((m, n))
    unit[0, 0] = 1.0
    return float(nk.value(spec, unit))


def train(rng: np.random.Generator, spec: str, width: int, seed: int, count: int) -> Floats:
    """Return the losses at the end (count, rates) of so many starts at every learning rate; `seed` decides the starts.

    Learning rates fall in a line to 0 over 32 steps of the linear minimization oracle, without momentum.
    """
    starts = start(np.random.default_rng(seed), width, count)
    many = max(1, ROOM // (len(RATES) * width * width))
    return np.concatenate([_ends(spec, [W[i : i + many] for W in starts]) for i in range(0, count, many)])


def _ends(spec: str, starts: list[Floats]) -> Floats:
    weights = [np.repeat(W[:, None], len(RATES), axis=1) for W in starts]
    moves = [np.empty_like(W) for W in weights]  # written again and again: new memory would take most of the time
    for step in range(STEPS):
        length = RATES[:, None, None] * (1 - step / STEPS)
        for W, move, factors in zip(weights, moves, slope(weights)[1], strict=True):
            left, right = mapped(spec, *factors)
            np.matmul(length * left, transposed(right), out=move)
            W -= move
    return slope(weights)[0]
