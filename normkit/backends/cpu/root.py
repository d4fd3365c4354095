"""Values defined by one monotone equation; see `normkit.codegen.plan.RootPlan` for the rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.generated import generate, generate_root
from normkit.backends.cpu.lines import Lines, row_lines, row_target, size
from normkit.backends.cpu.node import Array, Floats, Node, Pull, evaluate, scaled
from normkit.backends.cpu.peaks import BLOCK, blocks, peaks
from normkit.backends.cpu.pool import parallel
from normkit.backends.cpu.reduce import in_order
from normkit.backends.cpu.scaling import exponents, halves
from normkit.codegen.plan import RootPlan, Scalar
from normkit.codegen.source import Loops

Mask = NDArray[np.bool_]

EQUATION, RATE, BODY, MASS, COUNT, ARGUMENT = range(6)
DOUBLINGS = 1000
NEWTON_STEPS = 12


@cache
def root_loops(plan: RootPlan, dtype: np.dtype[Any]) -> Loops:
    """Return the loops of a root."""
    return generate_root(plan, dtype)


@dataclass(frozen=True)
class RootRun:
    """The equation of a plan on contiguous lines (L, n) whose largest magnitudes, times f * g, are y in [1/2, 1).

    Lines outside `alive` (zero, or not finite) are left alone.
    """

    plan: RootPlan
    array: Array
    y: Floats
    f: Floats
    g: Floats
    alive: Mask
    m: float
    n: float

    @property
    def limit(self) -> float:
        """The largest argument; infinite if there is none."""
        return float("inf") if self.plan.limit is None else self.number(self.plan.limit)

    @property
    def edge(self) -> Floats:
        """The largest kappa that the limit allows."""
        with np.errstate(divide="ignore"):
            return np.where(self.alive, self.limit / self.y, np.inf)

    def number(self, scalar: Scalar) -> float:
        """Return a scalar of the shape."""
        return float(evaluate(scalar, self.m, self.n))

    def total(self, which: int, kappa: Floats, active: Mask) -> Floats:
        """Sum a scalar over every active line; 0 in the others."""
        partial = np.zeros((len(self.array), blocks(self.array.shape[1])))
        loops, shared = root_loops(self.plan, self.array.dtype), (active, self.f, self.g, kappa, self.limit)
        work = int(active.sum()) * self.array.shape[1]
        parallel(loops.sums, partial.size, work, which, self.array, BLOCK, *shared, self.m, self.n, partial)
        return in_order(partial)

    def below(self, kappa: Floats, active: Mask) -> Mask:
        """Tell where the sum of the equation is a number <= 1."""
        return active & (self.total(EQUATION, kappa, active) <= 1.0)

    def solve(self, active: Mask) -> Floats:
        """Return the largest kappa <= edge at which the sum is <= 1: a bracket, Newton in it, then bisection.

        Rounding lets the sum cross 1 at several neighbouring floats, so every line must take its own steps and stop by
        itself: which of them it finds must not depend on the other lines.
        """
        low, high = self._bracket(active)
        guess, moving = low.copy(), active
        for _ in range(NEWTON_STEPS):
            moving = moving & (np.nextafter(low, np.inf) < high)
            if not moving.any():
                break
            level = self.total(EQUATION, guess, moving)
            under = level <= 1.0
            low = np.where(moving & under, np.maximum(low, guess), low)
            high = np.where(moving & ~under, np.minimum(high, guess), high)
            with np.errstate(all="ignore"):
                step = guess - guess * (level - 1.0) / self.total(RATE, guess, moving)
            inside = (step > low) & (step < high)
            still = np.abs(step - guess) <= 2.0**-51 * guess
            guess = np.where(moving, np.where(inside | still, step, 0.5 * (low + high)), guess)
            moving = moving & ~still
        low, high = self._narrowed(low, high, guess, active)
        return self._bisected(low, high, active)

    def _bracket(self, active: Mask) -> tuple[Floats, Floats]:
        edge = self.edge
        low = np.minimum(1.0, 0.5 * edge)
        high = low.copy()
        for _ in range(DOUBLINGS):
            over = active & ~self.below(low, active)
            if not over.any():
                break
            low, high = np.where(over, 0.5 * low, low), np.where(over, low, high)
        for _ in range(DOUBLINGS):
            under = active & (high < edge)
            under &= self.below(high, under)
            if not under.any():
                break
            low, high = np.where(under, high, low), np.where(under, np.minimum(2.0 * high, edge), high)
        return low, high

    def _narrowed(self, low: Floats, high: Floats, guess: Floats, active: Mask) -> tuple[Floats, Floats]:
        """Close the bracket to a few ulps around the guess, where the root is there."""
        for ulps in (2.0**-51, 2.0**-48):
            open_ = active & (high - low > 4 * ulps * low)
            if not open_.any():
                break
            left, right = np.maximum(low, guess * (1.0 - ulps)), np.minimum(high, guess * (1.0 + ulps))
            under, over = self.below(left, open_), open_ & ~self.below(right, open_)
            low = np.where(under, left, low)
            high = np.where(over, right, high)
            high = np.where(open_ & ~under, np.minimum(high, left), high)
            low = np.where(open_ & ~over, np.maximum(low, np.minimum(right, high)), low)
        return low, high

    def _bisected(self, low: Floats, high: Floats, active: Mask) -> Floats:
        while True:
            middle = 0.5 * (low + high)
            split = active & (low < middle) & (middle < high)
            if not split.any():
                return low
            under = self.below(middle, split)
            low, high = np.where(under, middle, low), np.where(split & ~under, middle, high)


@dataclass(frozen=True)
class RootNode(Node):
    """value(kappa, sum of body(kappa a)) with the sum of equation(kappa a) equal to 1."""

    plan: RootPlan

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Solve for kappa on all lines at once."""
        array, (m, n) = row_lines(x), size(x)
        found = peaks(Lines(array, "rows", (1, len(array))))
        tops = found.values(array.dtype)
        e = exponents(tops)
        f, g = halves(e)
        alive = np.isfinite(tops) & (tops > 0.0)
        run = RootRun(self.plan, array, np.where(alive, tops * f * g, 1.0), f, g, alive, m, n)
        full = self._saturated(run)
        stopped = self._stopped(run, alive & ~full)
        open_ = alive & ~full & ~stopped
        kappa = np.where(stopped, run.edge, run.solve(open_)) if open_.any() else np.where(stopped, run.edge, 1.0)
        values = evaluate(self.plan.value, kappa, run.total(BODY, kappa, alive), m, n)
        if full.any() and self.plan.saturation is not None:
            values = np.where(
                full, run.number(self.plan.saturation[1]) * run.total(ARGUMENT, np.ones(len(e)), full), values
            )
        values = scaled(np.where(alive, values, 0.0), e)
        values[~np.isfinite(tops)] = np.nan

        def pull(coefficients: Floats, out: Array) -> None:
            written, finish = row_target(out)
            places = np.zeros(len(array), np.int64)
            if stopped.any():
                loops = generate("magnitudes", array.dtype)
                parallel(loops.first_peak, len(array), array.size, array, BLOCK, found.blocks, found.tops, places)
            self._spread(run, kappa, full, stopped, places, coefficients.reshape(-1), written)
            finish()

        return values.reshape(x.shape[:2]), pull

    def _saturated(self, run: RootRun) -> Mask:
        if self.plan.saturation is None:
            return np.zeros(len(run.array), np.bool_)
        count = run.total(COUNT, np.ones(len(run.array)), run.alive)
        return run.alive & (count * run.number(self.plan.saturation[0]) <= 1.0)

    def _stopped(self, run: RootRun, active: Mask) -> Mask:
        edge = run.edge
        return run.below(np.where(np.isfinite(edge), edge, 1.0), active & np.isfinite(edge))

    def _spread(
        self, run: RootRun, kappa: Floats, full: Mask, stopped: Mask, places: Any, coefficients: Floats, out: Array
    ) -> None:
        plan, alive = self.plan, run.alive
        spill = stopped if plan.spill is not None else np.zeros_like(stopped)
        alone = spill if plan.mass is not None else np.zeros_like(stopped)
        summed = BODY if plan.mass is None else MASS
        flat = np.zeros(len(kappa))
        if plan.saturation is not None:
            flat = np.where(full, coefficients * run.number(plan.saturation[1]), 0.0)
        gain = np.where(alive & ~full & ~alone, coefficients, 0.0)
        more, above, t = np.zeros(len(kappa)), np.nextafter(kappa, np.inf), np.ones(len(kappa))
        mixed = alive & ~full & ~spill & (above < run.edge)
        if plan.jumps and mixed.any():
            first, second = run.total(EQUATION, kappa, mixed), run.total(EQUATION, above, mixed)
            with np.errstate(all="ignore"):
                share = np.where(mixed, (1.0 - first) / (second - first), 0.0)
            share = np.where(np.isfinite(share), share, 0.0)
            gain, more, t = gain * (1.0 - share), gain * share, run.total(summed, above, mixed)
        s = run.total(summed, kappa, alive)
        loops, array = root_loops(plan, run.array.dtype), run.array
        shared = (run.f, run.g, flat, gain, kappa, s, more, above, t, run.limit, run.m, run.n, out)
        parallel(loops.spreads, len(array) * blocks(array.shape[1]), array.size, array, BLOCK, *shared)
        if spill.any() and plan.spill is not None:
            left = evaluate(plan.spill, kappa, run.total(EQUATION, kappa, spill), run.m, run.n)
            here = np.flatnonzero(spill)
            at = places[here]
            out[here, at] += (coefficients * left)[here] * np.sign(array[here, at])

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the sums and the map."""
        return [root_loops(self.plan, dtype).text]
