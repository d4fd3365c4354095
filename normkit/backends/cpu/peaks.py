"""The largest magnitude of every line, and how lines and columns are cut into tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.generated import WORDS, generate
from normkit.backends.cpu.lines import Lines
from normkit.backends.cpu.pool import parallel

Array = NDArray[Any]
Floats = NDArray[np.float64]

BLOCK = 1 << 14
"""Entries of a line that one task reads; a constant, so that the work is cut the same way everywhere."""
WIDTH = 1 << 12
"""Columns that one task reads."""
LIGHT = 8
"""Entries that an integer maximum passes in the time in which other loops do one."""


def blocks(length: int) -> int:
    """Return the number of blocks of a line."""
    return -(-length // BLOCK)


def rows_of(width: int) -> int:
    """Return the number of rows that one task reads of a matrix of this width."""
    return max(16, 4 * BLOCK // max(1, min(width, WIDTH)))


@dataclass(frozen=True)
class Peaks:
    """Largest magnitudes as bits: of every block, and of every line, (G * L,) for rows and (G, L) for columns."""

    blocks: Array
    tops: Array

    def values(self, dtype: np.dtype[Any]) -> Floats:
        """Return the largest magnitudes as float64."""
        wide: Floats = self.tops.view(dtype).astype(np.float64)
        return wide


def peaks(x: Lines) -> Peaks:
    """Find the largest magnitude of every line."""
    array = x.array
    loops, word = generate("magnitudes", array.dtype), np.dtype(WORDS[array.itemsize])
    if x.kind == "rows":
        count, length = array.shape
        found = np.zeros((count, blocks(length)), word)
        parallel(loops.peaks, found.size, x.entries // LIGHT, array, BLOCK, found)
        return Peaks(found, found.max(axis=1))
    groups, height, width = array.shape
    rows, tiles = rows_of(width), -(-width // WIDTH)
    found = np.zeros((groups, -(-height // rows), width), word)
    tasks = groups * found.shape[1] * tiles
    parallel(loops.column_peaks, tasks, x.entries // LIGHT, array, rows, WIDTH, found)
    return Peaks(found, found.max(axis=1))
