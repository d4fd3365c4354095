"""Sums of products of two arrays in float64: chunks first, then the chunks of every line, both in a fixed order."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import THREADS, fetch, line_start, place_of, share, tree, wide
from normkit.backends.cuda.maps.scalars import kernel

Array = Any
Int = Any  # in the simulator of NumPy's types


@kernel
def pair(x: Array, at: Any, y: Array, to: Any, size: Any, chunk: Int, strides: Any, partial: Array) -> None:
    """Write the sum of products of one chunk; `strides` is (lines, from line to line, from chunk to chunk)."""
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    lane = np.int64(cuda.threadIdx.x)
    t = lane + np.int64(cuda.threadIdx.y) * np.int64(cuda.blockDim.x)
    line, (k, stop, step) = share(size, chunk)
    here, there, made = line_start(line, size, at), line_start(line, size, to), np.float64(0.0)
    while k < stop:
        left = np.float64(wide(fetch(x, here + place_of(k, size, at))))
        made += left * np.float64(wide(fetch(y, there + place_of(k, size, to))))
        k += step
    sums[t], tops[t] = made, np.int64(0)
    tree(sums, tops, t, lane)
    if lane == 0 and line < strides[0]:
        partial[line * strides[1] + np.int64(cuda.blockIdx.y) * strides[2]] = sums[t]


@kernel
def gathered(partial: Array, strides: Any, count: Int, values: Array) -> None:
    """Add the chunks of every line."""
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    lane = np.int64(cuda.threadIdx.x)
    t = lane + np.int64(cuda.threadIdx.y) * np.int64(cuda.blockDim.x)
    line = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.y) + np.int64(cuda.threadIdx.y)
    made, k = np.float64(0.0), lane
    while line < strides[0] and k < count:
        made += partial[line * strides[1] + k * strides[2]]
        k += np.int64(cuda.blockDim.x)
    sums[t], tops[t] = made, np.int64(0)
    tree(sums, tops, t, lane)
    if lane == 0 and line < strides[0]:
        values[line] = sums[t]
