"""Matrices served by rational iterations: one by all threads, or several, each by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar import planner
from normkit.polar.task import NOTABLE, Outcome, Ran, Task

if TYPE_CHECKING:
    from normkit.polar.qdwh import Iterations

Array = NDArray[Any]

COARSE = 1e-2
"""Accuracy from which |I - T T'| may be no more than the error itself, rather than twice that."""


def by_rational(A: Array, attempt: planner.Attempt, asked: Task, out: Array, spent: float, threads: int = 0) -> Ran:
    """Serve a matrix by QDWH, Zolo or Newton, on so many threads, or all; not where its rank may be below full."""
    # They end at |I - T T'|_F / sqrt(m) <= 2 goal: twice the error, but not of small singular values.
    goal = asked.accuracy * (0.5 if asked.accuracy >= COARSE else 0.95)
    X, target = np.ascontiguousarray(A), out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    try:
        made = _rational(attempt.method, X, target, goal, asked.rank_tol, threads)
    except np.linalg.LinAlgError:  # too near to a lower rank: a factorization decides which
        return None, attempt.flops
    if (attempt.method != "qdwh" or asked.rank_tol > NOTABLE) and not full_rank(A, target, asked.rank_tol):
        return None, made.flops
    if target is not out:
        out[...] = target
    apart = made.residual * float(np.sqrt(min(A.shape)))
    error = made.residual / max(2.0 - apart, 1.0)  # |1 - p| = |1 - p^2| / (1 + p), p >= 1 - apart
    found = Outcome(attempt.method, attempt.precision, made.steps, spent + made.flops, error, 1.0 + apart, None)
    return found, made.flops


def _rational(method: str, X: Array, out: Array, goal: float, rank_tol: float, threads: int) -> Iterations:
    if method == "qdwh":
        from normkit.polar.qdwh import qdwh

        return qdwh(X, out, accuracy=goal, floor=rank_tol, threads=threads)
    from normkit.polar.ends import ends
    from normkit.polar.newton import newton
    from normkit.polar.zolo import zolo

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
    batch: Array, places: list[int], attempt: planner.Attempt, asked: Task, out: Array
) -> list[Outcome | None]:
    """Serve some matrices of a batch (B, m, n), each on one thread, into `out`; None where that does not serve."""
    from normkit.backends.cpu.pool import share

    served: list[Outcome | None] = [None] * len(places)

    def serve(i: int) -> None:
        b = places[i]
        if batch[b].any():
            served[i] = by_rational(batch[b], attempt, asked, out[b], 0.0, threads=1)[0]

    share(serve, len(places))
    return served
