"""One run of a race: steps of one norm at one learning rate from one start; and the check of a gradient."""

from __future__ import annotations

from math import inf, isfinite
from typing import Any

import numpy as np

import normkit as nk
from normkit.errors import NonFiniteError, ParameterError
from normkit.optim import PIPELINES, SteepestDescent, pipeline_named
from normkit.optim.schedules import linear
from normkit.studies.kit.claims import largest
from normkit.studies.racing.objective import Arrays, Objective, load

POINTS = 60
"""Losses that are kept of a run."""
VECTORS = "rms"
"""The norm of vectors where the norm that races is one of matrices."""


def run(
    rng: np.random.Generator,
    objective: str,
    version: str,
    norm: str,
    lr: float,
    seed: int,
    steps: int,
    convention: str,
    momentum: float,
) -> dict[str, Any]:
    """Return the losses of a run and where it ended; infinite if it left the numbers.

    Start and batches depend on `seed` alone, so that all norms and learning rates meet the same ones.
    """
    known = load(objective, version)
    weights, losses, final = known.start(seed), [], inf
    optimizer = _optimizer(norm, weights, lr, steps, convention, momentum)
    with np.errstate(all="ignore"):
        try:
            for step in range(steps):
                loss, gradient = known.slope(weights, _batch(seed, step))
                losses.append(loss)
                weights = optimizer.step(weights, gradient)
            final = known.final(weights)
        except NonFiniteError:
            pass
    kept = sorted({round(t) for t in np.linspace(0, len(losses) - 1, POINTS)}) if losses else []
    final = final if isfinite(final) else inf
    return {"steps": kept, "losses": [losses[t] for t in kept], "final": final}


def _batch(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


def _optimizer(norm: str, weights: Arrays, lr: float, steps: int, convention: str, momentum: float) -> SteepestDescent:
    schedule = linear(lr, steps)
    if norm in PIPELINES:
        return SteepestDescent(pipeline_named(norm), lr=schedule)
    whole = nk.norm(norm)
    parts = {name: whole if x.ndim == whole.ndim else _other(norm, name, x.ndim) for name, x in weights.items()}
    return SteepestDescent(nk.Modular(parts, "linf"), lr=schedule, convention=convention, momentum=momentum or None)


def _other(norm: str, name: str, axes: int) -> Any:
    """The norm of a vector among matrices.

    Raises
    ------
    ParameterError
        If the array is no vector.
    """
    if axes == 1:
        return nk.norm(VECTORS)
    raise ParameterError(f"{norm} is no norm of the array {name!r}, which has {axes} axes; give another norm")


def slope_error(objective: Objective, rng: np.random.Generator, draws: int = 3) -> float:
    """Return by how much <gradient, D> misses a central difference of the loss, over |gradient| |D|, at the start.

    The largest of some random directions D; the batch stays the same.

    Raises
    ------
    ParameterError
        If the loss or the gradient is not finite there.
    """
    weights = objective.start(int(rng.integers(2**31)))
    loss, gradient = objective.slope(weights, 1)
    if not isfinite(loss):
        raise ParameterError(f"{objective.name}: the loss at the start is {loss}; give a finite one")
    if lost := [name for name, g in gradient.items() if not np.all(np.isfinite(g))]:
        raise ParameterError(f"{objective.name}: the gradient of {lost[0]!r} at the start is not finite")
    size = np.sqrt(sum(float(np.sum(g * g)) for g in gradient.values()))
    errors = []
    for _ in range(draws):
        D = {name: rng.standard_normal(x.shape) for name, x in weights.items()}
        length = np.sqrt(sum(float(np.sum(d * d)) for d in D.values()))
        h = 1e-5 / length
        ends = [objective.slope({name: x + s * h * D[name] for name, x in weights.items()}, 1)[0] for s in (1, -1)]
        along = sum(float(np.sum(gradient[name] * D[name])) for name in D)
        errors.append(abs((ends[0] - ends[1]) / (2 * h) - along) / max(size * length, 1e-300))
    worst = largest(errors)
    return worst if isfinite(worst) else inf
