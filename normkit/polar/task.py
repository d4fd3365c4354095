"""What is asked of the polar factor of a matrix, and how it was served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from normkit.backends.precision import rank_tolerance
from normkit.polar import planner

NOTABLE = 1e-4
"""Rank tolerance from which iterations would resolve directions that are to be dropped: of half precision entries."""


@dataclass(frozen=True)
class Task:
    """What is asked.

    Attributes
    ----------
    accuracy : float
        Of |T - polar(X)|_F / sqrt(rank).
    method : str
        See `normkit.polar.planner.METHODS`.
    rank_tol : float
        Directions with sigma <= rank_tol sigma_1 are dropped.
    """

    accuracy: float
    method: str
    rank_tol: float


class Outcome(NamedTuple):
    """How one matrix was served.

    Attributes
    ----------
    method, precision : str
        What served it.
    steps : int
        Of the iteration; 0 for a factorization.
    flops : float
        Operations, failed attempts included.
    error : float
        Bound, or for a factorization the rounding expected, of |T - polar(X)|_F / sqrt(rank).
    top : float
        Bound on the largest singular value of T.
    rank : int or None
        Known from a factorization; iterations serve full rank.
    """

    method: str
    precision: str
    steps: int
    flops: float
    error: float
    top: float
    rank: int | None


def task(shape: tuple[int, ...], dtype: np.dtype[Any], rank_eps: float, accuracy: float | None, **more: Any) -> Task:
    """Return a task for matrices of a shape (m, n), of entries given to a precision; by default working precision."""
    tolerance = more.get("rank_tol")
    tolerance = rank_tolerance(shape, rank_eps) if tolerance is None else float(tolerance)
    wanted = 0.0 if accuracy is None else float(accuracy)
    return Task(max(wanted, _finest(dtype, rank_eps, accuracy)), more.get("method", "auto"), tolerance)


def _finest(dtype: np.dtype[Any], rank_eps: float, accuracy: float | None) -> float:
    """Return the accuracy that working precision means: for half precision entries, a share of their roundoff."""
    if rank_eps > 1e-5:
        return 0.01 * rank_eps
    if dtype.name == "float64" and accuracy is None:
        return 0.0
    return planner.WORKING[dtype.name]


Ran = tuple[Outcome | None, float]
"""How a matrix was served, if it was, and the operations."""
