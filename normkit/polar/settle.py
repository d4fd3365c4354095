"""The last pass over polar factors: lengths that are not above 1, pairings with the matrices, and a gain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.pool import parallel
from normkit.backends.cpu.team import shared
from normkit.polar.given import Given

Array = NDArray[Any]


@shared(fastmath={"reassoc", "contract", "nsz"})
def _rows(first: int, last: int, A: Any, T: Any, factors: Any, gains: Any, sums: Any) -> None:
    """T <- gain h T of the rows first to last of all matrices, and sums <- <f g A, h T>, row by row, in float64."""
    m, n = A.shape[1:]
    for task in range(first, last):
        b, i = divmod(task, m)
        f, g, h = factors[b]
        total = 0.0
        for j in range(n):
            total += (np.float64(A[b, i, j]) * f) * np.float64(T[b, i, j])
        sums[b, i] = total * g * h
        gain = gains[b]
        if gain != 1:
            for j in range(n):
                T[b, i, j] *= gain


def settle(matrices: Given, T: Array, lengths: NDArray[np.float64], gain: Array) -> NDArray[np.float64]:
    """Multiply factors T (B, m, n) by lengths and a gain; return <A, length T> of every matrix in float64.

    Rows are summed first, each by one thread, so that a matrix gives the same bits alone and in a batch.
    """
    count, m = T.shape[:2]
    sums = np.empty((count, m))
    factors = np.column_stack([matrices.factors, lengths])
    gains = (lengths * gain).astype(T.dtype)
    parallel(_rows, count * m, T.size, matrices.source, T, factors, gains, sums)
    total: NDArray[np.float64] = sums.sum(axis=1)
    return total
