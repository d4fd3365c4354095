"""Plans carried out by NumPy, on memory of the CPU: products accumulate as on a device, each result is rounded once.

This is the oracle of everything that concerns plans and not kernels: coefficients, restarts, what lies where. Sums run
in another order than on a device, in the same precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.polar.memory import Places
from normkit.backends.cuda.polar.ops import AddI, CopyOut, Gemm, Norm, Op, ScaleCast, SymGemm
from normkit.backends.cuda.polar.providers import Call
from normkit.backends.cuda.polar.stored import raw, read, write

Array = NDArray[Any]

LIFT = 1000
"""The largest exponent of a lift: any float64 times that is far from both ends of the range."""


class Host:
    """NumPy: for memory of the CPU alone."""

    name = "numpy"
    tile = None

    def why_not(self, op: Op, at: Places) -> str | None:
        """Return None: it carries out everything."""
        return None

    def bind(self, op: Op, at: Places) -> Call:
        """Return what carries out an operation; the stream is not looked at."""
        run = self.RUNS[type(op)]

        def call(stream: int) -> None:
            with np.errstate(invalid="ignore", over="ignore", under="ignore"):
                run(op, at)

        return call

    RUNS: ClassVar[dict[type[Op], Callable[[Any, Places], None]]] = {}


def _product(op: SymGemm | Gemm, at: Places, B: Array) -> Array:
    total = read(at[op.A]) @ B
    total *= total.dtype.type(op.alpha)
    if op.D is not None:
        total += total.dtype.type(op.beta) * read(at[op.D])
    return total


def _symgemm(op: SymGemm, at: Places) -> None:
    total = _product(op, at, read(at[op.B]).swapaxes(1, 2))
    _add_to_diagonal(total, op.gamma)
    below = np.tril(total)
    write(at[op.out], below + np.tril(total, -1).swapaxes(1, 2))


def _gemm(op: Gemm, at: Places) -> None:
    B = read(at[op.B])
    write(at[op.out], _product(op, at, B.swapaxes(1, 2) if op.turned else B))


def _addi(op: AddI, at: Places) -> None:
    total = read(at[op.A])
    total *= total.dtype.type(op.alpha)
    _add_to_diagonal(total, op.gamma)
    write(at[op.out], total)


def _add_to_diagonal(total: Array, gamma: float) -> None:
    if gamma:
        diagonal = np.arange(total.shape[1])
        total[:, diagonal, diagonal] += total.dtype.type(gamma)


def _norm(op: Norm, at: Places) -> None:
    x = read(at[op.x]).astype(np.float64)
    lift = lifts(np.max(np.abs(x), axis=(1, 2), initial=0.0)) if op.x.dtype == "float64" else np.ones(len(x))
    x *= lift.reshape(-1, 1, 1)
    norm = np.sqrt(np.einsum("bij,bij->b", x, x))
    raw(at[op.out])[:, 0] = np.stack([norm, scales(norm, op.exact), np.zeros(len(x)), lift], axis=1)


def lifts(top: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a power of two for each largest magnitude, after which squares neither overflow nor vanish."""
    exponent = np.where(np.isfinite(top), np.frexp(np.where(np.isfinite(top), top, 0.0))[1], 0)
    return np.asarray(np.ldexp(1.0, -np.clip(exponent, -LIFT, LIFT)))


def scales(norm: NDArray[np.float64], exact: bool) -> NDArray[np.float64]:
    """Return 1/norm, or a power of two with norm * scale in [1/2, 1); 0 for 0, and NaN where a norm is not finite."""
    positive = np.where(norm > 0, norm, 1.0)
    made = np.ldexp(1.0, -np.frexp(positive)[1]) if exact else 1.0 / positive
    return np.asarray(np.where(np.isfinite(norm), np.where(norm > 0, made, 0.0), np.nan))


def _scalecast(op: ScaleCast, at: Places) -> None:
    record = raw(at[op.norms])[:, 0]
    x = read(at[op.x]).astype(np.float64) * record[:, 3].reshape(-1, 1, 1) * record[:, 1].reshape(-1, 1, 1)
    write(at[op.out], x.swapaxes(1, 2) if op.turned else x)


def _copyout(op: CopyOut, at: Places) -> None:
    X = read(at[op.X]).astype(np.float64)
    X = X.swapaxes(1, 2) if op.turned else X
    if op.x is not None and op.norms is not None and op.sums is not None:
        lift = raw(at[op.norms])[:, 0, 3]
        x = read(at[op.x]).astype(np.float64) * lift.reshape(-1, 1, 1)
        raw(at[op.sums])[:, 0, 0] = op.scale * np.einsum("bij,bij->b", x, X) / lift
    gain = 1.0 if op.gain is None else raw(at[op.gain])
    write(at[op.out], op.scale * gain * X)


Host.RUNS.update({Norm: _norm, ScaleCast: _scalecast, SymGemm: _symgemm, Gemm: _gemm, AddI: _addi, CopyOut: _copyout})
