"""Runs of an optimizer of the library on a factorization, step by step, until a residual is met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from normkit.optim import SteepestDescent
from normkit.optim.schedules import Schedule
from normkit.studies.factoring.problems import Problem, Weights

TARGET = 1e-6
"""Of the relative residual."""
SPENT = 1e-9
"""A learning rate at which a run is over: with decay ratios up to 0.9, what is left moves no residual by 1e-7."""
POINTS = 150
"""Residuals that are kept of a path."""


@dataclass(frozen=True)
class Geometric:
    """The schedule first * ratio^(t - 1), t = 1, 2, ..., in all first / (1 - ratio).

    Examples
    --------
    >>> from normkit.studies.factoring.runs import Geometric
    >>> [Geometric(1.0, 0.5)(t) for t in (1, 2, 3)]
    [1.0, 0.5, 0.25]
    """

    first: float
    ratio: float

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.first * self.ratio ** (step - 1)


def muon(lr: float | Schedule) -> SteepestDescent:
    """Return simplified Muon: X <- X - lr msign(G), without momentum."""
    return SteepestDescent("spectral", lr=lr)


def descent(lr: float | Schedule) -> SteepestDescent:
    """Return gradient descent, X <- X - lr G: the sharp step of the Frobenius norm."""
    return SteepestDescent("fro", convention="sharp", lr=lr, outer="l2")


@dataclass
class Path:
    """The relative residual at t = 0, 1, ..., and the weights at the end."""

    rel: list[float] = field(default_factory=list)
    weights: Weights = field(default_factory=dict)

    @property
    def steps(self) -> int | None:
        """The first t with a residual below the target; None where there is none."""
        return next((t for t, rel in enumerate(self.rel) if rel < TARGET), None)

    def plain(self) -> dict[str, Any]:
        """Return count, last residual, and residuals at times that are dense where few steps were made."""
        last = len(self.rel) - 1
        kept = sorted({round(t) for t in [*np.geomspace(1, last + 1, POINTS) - 1]})
        return {"steps": self.steps, "end": self.rel[-1], "t": kept, "rel": [self.rel[t] for t in kept]}


def follow(
    problem: Problem,
    weights: Weights,
    optimizer: SteepestDescent,
    most: int,
    *,
    until: float = TARGET,
    watch: Callable[[int, Weights], None] | None = None,
) -> Path:
    """Return the path of a run, over at a residual below `until`, after `most` steps, or when the rates are spent.

    `watch` sees t and the weights at t = 0, 1, ....
    """
    path = Path(weights=dict(weights))
    for t in range(most + 1):
        rel, gradients = problem.look(path.weights)
        path.rel.append(rel)
        if watch is not None:
            watch(t, path.weights)
        if rel < until or t == most or optimizer.lr(t + 1) < SPENT:
            break
        path.weights = optimizer.step(path.weights, gradients)
    return path
