"""Which method serves a matrix: a list of attempts, the cheapest first, the last of which always succeeds.

What a method costs depends on a spectrum that nobody knows beforehand. So a plan is a sequence: an iteration looks at
the matrix, and gives up as soon as it sees that it will not reach the accuracy, or not within the cost of what comes
next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from time import perf_counter

import numpy as np

from normkit.errors import ParameterError

METHODS = ("auto", "ns", "gram", "qdwh", "zolo", "newton", "eigh", "svd")
"""What may be asked for by name."""
LONG = 1.5
"""Ratio of the sides from which iterations keep to the short side."""
COARSE, SINGLE = 0.03, 1e-5
"""Accuracies from which products through bfloat16, and in float32, may serve: some 15 and 100 times their rounding."""
SMALL = 24
"""Short side up to which a factorization is as fast as anything."""
HALLEY, EACH = 112, 128
"""Short sides from which rational steps beat products for accuracies beyond bfloat16: of one matrix by all threads, and
of those of a batch, each by one."""
WORKING = {"float32": 1e-6, "float64": 1e-13}
"""Accuracy that is meant by working precision; in float64, where only a backward stable method serves, svd is taken."""


@dataclass(frozen=True)
class Attempt:
    """A method in a precision.

    Attributes
    ----------
    method : str
        One of `METHODS` but "auto".
    precision : str
        What products are made in.
    flops : float
        Operations, a multiplication and an addition counting as two: of a typical matrix, in square ones of a condition
        of 1e3.
    """

    method: str
    precision: str
    flops: float

    @property
    def seconds(self) -> float:
        """Predicted from the rate of products, which is measured once in a process."""
        return self.flops / (rate(self.precision) * EFFICIENCY[self.method])


def attempts(
    m: int, n: int, dtype: str, accuracy: float, method: str = "auto", each: bool = False
) -> tuple[Attempt, ...]:
    """Return what is tried for a matrix (m, n), in this order.

    Parameters
    ----------
    m, n : int
        In either order.
    dtype : str
        float32 or float64.
    accuracy : float
        Asked of |T - polar(X)|_F / sqrt(rank).
    method : str
        "auto", or the name of one; the factorization of last resort follows the iterations all the same.
    each : bool
        Whether the matrix is one of a batch, and has one thread.

    Raises
    ------
    ParameterError
        For a method that is not known.
    """
    m, n = min(m, n), max(m, n)
    if method not in METHODS:
        raise ParameterError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    last = "eigh" if dtype == "float32" or accuracy >= SINGLE else "svd"
    names = list(_choice(m, n, dtype, accuracy, each)) if method == "auto" else _named(method, dtype, accuracy)
    if names[-1][0] not in ("eigh", "svd"):
        names.append((last, "float64"))
    return tuple(Attempt(name, precision, operations(name, m, n, accuracy)) for name, precision in names)


def _named(method: str, dtype: str, accuracy: float) -> list[tuple[str, str]]:
    if method in ("ns", "gram"):
        return [(method, precision) for precision in _precisions(dtype, accuracy)]
    return [(method, "float64" if method != "qdwh" else dtype)]


def _precisions(dtype: str, accuracy: float) -> list[str]:
    """Return the precisions that may serve a method by name, the fastest first.

    Products in float64 would find directions in a float32 matrix that are below its rank tolerance.
    """
    if accuracy < SINGLE:
        return ["float64"]
    found = ["bfloat16"] if _bfloat16(accuracy) else []
    return [*found, "float32"] if dtype == "float32" else [*found, "float32", "float64"]


def _bfloat16(accuracy: float) -> bool:
    """Tell whether products through bfloat16 may serve, and can be made here."""
    if accuracy < COARSE:
        return False
    from normkit.backends.cpu import bf16

    return bf16.available()


def _choice(m: int, n: int, dtype: str, accuracy: float, each: bool) -> list[tuple[str, str]]:
    exact = ("eigh", "float64") if dtype == "float32" or accuracy >= SINGLE else ("svd", "float64")
    if m <= SMALL or accuracy < WORKING[dtype]:
        return [("svd" if m <= SMALL else exact[0], "float64")]
    products, halley = "gram" if n >= LONG * m else "ns", EACH if each else HALLEY
    found: list[tuple[str, str]] = []
    if _bfloat16(accuracy):
        found.append((products, "bfloat16"))
    if accuracy >= SINGLE and (products == "gram" or m < halley or accuracy >= COARSE):
        found.append((products, "float32"))
    if m >= halley or (accuracy < SINGLE and not each):
        found.append(("qdwh", dtype if accuracy < SINGLE else "float32"))
    return [*found, exact]


EFFICIENCY = {"ns": 0.85, "gram": 0.85, "qdwh": 0.65, "zolo": 0.4, "newton": 0.3, "eigh": 0.35, "svd": 0.25}
"""Share of the product rate that a method reaches (tests/bench/polar.py)."""


def operations(method: str, m: int, n: int, accuracy: float) -> float:
    """Return the operations of a method for a typical matrix."""
    cube, volume = float(m) ** 3, float(m) * m * n
    # A composition of t quintics reaches a condition of about 4^t; 1e3 takes five steps, and the digits double after
    # that.
    steps = 3 if accuracy >= 0.1 else 5 + int(np.ceil(np.log2(max(1.0, -np.log10(max(accuracy, 1e-16))))))
    wide = n >= LONG * m
    costs = {
        "ns": steps * (3 * volume + cube) + volume,
        "gram": 3 * volume + (3 if wide else steps) * 4 * cube,
        "qdwh": (3 if accuracy >= 1e-4 else 4) * (10 / 3 * cube) + (4 * volume if wide else 0.0),
        "zolo": 16 * cube + 4 * volume,
        "newton": 18 * cube + 4 * volume,
        "eigh": 3 * volume + 11 * cube,
        "svd": 6 * volume + 20 * cube,
    }
    return costs[method]


@cache
def rate(precision: str) -> float:
    """Return the operations per second of products of 384 x 384 matrices, measured once in a process."""
    from normkit.backends.cpu import bf16
    from normkit.backends.cpu.blas_threads import single_threaded_blas
    from normkit.polar import workspace

    side = 384
    name = precision if precision != "bfloat16" or bf16.available() else "float32"
    space = workspace.Workspace(side, side, workspace.PRECISIONS[name], False)
    space.X[:] = np.eye(side)[::-1] + 1e-3
    times = []
    with single_threaded_blas():
        for _ in range(4):
            space.X[:] = np.eye(side)[::-1] + 1e-3
            start = perf_counter()
            space.products(4)
            times.append(perf_counter() - start)
    return 4 * 2.0 * side**3 / min(times)
