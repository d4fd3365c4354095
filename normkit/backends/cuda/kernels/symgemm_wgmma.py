"""Products with a symmetric result on Hopper (sm_90a): C = alpha A B^T + beta D + gamma I.

The tensor-memory accelerator brings panels of A and B to a ring in shared memory; warpgroup 0 feeds it and gives its
registers away, warpgroups 1 and 2 each multiply 64 rows of a tile of 128 rows and 128 or 256 columns (wgmma).
Blocks are persistent: each takes tile after tile; the ring is filled for the next tile while the last one is stored.
What is computed and stored is as in `symgemm_mma`. A and B are given by tensor maps (`boxes`); the maps fill with zeros
what lies beyond the last column, so padding is never read. See `kernels` for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from normkit.backends.cuda import instructions as ptx
from normkit.backends.cuda.instructions import (
    first_lane,
    lead,
    mbarrier_arrive_if,
    mbarrier_init,
    mbarrier_init_fence,
    mbarrier_wait,
    shared_address,
    wgmma_commit,
    wgmma_fence,
)
from normkit.backends.cuda.kernels.interface import SYMMETRIC, DeviceKernel
from normkit.backends.cuda.kernels.triangle import settle, split
from normkit.backends.cuda.kernels.wgmma_stages import DEPTH, ROWS, THREADS, epilogue, producer
from normkit.backends.cuda.language import cuda, float32, int32, uint32, uint64

DESCRIPTOR = (64 << 32) | (1 << 62) | (1 << 16)
"""Of an operand in shared memory: 1024 bytes between groups of 8 rows, 128-byte swizzle; its address is added."""


class Box(NamedTuple):
    """A tensor map of a matrix of 16-bit elements: what cuTensorMapEncodeTiled is told, innermost dimension first.

    Element type UINT16, no interleave, 128-byte swizzle, zeros outside; element strides 1.
    """

    sizes: tuple[int, int]
    """Columns and rows, of the whole batch."""
    stride: int
    """Bytes from row to row."""
    box: tuple[int, int]
    """Columns and rows of a box."""


def boxes(kernel: DeviceKernel, rows: int, inner: int, ld_in: int, batch: int) -> tuple[Box, Box]:
    """Return the tensor maps of A and of B; their matrices start at multiples of 16 bytes."""
    down, across, depth = kernel.tile
    sizes = (inner, rows * batch)
    return Box(sizes, 2 * ld_in, (depth, down)), Box(sizes, 2 * ld_in, (depth, across))


def build(columns: int, stages: int, dtype: str) -> Callable[..., Any]:
    """Return the kernel for tiles of that many columns, a ring of that many stages and a storage type."""
    held, bars, panel = columns // 2, 2 * stages, ROWS * DEPTH * 2
    stage_bytes = (ROWS + columns) * DEPTH * 2
    ring_bytes, ready = stages * stage_bytes, 8 * stages
    multiply, wait_0, wait_1 = ptx.wgmma(columns, dtype), ptx.wgmma_wait(0), ptx.wgmma_wait(1)
    # of 65536 registers, 3 * 128 threads start with 168 each; 128 * 40 + 256 * 232 fit as well
    fewer, more = ptx.registers("dec", 40), ptx.registers("inc", 232)
    settle_, produce, finish = settle(ROWS, columns), producer(columns, stages), epilogue(columns, dtype)

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
                mbarrier_init(empty + uint32(8 * s), uint32(8))  # one arrival per warp: wgmma_wait speaks for its warp
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
            entry, start = split(int32(cuda.blockIdx.x), tiles)
            step_entries, step_tiles = split(int32(cuda.gridDim.x), tiles)
            bi, bj, entry = settle_(int32(0), start, entry, count)
            stage = uint32(0)
            phase = uint32(0)
            blocks = ring + uint32(ring_bytes) + uint32((role - 1) * 16384)
            while entry < batch:
                previous = stage
                k = int32(0)
                while True:  # at least one step: a path without one would define acc elsewhere and serialise wgmma
                    mbarrier_wait(full + uint32(8) * stage, phase)
                    panel_a = ring + stage * uint32(stage_bytes) + uint32((role - 1) * (64 * 128))
                    panel_b = ring + stage * uint32(stage_bytes) + uint32(panel)
                    desc_a = uint64((panel_a & uint32(0x3FFFF)) >> uint32(4)) | uint64(DESCRIPTOR)
                    desc_b = uint64((panel_b & uint32(0x3FFFF)) >> uint32(4)) | uint64(DESCRIPTOR)
                    wgmma_fence()
                    multiply(acc, 0, desc_a, desc_b, uint32(k > 0))  # the first product of a tile forgets the last tile
                    for part in range(1, 4):  # 16 columns of A are 32 bytes: 2 more in the descriptor
                        multiply(acc, 0, desc_a + uint64(part * 2), desc_b + uint64(part * 2), uint32(1))
                    wgmma_commit()
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
                wait_0()
                mbarrier_arrive_if(empty + uint32(8) * previous, uint32((thread & 31) == 0))
                row0 = int32(bi * ROWS) + (role - 1) * 64
                col0 = int32(bj * columns)
                finish(acc, blocks, d, c, alpha, beta, gamma, entry, ld_out, row0, col0, rows, thread & 127, role)
                bi, bj, entry = settle_(bi, bj + step_tiles, entry + step_entries, count)

    return symgemm_wgmma


@cache
def kernel(columns: int = 128, stages: int = 4) -> DeviceKernel:
    """Return the kernel for tiles of 128 x `columns` (128 or 256) and a ring of `stages` panels of A and of B."""
    ring = stages * (ROWS + columns) * DEPTH * 2
    return DeviceKernel(
        name=f"symgemm_wgmma_{columns}x{stages}",
        build=lambda dtype: build(columns, stages, dtype),
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
