"""Pairings of lines with atoms, the first largest of them, and maps that are an atom."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import (
    THREADS,
    fetch,
    index_of,
    line_start,
    narrow,
    place_of,
    total,
    wide,
)
from normkit.backends.cuda.maps.scalars import kernel

Array = Any
Int = Any  # in the simulator of NumPy's types


@kernel
def pair(x: Array, at: Any, size: Any, atoms: Array, count: Int, pairings: Array) -> None:
    """Pair a line with an atom, a block for each of the two: atoms (count, length) in one row."""
    sums = cuda.shared.array(THREADS, np.float64)
    t, task, length = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x), size[2] * size[3]
    line, atom = task // count, task % count
    base, k, s = line_start(line, size, at), t, np.float64(0.0)
    while k < length:
        entry = np.float64(wide(fetch(x, base + place_of(k, size, at))))
        s += entry * atoms[np.uint64(atom * length + index_of(k, size))]
        k += THREADS
    s = total(sums, s, t)
    if t == 0:
        pairings[task] = s


@kernel
def choose(pairings: Array, count: Int, lines: Int, times: float, best: Array, values: Array) -> None:
    """Take the first pairing of every line that is largest in size; NaN counts as largest."""
    line = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    if line >= lines:
        return
    chosen, found = np.int64(0), abs(pairings[line * count])
    for atom in range(1, count):
        here = abs(pairings[line * count + atom])
        if here > found or (here != here and found == found):
            chosen, found = np.int64(atom), here
    best[line] = chosen
    values[line] = found * times


@kernel
def write(
    out: Array,
    to: Any,
    size: Any,
    atoms: Array,
    count: Int,
    pairings: Array,
    best: Array,
    gain: Array,
    times: float,
) -> None:
    """Write gain * sign * atom."""
    k, length = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x), size[2] * size[3]
    line = k // length
    if line < size[0] * size[1]:
        index = index_of(k % length, size)
        paired = pairings[line * count + best[line]]
        up = gain[line] * times if paired > 0 else (-gain[line] * times if paired < 0 else np.float64(0.0))
        made = up * atoms[np.uint64(best[line] * length + index)]
        out[np.uint64(line_start(line, size, to) + place_of(k % length, size, to))] = narrow(made)
