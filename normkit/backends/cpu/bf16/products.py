"""Whole products of float32 matrices through bfloat16, by a team of threads, and batches of small ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu import pool, team
from normkit.backends.cpu.bf16.packing import (
    PANEL,
    Floats,
    Pairs,
    buffer,
    left_size,
    pack_pairs,
    pack_rows,
    panels,
    right_size,
    turn_rows,
)
from normkit.backends.cpu.bf16.panels import mirror, product_panel, product_share
from normkit.backends.cpu.jit import cached
from normkit.errors import ShapeError

GRAIN = 1 << 22
"""Multiplications below which another thread costs more than it saves."""


@cached(nogil=True)
def share(length: int, size: int, member: int) -> Any:
    """Return (first, last) of a member's part of a range."""
    return length * member // size, length * (member + 1) // size


@cached(nogil=True)
def pack_square(member: int, size: int, X: Floats, A: Pairs, B: Pairs) -> None:
    """Pack X (m, k) as left operand A and X' as right operand B, reading X once; this member's panels of rows."""
    m, k = X.shape
    first, last = share(panels(m), size, member)
    for panel in range(first, last):  # one after the other: a panel is turned while it is in the cache
        pack_rows(X, panel * PANEL, min(m, (panel + 1) * PANEL), A)
        turn_rows(A, m, k, panel, panel + 1, B)


@cached(nogil=True)
def pack_both(member: int, size: int, X: Floats, Y: Floats, A: Pairs, B: Pairs) -> None:
    """Pack X as left operand A and Y as right operand B; this member's rows and panels."""
    first, last = share(X.shape[0], size, member)
    pack_rows(X, first, last, A)
    first, last = share(panels(Y.shape[1]), size, member)
    pack_pairs(Y, first, last, B)


@cached(nogil=True)
def _multiply(
    member: int,
    size: int,
    state: Any,
    X: Floats,
    Y: Floats,
    add: Floats,
    out: Floats,
    factors: Any,
    half: bool,
    work: Any,
) -> None:
    pack_both(member, size, X, Y, work[0], work[1])
    team.barrier(state, size)
    product_share(member, size, work[0], work[1], X.shape[1], add, out, factors[0], factors[1], half)


@cached(nogil=True)
def _gram(member: int, size: int, state: Any, X: Floats, add: Floats, out: Floats, factors: Any, work: Any) -> None:
    pack_square(member, size, X, work[0], work[1])
    team.barrier(state, size)
    product_share(member, size, work[0], work[1], X.shape[1], add, out, factors[0], factors[1], True)


def _operand(X: Floats) -> Floats:
    """Return X as the kernels are compiled for it: float32, C-ordered, writable."""
    return np.require(X, np.float32, ["C", "A", "W"])


def _check(out: Floats, *shape: int) -> None:
    """Refuse what the kernels, which write by address, would overrun."""
    if out.shape != shape or out.dtype != np.float32 or not out.flags.carray:
        raise ShapeError(
            f"the product needs a C-ordered float32 array {shape} for its result; got {out.dtype} {out.shape} with "
            f"strides {out.strides}. Make one by numpy.empty({shape}, numpy.float32)."
        )


