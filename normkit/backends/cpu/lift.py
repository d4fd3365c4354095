"""Functions of the singular values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.leading import leading_or_all
from normkit.backends.cpu.node import Array, Floats, Node, Pull, scaled
from normkit.backends.cpu.scaling import normalized
from normkit.backends.cpu.svd import largest_singular_values, singular_values
from normkit.backends.precision import rank_tolerance
from normkit.codegen.plan import Plan, ReducePlan
from normkit.polar import polar_factor, read_in_place
from normkit.polar.given import given


@dataclass(frozen=True)
class LiftNode(Node):
    """inner(singular values); the map is U diag(inner's map) V', zero on directions below the rank tolerance.

    Every matrix is divided by a power of two first, so that LAPACK sees the same bits at every scale.
    """

    plan: Plan
    eps: float
    make: Callable[[], Node]
    accuracy: float | None = None

    @cached_property
    def inner(self) -> Node:
        """The node of the singular values, made when it is asked for: the two plainest norms never do."""
        return self.make()

    def _plain(self, op: str) -> bool:
        """Tell whether inner is the sum, or the maximum, of the singular values."""
        plan = self.plan
        return isinstance(plan, ReducePlan) and (plan.op, plan.body.source, plan.post.source) == (op, "a", "s")

    def _slope(self, batch: Array) -> float | None:
        """Return inner's map where it is one number for all singular values."""
        return 1.0 if self._plain("sum") else self.inner.slope(1.0, float(min(batch.shape[1:])))

    def _reach(self, length: int) -> int | None:
        """Return how many of the largest singular values inner depends on, of so many; None if on all."""
        return 1 if self._plain("max") else self.inner.reach(length)

    def value(self, x: Array) -> Floats:
        """Return inner of the singular values, without vectors."""
        batch, e, bad = _prepared(x)
        if self._plain("max"):
            return _finished(x, largest_singular_values(batch), e, bad)
        sigma = singular_values(batch)
        values = sigma.sum(axis=1, dtype=np.float64) if self._plain("sum") else self.inner.value(_stack(sigma))
        return _finished(x, values, e, bad)

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Factor every matrix; by its orthogonal polar factor alone where inner's map is one number."""
        batch, e, bad = _prepared(x)
        slope = self._slope(batch)
        if slope is not None:
            factors = np.empty_like(batch)
            sums = polar_factor(batch, self.eps, factors, self.accuracy)

            def scale(coefficients: Floats, out: Array) -> None:
                gain = (coefficients.reshape(-1, 1, 1) * slope).astype(x.dtype)
                np.multiply(factors, gain, out=factors)
                out[...] = factors.reshape(x.shape)

            return _finished(x, slope * sums, e, bad), scale
        left, sigma, right = leading_or_all(batch, self._reach(min(batch.shape[1:])))
        values, inner = self.inner.forward(_stack(sigma))
        real = sigma > rank_tolerance(batch.shape[1:], self.eps) * sigma[:, :1]

        def pull(coefficients: Floats, out: Array) -> None:
            shares = np.empty((1, *sigma.shape))
            inner(coefficients.reshape(1, -1), shares)
            kept = np.where(real, shares[0], 0.0)[:, : left.shape[2]].astype(x.dtype)
            np.multiply(left, kept[:, None, :], out=left)
            lead = x.shape[:2]
            np.matmul(left.reshape(lead + left.shape[1:]), right.reshape(lead + right.shape[1:]), out=out)

        return _finished(x, values, e, bad), pull

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Take the orthogonal polar factor where inner's map is one number."""
        batch = x.reshape(-1, *x.shape[2:])
        slope = self._slope(batch)
        if slope is None:
            return super().map(x, coefficients, out)
        written = out.reshape(batch.shape)
        direct = np.may_share_memory(written, out)
        apart = not np.may_share_memory(written, batch)
        matrices, e, bad = given(batch, x.dtype, apart and read_in_place(batch.shape, x.dtype, self.eps, self.accuracy))
        sums = polar_factor(matrices, self.eps, written, self.accuracy, coefficients.reshape(-1) * slope)
        if not direct:
            out[...] = written.reshape(x.shape)
        return _finished(x, slope * sums, e, bad)

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of inner, which work on singular values of float64."""
        return self.inner.texts(np.dtype(np.float64))


def _stack(sigma: Array) -> Array:
    return np.ascontiguousarray(sigma, dtype=np.float64)[None]


def _prepared(x: Array) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_]]:
    return normalized(x.reshape(-1, *x.shape[2:]), x.dtype)


def _finished(x: Array, values: Floats, e: NDArray[np.int64], bad: NDArray[np.bool_]) -> Floats:
    return np.where(bad, np.nan, scaled(values.reshape(-1), e)).reshape(x.shape[:2])
