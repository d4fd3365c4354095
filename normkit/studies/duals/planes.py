"""Kelley's method for the dual norm max <G, X> over N(X) <= 1, from values of N alone.

At a point where N has a gradient S, the ball lies in <S, X> <= 1. A linear program over such half-spaces bounds the
dual norm from above, and <G, X>/N(X) at any X from below. Gradients are central differences of values, so that no
formula of a dual norm or of a duality map is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import linprog

Matrix = NDArray[np.float64]
FAR = 1e3
"""A box for the first programs, which have too few half-spaces to be bounded."""
STEP, OFF, BEND = 1e-7, 1e-3, 0.01
"""Of the differences; of a shift away from kinks of N, which programs find; and a bend that is a kink all the same."""


def bracket(rng: Generator, value: Callable[[Matrix], Matrix], G: Matrix, rounds: int) -> tuple[float, float]:
    """Return a lower and an upper bound of max <G, X> over N(X) <= 1.

    Parameters
    ----------
    rng : Generator
        Shifts the points of gradients.
    value : callable
        N of a batch of arrays.
    G : ndarray
    rounds : int
        Linear programs; each brings up to three half-spaces.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.duals.planes import bracket
    >>> low, high = bracket(np.random.default_rng(0), lambda X: np.abs(X).max(axis=1), np.array([3.0, -4.0]), 10)
    >>> low <= 7 <= high + 1e-6 and high - low < 1e-3
    True
    """
    flat = np.ravel(G)
    best = flat / _values(value, G.shape, flat[None])[0]
    planes = _gradients(rng, value, G.shape, np.concatenate([best[None], np.eye(len(flat)), -np.eye(len(flat))]))
    upper = np.inf
    for _ in range(rounds):
        found: Any = linprog(-flat, A_ub=planes, b_ub=np.ones(len(planes)), bounds=(-FAR, FAR))
        upper = min(upper, -float(found.fun))
        points = np.stack([found.x, (found.x + best) / 2, best])
        points /= _values(value, G.shape, points)[:, None]
        best = max([*points, best], key=lambda x: float(flat @ x))
        planes = np.concatenate([planes, _gradients(rng, value, G.shape, points)])
    return float(flat @ best), upper


def _values(value: Callable[[Matrix], Matrix], shape: tuple[int, ...], points: Matrix) -> Matrix:
    return np.asarray(value(points.reshape(-1, *shape)))


def _gradients(rng: Generator, value: Callable[[Matrix], Matrix], shape: tuple[int, ...], points: Matrix) -> Matrix:
    count, size = points.shape
    shifted = points + OFF * rng.standard_normal(points.shape)
    steps = STEP * np.eye(size)
    ahead = _values(value, shape, (shifted[:, None] + steps).reshape(-1, size)).reshape(count, size)
    behind = _values(value, shape, (shifted[:, None] - steps).reshape(-1, size)).reshape(count, size)
    bends = np.abs(ahead + behind - 2 * _values(value, shape, shifted)[:, None]) / STEP
    return np.asarray(((ahead - behind) / (2 * STEP))[bends.max(axis=1) < BEND])
