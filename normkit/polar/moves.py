"""Copies and transposes of matrices, scaled on the way, in parts for threads; compiled."""

from __future__ import annotations

from typing import Any

from normkit.backends.cpu.team import shared

ROWS = 8
"""Rows that are transposed together, entry after entry of B: no more than a cache keeps at one place, since the rows of
a matrix with a power of two in its width all fall there."""


@shared()
def write(A: Any, B: Any, plain: bool, f: float, g: float) -> None:
    """B = f g A, or B = f g A' unless `plain`; factors in A's type, one after the other."""
    first, then = A.dtype.type(f), A.dtype.type(g)
    if plain:
        for i in range(A.shape[0]):
            for j in range(A.shape[1]):
                B[i, j] = A[i, j] * first * then
        return
    for i0 in range(0, A.shape[0], ROWS):
        for j in range(A.shape[1]):
            for i in range(i0, min(i0 + ROWS, A.shape[0])):
                B[j, i] = A[i, j] * first * then


@shared()
def put(first: int, last: int, A: Any, B: Any, plain: bool, f: float, g: float) -> None:
    """B = f g A, or B = f g A' unless `plain`: the rows first to last of A."""
    if plain:
        write(A[first:last], B[first:last], True, f, g)
    else:
        write(A[first:last], B[:, first:last], False, f, g)
