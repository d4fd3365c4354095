"""Orthogonal polar factors: schedules of polynomials, iterations, factorizations, and the planner that chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar.core import iterates, pairings, polar, reads_in_place
from normkit.polar.given import Given
from normkit.polar.task import Outcome, Task, task

Array = NDArray[Any]
BELOW = ("qdwh", "zolo")
"""Methods whose functions of the singular values do not exceed 1."""
LOOSE = 0.25
"""The share of the accuracy that dividing by a bound may cost."""


def polar_factor(
    batch: Array | Given, rank_eps: float, out: Array, accuracy: float | None = None, gain: Array | None = None
) -> NDArray[np.float64]:
    """Write U_r V_r' of a batch of matrices U diag(s) V'; return the pairings with them, which are the nuclear norms.

    Parameters
    ----------
    batch : array (B, m, n) of float32 or float64, or Given
        Finite matrices of entries near 1 (scaled by powers of two); not changed.
    rank_eps : float
        Precision of the entries: directions below `rank_tolerance` are dropped.
    out : array (B, m, n)
        Receives the factors; 0 for a zero matrix. Must not overlap the batch.
    accuracy : float, optional
        What |T - U_r V_r'|_F / sqrt(r) may be; by default working precision. With an accuracy, T is divided by a bound
        of its largest singular value, so that |T|_2 <= 1.
    gain : array (B,), optional
        What the factors are multiplied with in the end; the pairings are those with T itself.

    Returns
    -------
    sums : array (B,) of float64
        <A, T>: the nuclear norms, from below, and off by the square of the accuracy or less once T is orthogonal.
    """
    matrices = batch if isinstance(batch, Given) else Given(batch)
    asked = task(matrices.shape[1:], matrices.dtype, rank_eps, accuracy)
    target = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    outcomes = polar(matrices, asked, target)
    lengths = np.ones(len(target))
    if accuracy is not None:
        lengths[:] = [_length(T, outcome, accuracy) for T, outcome in zip(target, outcomes, strict=True)]
    gains = np.ones(len(target)) if gain is None else gain
    sums = _settled(matrices, asked, target, lengths, gains)
    if target is not out:
        out[...] = target
    return sums


def _length(T: Array, outcome: Outcome, accuracy: float) -> float:
    """Return what brings a factor into the unit ball of the spectral norm, by a bound of its largest singular value.

    That of rational steps comes from a Frobenius norm, and may lie so far above that dividing by it would cost the
    accuracy. What those that stay below 1 leave is not above it but for rounding, so that an estimate takes its place.
    """
    top = outcome.top
    if outcome.method in BELOW and 1.0 - 1.0 / max(top, 1.0) > LOOSE * accuracy:
        from normkit.polar.ends import reach

        top = min(top, reach(T))
    return 1.0 / max(top, 1.0)


def read_in_place(shape: tuple[int, int, int], dtype: np.dtype[Any], rank_eps: float, accuracy: float | None) -> bool:
    """Tell whether `polar_factor` reads matrices over powers of two where they lie: then they need no copy."""
    return reads_in_place(shape, dtype, task(shape[1:], dtype, rank_eps, accuracy))


def _settled(matrices: Given, asked: Task, T: Array, lengths: Array, gains: Array) -> NDArray[np.float64]:
    """Multiply factors by lengths, pair them, and multiply them by gains: in one pass where compiled loops ran."""
    if iterates(matrices.shape[1:], matrices.dtype, asked):
        from normkit.polar.settle import settle

        return settle(matrices, T, lengths, gains)
    for each, length in zip(T, lengths, strict=True):
        if length != 1:
            each *= each.dtype.type(length)
    sums = pairings(matrices.scaled, T)
    if not np.all(gains == 1):
        T *= gains.astype(T.dtype).reshape(-1, 1, 1)
    return sums
