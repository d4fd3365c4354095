"""Room for an adaptive iteration, kept from one matrix to the next of a shape, and the call of the compiled loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu import blas, pool, team
from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.backends.cpu.lines import frozen
from normkit.polar import adaptive, chains, entries, looks, moves, products
from normkit.polar.given import Given
from normkit.polar.kept import Last, kept

Array = NDArray[Any]

GRAIN = 1 << 18
"""Multiplications of a product below which a second thread costs more than it saves."""
BRIEF = 128
"""Short side up to which a look of a matrix in a batch is brief: it would cost more than the steps."""
AHEAD = 2
"""Steps taken between looks while the spectrum is not resolved; twice as many where looks are brief."""
MODEST = 1e-3
"""The l of the chain that first steps follow while the spectrum is not resolved."""


@dataclass(frozen=True)
class Precision:
    """How products are made, and what rounding does in them.

    Attributes
    ----------
    name : str
        What entries are rounded to in products.
    stored : str
        The dtype of the iterates.
    rounding, summing : float
        Relative error of an entry of X in products with the long side, and of sums and m x m matrices (root mean
        square).
    noise : float
        What the traces of (X X')^2 may be off by, relatively.
    safety : float
        Factor by which singular values may pass their bound without harm.
    """

    name: str
    stored: str
    rounding: float
    summing: float
    noise: float
    safety: float

    @property
    def kind(self) -> int:
        """How products with the long side are made."""
        return products.BFLOAT16 if self.name == "bfloat16" else products.BLAS


PRECISIONS = {
    made.name: made
    for made in (
        Precision("bfloat16", "float32", 2.2e-3, 1e-7, 1e-2, 1.02),
        Precision("float32", "float32", 2e-7, 1e-7, 1e-5, 1.002),
        Precision("float64", "float64", 2e-16, 2e-16, 1e-13, 1.0001),
    )
}


class Reached(NamedTuple):
    """How an iteration ended.

    Attributes
    ----------
    iterate : array (m, n)
        The factor, in the workspace: read it before the next iteration.
    steps : int
    flops : float
        Operations.
    error : float
        Proved bound on |T - polar(X)|_F / sqrt(m), and an estimate of what rounding adds.
    top : float
        Proved bound on the largest singular value of T, and an estimate of what rounding adds.
    """

    iterate: Array
    steps: int
    flops: float
    error: float
    top: float


@cache
def start_vector(m: int) -> NDArray[np.float64]:
    """Return the unit vector with which Lanczos starts: the same for every matrix of m rows."""
    v = np.random.default_rng(m).standard_normal(m)
    return np.asarray(v / np.sqrt(np.sum(v * v)))


class Workspace:
    """Arrays for matrices of one shape (m, n), m <= n, in one precision."""

    def __init__(self, m: int, n: int, precision: Precision, on_gram: bool) -> None:
        self.precision, self.on_gram = precision, on_gram
        stored = np.dtype(precision.stored)
        self.X, self.Y = np.empty((m, n), stored), np.empty((m, n), stored)
        inner = m if on_gram else 0
        self.squares = tuple(np.empty((side, side), stored) for side in (m, m, m, inner, inner))
        k = looks.KRYLOV
        self.rows = np.zeros((m, 5))
        self.krylov = (start_vector(m), np.empty((k, m)), np.empty(m, stored), np.empty(m), np.empty(k), np.empty(k))
        self.nodes, self.plan = np.zeros((4, k)), np.zeros((chains.STEPS, 4))
        self.packed = _packed(m, n, precision)
        self._none = np.empty((0, n), stored)

    @property
    def nbytes(self) -> int:
        """Size of all that grows with the matrix."""
        return sum(part.nbytes for part in (self.X, self.Y, *self.squares, *self.packed, self.krylov[1]))

    def iterate(
        self, accuracy: float, limit: float, matrix: Given | None = None, out: Array | None = None
    ) -> Reached | None:
        """Iterate from a matrix, or from what X holds, to an accuracy; None if that is out of reach.

        Parameters
        ----------
        accuracy : float
            Asked of |T - polar(X)|_F / sqrt(m).
        limit : float
            Operations at most.
        matrix : Given, optional
            One, of this shape or its transpose's; scaled on the way here.
        out : array, optional
            C-ordered, of the matrix's shape: receives the factor, if it is reached. May overlap the matrix.
        """
        m, n = self.X.shape
        precision, facts = self.precision, np.zeros(adaptive.FACTS)
        table = chains.table(precision.safety)
        modest = np.searchsorted(table[0], MODEST)
        settings = _settings(precision, accuracy, limit, int(modest), AHEAD)
        work = (self.squares, self.on_gram, self.rows, self.krylov, self.nodes, table, settings, self.plan, facts)
        known = (blas.addresses(self.X.dtype.name), blas.LETTERS, precision.kind, self.packed)
        size = team.members(1 + m * m * n // GRAIN)
        A, (f, g) = (self._none, (1.0, 1.0)) if matrix is None else (matrix.source[0], matrix.factors[0].tolist())
        written = self._none if out is None else out
        into = written if written.shape == self.X.shape and self._may_end_in(written, A) else self._none
        with single_threaded_blas():
            team.run(entries.member, size, *known, self.X, self.Y, *work, frozen(A), f, g, into, written)
        found = out if out is not None else (self.X, self.Y, into)[int(facts[adaptive.PLACE])]
        return _reached([found], facts[None], accuracy, precision, self.on_gram)[0]

    def _may_end_in(self, out: Array, A: Array) -> bool:
        """Tell whether a product may be written to `out` before it is known whether A is needed again."""
        return self.X.dtype == out.dtype and not np.may_share_memory(out, A)

    def follow(self, rows: NDArray[np.float64]) -> float:
        """Take the steps `rows` (a, b, c, d) from X, back to X; return the operations."""
        known = (blas.addresses(self.X.dtype.name), blas.LETTERS, self.precision.kind, self.packed)
        (m, n), squares = self.X.shape, self.squares[:3]
        size = team.members(1 + m * m * n // GRAIN)
        with single_threaded_blas():
            team.run(entries.follow, size, *known, self.X, self.Y, squares, rows)
        if len(rows) % 2:
            self.X, self.Y = self.Y, self.X
        volume, cube = float(m) * m * n, float(m) ** 3
        return float(sum(3 * volume + cube * (row[2] != 0 or row[3] != 0) + cube * (row[3] != 0) for row in rows))

    def products(self, count: int) -> None:
        """Make products Y = R X, as steps make them: to measure their rate."""
        known = (blas.addresses(self.X.dtype.name), blas.LETTERS, self.precision.kind, self.packed)
        size = team.members(1 + len(self.X) ** 2 * self.X.shape[1] // GRAIN)
        team.run(entries.products, size, *known, self.X, self.Y, self.squares[0], count)


def _settings(precision: Precision, accuracy: float, limit: float, modest: int, ahead: int) -> NDArray[np.float64]:
    rounding = precision.rounding, precision.summing, precision.noise
    return np.array([accuracy, *rounding, limit, modest, ahead], np.float64)


def _packed(m: int, n: int, precision: Precision) -> tuple[Array, Array]:
    if precision.kind != products.BFLOAT16:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    from normkit.backends.cpu.bf16.packing import buffer, left_size, right_size

    left = max(left_size(m, n), left_size(m, m))
    right = max(right_size(n, m), right_size(m, n), right_size(m, m))
    return buffer(left), buffer(right)


_last = Last()


def workspace(m: int, n: int, precision: Precision, on_gram: bool) -> Workspace:
    """Return room for matrices of a shape: what this thread used last, if it fits."""
    return kept(_last, Workspace, m, n, precision, on_gram)


def transfer(A: Array, B: Array, plain: bool, factors: tuple[float, float] = (1.0, 1.0)) -> None:
    """B = f g A, or B = f g A' unless `plain`, by all threads; for factors f and g, one after the other."""
    pool.parallel(moves.put, len(A), A.size, frozen(A), B, plain, *factors)


def iterate_each(
    batch: Given,
    places: NDArray[np.int64],
    accuracy: float,
    precision: Precision,
    on_gram: bool,
    limit: float,
    out: Array,
) -> list[Reached | None]:
    """Iterate on matrices of a batch (B, m, n), each on one thread; see `Workspace.iterate`.

    Parameters
    ----------
    places : int array
        Which ones; what is returned is in this order.
    out : array (B, m, n)
        C-ordered, apart from the batch; receives, in its place, every factor that is reached.
    """
    count, m, n = len(places), *sorted(batch.shape[1:])
    facts = np.zeros((count, adaptive.FACTS))
    table, krylov = chains.table(precision.safety), looks.KRYLOV
    if m <= BRIEF:
        table, krylov = chains.coarse_table(precision.safety), looks.KRYLOV // 2
    modest = np.searchsorted(table[0], MODEST)
    settings = _settings(precision, accuracy, limit, int(modest), AHEAD if m > BRIEF else 2 * AHEAD)
    lengths = tuple(len(part) for part in _packed(m, n, precision))
    known = (blas.addresses(precision.stored), blas.LETTERS, precision.kind, lengths)
    given = (frozen(batch.source), batch.factors, places, np.zeros(1, np.int64))
    like = np.empty(0, precision.stored)
    work = (on_gram, like, start_vector(m), krylov, table, settings, facts, out)
    size = team.members(min(count, 1 + count * m * m * n // GRAIN))
    with single_threaded_blas():
        team.run(entries.each, size, *known, *given, *work)
    return _reached([out[b] for b in places.tolist()], facts, accuracy, precision, on_gram)


def _reached(
    found: list[Array], facts: NDArray[np.float64], accuracy: float, precision: Precision, on_gram: bool
) -> list[Reached | None]:
    """Return how the iterations ended that led to the matrices `found`, from the facts (B, FACTS)."""
    side = float(np.sqrt(min(found[0].shape))) if found else 0.0
    steps, flops, error = (facts[:, place] for place in (adaptive.STEPS, adaptive.FLOPS, adaptive.ERROR))
    top = precision.safety * np.where(steps > 0, facts[:, adaptive.TOP], 1.0 + accuracy * side)
    if on_gram:  # the last product, and what R gathered, as far as a spectral norm of independent errors goes
        top += 3.0 * np.sqrt(facts[:, adaptive.TURNED]) + precision.summing * facts[:, adaptive.GATHERED] ** 2
    numbers = np.stack([flops, error, np.minimum(top, 1.0 + error * side)], axis=1).tolist()
    ended = zip(facts[:, adaptive.STATUS] == adaptive.DONE, found, steps.astype(int).tolist(), numbers, strict=True)
    return [Reached(T, count, *more) if done else None for done, T, count, more in ended]
