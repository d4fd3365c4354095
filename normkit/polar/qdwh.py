"""QDWH: X <- X (a I + b X'X)(I + c X'X)^-1 with weights from the measured spectrum, in the precision each step needs.

The steps are compiled (`normkit.polar.halley`), their weights and precisions planned (`normkit.polar.halley_plans`).
The QR form needs no bound on c, but costs ten times as much as a step by Cholesky.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit.polar.halley_plans import attainable
from normkit.polar.rational import LONG

Matrix = NDArray[Any]
Form = Literal["auto", "cholesky", "qr"]


@dataclass(frozen=True)
class Iterations:
    """What a method did.

    Attributes
    ----------
    steps : int
        Steps of the iteration; 0 for a factorization.
    flops : float
        Operations, a multiplication and an addition counting as two.
    residual : float
        Estimate of ||I - T T'||_F / sqrt(min(m, n)) of the result, from random probes or a bound of the last step.
    """

    steps: int
    flops: float
    residual: float


def qdwh(
    X: Matrix,
    out: Matrix,
    *,
    lower: float | None = None,
    upper: float = 1.0,
    accuracy: float = 0.0,
    form: Form = "auto",
    floor: float = 0.0,
    threads: int = 0,
    factors: tuple[float, float] = (1.0, 1.0),
) -> Iterations:
    """The polar factor U V' by dynamically weighted Halley steps.

    Parameters
    ----------
    X : array (m, n), float32 or float64
        Finite, of entries near 1 and full rank; not changed.
    out : array (m, n) of X's dtype
        Receives the factor; must not overlap X.
    lower : float, optional
        Estimate of the smallest singular value. Too small a number costs steps; so does too large a one, since what is
        not yet orthogonal is noticed and worked on. Without it, both ends of the spectrum come from a few steps of
        Lanczos.
    upper : float
        Bound of the largest singular value, read with `lower` only.
    accuracy : float
        ||out - U V'||_F / sqrt(min(m, n)) asked for, by default working precision. In float32 steps run in float64
        where they must.
    floor : float
        Share of `upper`: where singular values below it must be there, the steps by Cholesky end in an error.
    form : "auto", "cholesky" or "qr"
        "qr" takes every step by a Householder factorization in float64; the other two are steps by Cholesky.
    threads : int
        By default as many as numba may use; "qr" follows SciPy's BLAS.
    factors : pair of float
        X is taken times both, one after the other, on its way into the workspace; only with max(m, n) < 2 min(m, n).

    Returns
    -------
    Iterations

    Raises
    ------
    numpy.linalg.LinAlgError
        If the iteration does not converge: X is rank deficient, or has singular values below `floor`, or one above
        `upper`.

    Notes
    -----
    Nakatsukasa, Bai, Gygi, SIAM J. Matrix Anal. Appl. 31 (2010) 2700; Nakatsukasa, Higham, SIAM J. Sci. Comput. 35
    (2013) A1325. The last step is the cubic Newton-Schulz step where a measured ||(I - R)^2||_F allows it. A side twice
    as long as the other is first reduced: X X' = L L' in float64, T = polar(L) L^-1 X (`normkit.polar.reduction`).
    """
    goal = attainable(accuracy, X.dtype.name)
    bounds = None if lower is None else (lower, upper)
    if form == "qr":
        from normkit.polar.qdwh_by_qr import qdwh_by_qr

        return Iterations(*qdwh_by_qr(X, out, bounds, goal))
    if max(X.shape) >= LONG * min(X.shape):
        return Iterations(*_reduced(X, out, bounds, goal, floor, threads))
    return Iterations(*_whole(X, out, bounds, goal, floor, threads, factors))


Bounds = tuple[float, float] | None
Done = tuple[int, float, float]


def _whole(
    X: Matrix,
    out: Matrix,
    bounds: Bounds,
    goal: float,
    floor: float,
    threads: int,
    factors: tuple[float, float] = (1.0, 1.0),
) -> Done:
    from normkit.polar.halley_space import halley_space
    from normkit.polar.workspace import transfer

    m, n = sorted(X.shape)
    plain, space = X.shape[0] == m, halley_space(m, n, threads)
    transfer(X, space.source(X.dtype), plain, factors)
    ended = space.iterate(X.dtype, X.dtype.name, goal, floor, bounds)
    transfer(ended.iterate, out, plain)
    return ended.steps, ended.flops, ended.residual


def _reduced(X: Matrix, out: Matrix, bounds: Bounds, goal: float, floor: float, threads: int) -> Done:
    from normkit.polar.long_space import long_space
    from normkit.polar.workspace import transfer

    m, n = sorted(X.shape)
    space, plain = long_space(m, n, threads), X.shape[0] == m
    wide = X if plain else np.ascontiguousarray(X.T)
    found = space.look(wide)
    bounds = bounds or found
    if bounds is None:
        raise np.linalg.LinAlgError("Lanczos finds a singular value of 0, or nearly 0; use normkit.polar.exact")
    (lower, upper), spent = bounds, float(m) * m * n
    if space.resolves(min(lower / upper, 1.0)):
        T = out if plain else np.empty((m, n), out.dtype)
        try:
            steps, flops, residual = space.factor(wide, T, (min(lower, upper), upper), goal, floor)
        except np.linalg.LinAlgError:  # a singular value that X X' does not show
            pass
        else:
            if not plain:
                transfer(T, out, False)
            return steps, spent + flops, residual
    steps, flops, residual = _whole(X, out, (lower, upper), goal, floor, threads)
    return steps, spent + flops, residual
