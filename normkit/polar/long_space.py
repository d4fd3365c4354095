"""The polar factor of a long matrix through its m x m factor: room, and which precision each part takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu import blas, team
from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.polar import reduction
from normkit.polar.cholesky import BLOCK, SLAB, STRIPE
from normkit.polar.halley_plans import ROUNDOFF, SHARE
from normkit.polar.halley_space import HalleySpace, ends_of, krylov
from normkit.polar.kept import Last, kept
from normkit.polar.workspace import GRAIN

Array = NDArray[Any]
Triangle = tuple[Array, Array, Array]
U = ROUNDOFF["float64"]


class LongSpace:
    """Arrays for matrices (m, n) with m much less than n; see `normkit.polar.reduction`."""

    def __init__(self, m: int, n: int, threads: int = 0) -> None:
        self.shape, self.size = (m, n), threads or team.members(1 + m * m * n // GRAIN)
        self.square = HalleySpace(m, m, self.size)
        self.parts = np.empty((self.size, m, m))
        self.first = self._triangle(self.parts[0])
        self.krylov, self.length, self.verdict = krylov(m, True), np.zeros(1, np.int64), np.zeros(1)

    def _triangle(self, R: Array) -> Triangle:
        m = len(R)
        return R, np.zeros((-(-m // BLOCK), BLOCK, BLOCK)), np.empty((self.size, STRIPE * SLAB))

    @property
    def nbytes(self) -> int:
        """Size of all arrays."""
        return self.square.nbytes + self.parts.nbytes

    def _run(self, function: Any, found: Any, *arguments: Any) -> None:
        with single_threaded_blas():
            team.run(function, self.size, found, blas.LETTERS, *arguments)

    def look(self, X: Array) -> tuple[float, float] | None:
        """Form X X', and return estimates of the ends of the spectrum (`normkit.polar.halley`); None if singular."""
        self._run(reduction.gram_of_long, blas.addresses("float64"), X, self.parts, self.krylov[:6], self.length)
        return ends_of(self.krylov, int(self.length[0]), len(X))

    def resolves(self, l: float) -> bool:  # noqa: E741
        """Tell whether X X', squared as its singular values are, has a Cholesky factor in float64."""
        return U * self.shape[0] / (l * l) < 0.1

    def factor(
        self, X: Array, out: Array, bounds: tuple[float, float], goal: float, floor: float
    ) -> tuple[int, float, float]:
        """Write the polar factor of the X that was looked at to `out` (m, n); return steps, operations, the residual.

        Raises
        ------
        numpy.linalg.LinAlgError
            If there is a singular value that X X' does not show.
        """
        (m, n), (lower, upper) = self.shape, bounds
        l, double = lower / upper, blas.addresses("float64")  # noqa: E741
        turned, last, source = self.square.double[0], self.first, X
        self._run(reduction.factor_long, double, self.first, turned, self.verdict)
        flops, resolved = float(m) ** 3 / 3.0, float(np.sqrt(U / (SHARE * goal)))
        if self.verdict[0] and U / (l * l) > SHARE * goal:  # L^-1 X is not orthogonal enough
            source, last = np.empty((m, n)), self._triangle(np.empty((m, m)))
            spare = self.square.double[1]
            self._run(reduction.factor_again, double, X, source, self.first, last, spare, turned, self.verdict)
            flops, resolved = flops + 2.0 * float(m) * m * n, float(np.sqrt(10.0 * U * m))
        if not self.verdict[0]:
            raise np.linalg.LinAlgError("X X' has no Cholesky factor in float64")
        ended = self.square.iterate(turned.dtype, X.dtype.name, goal, max(floor, resolved), bounds)
        # Rounding of L^-1 and X is amplified by 1/l in their product, unless that is of Q.
        narrow = X.dtype == np.float32 and source is X and ROUNDOFF["float32"] / l <= SHARE * goal
        P = self.square.double[1 if ended.iterate is self.square.double[0] else 0]
        room = (self.square.single if narrow else self.square.double)[2]
        found = (blas.addresses("float32"), double)
        self._run(reduction.finish_long, found, ended.iterate, P, last, source, room, out)
        return ended.steps, flops + ended.flops + 2.0 * float(m) * m * n, ended.residual


_last = Last()


def long_space(m: int, n: int, threads: int = 0) -> LongSpace:
    """Return room for matrices of a shape, for so many threads or all: what this thread used last, if it fits."""
    return kept(_last, LongSpace, m, n, threads or team.members(1 + m * m * n // GRAIN))
