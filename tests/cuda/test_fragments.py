"""Fragments of matrices that the lanes of a warp hold: the emulator's models against what others say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="the kernels need numba-cuda: pip install 'normkit[cuda]'")

from normkit.backends.cuda.instructions import (
    ldmatrix,
    ldmatrix_transposed,
    mma,
    shared_address,
    store_shared_16,
    transpose_8x8,
)
from normkit.backends.cuda.language import cuda, float32, int32, uint16, uint32
from normkit.testing import simt


def smallest(a: Any, b: Any, c: Any, k: Any) -> None:
    """One warp, C (16 x 8) = A (16, k) @ B (8, k)^T: the fragments as the PTX ISA draws them, from words in memory."""
    lane = int32(cuda.threadIdx.x)
    row = lane >> 2
    pair = lane & 3
    s = (float32(0), float32(0), float32(0), float32(0))
    for at in range(0, k // 2, 8):
        s = product(
            *(a[row, at + pair], a[row + 8, at + pair], a[row, at + pair + 4], a[row + 8, at + pair + 4]),
            *(b[row, at + pair], b[row, at + pair + 4], s[0], s[1], s[2], s[3]),
        )
    c[row, 2 * pair], c[row, 2 * pair + 1], c[row + 8, 2 * pair], c[row + 8, 2 * pair + 1] = s


product = mma("bfloat16")


def test_fragments_of_mma() -> None:
    rng = np.random.default_rng(0)
    a, b = (simt.to_bits(rng.standard_normal((n, 64)), "bfloat16") for n in (16, 8))
    c = np.full((16, 8), np.nan, np.float32)
    simt.launch(smallest, (1,), 32, [a.view(np.uint32), b.view(np.uint32), c, np.int32(64)], [])
    exact = simt.to_float(a, "bfloat16").astype(float) @ simt.to_float(b, "bfloat16").astype(float).T
    np.testing.assert_allclose(c, exact, atol=1e-4)


def turn(rows: Any, straight: Any, loaded: Any, turned: Any) -> None:
    """One warp: four 8 x 8 matrices, a row per lane, read as they are, read transposed, and transposed in registers."""
    lane = int32(cuda.threadIdx.x)
    shared = cuda.shared.array(256, uint16, 128)
    at = shared_address(shared, 0) + uint32(lane * 16)
    store_shared_16(at, rows[lane, 0], rows[lane, 1], rows[lane, 2], rows[lane, 3])
    straight[lane, 0], straight[lane, 1], straight[lane, 2], straight[lane, 3] = ldmatrix(at)
    loaded[lane, 0], loaded[lane, 1], loaded[lane, 2], loaded[lane, 3] = ldmatrix_transposed(at)
    turned[lane] = transpose_8x8(straight[lane, 0])


def test_matrices_are_transposed_as_by_shuffles() -> None:
    """movmatrix is what programs for older devices do by shuffles: a half of a word from each of two lanes."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2**32, (32, 4), np.uint32)
    straight, loaded, turned = np.zeros((32, 4), np.uint32), np.zeros((32, 4), np.uint32), np.zeros(32, np.uint32)
    simt.launch(turn, (1,), 32, [rows, straight, loaded, turned], [rows])
    words = straight[:, 0]
    for lane in range(32):
        column, first = lane // 4, 2 * (lane % 4)
        halves = [int(words[4 * row + column // 2]) >> 16 * (column % 2) & 0xFFFF for row in (first, first + 1)]
        assert turned[lane] == halves[0] | halves[1] << 16
    assert (loaded[:, 0] == turned).all()
    whole = rows.view(np.uint16).reshape(4, 8, 8)
    assert (straight.T.reshape(4, 8, 4) == whole.view(np.uint32)).all()
    assert (loaded.T.reshape(4, 8, 4) == np.ascontiguousarray(whole.swapaxes(1, 2)).view(np.uint32)).all()
