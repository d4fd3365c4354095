"""Zolo-PD: two steps of Zolotarev's rational functions, whose r solves do not depend on each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar.ends import probe
from normkit.polar.halley_plans import ROUNDOFF, SHARE, attainable, largest_c
from normkit.polar.qdwh import Form, Iterations
from normkit.polar.qdwh_by_qr import DOUBTS, regularized
from normkit.polar.zolotarev import PartialFractions, partial_fractions, solves_for

Matrix = NDArray[Any]
MOST_STEPS = 12


def zolo(
    X: Matrix,
    out: Matrix,
    *,
    lower: float,
    upper: float = 1.0,
    accuracy: float = 0.0,
    solves: int | None = None,
    form: Form = "auto",
) -> Iterations:
    """The polar factor in two steps Y <- s (Y + sum_j a_j (Y Y' + c_j I)^-1 Y), in float64.

    Parameters
    ----------
    X : C-ordered array (m, n), float32 or float64
        Finite, of entries near 1 and full rank; not changed.
    out : C-ordered array (m, n) of X's dtype
        Receives the factor; must not overlap X.
    lower, upper : float
        Bounds of the singular values. If the estimate `lower` is too high more steps follow.
    accuracy : float
        ||out - U V'||_F / sqrt(min(m, n)) asked for, by default working precision.
    solves : int, optional
        r; by default the least that two steps need, at most 8.
    form : "auto", "cholesky" or "qr"
        Solves by Cholesky, or by QR of [Y; sqrt(c) I]; "auto" takes QR for poles c_j so small that a Cholesky solve,
        wrong by u / c_j, would spoil the accuracy.

    Returns
    -------
    Iterations

    Raises
    ------
    numpy.linalg.LinAlgError
        If the iteration does not converge: X is rank deficient, or `upper` below its largest singular value.

    Notes
    -----
    Nakatsukasa and Freund, SIAM Review 58 (2016) 461. The operations are r/2 to r times those of QDWH; on two cores
    this method is slower, it is meant for machines that run the solves side by side.
    """
    short, goal = min(X.shape), attainable(accuracy, X.dtype.name)
    l = min(max(lower / upper, 1e-30), 1.0 - 1e-9)  # noqa: E741
    doubts = [min(l, max(l * share, ROUNDOFF[X.dtype.name])) for share in DOUBTS]
    most = math.inf if form == "cholesky" else 0.0 if form == "qr" else largest_c(goal, 2.0**-53, short)
    r = solves or solves_for(l, SHARE * goal)
    Y, flops, residual = np.divide(X, upper, dtype=np.float64), 0.0, math.inf
    for step in range(1, MOST_STEPS + 1):
        fractions = partial_fractions(l, r)
        Y = _step(Y, fractions, most)
        flops += X.size * short * (1.0 + 2.0 * r) + r * short**3 / 3.0
        doubts = [min(fractions(doubt), 1.0) for doubt in doubts]
        l = min(fractions.lower, 1.0 - 1e-9)  # noqa: E741
        residual = probe(Y)
        if residual <= 2.0 * goal:
            out[...] = Y
            return Iterations(step, flops, residual)
        if 1.0 - l <= max(SHARE * goal, 2e-9):  # the estimate was too high
            l = min(doubts.pop(0) if len(doubts) > 1 else doubts[0], 1.0 - 1e-9)  # noqa: E741
            r = solves or solves_for(l, SHARE * goal)
    raise np.linalg.LinAlgError(
        f"Zolo left a residual of {residual:.1e} after {MOST_STEPS} steps; is the matrix rank deficient? "
        "Use normkit.polar.exact."
    )


def _step(Y: Matrix, fractions: PartialFractions, most: float) -> Matrix:
    """One step; a pole c with 1/c above `most` is solved by QR."""
    R, total = _gram(Y), fractions.scale * Y
    for residue, pole in zip(fractions.residues, fractions.poles, strict=True):
        part = _by_qr(Y, pole) if 1.0 / pole > most else _by_cholesky(Y, R, pole)
        part *= fractions.scale * residue
        total += part
    return total


def _gram(Y: Matrix) -> Matrix:
    """Y Y', or Y' Y of a tall Y, in the upper triangle."""
    from scipy.linalg import blas

    return np.asarray(blas.dsyrk(1.0, Y.T, trans=Y.shape[0] <= Y.shape[1]))


def _by_cholesky(Y: Matrix, R: Matrix, pole: float) -> Matrix:
    """(Y Y' + c I)^-1 Y, or Y (Y' Y + c I)^-1 of a tall Y, R from `_gram`."""
    from scipy.linalg import lapack

    M = R.copy(order="F")
    np.einsum("ii->i", M)[:] += pole
    L, info = lapack.dpotrf(M, overwrite_a=1)
    if info:
        raise np.linalg.LinAlgError(f"X X' + {pole:.1e} I is not positive definite in float64; use form='qr'")
    wide = Y.shape[0] <= Y.shape[1]
    solved, _ = lapack.dpotrs(L, np.array(Y if wide else Y.T, order="F"), overwrite_b=1)
    return np.ascontiguousarray(solved if wide else solved.T)


def _by_qr(Y: Matrix, pole: float) -> Matrix:
    """(Y Y' + c I)^-1 Y by QR of [Y'; sqrt(c) I]."""
    if Y.shape[0] <= Y.shape[1]:
        return np.ascontiguousarray(regularized(Y.T, pole).T)
    return np.ascontiguousarray(regularized(np.asfortranarray(Y), pole))
