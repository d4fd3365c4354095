"""The two ends of the pipeline of `symgemm_wgmma`: what fills the ring, and what becomes of the sums of a tile."""

from __future__ import annotations

from functools import cache
from typing import Any

from normkit.backends.cuda.instructions import (
    group_barrier,
    mbarrier_expect,
    mbarrier_wait,
    tensor_load,
    tensor_map_acquire,
)
from normkit.backends.cuda.kernels.blocks import BYTES, fetch, lower, put_symmetric, store, upper
from normkit.backends.cuda.kernels.triangle import settle, split
from normkit.backends.cuda.language import cuda, device, float32, int32, uint32, uint64

ROWS, DEPTH, THREADS = 128, 64, 384


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
def _block(dtype: str, s: int) -> Any:
    """Return what a warpgroup does with 64 of its columns; s is a constant so that `acc` stays in registers.

    A lane holds ``acc[4 j + 2 h + e]``: row ``16 warp + 8 h + lane // 4`` of 64, column ``8 j + 2 (lane % 4) + e``.
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
        first: Any,
        ld: Any,
        row0: Any,
        col0: Any,
        rows: Any,
        thread: Any,
        barrier: Any,
    ) -> None:
        mirror = block + uint32(BYTES)
        if beta != float32(0):
            fetch_(block, d, first, ld, row0, col0, rows, rows, thread)
            group_barrier(barrier, uint32(128))
        for j in range(8):
            for h in range(2):
                o = (8 * s + j) * 4 + h * 2
                r0 = (thread >> 5) * 16 + int32(8 * h)
                c0 = int32(8 * j)
                put_(block, mirror, acc[o], acc[o + 1], alpha, beta, gamma, row0 - col0, r0, c0, thread & 31)
        group_barrier(barrier, uint32(128))
        store_lower(block, c, first, ld, row0, col0, rows, rows, thread)
        store_upper(mirror, c, first, ld, col0, row0, rows, rows, thread)
        group_barrier(barrier, uint32(128))  # the block is read, and may be written again

    return block_of


@cache
def epilogue(columns: int, dtype: str) -> Any:
    """Return what a warpgroup does with its 64 rows of a tile: block by block, through 16 KB of its own."""
    b0, b1, b2, b3 = [_block(dtype, s) for s in range(4)]
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
        first = uint64(entry) * uint64(rows)
        bar = uint32(role)
        b0(acc, block, d, c, alpha, beta, gamma, first, ld, row0, col0, rows, thread, bar)
        b1(acc, block, d, c, alpha, beta, gamma, first, ld, row0, col0 + 64, rows, thread, bar)
        if wide:
            b2(acc, block, d, c, alpha, beta, gamma, first, ld, row0, col0 + 128, rows, thread, bar)
            b3(acc, block, d, c, alpha, beta, gamma, first, ld, row0, col0 + 192, rows, thread, bar)

    return finish
