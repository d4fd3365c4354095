r"""Ascent of <x, Hx> and of N*(Hx) over N(x) <= 1 by duality maps. Every number that it keeps is attained by a vector.

*Power iteration* x <- dualize(Hx) (Boyd 1974). For symmetric H of any sign N*(Hx) never falls, and for H >= 0 neither
does <x, Hx>. Proof: let y = dualize(Hx), so that <y, Hx> = N*(Hx) >= <x, Hx> and N(y) <= 1. Then

    N*(Hy) >= <x, Hy> = <y, Hx> = N*(Hx),    and for H >= 0, from <y - x, H(y - x)> >= 0,

    <y, Hy> >= 2 <y, Hx> - <x, Hx> = N*(Hx) + (N*(Hx) - <x, Hx>) >= N*(Hx) >= <x, Hx>.

So for H >= 0 both approach one number. For indefinite H <x, Hx> may fall, and two other iterations are used for it:

*Shifted power iteration* x <- dualize(Hx + cx). It is the power iteration of H + cI, which is >= 0 for large c, so it
ascends <x, Hx> + c ||x||_2^2. Where ||x||_2 is the same for all extreme points (signs for ``linf``, orthogonal factors
for ``spectral``, the sphere of ``l2``) that ascends <x, Hx>; elsewhere it finds good points to start from, no more.

*Conditional gradient* x <- x + gamma (y - x) with y = dualize(Hx) and the best gamma in [0, 1], which is known because
<x, Hx> is quadratic on the segment: certified ascent of <x, Hx> itself, to a point with N*(Hx) = <x, Hx>, which is the
necessary condition for a maximum on the ball. For H >= 0 gamma = 1: it is the power iteration. Where the maximum is no
extreme point of the ball the error falls as slowly as 1/k in the number k of steps, as conditional gradients do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from normkit.curvature.space import Floats, Space

Apply = Callable[[Floats], Floats]

NEAR_ZERO = 1e-3
"""Norm of a point below which a run has ended at 0, where <x, Hx> is 0."""


class Best:
    """The best points seen: for <x, Hx> / N(x)^2, and for N*(Hx) / N(x)."""

    def __init__(self, of: Space) -> None:
        self.of = of
        self.quotient, self.x = -np.inf, np.zeros(of.size)
        self.image, self.z = -np.inf, np.zeros(of.size)
        self.stretch, self.steps = 0.0, 0

    def see(self, x: Floats, Hx: Floats) -> tuple[Floats, float]:
        """Take a point into account; return dualize(Hx) and N*(Hx) / N(x)."""
        self.steps += 1
        size = self.of.value(x)
        y, dual_norm = self.of.dualize(Hx)
        if size > 0:
            self.keep(float((x / size) @ Hx) / size, x / size)
            if dual_norm / size > self.image:
                self.image, self.z = dual_norm / size, x / size
            top = float(np.abs(Hx).max())
            if top > 0:
                self.stretch = max(self.stretch, float(np.linalg.norm(Hx / top) / np.linalg.norm(x)) * top)
        return y, dual_norm / size if size > 0 else 0.0

    def keep(self, quotient: float, x: Floats) -> None:
        """Keep a point of the sphere if it is better."""
        if quotient > self.quotient:
            self.quotient, self.x = quotient, x


def ascend(of: Space, apply: Apply, starts: list[Floats], steps: int, rtol: float) -> Best:
    """Run the iterations from every start that they are needed for, and return the best points."""
    best = Best(of)
    for start in starts:
        _power(best, apply, start, 0.0, steps, rtol)
    if best.image > best.quotient * (1 + 10 * rtol) and best.image > 0:
        for start in starts:
            _power(best, apply, start, best.stretch, steps, rtol)
            _climb(best, apply, start, steps, rtol)
        _climb(best, apply, best.x, steps, rtol)
        if best.quotient < 0:
            _slide(best, apply, steps)
    return best


def _power(best: Best, apply: Apply, start: Floats, shift: float, steps: int, rtol: float) -> None:
    x, last = best.of.rounded(start), -np.inf
    for _ in range(steps):
        Hx = apply(x)
        y, image = best.see(x, Hx)
        if shift:
            y, image = best.of.dualize(Hx + shift * x)
        if image <= last + rtol * abs(last) or not y.any():
            break
        x, last = best.of.rounded(y), image


def _climb(best: Best, apply: Apply, start: Floats, steps: int, rtol: float) -> None:
    """Conditional gradient with the exact step; stops where it cannot rise."""
    x = best.of.rounded(start)
    Hx = apply(x)
    for _ in range(steps):
        y = best.of.rounded(best.see(x, Hx)[0])
        Hy = apply(y)
        here, across, there = float(x @ Hx), float(y @ Hx), float(y @ Hy)
        rise, bend = 2 * (across - here), here - 2 * across + there
        if rise <= rtol * max(abs(here), abs(across)):
            break
        gamma = 1.0 if 2 * bend >= -rise else -rise / (2 * bend)
        moved = x + gamma * (y - x)
        size = best.of.value(moved)
        if size < NEAR_ZERO:
            break
        # On the sphere a positive quotient is larger; linearity saves a product.
        scale = 1.0 if here + gamma * rise + gamma**2 * bend <= 0 else 1 / size
        x, Hx = scale * moved, scale * (Hx + gamma * (Hy - Hx))
    x = best.of.rounded(x)
    if x.any():
        best.see(x, apply(x))


def _slide(best: Best, apply: Apply, steps: int) -> None:
    """Ascend a negative quotient <x, Hx> / N(x)^2 by a gradient of it, with steps that are kept only if they rise."""
    dual = best.of.dual()
    x, rate = best.x, 1 / best.stretch
    Hx = apply(x)
    for _ in range(steps):
        gradient = Hx - best.quotient * dual.dualize(x)[0]
        moved = best.of.rounded(x + rate * gradient)
        image, before = apply(moved), best.quotient
        if moved.any():
            best.see(moved, image)
        if best.quotient > before:
            x, rate = best.x, 2 * rate
            Hx = apply(x)
        else:
            rate /= 4
