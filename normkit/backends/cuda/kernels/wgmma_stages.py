"""The pipeline of `symgemm_wgmma`: what fills the ring, what multiplies a stage of it, what becomes of the sums."""

from __future__ import annotations

from functools import cache
from typing import Any

from normkit.backends.cuda.instructions import (
    divide_u32,
    group_barrier,
    mbarrier_expect,
    mbarrier_wait,
    tensor_load,
    tensor_map_acquire,
    wgmma,
    wgmma_commit,
    wgmma_fence,
)
from normkit.backends.cuda.kernels.blocks import BYTES, fetch, lower, put_symmetric, store, upper
from normkit.backends.cuda.kernels.triangle import settle, split
from normkit.backends.cuda.language import cuda, device, float32, int32, uint32, uint64

ROWS, DEPTH, THREADS = 128, 64, 384
DESCRIPTOR = (64 << 32) | (1 << 62) | (1 << 16)
"""Of an operand in shared memory: 1024 bytes between groups of 8 rows, 128-byte swizzle; its address is added."""


@cache
def producer(columns: int, stages: int) -> Any:
    """Return what one thread does: wait until a stage is empty, and ask for the next panels of A and B."""
    panel, stage_bytes, settle_ = ROWS * DEPTH * 2, (ROWS + columns) * DEPTH * 2, settle(ROWS, columns)

    @device
    def produce(
        a: Any,
        b: Any,
        ring: Any,
        full: Any,
        empty: Any,
        steps: Any,
        count: Any,
        rows: Any,
        tiles: Any,
        batch: Any,
    ) -> None:
        tensor_map_acquire(a)
        tensor_map_acquire(b)
        stage = uint32(0)
        phase = uint32(1)  # a fresh barrier counts as one whose previous phase is over
        entry, start = split(int32(cuda.blockIdx.x), tiles)
        step_entries, step_tiles = split(int32(cuda.gridDim.x), tiles)
        bi, bj, entry = settle_(int32(0), start, entry, count)
        while entry < batch:
            row_a = uint32(entry * rows + bi * ROWS)
            row_b = uint32(entry * rows + bj * columns)
            for k in range(steps):
                mbarrier_wait(empty + uint32(8) * stage, phase)
                bar = full + uint32(8) * stage
                mbarrier_expect(bar, uint32(stage_bytes))  # also what lies outside, and arrives as zeros, counts
                to = ring + stage * uint32(stage_bytes)
                tensor_load(to, a, uint32(k * DEPTH), row_a, bar)
                tensor_load(to + uint32(panel), b, uint32(k * DEPTH), row_b, bar)
                stage += uint32(1)
                if stage == uint32(stages):
                    stage = uint32(0)
                    phase ^= uint32(1)
            bi, bj, entry = settle_(bi, bj + step_tiles, entry + step_entries, count)

    return produce


@cache
def stage_product(columns: int, chains: int, dtype: str) -> Any:
    """Return what a warpgroup does with a stage: 64 rows of A for each chain, from `share` bytes on, times B."""
    multiply, held, panel, two = wgmma(columns, dtype), columns // 2, ROWS * DEPTH * 2, chains == 2

    @device
    def product(acc: Any, panels: Any, share: Any, keep: Any) -> None:
        a = uint64(((panels + share) & uint32(0x3FFFF)) >> uint32(4)) | uint64(DESCRIPTOR)
        b = uint64(((panels + uint32(panel)) & uint32(0x3FFFF)) >> uint32(4)) | uint64(DESCRIPTOR)
        wgmma_fence()
        for part in range(4):  # 16 columns are 32 bytes: 2 more in the descriptor
            kept = keep | uint32(part > 0)  # the first product of a tile forgets the tile before
            multiply(acc, 0, a + uint64(part * 2), b + uint64(part * 2), kept)
            if two:  # 64 rows further are 8192 bytes
                multiply(acc, held, a + uint64(512 + part * 2), b + uint64(part * 2), kept)
        wgmma_commit()

    return product


@cache
def skipped(stages: int) -> Any:
    """Return a function that goes some stages on in the ring: the stage and the parity of its phase."""

    @device
    def skip(stage: Any, phase: Any, steps: Any) -> Any:
        rounds = divide_u32(uint32(stage + steps), uint32(stages))
        return uint32(stage + steps - rounds * uint32(stages)), uint32(phase ^ (rounds & uint32(1)))

    return skip


@cache
def _block(dtype: str, offset: int) -> Any:
    """Return what a warpgroup does with 64 x 64 sums: ``acc`` from `offset` on, a constant, so that it is registers.

    A lane holds ``acc[4 j + 2 h + e]``: row ``16 warp + 8 h + lane // 4``, column ``8 j + 2 (lane % 4) + e``.
    """
    put_, fetch_, store_lower, store_upper = put_symmetric(dtype), fetch(lower), store(lower), store(upper)

    @device
    def block_of(
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
        if beta != float32(0):
            fetch_(block, d, ld, row0, col0, rows, rows, thread)
            group_barrier(barrier, uint32(128))
        for j in range(8):
            for h in range(2):
                o = offset + j * 4 + h * 2
                r0 = (thread >> 5) * 16 + int32(8 * h)
                c0 = int32(8 * j)
                put_(block, mirror, acc[o], acc[o + 1], alpha, beta, gamma, row0 - col0, r0, c0, thread & 31)
        group_barrier(barrier, uint32(128))
        store_lower(block, c, ld, row0, col0, rows, rows, thread)
        store_upper(mirror, c, ld, col0, row0, rows, rows, thread)
        group_barrier(barrier, uint32(128))  # the block is read, and may be written again

    return block_of


@cache
def epilogue(columns: int, offset: int, dtype: str) -> Any:
    """Return what a warpgroup does with 64 rows of a tile: block by block, through 16 KB of its own."""
    b0, b1, b2, b3 = [_block(dtype, offset + 32 * s) for s in range(4)]
    wide = columns == 256

    @device
    def finish(
        acc: Any,
        block: Any,
        d: Any,
        c: Any,
        alpha: Any,
        beta: Any,
        gamma: Any,
        entry: Any,
        ld: Any,
        row0: Any,
        col0: Any,
        rows: Any,
        thread: Any,
        role: Any,
    ) -> None:
        down = uint64(2) * uint64(uint32(entry)) * uint64(uint32(rows)) * uint64(uint32(ld))
        d += down
        c += down
        bar = uint32(role)
        b0(acc, block, d, c, alpha, beta, gamma, ld, row0, col0, rows, thread, bar)
        b1(acc, block, d, c, alpha, beta, gamma, ld, row0, int32(col0 + 64), rows, thread, bar)
        if wide:
            b2(acc, block, d, c, alpha, beta, gamma, ld, row0, int32(col0 + 128), rows, thread, bar)
            b3(acc, block, d, c, alpha, beta, gamma, ld, row0, int32(col0 + 192), rows, thread, bar)

    return finish
