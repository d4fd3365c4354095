"""The root of a `RootPlan` on one array of magnitudes, its value and slopes, as the plan's docstring says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from normkit.backends.scalar import function
from normkit.codegen.plan import RootPlan, Scalar

Array = NDArray[np.float64]

DOUBLINGS = 1000
"""Doublings or halvings of kappa before the search for a bracket ends."""


@dataclass(frozen=True, eq=False)
class RootRun:
    """A plan at magnitudes whose largest is in [1/2, 1); m and n are what its scalars see."""

    plan: RootPlan
    magnitudes: Array
    m: float
    n: float

    def total(self, scalar: Scalar, kappa: float) -> float:
        """Return the sum of a scalar of kappa a over the nonzero entries."""
        with np.errstate(all="ignore"):
            return float(np.sum(self.at(scalar, kappa)))

    def at(self, scalar: Scalar, kappa: float, *more: float) -> Array:
        """Return a scalar at kappa a, for every nonzero entry."""
        arguments = kappa * self.magnitudes[self.magnitudes > 0]
        if self.plan.limit is not None:
            arguments = np.minimum(arguments, self.number(self.plan.limit))
        return np.broadcast_to(function(scalar)(arguments, *more, self.m, self.n), arguments.shape)

    def number(self, scalar: Scalar, *arguments: float) -> float:
        """Return a scalar of numbers."""
        return float(function(scalar)(*arguments, self.m, self.n))

    @cached_property
    def edge(self) -> float:
        """The largest kappa that the limit allows."""
        if self.plan.limit is None:
            return float("inf")
        return self.number(self.plan.limit) / float(self.magnitudes.max())

    @cached_property
    def saturated(self) -> bool:
        """Whether the equation stays at or below 1 for every kappa."""
        if self.plan.saturation is None:
            return False
        return float(np.count_nonzero(self.magnitudes)) * self.number(self.plan.saturation[0]) <= 1.0

    @cached_property
    def at_limit(self) -> bool:
        """Whether kappa stops at the limit."""
        return np.isfinite(self.edge) and self.below(self.edge)

    def below(self, kappa: float) -> bool:
        """Whether the sum of the equation is a number <= 1."""
        return self.total(self.plan.equation, kappa) <= 1.0

    @cached_property
    def kappa(self) -> float:
        """The root: the largest float at which the sum is <= 1."""
        if self.at_limit:
            return self.edge
        low = high = min(1.0, 0.5 * self.edge)
        for _ in range(DOUBLINGS):
            if self.below(low):
                break
            low, high = 0.5 * low, low
        for _ in range(DOUBLINGS):
            if high >= self.edge or not self.below(high):
                break
            low, high = high, min(2.0 * high, self.edge)
        return self.refined(low, high)

    def refined(self, low: float, high: float) -> float:
        """Return the largest float in [low, high) at which the sum is <= 1: Brent's root, then bisection near it."""
        import scipy.optimize  # slow to import, and only Orlicz norms have a root

        guess = float(scipy.optimize.brentq(self.excess, low, high, xtol=1e-300, rtol=1e-15)) if low < high else low
        for ulps in (2.0**-52, 2.0**-50, 2.0**-46):
            near = max(low, guess * (1 - ulps)), min(high, guess * (1 + ulps))
            if self.below(near[0]) and not self.below(near[1]):
                low, high = near
                break
        while low < (middle := 0.5 * (low + high)) < high:
            low, high = (middle, high) if self.below(middle) else (low, middle)
        return low

    def excess(self, kappa: float) -> float:
        """Return the sum of the equation less 1, cut where it is large or not a number."""
        level = self.total(self.plan.equation, kappa)
        return min(level, 3.0) - 1.0 if level == level else 2.0

    def value(self) -> float:
        """Return the value of the stage."""
        if self.saturated and self.plan.saturation is not None:
            return self.number(self.plan.saturation[1]) * float(np.sum(self.magnitudes))
        return self.number(self.plan.value, self.kappa, self.total(self.plan.body, self.kappa))

    def slopes(self) -> Array:
        """Return the derivative by every magnitude; 0 at entries that are zero."""
        out = np.zeros_like(self.magnitudes)
        here = self.magnitudes > 0
        if self.saturated and self.plan.saturation is not None:
            out[here] = self.number(self.plan.saturation[1])
            return out
        if self.at_limit and self.plan.spill is not None:
            if self.plan.mass is None:
                out[here] = self.entries(self.kappa)
            level = self.total(self.plan.equation, self.kappa)
            out.flat[np.argmax(self.magnitudes)] += self.number(self.plan.spill, self.kappa, level)
            return out
        out[here] = self.entries(self.kappa)
        above = float(np.nextafter(self.kappa, np.inf))
        if self.plan.jumps and above < self.edge:
            first, second = (self.total(self.plan.equation, kappa) for kappa in (self.kappa, above))
            share = (1.0 - first) / (second - first)
            out[here] = (1.0 - share) * out[here] + share * self.entries(above)
        return out

    def entries(self, kappa: float) -> Array:
        """Return the slope `entry` at the nonzero entries."""
        sum_of = self.plan.body if self.plan.mass is None else self.plan.mass
        with np.errstate(all="ignore"):
            return self.at(self.plan.entry, kappa, kappa, self.total(sum_of, kappa))
