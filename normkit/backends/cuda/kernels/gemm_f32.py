"""Products of float32 matrices on any device, without tensor cores: the last resort, and the exact one.

A tile of 64 x 64 by 256 threads, each of which holds 4 x 4 sums, 16 apart in rows and in columns, so that a warp reads
and writes neighbours. Panels of 16 columns of A and 16 rows of B lie in shared memory, a column of A in a row, padded
so that the threads that write it meet in no bank. Sums are taken in the order of the inner index, hence reproducible.
Rows need no alignment; see `kernels` for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normkit.backends.cuda.kernels.access import load_if, store_if
from normkit.backends.cuda.kernels.interface import GENERAL, SYMMETRIC, DeviceKernel
from normkit.backends.cuda.language import cuda, device, float32, int32, uint64

TILE, THREADS, PANEL = (64, 64, 16), 256, (16, 65)


@device
def add_panels(acc: Any, left: Any, right: Any, ty: Any, tx: Any) -> None:
    """Add the product of the panels to a thread's sums."""
    for k in range(16):
        for i in range(4):
            x = left[k, ty + 16 * i]
            for j in range(4):
                acc[4 * i + j] += x * right[k, tx + 16 * j]


@device
def fill_across(
    panel: Any, matrix: Any, start: Any, ld: Any, row0: Any, rows: Any, k0: Any, inner: Any, t: Any
) -> None:
    """Bring 64 rows x 16 columns of a matrix whose rows run along the inner index; row r becomes column r."""
    for s in range(4):
        row = row0 + (t >> 4) + int32(16 * s)
        k = k0 + (t & 15)
        index = start + uint64(row) * uint64(ld) + uint64(k)
        panel[t & 15, (t >> 4) + int32(16 * s)] = load_if(matrix, index, (row < rows) & (k < inner))


@device
def fill_along(
    panel: Any, matrix: Any, start: Any, ld: Any, col0: Any, columns: Any, k0: Any, inner: Any, t: Any
) -> None:
    """Bring 16 rows x 64 columns of a matrix whose rows run along the result."""
    for s in range(4):
        k = k0 + (t >> 6) + int32(4 * s)
        column = col0 + (t & 63)
        index = start + uint64(k) * uint64(ld) + uint64(column)
        panel[(t >> 6) + int32(4 * s), t & 63] = load_if(matrix, index, (column < columns) & (k < inner))


def accumulate(fill_right: Any) -> Any:
    """Return the loop over the inner index; `fill_right` brings the panel of B."""

    @device
    def accumulated(
        acc: Any,
        left: Any,
        right: Any,
        a: Any,
        b: Any,
        start_a: Any,
        start_b: Any,
        ld_a: Any,
        ld_b: Any,
        row0: Any,
        col0: Any,
        rows: Any,
        columns: Any,
        inner: Any,
        t: Any,
    ) -> None:
        for i in range(16):
            acc[i] = float32(0)
        for k0 in range(0, inner, 16):
            fill_across(left, a, start_a, ld_a, row0, rows, int32(k0), inner, t)
            fill_right(right, b, start_b, ld_b, col0, columns, int32(k0), inner, t)
            cuda.syncthreads()
            add_panels(acc, left, right, t >> 4, t & 15)
            cuda.syncthreads()

    return accumulated


def build_general(dtype: str) -> Callable[..., Any]:
    """Return the kernel of C = alpha A B + beta D; `dtype` is float32."""
    accumulate_ = accumulate(fill_along)

    def gemm_f32(
        a: Any,
        b: Any,
        d: Any,
        c: Any,
        alpha: Any,
        beta: Any,
        rows: Any,
        columns: Any,
        inner: Any,
        ld_a: Any,
        ld_b: Any,
        ld_out: Any,
    ) -> None:
        left = cuda.shared.array(PANEL, float32)
        right = cuda.shared.array(PANEL, float32)
        acc = cuda.local.array(16, float32)
        t = int32(cuda.threadIdx.x)
        across = int32(int32(columns + 63) >> 6)
        down = int32(int32(rows + 63) >> 6)
        index = int32(cuda.blockIdx.x)
        entry = int32(index // (across * down))
        row0 = int32((index // across - entry * down) * 64)
        col0 = int32(index % across * 64)
        start_a = uint64(entry) * uint64(rows) * uint64(ld_a)
        start_b = uint64(entry) * uint64(inner) * uint64(ld_b)
        accumulate_(acc, left, right, a, b, start_a, start_b, ld_a, ld_b, row0, col0, rows, columns, inner, t)
        start = uint64(entry) * uint64(rows) * uint64(ld_out)
        for i in range(4):
            for j in range(4):
                row = row0 + (t >> 4) + int32(16 * i)
                column = col0 + (t & 15) + int32(16 * j)
                at = start + uint64(row) * uint64(ld_out) + uint64(column)
                inside = (row < rows) & (column < columns)
                value = alpha * acc[4 * i + j]
                if beta != float32(0):  # with beta = 0, D is not read: it may hold NaN
                    value += beta * load_if(d, at, inside)
                store_if(c, at, value, inside)

    return gemm_f32


def build_symmetric(dtype: str) -> Callable[..., Any]:
    """Return the kernel of C = alpha A B^T + beta D + gamma I with a symmetric result; `dtype` is float32."""
    accumulate_ = accumulate(fill_across)

    def symgemm_f32(
        a: Any,
        b: Any,
        d: Any,
        c: Any,
        alpha: Any,
        beta: Any,
        gamma: Any,
        rows: Any,
        inner: Any,
        ld_in: Any,
        ld_out: Any,
        tiles: Any,
        batch: Any,
    ) -> None:
        left = cuda.shared.array(PANEL, float32)
        right = cuda.shared.array(PANEL, float32)
        acc = cuda.local.array(16, float32)
        t = int32(cuda.threadIdx.x)
        entry = int32(int32(cuda.blockIdx.x) // tiles)
        bj = int32(int32(cuda.blockIdx.x) - entry * tiles)
        bi = int32(0)
        while bj > bi:
            bj = int32(bj - bi - 1)
            bi = int32(bi + 1)
        row0 = int32(bi * 64)
        col0 = int32(bj * 64)
        start_in = uint64(entry) * uint64(rows) * uint64(ld_in)
        accumulate_(acc, left, right, a, b, start_in, start_in, ld_in, ld_in, row0, col0, rows, rows, inner, t)
        start = uint64(entry) * uint64(rows) * uint64(ld_out)
        for i in range(4):
            for j in range(4):
                row = row0 + (t >> 4) + int32(16 * i)
                column = col0 + (t & 15) + int32(16 * j)
                at = start + uint64(row) * uint64(ld_out) + uint64(column)
                mirror = start + uint64(column) * uint64(ld_out) + uint64(row)
                inside = (row < rows) & (column <= row)
                value = alpha * acc[4 * i + j] + gamma * float32(row == column)
                if beta != float32(0):
                    value += beta * load_if(d, at, inside)
                store_if(c, at, value, inside)
                store_if(c, mirror, value, inside)

    return symgemm_f32


GEMM = DeviceKernel("gemm_f32", build_general, GENERAL, TILE, THREADS, 4, 0, ("float32",), (5, 0), align=4)
"""General products of float32 matrices."""
SYMGEMM = DeviceKernel("symgemm_f32", build_symmetric, SYMMETRIC, TILE, THREADS, 4, 0, ("float32",), (5, 0), align=4)
"""Products of float32 matrices with a symmetric result."""
