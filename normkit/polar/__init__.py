"""Orthogonal polar factors: schedules of polynomials, iterations, factorizations, and the planner that chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar.core import pairings, polar
from normkit.polar.given import Given
from normkit.polar.task import task

Array = NDArray[Any]


def polar_factor(batch: Array, rank_eps: float, out: Array, accuracy: float | None = None) -> NDArray[np.float64]:
    """Write U_r V_r' of a batch of matrices U diag(s) V'; return the pairings with them, which are the nuclear norms.

    Parameters
    ----------
    batch : array (B, m, n), float32 or float64
        Finite matrices of entries near 1 (scaled by powers of two); not changed.
    rank_eps : float
        Precision of the entries: directions below `rank_tolerance` are dropped.
    out : array (B, m, n)
        Receives the factors; 0 for a zero matrix. Must not overlap the batch.
    accuracy : float, optional
        What |T - U_r V_r'|_F / sqrt(r) may be; by default working precision. With an accuracy, T is divided by a bound
        of its largest singular value, so that |T|_2 <= 1.

    Returns
    -------
    sums : array (B,) of float64
        <A, T>: the nuclear norms, from below, and off by the square of the accuracy or less once T is orthogonal.
    """
    asked = task(batch.shape[1:], batch.dtype, rank_eps, accuracy)
    target = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    for T, outcome in zip(target, polar(Given(batch), asked, target), strict=True):
        if accuracy is not None and outcome.top > 1:
            T /= T.dtype.type(outcome.top)
    if target is not out:
        out[...] = target
    return pairings(batch, target)
