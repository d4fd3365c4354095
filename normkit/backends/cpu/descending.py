"""Magnitudes of lines in decreasing order, without their indices: NumPy's sort, in place and in parallel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.pool import parallel

Array = NDArray[Any]

PIECES = 8
"""Pieces that one line is cut into, at its own quantiles, and sorted apart."""


def descending(lines: Array) -> Array:
    """Return the magnitudes of every line (L, n) in decreasing order; one array of the size of `lines` is all it takes.

    Without NaN. Equal magnitudes are equal bits, so the result does not depend on the threads.
    """
    work = np.abs(lines)
    np.negative(work, out=work)
    count, length = work.shape
    cuts = np.array([0, length])
    if count < PIECES <= length:
        cuts = np.arange(PIECES + 1) * length // PIECES
        work.partition(cuts[1:-1], axis=1)
    parallel(_sort, count * (len(cuts) - 1), work.size, work, cuts)
    return np.negative(work, out=work)


def _sort(first: int, last: int, work: Array, cuts: NDArray[np.intp]) -> None:
    """Sort pieces; NumPy releases the GIL."""
    if len(cuts) == 2:
        work[first:last].sort(axis=1)
        return
    for task in range(first, last):
        line, piece = divmod(task, len(cuts) - 1)
        work[line, cuts[piece] : cuts[piece + 1]].sort()
