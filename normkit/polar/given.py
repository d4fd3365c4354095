"""Matrices as they came, to be taken over powers of two: read in place by what scales on the way, or copied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.scaling import divide, exponents, halves, normalized

Array = NDArray[Any]


class Given:
    """A batch (B, m, n) of finite float32 or float64 matrices over 2**e.

    Parameters
    ----------
    source : array (B, m, n)
        C-ordered; only read.
    e : int64 array (B,), optional
        What the entries are over; nothing if it is not given.
    """

    def __init__(self, source: Array, e: NDArray[np.int64] | None = None) -> None:
        self.source = source
        self.e = np.zeros(len(source), np.int64) if e is None else e
        self._scaled = source if e is None else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, m, n)."""
        count, m, n = self.source.shape
        return count, m, n

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the entries."""
        return self.source.dtype

    @property
    def factors(self) -> NDArray[np.float64]:
        """Two factors of every matrix (B, 2), to be multiplied by one after the other: their product may overflow."""
        return np.stack(halves(self.e), axis=1)

    @property
    def scaled(self) -> Array:
        """All matrices over 2**e, made when they are first asked for; apart from the source where that is scaled."""
        if self._scaled is None:
            self._scaled = divide(self.source.copy(), self.e)
        return self._scaled

    def __getitem__(self, b: int) -> Given:
        """Return one matrix as a batch of its own."""
        here = slice(b, b + 1)
        made = Given(self.source[here], self.e[here])
        made._scaled = None if self._scaled is None else self._scaled[here]
        return made


def given(batch: Array, dtype: np.dtype[Any], read: bool) -> tuple[Given, NDArray[np.int64], NDArray[np.bool_]]:
    """Return matrices (B, m, n) in a dtype over 2**e, e, and which are not finite (and stand there as zeros).

    The largest magnitude of each is in [1/2, 1).

    Parameters
    ----------
    read : bool
        Whether compiled loops will read the matrices, and can scale them: then they are not copied, if they are finite
        and of that dtype. Else nothing here needs numba.
    """
    if read and batch.dtype == dtype:
        source = np.require(batch, requirements=["C", "A"])
        tops = _tops(source)
        if np.isfinite(tops).all():
            e = exponents(tops)
            return Given(source, e), e, np.zeros(len(e), np.bool_)
    work, e, bad = normalized(batch, dtype)
    return Given(work), e, bad


def _tops(batch: Array) -> NDArray[np.float64]:
    """Return the largest magnitude of every matrix, infinite or NaN where an entry is."""
    from normkit.backends.cpu.lines import Lines, frozen
    from normkit.backends.cpu.peaks import peaks

    count, m, n = batch.shape
    flat = batch.reshape(count, m * n)
    return peaks(Lines(frozen(flat), "rows", (count, 1))).values(batch.dtype)
