"""A 64 x 64 block of 16-bit results on its way from registers to memory, through 8 KB of shared memory, by 128 threads.

Registers hold 2 neighbours in a row (the fragments of mma and wgmma), memory wants 16 bytes per thread and whole lines
per warp. So a block lies in shared memory in between: rows of 128 bytes, whose 16-byte chunks are permuted by the row
(`place`), so that neither rows nor fragments meet in one bank. The summand D takes the same way, before: each thread
finds the two entries that it needs where it will put its results.

Where the result is symmetric, only chunks on or below the diagonal are stored from the block, the other ones from a
second block that holds the transpose. On the diagonal itself an 8 x 8 piece takes its upper triangle from its own
transpose, so the result equals its transpose bit for bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from normkit.backends.cuda.instructions import (
    load_16_if,
    load_shared_u32,
    pack,
    permute,
    store_16_if,
    store_shared_16,
    store_shared_u32,
    transpose_8x8,
    unpack,
)
from normkit.backends.cuda.instructions import load_shared_16 as load_shared
from normkit.backends.cuda.language import device, float32, int32, uint32, uint64

SIDE, BYTES, THREADS = 64, 8192, 128


@device
def place(row: Any, chunk: Any) -> Any:
    """Return where in a block a chunk of 8 entries lies, in bytes."""
    return uint32(row * 128) + uint32((chunk ^ (row & 7)) << 4)


@device
def entry_address(matrix: Any, ld: Any, row: Any, column: Any) -> Any:
    """Return the address of an entry: 32-bit factors, a 64-bit product."""
    return matrix + uint64(2) * (uint64(uint32(row)) * uint64(uint32(ld)) + uint64(uint32(column)))


@device
def lower(row: Any, column: Any) -> Any:
    """Tell whether the chunk that starts there holds an entry on or below the diagonal."""
    return (column >> 3) <= (row >> 3)


@device
def upper(row: Any, column: Any) -> Any:
    """Tell whether the chunk that starts there lies above the diagonal, in other rows than its mirror image."""
    return (column >> 3) > (row >> 3)


@device
def whole(row: Any, column: Any) -> Any:
    """Every chunk."""
    return (column >= 0) & (row >= 0)


@cache
def fetch(wanted: Any) -> Any:
    """Return a function that brings the wanted chunks of a block of a matrix to shared memory; others are zero."""

    @device
    def fetch_block(
        block: Any, matrix: Any, ld: Any, row0: Any, col0: Any, rows: Any, columns: Any, thread: Any
    ) -> None:
        for i in range(4):
            r = int32((thread >> 3) + 16 * i)
            row = int32(row0 + r)
            column = int32(col0 + ((thread & 7) << 3))
            address = entry_address(matrix, ld, row, column)
            inside = (row < rows) & (column < columns) & wanted(row, column)
            x, y, z, w = load_16_if(address, uint32(inside))
            store_shared_16(block + place(r, thread & 7), x, y, z, w)

    return fetch_block


@cache
def store(wanted: Any) -> Any:
    """Return a function that stores the wanted chunks of a block to a matrix of `rows` x `columns`."""

    @device
    def store_block(
        block: Any, matrix: Any, ld: Any, row0: Any, col0: Any, rows: Any, columns: Any, thread: Any
    ) -> None:
        for i in range(4):
            r = int32((thread >> 3) + 16 * i)
            row = int32(row0 + r)
            column = int32(col0 + ((thread & 7) << 3))
            address = entry_address(matrix, ld, row, column)
            inside = (row < rows) & (column < columns) & wanted(row, column)
            x, y, z, w = load_shared(block + place(r, thread & 7))
            store_16_if(address, x, y, z, w, uint32(inside))

    return store_block


@cache
def combine(dtype: str) -> Any:
    """Return a function that gives alpha v + beta D of two neighbours, rounded once, in one word. D lies at `at`."""
    pack_, unpack_ = pack(dtype), unpack(dtype)

    @device
    def combined(at: Any, v0: Any, v1: Any, beta: Any) -> Any:
        if beta != float32(0):  # with beta = 0, D is not read: it may hold NaN
            low, high = unpack_(load_shared_u32(at))
            v0 += beta * low
            v1 += beta * high
        return pack_(v1, v0)

    return combined


@cache
def put(dtype: str) -> Any:
    """Return a function that puts a lane's two entries of an 8 x 8 piece, at (r0, c0) of a block, into the block."""
    combined = combine(dtype)

    @device
    def put_piece(block: Any, v0: Any, v1: Any, alpha: Any, beta: Any, r0: Any, c0: Any, lane: Any) -> None:
        at = block + place(r0 + (lane >> 2), c0 >> 3) + uint32((lane & 3) << 2)
        store_shared_u32(at, combined(at, alpha * v0, alpha * v1, beta))

    return put_piece


@cache
def put_symmetric(dtype: str) -> Any:
    """Return `put` with gamma on the diagonal, which also puts the transposed piece into the block `mirror`.

    `offset` is the row of the block's first entry in the matrix, minus its column.
    """
    combined = combine(dtype)

    @device
    def put_piece(
        block: Any,
        mirror: Any,
        v0: Any,
        v1: Any,
        alpha: Any,
        beta: Any,
        gamma: Any,
        offset: Any,
        r0: Any,
        c0: Any,
        lane: Any,
    ) -> None:
        g = int32(lane >> 2)
        t = int32((lane & 3) << 1)
        above = int32(offset + r0 - c0)  # rows of the piece below the diagonal; 0 where the diagonal passes through it
        at = block + place(r0 + g, c0 >> 3) + uint32(t << 1)
        v0 = alpha * v0 + gamma * float32(above + g == t)
        v1 = alpha * v1 + gamma * float32(above + g == t + 1)
        q = combined(at, v0, v1, beta)
        turned = transpose_8x8(q)
        taken = uint32((above == int32(0)) & (t > g)) * uint32(0x44) + uint32(
            (above == int32(0)) & (t + 1 > g)
        ) * uint32(0x4400)
        store_shared_u32(at, permute(q, turned, uint32(0x3210) + uint32(taken)))
        store_shared_u32(mirror + place(c0 + g, r0 >> 3) + uint32(t << 1), turned)

    return put_piece
