"""Frobenius norms of matrices, and the scales that come from them, in two stages of a fixed order.

Sums of squares are in float64, over blocks of entries first, then over the blocks: reproducible, and neither too large
nor too small for entries of float32 and below; those of float64 are multiplied by a power of two before. A NaN or an
infinity makes the sum not finite, so that looking for them costs nothing.

Matrices are flat arrays with a start and strides (far, down, step: batch, row, column) in entries. Blocks have 256
threads. Plain enough for the simulator.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from normkit.backends.cuda.kernels.entries import float64, int64, reader
from normkit.backends.cuda.language import cuda


@cache
def squares(dtype: str) -> Any:
    """Return the kernel of sums of (lift x)^2 over the tasks of a block; `blocks` of them for each matrix.

    A task is 256 neighbours of a row. Only of float64 is the lift looked at.
    """
    number, lifted = reader(dtype), dtype == "float64"

    def kernel(
        x: Any,
        norms: Any,
        parts: Any,
        rows: Any,
        columns: Any,
        start: Any,
        far: Any,
        down: Any,
        step: Any,
        blocks: Any,
    ) -> None:
        sums = cuda.shared.array(256, float64)
        t = cuda.threadIdx.x
        b = int64(cuda.blockIdx.x // blocks)
        lift = float64(1)
        if lifted:
            lift = norms[4 * b + 3]
        total = float64(0)
        across = (columns + 255) // 256
        for task in range(cuda.blockIdx.x % blocks, rows * across, blocks):
            i = task // across
            j = (task - i * across) * 256 + t
            if j < columns:
                value = number(x[start + b * far + i * down + j * step]) * lift
                total += value * value
        sums[t] = total
        cuda.syncthreads()
        half = 128
        while half > 0:
            if t < half:
                sums[t] += sums[t + half]
            cuda.syncthreads()
            half //= 2
        if t == 0:
            parts[cuda.blockIdx.x] = sums[0]

    return kernel


def tops(
    x: Any, norms: Any, parts: Any, rows: Any, columns: Any, start: Any, far: Any, down: Any, step: Any, blocks: Any
) -> None:
    """Write the largest finite magnitudes of float64 entries over the tasks of a block, as in `squares`."""
    largest = cuda.shared.array(256, float64)
    t = cuda.threadIdx.x
    b = int64(cuda.blockIdx.x // blocks)
    top = float64(0)
    across = (columns + 255) // 256
    for task in range(cuda.blockIdx.x % blocks, rows * across, blocks):
        i = task // across
        j = (task - i * across) * 256 + t
        if j < columns:
            size = abs(x[start + b * far + i * down + j * step])
            if top < size < math.inf:
                top = size
    largest[t] = top
    cuda.syncthreads()
    half = 128
    while half > 0:
        if t < half:
            largest[t] = max(largest[t], largest[t + half])
        cuda.syncthreads()
        half //= 2
    if t == 0:
        parts[cuda.blockIdx.x] = largest[0]


def lift(parts: Any, norms: Any, count: Any) -> None:
    """Write the power of two that brings a largest magnitude near 1; a block for each matrix, one thread works."""
    b = int64(cuda.blockIdx.x)
    if cuda.threadIdx.x == 0:
        top = float64(0)
        for place in range(count):
            top = max(top, parts[b * count + place])
        made = float64(1)
        while top >= 18446744073709551616.0:  # 2**64
            top *= 5.421010862427522e-20
            made *= 5.421010862427522e-20
        while 0 < top < 5.421010862427522e-20:
            top *= 18446744073709551616.0
            if made < 1e280:  # float64 ends before the inverse of its smallest number
                made *= 18446744073709551616.0
        norms[4 * b + 3] = made


@cache
def norm(dtype: str, exact: bool) -> Any:
    """Return the kernel that writes (norm, scale, 0, lift) from sums of squares; a block for each matrix.

    The scale is 1/norm, or with `exact` the power of two that brings the norm into [1/2, 1); 0 for a zero matrix, and
    NaN where the norm is not finite.
    """
    lifted = dtype == "float64"

    def kernel(parts: Any, norms: Any, count: Any) -> None:
        b = int64(cuda.blockIdx.x)
        if cuda.threadIdx.x == 0:
            total = float64(0)
            for place in range(count):
                total += parts[b * count + place]
            length = math.sqrt(total)
            scale = float64(0)
            if not length < math.inf:
                scale = math.nan
            elif length > 0:
                scale = 1 / length
                if exact:
                    scale = float64(1)
                    while length * scale >= 1:
                        scale *= 0.5
                    while length * scale < 0.5:
                        scale *= 2.0
            norms[4 * b] = length
            norms[4 * b + 1] = scale
            norms[4 * b + 2] = float64(0)
            if not lifted:
                norms[4 * b + 3] = float64(1)

    return kernel
