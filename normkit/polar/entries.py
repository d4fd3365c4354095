"""Where Python enters the compiled iteration: one matrix by a team of threads, or a batch, a matrix per thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.team import barrier, claimed, shared
from normkit.polar.adaptive import DONE, IN_LAST, IN_Y, PLACE, STATUS, iterate
from normkit.polar.moves import put, write
from normkit.polar.newton_schulz import step
from normkit.polar.products import BLAS, desk, gram, long, part


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
    A: Any,
    f: float,
    g: float,
    last: Any,
    out: Any,
) -> None:
    """Run `iterate` on f g A, or its transpose, by the whole team, and write what is reached to `out`.

    An empty A leaves X as it is, an empty `out` T where it is.
    """
    wide = A.shape[0] == len(X)
    begin, end = part(len(A), size, member)
    put(begin, end, A, X, wide, f, g)
    barrier(state, size)
    outer = desk(found, letters, kind, state, packed, X)
    inner = desk(found, letters, BLAS if on_gram else kind, state, packed, X)
    work = (rows, krylov, nodes, table, settings, plan, facts)
    iterate(member, size, state, outer, inner, X, Y, last, squares, on_gram, *work)
    if len(out) and facts[STATUS] == DONE and facts[PLACE] != IN_LAST:
        begin, end = part(len(X), size, member)
        put(begin, end, Y if facts[PLACE] == IN_Y else X, out, wide, 1.0, 1.0)


@shared()
def _aligned(size: int) -> Any:
    """Return an int32 buffer that starts at a multiple of 64 bytes."""
    room = np.empty(size + 16, np.int32)
    start = (-room.ctypes.data % 64) // 4
    return room[start : start + size]


@shared()
def each(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    kind: int,
    packed: Any,
    A: Any,
    factors: Any,
    places: Any,
    queue: Any,
    on_gram: bool,
    like: Any,
    start: Any,
    k: int,
    table: Any,
    settings: Any,
    facts: Any,
    out: Any,
) -> None:
    """Run `iterate` on the matrices A[places], scaled by their factors, and write to `out` what is reached.

    Every member takes the next of the queue when it is done with one. `packed` are the lengths of the two buffers of
    packed operands; `like` has the dtype of the iterates.
    """
    m, n = min(A.shape[1], A.shape[2]), max(A.shape[1], A.shape[2])
    wide, side, kept = A.shape[1] == m, m if on_gram else 0, like.dtype
    X, Y, none = np.empty((m, n), kept), np.empty((m, n), kept), np.empty((0, n), kept)
    squares = (
        np.empty((m, m), kept),
        np.empty((m, m), kept),
        np.empty((m, m), kept),
        np.empty((side, side), kept),
        np.empty((side, side), kept),
    )
    alone = np.zeros(16, np.int64)
    operands = (_aligned(packed[0]), _aligned(packed[1]))
    outer = desk(found, letters, kind, alone, operands, X)
    inner = desk(found, letters, BLAS if on_gram else kind, alone, operands, X)
    rows, nodes, plan = np.zeros((m, 5)), np.zeros((4, k)), np.zeros((table[1].shape[1], 4))
    krylov = (start, np.empty((k, m)), np.empty(m, kept), np.empty(m), np.empty(k), np.empty(k))
    task = claimed(queue)
    while task < len(places):
        b, work = places[task], (rows, krylov, nodes, table, settings, plan, facts[task])
        write(A[b], X, wide, factors[b, 0], factors[b, 1])
        iterate(0, 1, alone, outer, inner, X, Y, none, squares, on_gram, *work)
        if facts[task, STATUS] == DONE:
            write(Y if facts[task, PLACE] == IN_Y else X, out[b], wide, 1.0, 1.0)
        task = claimed(queue)


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
