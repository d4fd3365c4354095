"""Blocks of matrix products, and factors of small blocks, through SciPy's BLAS and LAPACK, from compiled code.

Matrices are C-ordered: rows of one stride, so that a block of a matrix will do.

The memory of a C-ordered matrix A is BLAS's column-major A'. So C = A B is asked for as C' = B' A', and the lower
triangle of C is BLAS's upper one. Every argument goes by address: a thread has a desk of its own where they lie.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address

from normkit.backends.cpu.pointers import call
from normkit.backends.cpu.team import inner

BLAS, LAPACK = "scipy.linalg.cython_blas", "scipy.linalg.cython_lapack"
ROUTINES = ((BLAS, "gemm"), (BLAS, "syrk"), (LAPACK, "potrf"), (LAPACK, "trtri"))
LETTERS = np.frombuffer(b"NTUL", np.uint8)
N, T, U = 0, 1, 2


@cache
def addresses(dtype: str) -> tuple[int, ...]:
    """Return where the `ROUTINES` of float32 or float64 are in this process."""
    letter = {"float32": "s", "float64": "d"}[dtype]
    return tuple(get_cython_function_address(module, f"{letter}{name}") for module, name in ROUTINES)


@inner()
def desk(found: Any, letters: Any, like: Any) -> Any:
    """Return what `times`, `times_transposed` and `square` work with: addresses, letters, room for arguments."""
    return found, letters, np.empty(8, np.int32), np.empty(2, like.dtype)


@inner()
def at(A: Any, i: Any, j: Any) -> Any:
    """Return the address of A[i, j]."""
    return A.ctypes.data + i * A.strides[0] + j * A.itemsize


@inner()
def _gemm(
    desk: Any,
    depth: int,
    left: Any,
    right: Any,
    A: Any,
    a: Any,
    B: Any,
    b: Any,
    C: Any,
    rows: Any,
    columns: Any,
    alpha: Any,
    beta: Any,
) -> None:
    """C' = B' A' on a block; a, b are the addresses of the parts of A, B; left, right the letters of B and of A."""
    found, letters, ints, reals = desk
    reals[0], reals[1] = alpha, beta
    ints[0], ints[1], ints[2] = columns[1] - columns[0], rows[1] - rows[0], depth
    ints[3], ints[4] = B.strides[0] // B.itemsize, A.strides[0] // A.itemsize
    ints[5] = C.strides[0] // C.itemsize
    p, r, q = ints.ctypes.data, reals.ctypes.data, letters.ctypes.data
    c, size = at(C, rows[0], columns[0]), reals.itemsize
    call(found[0], (q + left, q + right, p, p + 4, p + 8, r, b, p + 12, a, p + 16, r + size, c, p + 20))


@inner()
def times(desk: Any, A: Any, B: Any, C: Any, rows: Any, columns: Any, alpha: Any, beta: Any) -> None:
    """C[rows, columns] = alpha A[rows, :] B[:, columns] + beta C[rows, columns]; ranges are (first, last)."""
    if rows[1] > rows[0] and columns[1] > columns[0]:
        a, b = at(A, rows[0], 0), at(B, 0, columns[0])
        _gemm(desk, A.shape[1], N, N, A, a, B, b, C, rows, columns, alpha, beta)


@inner()
def times_transposed(desk: Any, A: Any, B: Any, C: Any, rows: Any, columns: Any, alpha: Any, beta: Any) -> None:
    """C[rows, columns] = alpha A[rows, :] B[columns, :]' + beta C[rows, columns]."""
    if rows[1] > rows[0] and columns[1] > columns[0]:
        a, b = at(A, rows[0], 0), at(B, columns[0], 0)
        _gemm(desk, A.shape[1], T, N, A, a, B, b, C, rows, columns, alpha, beta)


@inner()
def transposed_times(desk: Any, A: Any, B: Any, C: Any, rows: Any, columns: Any, alpha: Any, beta: Any) -> None:
    """C[rows, columns] = alpha A[:, rows]' B[:, columns] + beta C[rows, columns]."""
    if rows[1] > rows[0] and columns[1] > columns[0]:
        a, b = at(A, 0, rows[0]), at(B, 0, columns[0])
        _gemm(desk, A.shape[0], N, T, A, a, B, b, C, rows, columns, alpha, beta)


@inner()
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


@inner()
def root(desk: Any, A: Any) -> Any:
    """A = L L' of a symmetric block, L in place of its lower triangle; tell whether A is positive definite."""
    found, letters, ints, _ = desk
    ints[0], ints[1] = A.shape[0], A.strides[0] // A.itemsize
    p = ints.ctypes.data
    call(found[2], (letters.ctypes.data + U, p, at(A, 0, 0), p + 4, p + 8))
    return ints[2] == 0


@inner()
def invert_lower(desk: Any, L: Any) -> None:
    """L = L^-1 of a lower triangular block that is not singular; what is above its diagonal is not touched."""
    found, letters, ints, _ = desk
    ints[0], ints[1] = L.shape[0], L.strides[0] // L.itemsize
    p, q = ints.ctypes.data, letters.ctypes.data
    call(found[3], (q + U, q + N, p, at(L, 0, 0), p + 4, p + 8))
