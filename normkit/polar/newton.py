"""Scaled Newton iteration X <- (z X + X'^-1 / z) / 2 for the polar factor, through inverses by LU."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit.polar.ends import norm
from normkit.polar.halley_plans import attainable
from normkit.polar.qdwh import Iterations

Matrix = NDArray[Any]
Scaling = Literal["norms", "optimal"]
MOST_STEPS = 30


def newton(
    X: Matrix,
    out: Matrix,
    *,
    lower: float,
    upper: float = 1.0,
    accuracy: float = 0.0,
    scaling: Scaling = "norms",
) -> Iterations:
    """The polar factor by Newton's iteration on X'X = I, in float64; quadratic, nine steps at condition 1e16.

    A rectangular X is first reduced to the triangular factor of its QR decomposition on the long side.

    Parameters
    ----------
    X : C-ordered array (m, n), float32 or float64
        Finite, of entries near 1 and full rank; not changed.
    out : array (m, n) of X's dtype
        Receives the factor.
    lower, upper : float
        Bounds of the singular values; only "optimal" reads them.
    accuracy : float
        ||out - U V'||_F / sqrt(min(m, n)) asked for, by default working precision.
    scaling : "norms" or "optimal"
        "norms": z^4 = ||Y^-1||_1 ||Y^-1||_inf / (||Y||_1 ||Y||_inf) (Higham, SIAM J. Sci. Stat. Comput. 7 (1986) 1160,
        equation 3.6) until the steps are small. "optimal": z = 1/sqrt(l u) from the bounds, and after the first step
        the image of the interval (Byers and Xu, SIAM J. Matrix Anal. Appl. 30 (2008) 822, algorithm 2).

    Raises
    ------
    numpy.linalg.LinAlgError
        If X is singular, or the iteration does not converge.
    """
    from scipy.linalg import blas, lapack

    goal = attainable(accuracy, X.dtype.name)
    wide = X.shape[0] <= X.shape[1]
    A = np.array(X.T if wide else X, np.float64, order="F")
    long, short = A.shape
    Q: Matrix | None = None
    flops = 0.0
    if long > short:
        packed, tau, _, _ = lapack.dgeqrf(A, overwrite_a=1)
        A = np.asfortranarray(np.triu(packed[:short]))
        Q, _, _ = lapack.dorgqr(packed, tau, overwrite_a=1)
        flops += 6.0 * long * short**2
    factor, steps, change = _iterate(A, lower, upper, goal, scaling)
    flops += 2.0 * steps * short**3
    result = factor if Q is None else blas.dgemm(1.0, Q, factor)
    out[...] = result.T if wide else result
    return Iterations(steps, flops, change * change)


def _iterate(Y: Matrix, lower: float, upper: float, goal: float, scaling: Scaling) -> tuple[Matrix, int, float]:
    """Steps until one changes the iterate by no more than the root of what is asked for: the next would not matter."""
    before, z = math.inf, 1.0 / math.sqrt(lower * upper)
    for step in range(1, MOST_STEPS + 1):
        inverse = _inverse(Y)
        if scaling == "norms":
            z = _norms(Y, inverse) if before > 1e-2 else 1.0
        new = (0.5 * z) * Y + (0.5 / z) * inverse.T
        change = norm(new - Y) / math.sqrt(len(Y))
        Y = np.asfortranarray(new)
        if scaling == "optimal":
            z = optimal_scaling(z, lower, upper) if step == 1 else after(z)
        # After a step without scaling from the distance E, the error is E^2 / 2; ||E||_F is `change` sqrt(m).
        if abs(z - 1.0) < 0.1 and math.sqrt(len(Y)) * change * change <= goal:
            return Y, step, change
        before = change
    raise np.linalg.LinAlgError(f"Newton's iteration still changes by {before:.1e} after {MOST_STEPS} steps")


def optimal_scaling(z: float, lower: float, upper: float) -> float:
    """Return the second scaling sqrt(2 / (t + 1/t)), t = sqrt(u/l): step one takes [l, u] to [1, (t + 1/t)/2]."""
    t = math.sqrt(upper / lower)
    return math.sqrt(2.0 / (t + 1.0 / t))


def after(z: float) -> float:
    """Return the scaling that follows z < 1: sqrt(2 / (z + 1/z))."""
    return math.sqrt(2.0 / (z + 1.0 / z))


def _inverse(Y: Matrix) -> Matrix:
    from scipy.linalg import lapack

    packed, pivots, info = lapack.dgetrf(Y)
    if info == 0:
        inverse, info = lapack.dgetri(packed, pivots, lwork=64 * len(Y), overwrite_lu=1)
    if info:
        raise np.linalg.LinAlgError("Newton's iteration needs a matrix of full rank; use normkit.polar.exact")
    return np.asarray(inverse)


def _norms(Y: Matrix, inverse: Matrix) -> float:
    def both(A: Matrix) -> float:
        size = np.abs(A)
        return float(size.sum(axis=0).max() * size.sum(axis=1).max())

    return math.sqrt(math.sqrt(both(inverse) / both(Y)))
