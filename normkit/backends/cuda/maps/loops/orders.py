"""Entries of lines by decreasing magnitude, the lowest index first among equals: a bitonic sort of (key, index).

A key is the magnitude's bits, inverted, so that ascending keys are descending magnitudes; lines are padded to a power
of two by keys of zero with indices that come last. The order is unique: nothing depends on how it was found.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import (
    THREADS,
    TILE,
    bits,
    fetch,
    line_start,
    narrow,
    order_of,
    place_of,
    raw_of,
    wide,
)
from normkit.backends.cuda.maps.scalars import kernel, scalar

Array = Any
Int = Any  # in the simulator of NumPy's types

LARGEST = 0x7FFFFFFFFFFFFFFF


@kernel
def list_keys(x: Array, at: Any, size: Any, padded: Int, keys: Array, order: Array) -> None:
    """Write the key and the index of every entry, in the order of the item: keys and order (lines, padded)."""
    k = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    line, index = k // padded, k % padded
    if line < size[0] * size[1]:
        found = np.int64(0)
        if index < size[2] * size[3]:
            found = np.int64(bits(fetch(x, line_start(line, size, at) + place_of(order_of(index, size), size, at))))
        keys[np.uint64(k)], order[np.uint64(k)] = LARGEST ^ found, index


@scalar
def lowest(p: Int, step: Int) -> Any:
    """Return the lower place of pair p of places that are `step`, a power of two, apart."""
    return ((p & ~(step - 1)) << 1) | (p & (step - 1))


@scalar
def swap(keys: Array, order: Array, low: Int, high: Int, rising: bool) -> None:
    """Put two entries in order."""
    here, there = keys[low], keys[high]
    after = here > there or (here == there and order[low] > order[high])
    if after == rising:
        keys[low], keys[high] = there, here
        first = order[low]
        order[low], order[high] = order[high], first


@kernel
def within(keys: Array, order: Array, padded: Int, tile: Int, first: Int, last: Int) -> None:
    """Merge runs of `first`, ..., `last` entries as far as tiles reach, in shared memory; a block per tile."""
    shared_keys = cuda.shared.array(TILE, np.int64)
    shared_order = cuda.shared.array(TILE, np.int32)
    t, start = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x) * tile
    k = t
    while k < tile:
        shared_keys[k], shared_order[k] = keys[start + k], order[start + k]
        k += THREADS
    run = first
    while run <= last:
        step = min(run, tile) // 2
        while step > 0:
            cuda.syncthreads()
            p = t
            while p < tile // 2:
                low = lowest(p, step)
                swap(shared_keys, shared_order, low, low + step, ((start + low) % padded & run) == 0)
                p += THREADS
            step //= 2
        run *= 2
    cuda.syncthreads()
    k = t
    while k < tile:
        keys[start + k], order[start + k] = shared_keys[k], shared_order[k]
        k += THREADS


@kernel
def between(keys: Array, order: Array, padded: Int, run: Int, step: Int, pairs: Int) -> None:
    """Compare entries `step` apart, further than tiles reach, while runs of `run` entries are merged."""
    p = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    if p < pairs:
        low = lowest(p, step)
        swap(keys, order, low, low + step, (low % padded & run) == 0)


@kernel
def list_magnitudes(keys: Array, padded: Int, length: Int, lines: Int, out: Array) -> None:
    """Write the sorted magnitudes as float64, without the padding."""
    k = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x)
    if k < lines * length:
        key = keys[np.uint64(k // length * padded + k % length)]
        out[np.uint64(k)] = np.float64(wide(raw_of(LARGEST ^ key)))


@kernel
def place(
    x: Array,
    at: Any,
    out: Array,
    to: Any,
    size: Any,
    padded: Int,
    order: Array,
    found: Array,
    gain: Array,
    times: float,
) -> None:
    """Write gain * sign * found to the places of the sorted entries: found (lines, length) by rank."""
    k, length = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x), size[2] * size[3]
    line, rank = k // length, k % length
    if line < size[0] * size[1]:
        there = order_of(np.int64(order[line * padded + rank]), size)
        entry = wide(fetch(x, line_start(line, size, at) + place_of(there, size, at)))
        made = gain[line] * times * found[np.uint64(k)]
        target = np.uint64(line_start(line, size, to) + place_of(there, size, to))
        out[target] = narrow(made if entry > 0 else (-made if entry < 0 else np.float64(0.0)))
