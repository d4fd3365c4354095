"""Products with a symmetric result on tensor cores of sm_80 and later: C = alpha A B^T + beta D + gamma I.

mma.sync with operands from a three-stage ring that cp.async fills. Only tiles that touch the lower triangle are
computed, so it is for products that are symmetric by construction: X X^T, R R, R Z of commuting symmetric matrices,
with a symmetric D. The upper triangle is the mirror image of the lower one, bit for bit. See `kernels` for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normkit.backends.cuda.instructions import copies_commit, copies_wait, group_barrier, ldmatrix, shared_address
from normkit.backends.cuda.kernels.blocks import BYTES, fetch, lower, put_symmetric, store, upper
from normkit.backends.cuda.kernels.interface import SYMMETRIC, DeviceKernel
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
from normkit.backends.cuda.kernels.triangle import settle, split
from normkit.backends.cuda.language import cuda, device, float32, int32, uint16, uint32, uint64


def _epilogue(dtype: str, s: int) -> Any:
    """Return what a band does with its 64 x 64 block number s; s is a constant so that `acc` stays in registers."""
    put_, fetch_, store_lower, store_upper = put_symmetric(dtype), fetch(lower), store(lower), store(upper)

    @device
    def epilogue(
        acc: Any,
        block: Any,
        d: Any,
        c: Any,
        alpha: Any,
        beta: Any,
        gamma: Any,
        ld: Any,
        row0: Any,
        col0: Any,
        rows: Any,
        thread: Any,
        barrier: Any,
    ) -> None:
        mirror = block + uint32(BYTES)
        lane = thread & 31
        warp = thread >> 5
        if beta != float32(0):
            fetch_(block, d, ld, row0, col0, rows, rows, thread)
            group_barrier(barrier, uint32(128))
        for i in range(4):
            for j in range(2):
                for h in range(2):
                    o = i * 16 + (2 * s + j) * 4 + h * 2
                    r0 = int32(i * 16 + h * 8)
                    c0 = warp * 16 + int32(j * 8)
                    put_(block, mirror, acc[o], acc[o + 1], alpha, beta, gamma, row0 - col0, r0, c0, lane)
        group_barrier(barrier, uint32(128))
        store_lower(block, c, ld, row0, col0, rows, rows, thread)
        store_upper(mirror, c, ld, col0, row0, rows, rows, thread)
        group_barrier(barrier, uint32(128))  # the block is read, and may be written again

    return epilogue


def build(dtype: str) -> Callable[..., Any]:
    """Return the kernel for a storage type."""
    multiply_, settle_ = multiply(dtype), settle(TILE[0], TILE[1])
    wait_1, wait_0, left_block, right_block = copies_wait(1), copies_wait(0), _epilogue(dtype, 0), _epilogue(dtype, 1)

    def symgemm_mma(
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
        ring = cuda.shared.array(ELEMENTS, uint16, 1024)
        acc = cuda.local.array(64, float32)
        for i in range(64):
            acc[i] = float32(0)
        thread = int32(cuda.threadIdx.x)
        lane = thread & 31
        band = thread >> 7
        warp = (thread >> 5) & 3
        entry, start = split(int32(cuda.blockIdx.x), tiles)
        bi, bj, entry = settle_(int32(0), start, entry, int32(int32(rows + 127) >> 7))
        first = uint64(entry) * uint64(rows)
        base = shared_address(ring, 0)
        # copies: a row of a panel is 4 chunks of 16 bytes; a thread takes one chunk of rows r and r + 64 of A and of B
        r = thread >> 2
        chunk = thread & 3
        ra = bi * 128 + r
        rb = bj * 128 + r
        a0 = int32(ra < rows)
        a1 = int32(ra + 64 < rows)
        b0 = int32(rb < rows)
        b1 = int32(rb + 64 < rows)
        from_a = a + uint64(2) * ((first + uint64(ra)) * uint64(ld_in) + uint64(chunk * 8))
        from_b = b + uint64(2) * ((first + uint64(rb)) * uint64(ld_in) + uint64(chunk * 8))
        down = uint64(128) * uint64(ld_in)
        to = base + row_place(r, chunk)  # row r + 64 is permuted alike
        left = (inner - chunk * 8) * 2
        steps = int32(int32(inner + 31) >> 5)
        for s in range(STAGES - 1):
            o = uint32(s * PANEL)
            g = uint64(s * 64)
            copy_rows(to + o, from_a + g, down, int32(left - s * 64), a0, a1)
            copy_rows(to + o + uint32(B_OFFSET), from_b + g, down, int32(left - s * 64), b0, b1)
            copies_commit()
        at_a = base + row_place(band * 64 + (lane & 15), lane >> 4)
        at_b = base + uint32(B_OFFSET) + row_place(warp * 16 + (lane & 7) + ((lane >> 4) << 3), (lane >> 3) & 1)
        for k in range(steps):
            wait_1()
            cuda.syncthreads()
            ahead = k + STAGES - 1
            o = uint32((ahead % STAGES) * PANEL)
            g = uint64(ahead) * uint64(64)
            copy_rows(to + o, from_a + g, down, int32(left - ahead * 64), a0, a1)
            copy_rows(to + o + uint32(B_OFFSET), from_b + g, down, int32(left - ahead * 64), b0, b1)
            copies_commit()
            stage = uint32((k % STAGES) * PANEL)
            for half in range(2):  # 16 columns of A are 2 chunks; the permutation flips bit 1 of the chunk
                fa = (at_a ^ uint32(half * 32)) + stage
                fb = (at_b ^ uint32(half * 32)) + stage
                b00, b01, b10, b11 = ldmatrix(fb)
                b20, b21, b30, b31 = ldmatrix(fb + uint32(64 * 64))
                multiply_(acc, fa, b00, b01, b10, b11, b20, b21, b30, b31)
        wait_0()  # copies of nothing, but they write zeros
        cuda.syncthreads()
        d += uint64(2) * uint64(entry) * uint64(rows) * uint64(ld_out)
        c += uint64(2) * uint64(entry) * uint64(rows) * uint64(ld_out)
        block = base + uint32(band * (2 * BYTES))
        row0 = int32(bi * 128 + band * 64)
        col0 = int32(bj * 128)
        t = int32(thread & 127)
        barrier = uint32(band + 1)
        left_block(acc, block, d, c, alpha, beta, gamma, ld_out, row0, col0, rows, t, barrier)
        right_block(acc, block, d, c, alpha, beta, gamma, ld_out, row0, int32(col0 + 64), rows, t, barrier)

    return symgemm_mma


KERNEL = DeviceKernel("symgemm_mma", build, SYMMETRIC, TILE, THREADS, 2, 0, ("bfloat16", "float16"), (8, 0))
"""Symmetric products for sm_80 and later. Blocks: one per tile."""
