"""The products of `normkit.polar.products` through bfloat16, where the processor multiplies it; else nothing.

The two operands of a product are packed into buffers that the team shares, so there is a barrier before the packing
(others may still read the last operands) and one after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import overload

from normkit.backends.cpu import bf16
from normkit.backends.cpu.team import barrier, shared


def gram(desk: Any, member: int, size: int, X: Any, C: Any, alpha: Any, D: Any, beta: Any) -> None:
    """C = alpha X X' + beta D."""


def product(desk: Any, member: int, size: int, A: Any, B: Any, C: Any, D: Any, beta: Any, symmetric: bool) -> None:
    """C = A B + beta D."""


def _serves(kind: Any) -> bool:
    return kind.dtype == types.float32 and bf16.available()


if bf16.available():
    from normkit.backends.cpu.bf16.panels import product_share
    from normkit.backends.cpu.bf16.products import pack_both, pack_square

    @shared()
    def _gram(desk: Any, member: int, size: int, X: Any, C: Any, alpha: Any, D: Any, beta: Any) -> None:
        state, A, B = desk[4], desk[5], desk[6]
        barrier(state, size)
        pack_square(member, size, X, A, B)
        barrier(state, size)
        symmetric = size > 0  # True; for a literal everything below would be compiled once more
        product_share(member, size, A, B, X.shape[1], D, C, alpha, beta, symmetric)

    @shared()
    def _product(desk: Any, member: int, size: int, A: Any, B: Any, C: Any, D: Any, beta: Any, symmetric: bool) -> None:
        state, left, right = desk[4], desk[5], desk[6]
        barrier(state, size)
        pack_both(member, size, A, B, left, right)
        barrier(state, size)
        product_share(member, size, left, right, A.shape[1], D, C, 1.0, beta, symmetric)


@overload(gram, strict=False)
def _gram_of(desk: Any, member: int, size: int, X: Any, C: Any, alpha: Any, D: Any, beta: Any) -> Callable[..., None]:
    if not _serves(X):
        return lambda desk, member, size, X, C, alpha, D, beta: None
    return lambda desk, member, size, X, C, alpha, D, beta: _gram(desk, member, size, X, C, alpha, D, beta)


@overload(product, strict=False)
def _product_of(
    desk: Any, member: int, size: int, A: Any, B: Any, C: Any, D: Any, beta: Any, symmetric: bool
) -> Callable[..., None]:
    if not _serves(A):
        return lambda desk, member, size, A, B, C, D, beta, symmetric: None
    return lambda desk, member, size, A, B, C, D, beta, symmetric: _product(
        desk, member, size, A, B, C, D, beta, symmetric
    )
