"""Maximisers by rank that a named algorithm finds, line by line, and their way back to the entries' places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.loops.bindings import algorithm
from normkit.backends.cpu.scalars import kernel

Array = NDArray[Any]


@kernel
def search(
    first: int, last: int, ranks: Array, f: Array, g: Array, w: Array, v: Array, p: Array, found: Array, values: Array
) -> None:
    """Write the maximiser of every line with a positive entry, and its pairing: ranks and found (L, n)."""
    for line in range(first, last):
        if ranks[line, 0] > 0:
            y = ranks[line].astype(np.float64) * f[line] * g[line]
            algorithm(y, w, v, p, found[line])
            for i in range(y.size):
                values[line] += y[i] * found[line, i]


@kernel
def scatter(first: int, last: int, x: Array, order: Array, gain: Array, found: Array, out: Array) -> None:
    """Write gain * sign(x) * found to the places of the sorted entries."""
    for line in range(first, last):
        for i in range(order.shape[1]):
            place = order[line, i]
            entry = x[line, place]
            value = gain[line] * found[line, i]
            out[line, place] = value if entry > 0 else (-value if entry < 0 else 0.0)
