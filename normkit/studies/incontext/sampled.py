"""The closed forms of loss and gradient against random prompts and against differences (S28)."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.studies.incontext.problem import Floats, Problem
from normkit.studies.kit.claims import below, largest, within
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Run

D, N = 4, 10
BATCH = 20_000
ERRORS, ENTRIES = 3.0, 4.0
"""Standard errors for the one loss, and for the 16 entries of the gradient."""


def closed(at: Run, made: Outcome) -> None:
    """Draw a covariance and W, then prompts; compare means with the closed forms."""
    seed = int(at.rng("instance").integers(2**31))
    problem, W = instance(seed)
    batches = at.pick(10, 100)
    sums = at.cells.map("prompts", batch, [(place, seed) for place in range(batches)])
    count = batches * BATCH
    means, errors = _statistics([each["loss"] for each in sums], count)
    slopes, slope_errors = _statistics([each["gradient"] for each in sums], count)
    loss, gradient = problem.loss(W), problem.gradient(W)
    rows = [["loss", loss, float(means), float(errors)]]
    rows += [
        [f"gradient {i + 1},{j + 1}", gradient[i, j], slopes[i, j], slope_errors[i, j]]
        for i in range(D)
        for j in range(D)
    ]
    made.add(
        Table("prompts", f"Closed forms and means over {count} prompts, d = {D}, N = {N}",
              ("what", "closed form", "mean", "standard error"), rows),
        within("S28.loss", f"the closed form of the loss is the mean over {count} prompts", float(means), loss,
               ERRORS * float(errors), confidence=f"{ERRORS:g} standard errors"),
        within("S28.prompts", "the closed form of the gradient is the mean of the gradients of prompts", slopes,
               gradient, ENTRIES * slope_errors, confidence=f"{ENTRIES:g} standard errors, 16 entries"),
        below("S28.gradient", "the gradient is that of the loss: largest distance from central differences",
              _difference(problem, W), 1e-8),
        below("S28.minimizer", "the gradient vanishes at the inverse of Gamma, and the loss is larger beside it",
              _minimum(problem, at), 1e-12),
    )  # fmt: skip


def instance(seed: int) -> tuple[Problem, Floats]:
    """Return a problem whose covariance is full, and a W, both random."""
    draw = np.random.default_rng(seed)
    turn = np.linalg.qr(draw.standard_normal((D, D)))[0]
    return Problem((turn * draw.uniform(0.3, 2.0, D)) @ turn.T, N), draw.standard_normal((D, D))


def batch(draw: np.random.Generator, place: int, seed: int) -> dict[str, Any]:
    """Return sums of losses and gradients of a batch of prompts, and of their squares."""
    problem, W = instance(seed)
    losses, gradients = problem.prompts(W, draw, BATCH)
    return {
        "loss": [losses.sum(), np.square(losses).sum()],
        "gradient": [gradients.sum(axis=0), np.square(gradients).sum(axis=0)],
    }


def _statistics(sums: list[Any], count: int) -> tuple[Floats, Floats]:
    """Means and their standard errors from sums and sums of squares of batches."""
    first, second = np.sum(np.array(sums), axis=0)
    mean = first / count
    return mean, np.sqrt((second / count - mean**2) / count)


def _difference(problem: Problem, W: Floats, step: float = 1e-3) -> float:
    gradient, errors = problem.gradient(W), []
    for place in np.ndindex(W.shape):
        move = np.zeros_like(W)
        move[place] = step
        slope = (problem.loss(W + move) - problem.loss(W - move)) / (2 * step)
        errors.append(abs(slope - gradient[place]))
    return largest(errors)


def _minimum(problem: Problem, at: Run) -> list[float]:
    """The size of the gradient at the minimizer, and by how much the loss falls at most in random directions."""
    best = np.asarray(np.linalg.inv(problem.gamma), np.float64)
    beside = (best + 0.1 * at.rng("beside", place).standard_normal((D, D)) for place in range(100))
    falls = [problem.loss(best) - problem.loss(W) for W in beside]
    return [largest(np.abs(problem.gradient(best))), largest(*falls)]
