"""What the kernels have in common: where entries are, and reductions of a block in a fixed order.

Generated modules take these functions as text (see `generated`): the simulator gives a kernel's own module the names
of the running block, and no other module. A block is cut into groups of blockDim.x threads, a power of two; `lane` is a
thread's place in its group, t in the block. Callers write shared arrays at t and put a barrier between two reductions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda

Array = Any
Int = Any  # in the simulator of NumPy's types
FLAT = True
"""Whether one stride leads from each entry of a line to the next."""


def fetch(x: Array, place: Int) -> Any:
    """Return a word; places are counted from 0, and an unsigned index needs no test for negative ones."""
    return x[np.uint64(place)]


def line_start(line: Int, size: Any, at: Any) -> Any:
    """Return the place of the first entry of a line."""
    if size[0] == 1:  # a division costs as much as fifty additions
        return at[0] + line * at[2]
    return at[0] + (line // size[1]) * at[1] + (line % size[1]) * at[2]


def place_of(k: Int, size: Any, at: Any) -> Any:
    """Return how far entry k, in the order of memory, is from the first."""
    if FLAT:
        return k * at[4]
    return (k // size[3]) * at[3] + (k % size[3]) * at[4]


def index_of(k: Int, size: Any) -> Any:
    """Return the place in the order of the item of entry k in the order of memory."""
    if FLAT or size[4] == 0:
        return k
    return (k % size[3]) * size[2] + k // size[3]


def order_of(index: Int, size: Any) -> Any:
    """Return the place in the order of memory of an entry in the order of the item."""
    if FLAT or size[4] == 0:
        return index
    return (index % size[2]) * size[3] + index // size[2]


def share(size: Any, chunk: Int) -> Any:
    """Return a thread's line, and its entries k, k + step, ... below `stop`, of a grid (lines, chunks).

    A block holds (threads of a line, lines): one thread each where neighbours in memory belong to neighbouring lines.
    The entries are none where there is no such line.
    """
    line = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.y) + np.int64(cuda.threadIdx.y)
    first = np.int64(cuda.blockIdx.y) * chunk
    stop = min(size[2] * size[3], first + chunk) if line < size[0] * size[1] else np.int64(0)
    return line, (first + np.int64(cuda.threadIdx.x), stop, np.int64(cuda.blockDim.x))


def tree(sums: Array, tops: Array, t: Int, lane: Int) -> None:
    """Add the sums of every group, and take the largest of its tops, into its first place."""
    cuda.syncthreads()
    half = np.int64(cuda.blockDim.x) // 2
    while half > 0:
        if lane < half:
            sums[t] += sums[t + half]
            tops[t] = max(tops[t], tops[t + half])
        cuda.syncthreads()
        half //= 2


def later(top: Any, place: Int, other: Any, there: Int) -> Any:
    """Tell whether the second of two (magnitude, index) comes first: it is larger, or as large at a lower index."""
    return other > top or (other == top and there < place)


def first_of(tops: Array, places: Array, t: Int, lane: Int) -> None:
    """Take the largest top of every group, and the lowest index that has it, into its first place."""
    cuda.syncthreads()
    half = np.int64(cuda.blockDim.x) // 2
    while half > 0:
        if lane < half and later(tops[t], places[t], tops[t + half], places[t + half]):
            tops[t] = tops[t + half]
            places[t] = places[t + half]
        cuda.syncthreads()
        half //= 2


def total(sums: Array, value: Any, t: Int) -> Any:
    """Return the sum of `value` over a block of one group, to all of its threads."""
    cuda.syncthreads()
    sums[t] = value
    cuda.syncthreads()
    half = np.int64(cuda.blockDim.x) // 2
    while half > 0:
        if t < half:
            sums[t] += sums[t + half]
        cuda.syncthreads()
        half //= 2
    return sums[0]