def _prepare(shape: tuple[int, int, int], out: Floats, add: Floats | None) -> tuple[int, Floats, tuple[Pairs, Pairs]]:
    """Return the size of the team, what is added, and buffers for the operands of a product m x k x n."""
    m, k, n = shape
    more = out if add is None else _operand(add)
    _check(out, m, n)
    _check(more, m, n)
    size = team.members(1 + m * k * n // GRAIN)
    return size, more, (buffer(left_size(m, k)), buffer(right_size(k, n)))


def _inner(X: Floats, Y: Floats) -> None:
    if X.shape[-1] != Y.shape[-2] or X.shape[:-2] != Y.shape[:-2]:
        raise ShapeError(f"a product needs (m, k) and (k, n); got {X.shape} and {Y.shape}. Transpose one of them?")


def _product(X: Floats, Y: Floats, out: Floats, factors: tuple[float, float], add: Floats | None, half: bool) -> None:
    X, Y = _operand(X), _operand(Y)
    _inner(X, Y)
    size, more, work = _prepare((*X.shape, Y.shape[1]), out, add)
    team.run(_multiply, size, X, Y, more, out, factors, half, work)


def multiply(
    X: Floats, Y: Floats, out: Floats, alpha: float = 1.0, beta: float = 0.0, add: Floats | None = None
) -> None:
    """out = alpha * X Y + beta * add with X (m, k) and Y (k, n) rounded to bfloat16, summed in float32.

    Parameters
    ----------
    X, Y : float32 arrays
        The factors. Entries, and sums, below the normal range of float32 count as zero.
    out : float32 array (m, n), C-ordered
        Receives the result; it may not overlap X or Y.
    alpha, beta : float
        Factors of the product and of `add`, in float32. If beta is 0, `add` is not read.
    add : float32 array (m, n), optional
        out itself if it is not given.
    """
    _product(X, Y, out, (float(alpha), float(beta)), add, False)


def symmetric(
    X: Floats, Y: Floats, out: Floats, alpha: float = 1.0, beta: float = 0.0, add: Floats | None = None
) -> None:
    """out = alpha * X Y + beta * add where that is known to be symmetric: the lower half is computed and mirrored.

    Arguments are those of `multiply`; the upper half of `add` is not used.
    """
    _product(X, Y, out, (float(alpha), float(beta)), add, True)


def gram(X: Floats, out: Floats, alpha: float = 1.0, beta: float = 0.0, add: Floats | None = None) -> None:
    """out = alpha * X X' + beta * add for a symmetric `add`, at half the cost; arguments are those of `multiply`."""
    X = _operand(X)
    m, k = X.shape
    size, more, work = _prepare((m, k, m), out, add)
    team.run(_gram, size, X, more, out, (float(alpha), float(beta)), work)


@cached(nogil=True)
def multiply_small(X: Floats, Y: Floats, out: Floats, A: Pairs, B: Pairs) -> None:
    """out = X Y of one small pair of matrices, on the calling thread, with its buffers A and B."""
    (m, k), n = X.shape, Y.shape[1]
    pack_rows(X, 0, m, A)
    pack_pairs(Y, 0, panels(n), B)
    product_panel(A, B, k, out, out, 1.0, 0.0, (0, m), (0, panels(n)), False)


@cached(nogil=True)
def gram_small(X: Floats, out: Floats, A: Pairs, B: Pairs) -> None:
    """out = X X' of one small matrix, on the calling thread, with its buffers A and B."""
    pack_square(0, 1, X, A, B)
    m, k = X.shape
    product_panel(A, B, k, out, out, 1.0, 0.0, (0, m), (0, panels(m)), True)
    mirror(out, (0, m), (0, panels(m)))


@cached(nogil=True)
def _multiply_each(first: int, last: int, X: Floats, Y: Floats, out: Floats) -> None:
    m, k, n = X.shape[1], X.shape[2], Y.shape[2]
    A, B = buffer(left_size(m, k)), buffer(right_size(k, n))
    for i in range(first, last):
        multiply_small(X[i], Y[i], out[i], A, B)


@cached(nogil=True)
def _gram_each(first: int, last: int, X: Floats, out: Floats) -> None:
    m, k = X.shape[1], X.shape[2]
    A, B = buffer(left_size(m, k)), buffer(right_size(k, m))
    for i in range(first, last):
        gram_small(X[i], out[i], A, B)


def multiply_batch(X: Floats, Y: Floats, out: Floats) -> None:
    """out[i] = X[i] Y[i] over a batch of small matrices (i, m, k) and (i, k, n), each on one thread; as `multiply`."""
    X, Y = _operand(X), _operand(Y)
    _inner(X, Y)
    _check(out, *X.shape[:2], Y.shape[2])
    if len(X):
        pool.parallel(_multiply_each, len(X), X.size * Y.shape[2], X, Y, out)


def gram_batch(X: Floats, out: Floats) -> None:
    """out[i] = X[i] X[i]' over a batch of small matrices (i, m, k), each on one thread; as `gram`."""
    X = _operand(X)
    _check(out, *X.shape[:2], X.shape[1])
    if len(X):
        pool.parallel(_gram_each, len(X), X.size * X.shape[1], X, out)
