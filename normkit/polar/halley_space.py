"""Room for a Halley iteration, kept from one matrix to the next of a shape, and the calls of the compiled loops."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu import blas, pool, team
from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.backends.cpu.team import shared
from normkit.polar import halley, halley_plans
from normkit.polar.cholesky import BLOCK, SLAB, STRIPE
from normkit.polar.kept import Last, kept
from normkit.polar.workspace import GRAIN, start_vector

Array = NDArray[Any]
PROBES = 32
KRYLOV = 16
"""Steps of Lanczos."""
MOST_STEPS = 40


class Ended(NamedTuple):
    """How an iteration ended.

    Attributes
    ----------
    iterate : array (m, n)
        The factor, in the workspace: read it before the next iteration.
    steps : int
    flops : float
        Operations.
    residual : float
        Estimate of |I - T T'|_F / sqrt(m).
    lower, upper : float
        Estimates of the ends of the spectrum.
    """

    iterate: Array
    steps: int
    flops: float
    residual: float
    lower: float
    upper: float


@cache
def _probes(m: int) -> tuple[Array, Array]:
    V = np.random.default_rng(0).standard_normal((m, PROBES))
    return V.astype(np.float32), V


class HalleySpace:
    """Arrays for matrices (m, n), m <= n, in float32 and float64; memory that no step touches is only reserved."""

    def __init__(self, m: int, n: int, threads: int = 0) -> None:
        self.shape, self.size = (m, n), threads or team.members(1 + m * m * n // GRAIN)
        self.single, self.double = (self._arrays(V) for V in _probes(m))
        self.sums = np.zeros((m, 3))

    def _arrays(self, V: Array) -> tuple[Array, ...]:
        (m, n), kind = self.shape, V.dtype
        X, Y, R = np.empty((m, n), kind), np.empty((m, n), kind), np.empty((m, m), kind)
        W = np.zeros((-(-m // BLOCK), BLOCK, BLOCK), kind)
        room = np.empty((self.size, STRIPE * SLAB), kind)
        return X, Y, R, W, room, V, np.empty((n, PROBES), kind), np.empty((m, PROBES), kind)

    @property
    def nbytes(self) -> int:
        """Size of all arrays."""
        return sum(part.nbytes for part in (*self.single, *self.double))

    def source(self, dtype: np.dtype[Any]) -> Array:
        """Return the array where a matrix of a dtype is put."""
        return self.single[0] if dtype == np.float32 else self.double[0]

    def iterate(
        self, dtype: np.dtype[Any], kept: str, goal: float, floor: float, bounds: tuple[float, float] | None
    ) -> Ended:
        """Iterate from `source(dtype)` to |T - polar(X)|_F / sqrt(m) <= goal for a result kept in a dtype.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the iteration does not converge.
        """
        with single_threaded_blas():
            return _Iteration(self, dtype, goal, floor).run(kept, bounds)

    def call(self, function: Any, wide: bool, *arguments: Any) -> None:
        """Run a function of `normkit.polar.halley` on the arrays of a precision."""
        arrays = self.double if wide else self.single
        team.run(function, self.size, blas.addresses(arrays[0].dtype.name), blas.LETTERS, arrays, *arguments)


class _Iteration:
    """The state of an iteration: facts that the compiled steps leave, and the precision of the iterate."""

    def __init__(self, space: HalleySpace, dtype: np.dtype[Any], goal: float, floor: float) -> None:
        self.space, self.wide, self.goal = space, dtype == np.float64, goal
        self.facts = np.zeros(halley.FACTS)
        rough = 0.25 * goal / halley_plans.ROUNDOFF["float32"]
        self.settings = np.array([goal, halley_plans.SHARE, rough, floor, MOST_STEPS])
        self.least = max(floor, halley_plans.ROUNDOFF[dtype.name])

    def run(self, kept: str, bounds: tuple[float, float] | None) -> Ended:
        """Take steps until the residual fits."""
        facts, m = self.facts, self.space.shape[0]
        if bounds is None:
            self.space.call(halley.look, self.wide, krylov(m, self.wide), facts)
            lower, upper = float(facts[halley.LOWER]), float(facts[halley.UPPER])
        else:
            lower, upper = min(max(bounds[0], 1e-30 * bounds[1]), bounds[1]), bounds[1]
        facts[halley.LOWER], scale = lower / upper, 1.0 / upper
        while facts[halley.STATUS] == halley.GOING:
            w, wide = halley_plans.step(float(facts[halley.LOWER]), self.goal, kept, m, not self.wide)
            self._convert(wide)
            before = facts[halley.STEPS]
            work = (krylov(m, wide), (w.a, w.b, w.c, scale), self.least, self.space.sums, self.settings, facts)
            self.space.call(halley.advance, wide, *work)
            if facts[halley.STEPS] > before:
                scale, self.least = 1.0, min(w(self.least), 1.0)
        if facts[halley.STATUS] == halley.CONVERGED and facts[halley.FORMED]:
            self._polish()
        return self._ended(lower, upper)

    def _convert(self, wide: bool) -> None:
        """Put the iterate into the arrays of a precision."""
        if wide != self.wide:
            narrow, broad = self.space.single, self.space.double
            before, after = (narrow, broad) if wide else (broad, narrow)
            place = int(self.facts[halley.SWAPPED])
            convert(before[place], after[place])
            self.facts[halley.FORMED], self.wide = 0.0, wide

    def _polish(self) -> None:
        own = self.space.double if self.wide else self.space.single
        if not self.wide:
            self.settings[halley.ROUGH] = -1.0  # there is no narrower one
        found = (blas.addresses(own[0].dtype.name), blas.addresses("float32"))
        work = (own, self.space.single, self.space.sums, self.settings, self.facts)
        team.run(halley.polish, self.space.size, found, blas.LETTERS, *work)

    def _ended(self, lower: float, upper: float) -> Ended:
        facts = self.facts
        if facts[halley.STATUS] != halley.CONVERGED:
            raise np.linalg.LinAlgError(
                f"QDWH left a residual of {facts[halley.RESIDUAL]:.1e} after {int(facts[halley.STEPS])} steps; is the "
                "matrix rank deficient, or `upper` too small? Use normkit.polar.exact."
            )
        arrays = self.space.double if self.wide else self.space.single
        flops, residual = (float(facts[place]) for place in (halley.FLOPS, halley.RESIDUAL))
        return Ended(arrays[int(facts[halley.SWAPPED])], int(facts[halley.STEPS]), flops, residual, lower, upper)


def convert(A: Array, B: Array) -> None:
    """B = A in another precision, by all threads."""
    pool.parallel(_rows, len(A), A.size, A, B)


@shared()
def _rows(first: int, last: int, A: Any, B: Any) -> None:
    for i in range(first, last):
        B[i, :] = A[i]


def krylov(m: int, wide: bool) -> tuple[Array, ...]:
    """Return the vectors of Lanczos: start, basis, v, w, alpha, beta, nodes, weights."""
    k = KRYLOV
    vectors = np.empty((k, m)), np.empty(m, np.float64 if wide else np.float32), np.empty(m)
    return (start_vector(m), *vectors, *(np.empty(k) for _ in range(4)))


def ends_of(vectors: tuple[Array, ...], count: int, m: int) -> tuple[float, float] | None:
    """Return estimates of the ends of a spectrum from `krylov` vectors; None where the matrix may be singular."""
    alpha, beta, nodes, weights = vectors[-4:]
    lower, upper = halley.ends(alpha, beta, count, nodes, weights, m)
    return (lower, upper) if lower else None


_last = Last()


def halley_space(m: int, n: int, threads: int = 0) -> HalleySpace:
    """Return room for matrices of a shape, for so many threads or all: what this thread used last, if it fits."""
    return kept(_last, HalleySpace, m, n, threads or team.members(1 + m * m * n // GRAIN))
