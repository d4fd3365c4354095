"""Matrices served by rational iterations: one by all threads, or several, each by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar import planner
from normkit.polar.given import Given
from normkit.polar.task import NOTABLE, Outcome, Ran, Task

if TYPE_CHECKING:
    from normkit.polar.qdwh import Iterations

Array = NDArray[Any]

LONG = 2.0
"""Ratio of the sides from which QDWH reduces a matrix to its short side, which saves products."""
COARSE = 1e-2
"""Accuracy from which |I - T T'| may be no more than the error itself, rather than twice that."""


def by_rational(
    matrix: Given, attempt: planner.Attempt, asked: Task, out: Array, spent: float, threads: int = 0
) -> Ran:
    """Serve one matrix by QDWH, Zolo or Newton, on so many threads, or all; not where its rank may be below full.

    `out` is written in the end only, so that it may overlap the source, unless rank_tol > NOTABLE.
    """
    # They end at |I - T T'|_F / sqrt(m) <= 2 goal: twice the error, but not of small singular values.
    goal = asked.accuracy * (0.5 if asked.accuracy >= COARSE else 0.95)
    target = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    try:
        made = _rational(attempt.method, matrix, target, goal, asked.rank_tol, threads)
    except np.linalg.LinAlgError:  # too near to a lower rank: a factorization decides which
        return None, attempt.flops
    below = attempt.method != "qdwh" or asked.rank_tol > NOTABLE
    if below and not full_rank(matrix.scaled[0], target, asked.rank_tol):
        return None, made.flops
    if target is not out:
        out[...] = target
    apart = made.residual * float(np.sqrt(min(out.shape)))
    error = made.residual / max(2.0 - apart, 1.0)  # |1 - p| = |1 - p^2| / (1 + p), p >= 1 - apart
    top = float(np.sqrt(1.0 + apart))  # |1 - p^2| <= apart
    found = Outcome(attempt.method, attempt.precision, made.steps, spent + made.flops, error, top, None)
    return found, made.flops


def read_in_place(method: str, m: int, n: int) -> bool:
    """Tell whether a method scales matrices (m, n) on the way into its workspace."""
    return method == "qdwh" and max(m, n) < LONG * min(m, n)


def _rational(method: str, matrix: Given, out: Array, goal: float, rank_tol: float, threads: int) -> Iterations:
    if method == "qdwh":
        from normkit.polar.qdwh import qdwh

        if read_in_place(method, *out.shape):
            X, (f, g) = matrix.source[0], matrix.factors[0].tolist()
        else:
            X, f, g = np.ascontiguousarray(matrix.scaled[0]), 1.0, 1.0
        return qdwh(X, out, accuracy=goal, floor=rank_tol, threads=threads, factors=(f, g))
    from normkit.polar.ends import ends
    from normkit.polar.newton import newton
    from normkit.polar.zolo import zolo

    X = np.ascontiguousarray(matrix.scaled[0])
    lower, upper = ends(X)
    return (zolo if method == "zolo" else newton)(X, out, lower=lower, upper=upper, accuracy=goal)


def full_rank(A: Array, T: Array, rank_tol: float) -> bool:
    """Tell whether A T', the symmetric polar factor, is positive definite by more than `rank_tol` sigma_1.

    By some more: of a small tolerance rounding is a part, and of a larger one what T is off by.
    """
    from scipy.linalg import blas, lapack

    from normkit.polar.bounds import spectral_bound

    G, Q = (np.asfortranarray(part.T if A.shape[0] <= A.shape[1] else part, np.float64) for part in (A, T))
    H = blas.dgemm(1.0, G, Q, trans_a=1)
    H += H.T
    np.einsum("ii->i", H)[:] -= (2.5 if rank_tol > NOTABLE else 8.0) * rank_tol * spectral_bound(A)
    return int(lapack.dpotrf(H, lower=1)[1]) == 0


def each_by_rational(
    batch: Given, places: list[int], attempt: planner.Attempt, asked: Task, out: Array
) -> list[Outcome | None]:
    """Serve some matrices of a batch (B, m, n), each on one thread, into `out`; None where that does not serve."""
    from normkit.backends.cpu.pool import share

    served: list[Outcome | None] = [None] * len(places)

    def serve(i: int) -> None:
        matrix = batch[places[i]]
        if matrix.source.any():
            served[i] = by_rational(matrix, attempt, asked, out[places[i]], 0.0, threads=1)[0]

    share(serve, len(places))
    return served
