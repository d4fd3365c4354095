"""Blocks of matrix products through SciPy's BLAS, from compiled code; matrices are C-ordered (rows of one stride).

The memory of a C-ordered matrix A is BLAS's column-major A'. So C = A B is asked for as C' = B' A', and the lower
triangle of C is BLAS's upper one. BLAS takes every argument by address: a thread has a desk of its own where they lie.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address

from normkit.backends.cpu.pointers import call
from normkit.backends.cpu.team import shared

BLAS = "scipy.linalg.cython_blas"
LETTERS = np.frombuffer(b"NTUL", np.uint8)
N, T, U = 0, 1, 2


@cache
def addresses(dtype: str) -> tuple[int, int]:
    """Return where gemm and syrk of float32 or float64 are in this process."""
    letter = {"float32": "s", "float64": "d"}[dtype]
    found = (get_cython_function_address(BLAS, f"{letter}{name}") for name in ("gemm", "syrk"))
    return next(found), next(found)


@shared()
def desk(found: Any, letters: Any, like: Any) -> Any:
    """Return what `times`, `times_transposed` and `square` work with: addresses, letters, room for arguments."""
    return found, letters, np.empty(8, np.int32), np.empty(2, like.dtype)


@shared()
def at(A: Any, i: Any, j: Any) -> Any:
    """Return the address of A[i, j]."""
    return A.ctypes.data + i * A.strides[0] + j * A.itemsize


@shared()
def _gemm(desk: Any, left: Any, A: Any, B: Any, b: Any, C: Any, rows: Any, columns: Any, alpha: Any, beta: Any) -> None:
    """C' = B' A' on a block; `b` is the address of B's part, `left` whether BLAS sees it transposed."""
    found, letters, ints, reals = desk
    reals[0], reals[1] = alpha, beta
    ints[0], ints[1], ints[2] = columns[1] - columns[0], rows[1] - rows[0], A.shape[1]
    ints[3], ints[4] = B.strides[0] // B.itemsize, A.strides[0] // A.itemsize
    ints[5] = C.strides[0] // C.itemsize
    p, r, q = ints.ctypes.data, reals.ctypes.data, letters.ctypes.data
    a, c, size = at(A, rows[0], 0), at(C, rows[0], columns[0]), reals.itemsize
    call(found[0], (q + left, q + N, p, p + 4, p + 8, r, b, p + 12, a, p + 16, r + size, c, p + 20))


@shared()
def times(desk: Any, A: Any, B: Any, C: Any, rows: Any, columns: Any, alpha: Any, beta: Any) -> None:
    """C[rows, columns] = alpha A[rows, :] B[:, columns] + beta C[rows, columns]; ranges are (first, last)."""
    if rows[1] > rows[0] and columns[1] > columns[0]:
        _gemm(desk, N, A, B, at(B, 0, columns[0]), C, rows, columns, alpha, beta)


@shared()
def times_transposed(desk: Any, A: Any, B: Any, C: Any, rows: Any, columns: Any, alpha: Any, beta: Any) -> None:
    """C[rows, columns] = alpha A[rows, :] B[columns, :]' + beta C[rows, columns]."""
    if rows[1] > rows[0] and columns[1] > columns[0]:
        _gemm(desk, T, A, B, at(B, columns[0], 0), C, rows, columns, alpha, beta)


@shared()
def square(desk: Any, A: Any, C: Any, rows: Any, alpha: Any, beta: Any) -> None:
    """C[rows, rows] = alpha A[rows, :] A[rows, :]' + beta C[rows, rows], in the lower triangle; half the operations."""
    if rows[1] > rows[0]:
        found, letters, ints, reals = desk
        reals[0], reals[1] = alpha, beta
        ints[0], ints[1], ints[2] = rows[1] - rows[0], A.shape[1], A.strides[0] // A.itemsize
        ints[3] = C.strides[0] // C.itemsize
        p, r, q = ints.ctypes.data, reals.ctypes.data, letters.ctypes.data
        a, c, size = at(A, rows[0], 0), at(C, rows[0], rows[0]), reals.itemsize
        call(found[1], (q + U, q + T, p, p + 4, r, a, p + 8, r + size, c, p + 12))
