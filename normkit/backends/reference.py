"""The reference back end: plain NumPy in float64, one item at a time, as close to the mathematics as code can be.

`forward` computes a plan's value and returns with it the *pullback*: coefficient -> coefficient times the map. It is
reverse-mode differentiation with the stages' own tie rules, and the oracle-side twin of the generated kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.linear import apply
from normkit.backends.precision import eps_of, rank_tolerance
from normkit.backends.roots import RootRun
from normkit.backends.scalar import function
from normkit.backends.search import ALGORITHMS
from normkit.backends.weights import weights
from normkit.codegen.binding import bind
from normkit.codegen.plan import (
    AtomicPlan,
    CombinePlan,
    LiftPlan,
    MapPlan,
    MixedPlan,
    Plan,
    RankedPlan,
    ReducePlan,
    RootPlan,
    ScalePlan,
    SearchPlan,
)
from normkit.errors import ShapeError

Array = NDArray[np.float64]
Pullback = Callable[[float], Array]


@dataclass(frozen=True)
class Context:
    """What a run needs beside the plan: the precision in which the input was given."""

    eps: float


def exponent(x: Array) -> int:
    """Return e with max abs(x) in [2^(e-1), 2^e), 0 for a zero or empty array."""
    largest = float(np.max(np.abs(x), initial=0.0))
    return int(np.frexp(largest)[1]) if largest > 0.0 else 0


def size(x: Array) -> tuple[float, float]:
    """Return the rows and columns (m, n) that scalars see: (1, length) for a vector."""
    return (float(x.shape[0]), float(x.size // x.shape[0])) if x.ndim >= 2 and x.shape[0] else (1.0, float(x.size))


@singledispatch
def forward(plan: Plan, x: Array, context: Context) -> tuple[float, Pullback]:
    """Return the value of a plan at one item, and its pullback."""
    raise TypeError(f"no reference rule for {type(plan).__name__}; add one to backends/reference.py")


def _zero(x: Array) -> tuple[float, Pullback]:
    return 0.0, lambda coefficient: np.zeros_like(x)


@forward.register
def _(plan: ReducePlan, x: Array, context: Context) -> tuple[float, Pullback]:
    e, (m, n) = exponent(x), size(x)
    magnitudes = np.ldexp(np.abs(x), -e)
    if not magnitudes.any():
        return _zero(x)
    bodies = np.broadcast_to(function(plan.body)(magnitudes, m, n), x.shape)
    reduced = float(np.sum(bodies)) if plan.op == "sum" else float(np.max(bodies))

    def pull(coefficient: float) -> Array:
        slopes = np.broadcast_to(function(plan.slope)(magnitudes, reduced, m, n), x.shape)
        here = magnitudes > 0
        if plan.op == "max":
            here = np.arange(x.size).reshape(x.shape) == np.argmax(bodies)
        return np.where(here, coefficient * np.sign(x) * slopes, 0.0)

    return float(np.ldexp(function(plan.post)(reduced, m, n), e)), pull


@forward.register
def _(plan: RankedPlan, x: Array, context: Context) -> tuple[float, Pullback]:
    e, n = exponent(x), x.size
    if not x.any():
        return _zero(x)
    magnitudes = np.ldexp(np.abs(x), -e)
    order = np.argsort(-magnitudes, kind="stable")
    ranked = magnitudes[order]
    by_rank = np.zeros(n) if plan.weights is None else weights(plan.weights, n)
    size = (1.0, float(n))

    def scalars(j: int) -> tuple[Any, ...]:
        """The shared arguments (j, y, z, W, y_1, stats..., m, n) when the head has j entries."""
        stats = []
        for stat in plan.stats:
            region = {"head": slice(0, j), "tail": slice(j, n), "all": slice(0, n)}[stat.region]
            bodies = function(stat.body)(ranked[region], by_rank[region], ranked[0], *size)
            stats.append(float(np.sum(np.broadcast_to(bodies, ranked[region].shape))))
        above = ranked[j - 1] if j > 0 else np.inf
        below = ranked[j] if j < n else 0.0
        return (float(j), above, below, float(np.sum(by_rank[:j])), ranked[0], *stats, *size)

    with np.errstate(all="ignore"):
        low = max(0, int(function(plan.low)(*size)))
        high = max(low, min(n, int(function(plan.high)(*size))))
        j = _split(plan, low, high, n, scalars)
        shared = scalars(j)
        value = float(function(plan.value)(0.0, 0.0, *shared))

    def pull(coefficient: float) -> Array:
        ranks = np.arange(n)
        with np.errstate(all="ignore"):
            head = function(plan.head)(ranked, by_rank, *shared)
            tail = function(plan.tail)(ranked, by_rank, *shared)
        slopes = np.where(ranks < j, head, tail)
        out = np.empty(n)
        out[order] = np.where(ranked > 0, slopes, 0.0)
        return coefficient * np.sign(x) * out

    return float(np.ldexp(value, e)), pull


def _split(plan: RankedPlan, low: int, high: int, n: int, scalars: Callable[[int], tuple[Any, ...]]) -> int:
    rule = function(plan.rule)
    if plan.split == "at":
        return min(n, int(rule(0.0, 0.0, *scalars(0))))
    if plan.split == "argmax":
        scores = [float(rule(0.0, 0.0, *scalars(j))) for j in range(low, high + 1)]
        return low + int(np.argmax(scores))
    if plan.split == "first":
        return next((j for j in range(low, high + 1) if rule(0.0, 0.0, *scalars(j))), high)
    return next((j for j in range(high, low - 1, -1) if rule(0.0, 0.0, *scalars(j))), low)


@forward.register
def _(plan: RootPlan, x: Array, context: Context) -> tuple[float, Pullback]:
    e, (m, n) = exponent(x), size(x)
    if not x.any():
        return _zero(x)
    magnitudes = np.ldexp(np.abs(x), -e)
    run = RootRun(plan, magnitudes, m, n)
    return float(np.ldexp(run.value(), e)), lambda coefficient: coefficient * np.sign(x) * run.slopes()


@forward.register
def _(plan: SearchPlan, x: Array, context: Context) -> tuple[float, Pullback]:
    e, n = exponent(x), x.size
    if not x.any():
        return _zero(x)
    magnitudes = np.ldexp(np.abs(x), -e)
    order = np.argsort(-magnitudes, kind="stable")
    y, found = magnitudes[order], np.zeros(n)
    sequences = [weights(sequence, n) for sequence in plan.weights] + [np.empty(0)] * (2 - len(plan.weights))
    scalars = np.array([float(function(number)(1.0, float(n))) for number in plan.scalars])
    with np.errstate(all="ignore"):
        search: Callable[..., None] = ALGORITHMS[plan.algorithm]
        search(y, *sequences, scalars, found)
    t = np.empty(n)
    t[order] = np.where(y > 0, found, 0.0)
    return float(np.ldexp(np.sum(y * found), e)), lambda coefficient: coefficient * np.sign(x) * t


@forward.register
def _(plan: MixedPlan, x: Array, context: Context) -> tuple[float, Pullback]:
    lines = x if plan.axis == "rows" else x.T
    runs = [forward(plan.inner, line, context) for line in lines]
    value, outer = forward(plan.outer, np.array([inner for inner, _ in runs]), context)

    def pull(coefficient: float) -> Array:
        shares = outer(coefficient)
        pulled = np.array([inner(share) for (_, inner), share in zip(runs, shares, strict=True)]).reshape(lines.shape)
        return pulled if plan.axis == "rows" else pulled.T

    return value, pull


@forward.register
def _(plan: CombinePlan, x: Array, context: Context) -> tuple[float, Pullback]:
    runs = [forward(part, x, context) for part in plan.parts]
    value, outer = forward(plan.outer, np.array([part for part, _ in runs]), context)

    def pull(coefficient: float) -> Array:
        shares = outer(coefficient)
        pulled = [part(share) for (_, part), share in zip(runs, shares, strict=True) if share != 0.0]
        return np.sum(pulled, axis=0) if pulled else np.zeros_like(x)

    return value, pull


@forward.register
def _(plan: MapPlan, x: Array, context: Context) -> tuple[float, Pullback]:
    value, inner = forward(plan.inner, apply(plan.linear, x, x.shape), context)
    return value, lambda coefficient: apply(plan.linear.adjoint, inner(coefficient), x.shape)


@forward.register
def _(plan: LiftPlan, x: Array, context: Context) -> tuple[float, Pullback]:
    if not x.any():
        return _zero(x)
    left, sigma, right = np.linalg.svd(x, full_matrices=False)
    real = sigma > rank_tolerance(x.shape, context.eps) * sigma[0]
    value, inner = forward(bind(plan.inner, *x.shape), sigma, context)
    return value, lambda coefficient: (left * np.where(real, inner(coefficient), 0.0)) @ right


@forward.register
def _(plan: ScalePlan, x: Array, context: Context) -> tuple[float, Pullback]:
    factor = float(function(plan.factor)(*size(x)))
    value, inner = forward(plan.inner, x, context)
    return factor * value, lambda coefficient: inner(factor * coefficient)


@forward.register
def _(plan: AtomicPlan, x: Array, context: Context) -> tuple[float, Pullback]:
    atoms = np.frombuffer(plan.atoms.data).reshape(plan.atoms.shape)
    if atoms.shape[1:] != x.shape:
        raise ShapeError(f"the atoms of the norm have shape {atoms.shape[1:]}; got an array of shape {x.shape}")
    pairings = atoms.reshape(len(atoms), -1) @ x.reshape(-1)
    best = int(np.argmax(np.abs(pairings)))
    return float(abs(pairings[best])), lambda coefficient: coefficient * np.sign(pairings[best]) * atoms[best]


@dataclass(frozen=True)
class ReferenceKernel:
    """Runs `forward` item by item."""

    plan: Plan
    dtype: np.dtype[Any]

    @property
    def source(self) -> str:
        """The plan itself: the reference back end interprets it."""
        return repr(self.plan)

    def _items(self, x: NDArray[Any]) -> list[tuple[float, Pullback | None]]:
        context = Context(eps_of(self.dtype))
        runs: list[tuple[float, Pullback | None]] = []
        for item in x:
            wide = np.asarray(item, dtype=np.float64, order="C")  # sums run in index order, whatever the layout
            if not np.isfinite(wide).all():
                runs.append((np.nan, None))
                continue
            e = exponent(wide)
            value, pull = forward(self.plan, np.ldexp(wide, -e), context)
            with np.errstate(over="ignore"):  # a value beyond the largest float64 is an infinity
                runs.append((float(np.ldexp(value, e)), pull))
        return runs

    def value(self, x: NDArray[Any]) -> Array:
        """Return the value of every item."""
        return np.array([value for value, _ in self._items(x)], dtype=np.float64)

    def map(self, x: NDArray[Any], out: NDArray[Any]) -> Array:
        """Write the map of every item to `out`; return the values."""
        runs = self._items(x)
        for place, (_, pull) in enumerate(runs):
            out[place] = np.nan if pull is None else pull(1.0)
        return np.array([value for value, _ in runs], dtype=np.float64)


class Reference:
    """The back end ``reference``."""

    name = "reference"

    def is_available(self) -> bool:
        """Return True."""
        return True

    def owns(self, array: Any) -> bool:
        """Take NumPy arrays."""
        return isinstance(array, np.ndarray)

    def compile(self, plan: Plan, dtype: np.dtype[Any], accuracy: float | None = None) -> ReferenceKernel:
        """Return the interpreter of a plan; it computes to working precision, whatever accuracy is enough."""
        return ReferenceKernel(plan, dtype)
