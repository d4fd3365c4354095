"""Products with a symmetric result on Hopper (sm_90a): C = alpha A B^T + beta D + gamma I.

The tensor-memory accelerator brings panels of A and B to a ring in shared memory; warpgroup 0 feeds it and gives its
registers away, warpgroups 1 and 2 multiply (wgmma). Blocks are persistent: each takes tile after tile, and the ring is
filled for the next tile while the last one is stored. The two warpgroups share a tile of 128 rows and 128 or 256
columns, 64 rows each; or they take tiles of 128 x 128 in turns, so that one multiplies while the other one stores.
What is computed and stored is as in `symgemm_mma`. A and B are given by tensor maps (`boxes`); the maps fill with zeros
what lies beyond the last column, so padding is never read. See `kernels` for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from normkit.backends.cuda import instructions as ptx
from normkit.backends.cuda.instructions import (
    first_lane,
    lead,
    mbarrier_arrive_if,
    mbarrier_init,
    mbarrier_init_fence,
    mbarrier_wait,
    shared_address,
)
from normkit.backends.cuda.kernels.interface import SYMMETRIC, DeviceKernel
from normkit.backends.cuda.kernels.triangle import settle, split
from normkit.backends.cuda.kernels.wgmma_stages import DEPTH, ROWS, THREADS, epilogue, producer, skipped, stage_product
from normkit.backends.cuda.language import cuda, float32, int32, uint32, uint64
from normkit.backends.cuda.tensor_map import Box
from normkit.errors import ParameterError


def boxes(kernel: DeviceKernel, rows: int, inner: int, ld_in: int, batch: int) -> tuple[Box, Box]:
    """Return the tensor maps of A and of B; their matrices start at multiples of 16 bytes."""
    down, across, depth = kernel.tile
    sizes = (inner, rows * batch)
    return Box(sizes, 2 * ld_in, (depth, down)), Box(sizes, 2 * ld_in, (depth, across))


def build(columns: int, stages: int, turns: int, dtype: str) -> Callable[..., Any]:
    """Return the kernel for tiles of that many columns, a ring of that many stages and a storage type.

    With `turns` 1 the warpgroups take tiles in turns; with 0 each tile is shared.
    """
    chains = 1 + turns  # of 64 rows each
    held, bars, warps = chains * columns // 2, 2 * stages + 2, 8 // chains
    stage_bytes = (ROWS + columns) * DEPTH * 2
    ring_bytes, ready, turn_at, share = stages * stage_bytes, 8 * stages, 16 * stages, 64 * 128 * (1 - turns)
    multiply, wait_0, wait_1 = stage_product(columns, chains, dtype), ptx.wgmma_wait(0), ptx.wgmma_wait(1)
    # of 65536 registers, 3 * 128 threads start with 168 each; 128 * 40 + 256 * 232 fit as well
    fewer, more = ptx.registers("dec", 40), ptx.registers("inc", 232)
    settle_, produce, skip = settle(ROWS, columns), producer(columns, stages), skipped(stages)
    finish, lower_half = epilogue(columns, 0, dtype), epilogue(columns, columns // 2, dtype)

    def symgemm_wgmma(
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
        barriers = cuda.shared.array(bars, uint64)
        dynamic = cuda.shared.array(0, uint64)
        full = shared_address(barriers, 0)
        empty = full + uint32(ready)
        ring = (shared_address(dynamic, 0) + uint32(1023)) & uint32(0xFFFFFC00)
        thread = int32(cuda.threadIdx.x)
        if lead(thread == 0):
            for s in range(stages):
                mbarrier_init(full + uint32(8 * s), uint32(1))
                mbarrier_init(empty + uint32(8 * s), uint32(warps))  # wgmma_wait speaks for its own warp alone
            for s in range(2):
                mbarrier_init(full + uint32(turn_at + 8 * s), uint32(4))
            mbarrier_init_fence()
        cuda.syncthreads()
        steps = int32(int32(inner + 63) >> 6)
        count = int32(int32(rows + 127) >> 7)
        role = int32(first_lane(uint32(thread >> 7)))  # the same in a warp: 0 feeds, 1 and 2 multiply
        if role == 0:
            fewer()
            if lead(thread == 0):
                produce(a, b, ring, full, empty, steps, count, rows, tiles, batch)
        else:
            more()
            acc = cuda.local.array(held, float32)
            for i in range(held):
                acc[i] = float32(0)
            later = int32((role - 1) * turns)  # the second warpgroup starts with the second tile
            entry, start = split(int32(cuda.blockIdx.x + later * cuda.gridDim.x), tiles)
            step_entries, step_tiles = split(int32(cuda.gridDim.x * chains), tiles)
            bi, bj, entry = settle_(int32(0), start, entry, count)
            stage, phase = skip(uint32(0), uint32(0), uint32(later * steps))
            blocks = ring + uint32(ring_bytes) + uint32((role - 1) * 16384)
            my_turn = full + uint32(turn_at) + uint32(8 * later)
            turn = uint32(1 - later)  # who is first finds the turn before it over
            while entry < batch:
                if turns:  # the loads of this tile come after those of the other one: else a parity could mislead
                    mbarrier_wait(my_turn, turn)
                    turn ^= uint32(1)
                previous = stage
                k = int32(0)
                while True:  # at least one step: a path without one would define acc elsewhere and serialise wgmma
                    mbarrier_wait(full + uint32(8) * stage, phase)
                    panels = ring + stage * uint32(stage_bytes)
                    multiply(acc, panels, uint32((role - 1) * share), uint32(k > 0))
                    wait_1()  # the products of the step before are done
                    mbarrier_arrive_if(empty + uint32(8) * previous, uint32(((thread & 31) == 0) & (k > 0)))
                    previous = stage
                    stage += uint32(1)
                    if stage == uint32(stages):
                        stage = uint32(0)
                        phase ^= uint32(1)
                    k += int32(1)
                    if k >= steps:
                        break
                if turns:
                    mbarrier_arrive_if(full + uint32(turn_at) + uint32(8 - 8 * later), uint32((thread & 31) == 0))
                wait_0()
                mbarrier_arrive_if(empty + uint32(8) * previous, uint32((thread & 31) == 0))
                t = int32(thread & 127)
                row0 = int32(bi * ROWS)
                col0 = int32(bj * columns)
                if turns:
                    stage, phase = skip(stage, phase, uint32(steps))
                else:
                    row0 = int32(row0 + (role - 1) * 64)
                finish(acc, blocks, d, c, alpha, beta, gamma, entry, ld_out, row0, col0, rows, t, role)
                if turns:
                    row0 = int32(row0 + 64)
                    lower_half(acc, blocks, d, c, alpha, beta, gamma, entry, ld_out, row0, col0, rows, t, role)
                bi, bj, entry = settle_(bi, bj + step_tiles, entry + step_entries, count)

    return symgemm_wgmma


@cache
def kernel(columns: int = 128, stages: int = 4, turns: bool = False) -> DeviceKernel:
    """Return the kernel for tiles of 128 x `columns` (128 or 256) and a ring of `stages` panels of A and of B.

    With `turns` the two warpgroups take tiles of 128 x 128 in turns: for inner sizes so small that it takes long to
    store a tile, compared with computing it. Otherwise they share every tile; 256 columns read a quarter less.

    Raises
    ------
    ParameterError
        For other columns, less than 2 stages, more shared memory than a block has, or turns with 256 columns: one
        warpgroup cannot hold the sums of such a tile.
    """
    ring = stages * (ROWS + columns) * DEPTH * 2
    if columns not in (128, 256 if not turns else 128) or stages < 2 or ring > 192 * 1024:
        raise ParameterError(f"no kernel for {columns} columns and {stages} stages" + (" in turns" if turns else ""))
    return DeviceKernel(
        name=f"symgemm_wgmma_{columns}x{stages}" + ("t" if turns else ""),
        build=lambda dtype: build(columns, stages, int(turns), dtype),
        parameters=SYMMETRIC,
        tile=(ROWS, columns, DEPTH),
        threads=THREADS,
        blocks=1,
        shared_bytes=ring + 2 * 16384 + 1024,  # the blocks of two warpgroups, and what aligns the ring to 1024
        dtypes=("bfloat16", "float16"),
        capability=(9, 0),
        exact=True,
        maps=True,
        persistent=True,
    )
