"""Matrices scaled, cast and transposed on the way into the workspace, and out of it; and I added to them.

A tile of 32 x 32 entries lies in shared memory in between, so that both sides are read and written along memory,
whichever way their rows run. Strides and blocks as in `normkit.backends.cuda.kernels.scale`; matrices of the workspace
have rows that start `ld` apart.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from normkit.backends.cuda.kernels.entries import float64, int64, reader, writer
from normkit.backends.cuda.language import cuda


@cache
def cast(read: str, written: str) -> Any:
    """Return the kernel of out = scale lift x, out (rows, columns) of the workspace; a block for each tile."""
    number, entry = reader(read), writer(written)

    def kernel(
        x: Any,
        norms: Any,
        out: Any,
        rows: Any,
        columns: Any,
        start: Any,
        far: Any,
        down: Any,
        step: Any,
        ld: Any,
        tiles: Any,
    ) -> None:
        tile = cuda.shared.array((32, 33), float64)
        tx = cuda.threadIdx.x % 32
        ty = cuda.threadIdx.x // 32
        b = int64(cuda.blockIdx.x // tiles)
        place = cuda.blockIdx.x % tiles
        across = (columns + 31) // 32
        i0 = int64(place // across * 32)
        j0 = int64(place % across * 32)
        scale = norms[4 * b + 1]
        lift = norms[4 * b + 3]
        turned = abs(down) < abs(step)
        for k in range(ty, 32, 8):
            i = tx if turned else k
            j = k if turned else tx
            if i0 + i < rows and j0 + j < columns:
                tile[i, j] = number(x[start + b * far + (i0 + i) * down + (j0 + j) * step]) * lift * scale
        cuda.syncthreads()
        for i in range(ty, 32, 8):
            if i0 + i < rows and j0 + tx < columns:
                out[(b * rows + i0 + i) * ld + j0 + tx] = entry(tile[i, tx])

    return kernel


@cache
def copy(stored: str, given: str, written: str, gained: bool, paired: bool) -> Any:
    """Return the kernel of out = scale gain X; if paired also of sums of x X over tiles.

    x and out have the axes of X: strides say how they lie. They may be one array. `blocks` take the
    tiles of a matrix in turn.
    """
    number, given_number, entry = reader(stored), reader(given), writer(written)

    def kernel(
        X: Any, gain: Any, x: Any, out: Any, norms: Any, parts: Any, scale: Any, rows: Any, columns: Any, ld: Any,
        start: Any, far: Any, down: Any, step: Any, out_start: Any, out_far: Any, out_down: Any, out_step: Any,
        blocks: Any,
    ) -> None:  # fmt: skip
        tile = cuda.shared.array((32, 33), float64)
        sums = cuda.shared.array(256, float64)
        t = cuda.threadIdx.x
        tx = t % 32
        ty = t // 32
        b = int64(cuda.blockIdx.x // blocks)
        across = (columns + 31) // 32
        down_tiles = (rows + 31) // 32
        factor = float64(scale)
        lift = float64(1)
        if gained:
            factor *= gain[b]
        if paired:
            lift = norms[4 * b + 3]
        turned = abs(out_down) < abs(out_step)
        total = float64(0)
        for place in range(cuda.blockIdx.x % blocks, across * down_tiles, blocks):
            i0 = int64(place // across * 32)
            j0 = int64(place % across * 32)
            for i in range(ty, 32, 8):
                if i0 + i < rows and j0 + tx < columns:
                    tile[i, tx] = number(X[(b * rows + i0 + i) * ld + j0 + tx])
            cuda.syncthreads()
            for k in range(ty, 32, 8):
                i = tx if turned else k
                j = k if turned else tx
                if i0 + i < rows and j0 + j < columns:
                    value = tile[i, j]
                    if paired:
                        total += given_number(x[start + b * far + (i0 + i) * down + (j0 + j) * step]) * lift * value
                    where = out_start + b * out_far + (i0 + i) * out_down + (j0 + j) * out_step
                    out[where] = entry(factor * value)
            cuda.syncthreads()
        if paired:
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


def pairing(parts: Any, norms: Any, sums: Any, scale: Any, count: Any) -> None:
    """Write scale / lift times the sum over tiles; a block for each matrix, one thread works."""
    b = int64(cuda.blockIdx.x)
    if cuda.threadIdx.x == 0:
        total = float64(0)
        for place in range(count):
            total += parts[b * count + place]
        sums[b] = scale * total / norms[4 * b + 3]


@cache
def add_identity(dtype: str) -> Any:
    """Return the kernel of out = alpha x + gamma I, square matrices of the workspace; a block for each row."""
    number, entry = reader(dtype), writer(dtype)

    def kernel(x: Any, out: Any, alpha: Any, gamma: Any, rows: Any, ld: Any) -> None:
        i = cuda.blockIdx.x % rows
        first = int64(cuda.blockIdx.x) * ld
        for j in range(cuda.threadIdx.x, rows, 256):
            value = alpha * number(x[first + j])
            if i == j:
                value += gamma
            out[first + j] = entry(value)

    return kernel


@cache
def shift(dtype: str) -> Any:
    """Return the kernel of x + gamma I in place, a thread for each of `count` rows of the batch."""
    number, entry = reader(dtype), writer(dtype)

    def kernel(x: Any, gamma: Any, rows: Any, ld: Any, count: Any) -> None:
        row = int64(cuda.blockIdx.x) * 256 + cuda.threadIdx.x
        if row < count:
            place = row * ld + row % rows
            x[place] = entry(number(x[place]) + gamma)

    return kernel
