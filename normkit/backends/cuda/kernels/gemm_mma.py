"""General products on tensor cores of sm_80 and later: C = alpha A B + beta D, all row-major.

The fallback where no cuBLASLt is at hand. As `symgemm_mma`, but rows of B run along the result: a panel of B is 32 rows
of 128 columns, read by transposing loads. See `kernels` for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normkit.backends.cuda.instructions import (
    copies_commit,
    copies_wait,
    copy_16,
    divide_u32,
    group_barrier,
    ldmatrix_transposed,
    max_i32,
    min_i32,
    shared_address,
)
from normkit.backends.cuda.kernels.blocks import BYTES, fetch, put, store, whole
from normkit.backends.cuda.kernels.interface import GENERAL, DeviceKernel
from normkit.backends.cuda.kernels.mma_tile import (
    B_OFFSET,
    ELEMENTS,
    PANEL,
    STAGES,
    THREADS,
    TILE,
    copy_rows,
    multiply,
    row_place,
)
from normkit.backends.cuda.language import cuda, device, float32, int32, uint16, uint32, uint64


@device
def copy_columns(panel: Any, source: Any, down: Any, row: Any, inner: Any, bytes_: Any) -> None:
    """Copy this thread's chunk of two rows, 16 rows apart, of a panel of B with rows of 256 bytes."""
    copy_16(panel, source, uint32(bytes_ * int32(row < inner)))
    copy_16(panel + uint32(16 * 256), source + down, uint32(bytes_ * int32(row + 16 < inner)))


def _epilogue(dtype: str, s: int) -> Any:
    """Return what a band does with its 64 x 64 block number s; s is a constant so that `acc` stays in registers."""
    put_, fetch_, store_ = put(dtype), fetch(whole), store(whole)

    @device
    def epilogue(
        acc: Any,
        block: Any,
        d: Any,
        c: Any,
        alpha: Any,
        beta: Any,
        ld: Any,
        row0: Any,
        col0: Any,
        rows: Any,
        columns: Any,
        thread: Any,
        barrier: Any,
    ) -> None:
        if beta != float32(0):
            fetch_(block, d, ld, row0, col0, rows, columns, thread)
            group_barrier(barrier, uint32(128))
        for i in range(4):
            for j in range(2):
                for h in range(2):
                    o = i * 16 + (2 * s + j) * 4 + h * 2
                    c0 = (thread >> 5) * 16 + int32(j * 8)
                    put_(block, acc[o], acc[o + 1], alpha, beta, int32(i * 16 + h * 8), c0, thread & 31)
        group_barrier(barrier, uint32(128))
        store_(block, c, ld, row0, col0, rows, columns, thread)

    return epilogue


def build(dtype: str) -> Callable[..., Any]:
    """Return the kernel for a storage type."""
    multiply_ = multiply(dtype)
    wait_1, wait_0, left_block, right_block = copies_wait(1), copies_wait(0), _epilogue(dtype, 0), _epilogue(dtype, 1)

    def gemm_mma(
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
        ring = cuda.shared.array(ELEMENTS, uint16, 1024)
        acc = cuda.local.array(64, float32)
        for i in range(64):
            acc[i] = float32(0)
        thread = int32(cuda.threadIdx.x)
        lane = thread & 31
        band = thread >> 7
        warp = (thread >> 5) & 3
        down = int32(int32(rows + 127) >> 7)
        across = int32(int32(columns + 127) >> 7)
        index = int32(cuda.blockIdx.x)
        line = int32(divide_u32(uint32(index), uint32(across)))
        entry = int32(divide_u32(uint32(line), uint32(down)))
        bi = line - entry * down
        bj = index - line * across
        base = shared_address(ring, 0)
        # copies: of A as in symgemm_mma; a row of a panel of B is 16 chunks, a thread takes one of rows r and r + 16
        ra = bi * 128 + (thread >> 2)
        ca = (thread & 3) * 8
        a0 = int32(ra < rows)
        a1 = int32(ra + 64 < rows)
        from_a = a + uint64(2) * ((uint64(entry) * uint64(rows) + uint64(ra)) * uint64(ld_a) + uint64(ca))
        down_a = uint64(128) * uint64(ld_a)
        left = (inner - ca) * 2
        rb = thread >> 4
        cb = bj * 128 + (thread & 15) * 8
        wide = max_i32(min_i32(int32((columns - cb) * 2), int32(16)), int32(0))
        from_b = b + uint64(2) * ((uint64(entry) * uint64(inner) + uint64(rb)) * uint64(ld_b) + uint64(cb))
        down_b = uint64(32) * uint64(ld_b)
        to_a = base + row_place(thread >> 2, thread & 3)
        to_b = base + uint32(B_OFFSET) + uint32(rb * 256 + (((thread & 15) ^ (rb & 7)) << 4))
        steps = int32(int32(inner + 31) >> 5)
        for s in range(STAGES - 1):
            o = uint32(s * PANEL)
            copy_rows(to_a + o, from_a + uint64(s * 64), down_a, int32(left - s * 64), a0, a1)
            copy_columns(to_b + o, from_b + uint64(2 * s) * down_b, down_b, rb + int32(s * 32), inner, wide)
            copies_commit()
        at_a = base + row_place(band * 64 + (lane & 15), lane >> 4)
        # ldmatrix finds rows k of B, 8 columns each; the permutation of chunks depends on k & 7 alone
        kb = (lane & 7) + (((lane >> 3) & 1) << 3)
        at_b = base + uint32(B_OFFSET) + uint32(kb * 256 + (((warp * 2 + (lane >> 4)) ^ (kb & 7)) << 4))
        for k in range(steps):
            wait_1()
            cuda.syncthreads()
            ahead = k + STAGES - 1
            o = uint32((ahead % STAGES) * PANEL)
            copy_rows(to_a + o, from_a + uint64(ahead) * uint64(64), down_a, int32(left - ahead * 64), a0, a1)
            copy_columns(to_b + o, from_b + uint64(2 * ahead) * down_b, down_b, rb + ahead * 32, inner, wide)
            copies_commit()
            stage = uint32((k % STAGES) * PANEL)
            for half in range(2):
                fa = (at_a ^ uint32(half * 32)) + stage
                fb = at_b + uint32(half * (16 * 256)) + stage
                b00, b01, b10, b11 = ldmatrix_transposed(fb)
                b20, b21, b30, b31 = ldmatrix_transposed(fb ^ uint32(128))
                multiply_(acc, fa, b00, b01, b10, b11, b20, b21, b30, b31)
        wait_0()  # copies of nothing, but they write zeros
        cuda.syncthreads()
        d += uint64(2) * uint64(entry) * uint64(rows) * uint64(ld_out)
        c += uint64(2) * uint64(entry) * uint64(rows) * uint64(ld_out)
        block = base + uint32(band * BYTES)
        row0 = int32(bi * 128 + band * 64)
        col0 = int32(bj * 128)
        t = int32(thread & 127)
        barrier = uint32(band + 1)
        left_block(acc, block, d, c, alpha, beta, ld_out, row0, col0, rows, columns, t, barrier)
        group_barrier(barrier, uint32(128))  # the block is read, and may be written again
        right_block(acc, block, d, c, alpha, beta, ld_out, row0, int32(col0 + 64), rows, columns, t, barrier)

    return gemm_mma


KERNEL = DeviceKernel("gemm_mma", build, GENERAL, TILE, THREADS, 2, 0, ("bfloat16", "float16"), (8, 0))
"""General products for sm_80 and later. Blocks: one per tile."""
