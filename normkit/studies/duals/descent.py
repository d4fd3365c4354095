"""S11: proposition 1, min <g, x> + (lambda/2) N(x)^2 at -(N*(g)/lambda) D(g), for every norm of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

import normkit as nk
from normkit.studies.duals import pictures
from normkit.studies.duals.catalogue import CASES
from normkit.studies.kit.claims import Claim, below, conditional, within
from normkit.studies.kit.outcome import Figure
from normkit.studies.kit.study import Run

EXACT = 1e-12
SHAPES = ("linf", "l2", "l1", "lp(4)")
G = (2.0, 1.0)
"""The gradient of the figures."""
FAR = (1e1, 1e3, 1e5)


def proposed(rng: Generator, place: int, count: int) -> dict[str, float]:
    """Return, for one norm, the least value at the proposed minimizer and around it over -N*(g)^2/(2 lambda)."""
    case = CASES[place]
    norm, axes = case.norm, tuple(range(-len(case.shape), 0))
    g, sharpness = rng.standard_normal(case.shape), float(10.0 ** rng.uniform(-1, 1))
    step = np.asarray(nk.steepest_descent(norm, g, sharpness=sharpness))
    least = float(nk.dual_value(norm, g)) ** 2 / (2 * sharpness)
    scale = 10.0 ** rng.uniform(-7, 1, (count, *[1] * step.ndim)) * float(np.max(np.abs(step)))
    tried = np.concatenate([step[None], step + scale * rng.standard_normal((count, *case.shape))])
    values = np.sum(g * tried, axis=axes) + sharpness / 2 * nk.value(norm, tried) ** 2
    return {"attained": float(values[0]) / -least, "around": float(values[1:].min()) / -least}


def parts(at: Run) -> Iterator[Claim | Figure]:
    """Yield proposition 1, what it needs, and a figure."""
    found = at.cells.map("descent", proposed, [(place, at.pick(2_000, 20_000)) for place in range(len(CASES))])
    yield within("S11.attained", f"-(N*(g)/lambda) D(g) has the value -N*(g)^2/(2 lambda), {len(CASES)} norms: share",
                 [each["attained"] for each in found], 1.0, EXACT, confidence="relative")  # fmt: skip
    yield below("S11.least", "and no perturbation of it has less: the least of each norm, as a share",
                [each["around"] for each in found], 1 + EXACT, confidence="random perturbations")  # fmt: skip
    yield _positive()
    yield Figure("balls", "Left: unit balls, the gradient direction (arrow) and where D(g) is on each; right: the "
                 "objective along each direction for g = (2, 1), with its minimum.", pictures.balls(SHAPES, G),
                 (8.6, 4.3))  # fmt: skip


def _positive() -> Claim:
    """The value along -c D(g): with lambda = 0 it falls without end."""
    paths = {}
    for sharpness in (1.0, 0.0):
        t = np.asarray(nk.dualize("linf", G))
        c = np.array([0.0, *FAR])
        paths[sharpness] = -c * float(t @ G) + sharpness / 2 * (c * float(nk.value("linf", t))) ** 2
    lowest = {name: float(path.min()) for name, path in paths.items()}
    falls = bool(np.all(np.diff(paths[0.0]) < 0)) and lowest[0.0] < -FAR[-1]
    return conditional("S11.positive", "the problem has a minimum for lambda >= 0: needs lambda > 0 (or g = 0)",
                       bool(paths[1.0][-1] > 0), not falls, {f"lambda = {k:g}": v for k, v in paths.items()},
                       f"at c = 0, {', '.join(f'{c:g}' for c in FAR)}: rises, and falls without end",
                       confidence="g = (2, 1), linf")  # fmt: skip
