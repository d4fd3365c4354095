"""Where Python enters the compiled iteration: one matrix by a team of threads, or a batch, a matrix per thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.team import barrier, shared
from normkit.polar.adaptive import DONE, STATUS, SWAPPED, iterate
from normkit.polar.moves import write
from normkit.polar.newton_schulz import step
from normkit.polar.products import BLAS, desk, gram, long


@shared()
def member(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    X: Any,
    Y: Any,
    squares: Any,
    on_gram: bool,
    rows: Any,
    krylov: Any,
    nodes: Any,
    table: Any,
    settings: Any,
    plan: Any,
    facts: Any,
) -> None:
    """Run `iterate` on one matrix by the whole team."""
    outer = desk(found, letters, kind, state, packed, X)
    inner = desk(found, letters, BLAS if on_gram else kind, state, packed, X)
    iterate(
        member, size, state, outer, inner, X, Y, squares, on_gram, rows, krylov, nodes, table, settings, plan, facts
    )


@shared()
def _aligned(size: int) -> Any:
    """Return an int32 buffer that starts at a multiple of 64 bytes."""
    room = np.empty(size + 16, np.int32)
    start = (-room.ctypes.data % 64) // 4
    return room[start : start + size]


@shared()
def each(
    first: int,
    last: int,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    A: Any,
    on_gram: bool,
    start: Any,
    k: int,
    table: Any,
    settings: Any,
    facts: Any,
    out: Any,
) -> None:
    """Run `iterate` on the matrices A[first:last], one after the other, on this thread; write to `out` what is reached.

    `packed` are the lengths of the two buffers of packed operands.
    """
    m, n = min(A.shape[1], A.shape[2]), max(A.shape[1], A.shape[2])
    wide = A.shape[1] == m
    X, Y = np.empty((m, n), A.dtype), np.empty((m, n), A.dtype)
    side = m if on_gram else 0
    squares = (
        np.empty((m, m), A.dtype),
        np.empty((m, m), A.dtype),
        np.empty((m, m), A.dtype),
        np.empty((side, side), A.dtype),
        np.empty((side, side), A.dtype),
    )
    state = np.zeros(16, np.int64)
    operands = (_aligned(packed[0]), _aligned(packed[1]))
    outer = desk(found, letters, kind, state, operands, X)
    inner = desk(found, letters, BLAS if on_gram else kind, state, operands, X)
    rows, nodes, plan = np.zeros((m, 5)), np.zeros((4, k)), np.zeros((table[1].shape[1], 4))
    krylov = (start, np.empty((k, m)), np.empty(m, A.dtype), np.empty(m), np.empty(k), np.empty(k))
    for b in range(first, last):
        write(A[b], X, wide)
        iterate(0, 1, state, outer, inner, X, Y, squares, on_gram, rows, krylov, nodes, table, settings, plan, facts[b])
        if facts[b, STATUS] == DONE:
            write(Y if facts[b, SWAPPED] else X, out[b], wide)


@shared()
def follow(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    X: Any,
    Y: Any,
    squares: Any,
    rows: Any,
) -> None:
    """Take the steps `rows` (a, b, c, d) from X to Y and back."""
    work = desk(found, letters, kind, state, packed, X)
    R, S, P = squares
    for i in range(len(rows)):
        gram(work, member, size, X, R, 1.0, R, 0.0)
        barrier(state, size)
        step(member, size, state, work, X, Y, R, S, P, rows[i], False)
        X, Y = Y, X


@shared()
def products(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    X: Any,
    Y: Any,
    R: Any,
    count: int,
) -> None:
    """Y = R X, `count` times."""
    work = desk(found, letters, kind, state, packed, X)
    for _ in range(count):
        long(work, member, size, R, X, Y, 0.0)
        barrier(state, size)
