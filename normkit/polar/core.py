"""The polar factor of one matrix or of a batch, by a plan: what the seam and the public functions call.

Matrices are finite float32 or float64 arrays with entries near 1; the callers scale by powers of two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit.polar import planner
from normkit.polar.given import Given
from normkit.polar.rational import by_rational, each_by_rational, full_rank, read_in_place
from normkit.polar.task import NOTABLE, Outcome, Ran, Task

if TYPE_CHECKING:
    from normkit.polar.exact import Exact
    from normkit.polar.workspace import Reached

Array = NDArray[Any]

PRODUCTS = ("ns", "gram")
"""Methods that are iterations by products."""
BATCH = 400
"""Side up to which each matrix of a batch has a thread of its own."""
ALONE, STRETCH = 128, 8
"""Short side up to which one float32 matrix is factored on one thread, if its long side is no more than so many times
that: an iteration takes longer to start."""
STRIP = 1 << 15
"""Entries that are widened to float64 at a time."""
TURN = 4 * 2.0**-53
"""How far eigh of a Gram matrix turns a direction, times (sigma / sigma_1)^2."""
BATCHED = 2
"""Batches from this length on are given out to threads, a matrix each."""


def polar(batch: Given, asked: Task, out: Array) -> list[Outcome]:
    """Write the polar factors of a batch (B, m, n) to `out`, C-ordered and apart from the batch.

    One matrix may overlap `out`, unless rank_tol > NOTABLE: it is read before that is written.
    """
    if _factored_at_once(batch.shape, batch.dtype, asked):
        return _small(batch.scaled, asked, out)
    done: list[Outcome | None] = [None] * len(out)
    if _each(batch.shape) and asked.method in ("auto", *PRODUCTS, "qdwh"):
        done = _shared_out(batch, asked, out)
    left = [b for b, found in enumerate(done) if found is None]
    if _each(batch.shape) and _fine(asked) and left:
        T = np.empty((len(left), *out.shape[1:]), out.dtype)
        served = _small(batch.scaled[left], asked, T)
        out[left] = T
    else:
        served = [_one(batch[b], asked, out[b]) for b in left]
    for b, found in zip(left, served, strict=True):
        done[b] = found
    return [found for found in done if found is not None]


def reads_in_place(shape: tuple[int, int, int], dtype: np.dtype[Any], asked: Task) -> bool:
    """Tell whether what is tried first on a batch (B, m, n) reads matrices as they come, and scales them itself."""
    if _factored_at_once(shape, dtype, asked):
        return False
    plan = planner.attempts(*shape[1:], dtype.name, asked.accuracy, asked.method, each=_each(shape))
    return plan[0].method in PRODUCTS or read_in_place(plan[0].method, *shape[1:])


def iterates(sides: tuple[int, int], dtype: np.dtype[Any], asked: Task) -> bool:
    """Tell whether one matrix is tried by compiled loops first, and is of a size for which a pass more of these pays.

    It does not depend on how many there are: a batch gives the same bits as its matrices alone.
    """
    if sides[0] * sides[1] < STRIP or min(sides) <= planner.SMALL:
        return False
    plan = planner.attempts(*sides, dtype.name, asked.accuracy, asked.method)
    return plan[0].method in (*PRODUCTS, "qdwh")


def _factored_at_once(shape: tuple[int, int, int], dtype: np.dtype[Any], asked: Task) -> bool:
    """Tell whether matrices are so small that factorizations in compiled loops are the fastest."""
    m, n = sorted(shape[1:])
    single, each = dtype == np.float32, _each(shape)
    small = m <= planner.SMALL or (
        _fine(asked) and (not single if each else single and m <= ALONE and n <= STRETCH * m)
    )
    return small and asked.method == "auto"


def _fine(asked: Task) -> bool:
    """Tell whether factorizations come next where an iteration in float32 does not serve, rather than others."""
    return asked.accuracy < planner.COARSE and asked.method == "auto"


def _each(shape: tuple[int, int, int]) -> bool:
    """Tell whether each matrix of a batch has a thread of its own."""
    return shape[0] >= BATCHED and max(shape[1:]) <= BATCH


def _small(batch: Array, asked: Task, out: Array) -> list[Outcome]:
    """Factor small matrices, one per thread: float32 through the Gram matrices in float64, where these resolve them."""
    flops = planner.operations("svd", *_sides(batch), 1e-6)
    done = np.full(len(batch), -1)
    if batch.dtype == np.float32 and min(batch.shape[1:]) > 1:
        from normkit.polar.eigh_each import eigh_each

        done = eigh_each(batch, asked.rank_tol, max(asked.accuracy, planner.WORKING["float64"]), out)
    found = [None if rank < 0 else _exact("eigh", batch, int(rank), flops) for rank in done]
    left = np.flatnonzero(done < 0)
    if len(left):
        from normkit.backends.cpu.lapack import batched_polar

        T, _ = batched_polar(batch[left].astype(np.float64, copy=False), asked.rank_tol)
        out[left] = T
        ranks = np.rint(np.square(T).sum(axis=(1, 2))).astype(int)
        for b, rank in zip(left, ranks, strict=True):
            found[b] = _exact("svd", batch, int(rank), flops)
    return [item for item in found if item is not None]


def _sides(batch: Array) -> tuple[int, int]:
    """Return the shorter and the longer side."""
    m, n = sorted(batch.shape[1:])
    return m, n


def _exact(method: str, batch: Array, rank: int, flops: float) -> Outcome:
    eps = float(np.finfo(batch.dtype).eps)
    return Outcome(method, "float64", 0, flops, eps, 1 + 4 * eps, rank)


def _shared_out(batch: Given, asked: Task, out: Array) -> list[Outcome | None]:
    """Iterate on the matrices of a batch, one per thread; None where that does not serve."""
    done: list[Outcome | None] = [None] * len(out)
    m, n = sorted(batch.shape[1:])
    for attempt in planner.attempts(m, n, batch.dtype.name, asked.accuracy, asked.method, each=True):
        left = [b for b, found in enumerate(done) if found is None]
        if attempt.method not in (*PRODUCTS, "qdwh") or not left:
            break
        if attempt.method == "qdwh":
            served = each_by_rational(batch, left, attempt, asked, out)
        else:
            served = _each_by_products(batch, left, attempt, asked, out)
        for b, found in zip(left, served, strict=True):
            done[b] = found
    return done


def _each_by_products(
    batch: Given, places: list[int], attempt: planner.Attempt, asked: Task, out: Array
) -> list[Outcome | None]:
    from normkit.polar import workspace

    m, n = sorted(batch.shape[1:])
    precision, on_gram = workspace.PRECISIONS[attempt.precision], attempt.method == "gram"
    which = np.array(places, np.int64)
    reached = workspace.iterate_each(batch, which, asked.accuracy, precision, on_gram, _limit(m, n), out)
    served: list[Outcome | None] = []
    for b, item in zip(places, reached, strict=True):
        notable = asked.rank_tol > NOTABLE
        lost = item is None or (notable and not full_rank(batch[b].scaled[0], out[b], asked.rank_tol))
        served.append(None if lost or item is None else _iterated(attempt, item, 0.0))
    return served


def _limit(m: int, n: int) -> float:
    """Return the operations that a factorization is worth."""
    return 4.0 * planner.operations("eigh", m, n, 1e-6)


def _iterated(attempt: planner.Attempt, found: Reached, before: float) -> Outcome:
    return Outcome(attempt.method, attempt.precision, found.steps, before + found.flops, found.error, found.top, None)


def _one(matrix: Given, asked: Task, out: Array) -> Outcome:
    """Serve one matrix by the first attempt that reaches the accuracy."""
    if not matrix.source.any():
        out[...] = 0
        return Outcome("svd", matrix.dtype.name, 0, 0.0, 0.0, 0.0, 0)
    m, n = sorted(out.shape)
    spent = 0.0
    for attempt in planner.attempts(m, n, matrix.dtype.name, asked.accuracy, asked.method):
        if attempt.method in PRODUCTS:
            found, flops = _by_products(matrix, attempt, asked, out, spent)
        else:
            found, flops = RUNNERS[attempt.method](matrix, attempt, asked, out, spent)
        spent += flops
        if found is not None:
            return found
    raise AssertionError("a plan ends in a factorization")


def _by_products(matrix: Given, attempt: planner.Attempt, asked: Task, out: Array, spent: float) -> Ran:
    from normkit.polar import workspace

    m, n = sorted(out.shape)
    space = workspace.workspace(m, n, workspace.PRECISIONS[attempt.precision], attempt.method == "gram")
    found = space.iterate(asked.accuracy, _limit(m, n), matrix, out)
    if found is None:
        return None, float(m) * m * n + float(m) ** 3
    if asked.rank_tol > NOTABLE and not full_rank(matrix.scaled[0], out, asked.rank_tol):
        return None, found.flops
    return _iterated(attempt, found, spent), found.flops


def _by_factors(matrix: Given, attempt: planner.Attempt, asked: Task, out: Array, spent: float) -> Ran:
    from normkit.polar import exact

    A = matrix.scaled[0]
    if attempt.method == "eigh":
        made = exact.eigh(np.ascontiguousarray(A), out, rank_tol=asked.rank_tol)
        if _resolves(made, asked):
            return _exact("eigh", A[None], made.rank, spent + attempt.flops), attempt.flops
        spent += attempt.flops
    T = np.empty(A.shape)
    made = exact.svd(np.ascontiguousarray(A, np.float64), T, rank_tol=asked.rank_tol)
    out[...] = T
    return _exact("svd", A[None], made.rank, spent + attempt.flops), attempt.flops


def _resolves(made: Exact, asked: Task) -> bool:
    """Tell whether eigh of a Gram matrix found all directions that count, to the accuracy.

    It turns the direction of sigma by some 2^-53 (sigma_1 / sigma)^2.
    """
    sigma = made.singular
    if made.rank < len(sigma) and asked.rank_tol * sigma[0] < made.resolved:
        return False
    turned = TURN * np.square(sigma[0] / sigma[: made.rank])
    return bool(np.sqrt(np.mean(np.square(turned))) <= max(asked.accuracy, planner.WORKING["float64"]))


RUNNERS: dict[str, Callable[[Given, planner.Attempt, Task, Array, float], Ran]] = {
    "qdwh": by_rational,
    "zolo": by_rational,
    "newton": by_rational,
    "eigh": _by_factors,
    "svd": _by_factors,
}


def pairings(batch: Array, T: Array) -> NDArray[np.float64]:
    """Return <A, T> of every matrix, in float64.

    Rows are summed first, so that a matrix gives the same bits alone and in a batch; by NumPy, since a command for one
    matrix need not load numba.
    """
    count, m, n = batch.shape
    sums = np.empty((count, m))
    step = max(1, STRIP // max(1, m * n))
    rows = max(1, STRIP // n)
    for b in range(0, count, step):
        for i in range(0, m, rows):
            here = np.s_[b : b + step, i : i + rows]
            np.sum(batch[here].astype(np.float64) * T[here], axis=2, out=sums[here])
    total: NDArray[np.float64] = sums.sum(axis=1)
    return total
