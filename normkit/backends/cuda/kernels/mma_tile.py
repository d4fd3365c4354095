"""What the mma.sync kernels share: a 128 x 128 tile of the result by 256 threads, columns of A in steps of 32.

Warps form 2 bands of 64 rows; a band's 4 warps take 16 columns each of either 64 x 64 block of the band. A lane holds
64 sums: ``acc[16 i + 4 j + 2 h + e]`` is row ``16 i + 8 h + lane // 4`` of the band, column
``64 (j // 2) + 16 warp + 8 (j % 2) + 2 (lane % 4) + e``. Panels of A and B lie in a ring of three stages; copies run
two stages ahead. They fill with zeros what lies outside of an operand, and do not read there.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from normkit.backends.cuda.instructions import copy_16, ldmatrix, max_i32, min_i32, mma
from normkit.backends.cuda.language import device, int32, uint32

TILE = (128, 128, 32)
THREADS, STAGES = 256, 3
PANEL = TILE[0] * TILE[2] * 2
"""Bytes of one operand in one stage."""
ELEMENTS = STAGES * PANEL
"""16-bit elements of the ring of both operands; numba wants one name as the shape of a shared array."""
B_OFFSET = STAGES * PANEL
"""Where the stages of B start, in bytes."""


@device
def copy_rows(panel: Any, source: Any, down: Any, left: Any, first: Any, second: Any) -> None:
    """Copy this thread's chunk of two rows, 64 rows apart, of a panel whose rows are 64 bytes.

    `left` is the number of bytes from the chunk to the end of the row; `first` and `second` are 1 where the row exists.
    """
    size = max_i32(min_i32(left, int32(16)), int32(0))
    copy_16(panel, source, uint32(size * first))
    copy_16(panel + uint32(64 * 64), source + down, uint32(size * second))


@device
def row_place(row: Any, chunk: Any) -> Any:
    """Return where in a panel with rows of 64 bytes a chunk lies: two rows share a line of all banks."""
    return uint32(row * 64 + ((chunk ^ ((row >> 1) & 3)) << 4))


@cache
def multiply(dtype: str) -> Any:
    """Return a function that adds A (64 x 16) @ B (32 x 16)^T of a warp to its sums; `a` is where ldmatrix finds A."""
    mma_ = mma(dtype)

    @device
    def step(acc: Any, a: Any, b00: Any, b01: Any, b10: Any, b11: Any, b20: Any, b21: Any, b30: Any, b31: Any) -> None:
        for i in range(4):
            a0, a1, a2, a3 = ldmatrix(a + uint32(i * 16 * 64))
            o = i * 16
            acc[o], acc[o + 1], acc[o + 2], acc[o + 3] = mma_(
                a0, a1, a2, a3, b00, b01, acc[o], acc[o + 1], acc[o + 2], acc[o + 3]
            )
            acc[o + 4], acc[o + 5], acc[o + 6], acc[o + 7] = mma_(
                a0, a1, a2, a3, b10, b11, acc[o + 4], acc[o + 5], acc[o + 6], acc[o + 7]
            )
            acc[o + 8], acc[o + 9], acc[o + 10], acc[o + 11] = mma_(
                a0, a1, a2, a3, b20, b21, acc[o + 8], acc[o + 9], acc[o + 10], acc[o + 11]
            )
            acc[o + 12], acc[o + 13], acc[o + 14], acc[o + 15] = mma_(
                a0, a1, a2, a3, b30, b31, acc[o + 12], acc[o + 13], acc[o + 14], acc[o + 15]
            )

    return step
