"""Gradient descent with the step 1/max(lambda^2 gamma): errors shrink by fixed factors, so that its count is a root."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from normkit.optim import SteepestDescent
from normkit.studies.incontext.problem import CELLS, KAPPAS, LENGTHS, SIZE, Spectrum, basis
from normkit.studies.kit.claims import below, refuted, within
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Run

GOAL = 1e-6
"""The excess loss, in units of that of the start, at which a run has arrived; and the error, as for Muon."""
COUNTS = {
    1: (1, 1, 1),
    10: (1224, 1776, 3429),
    100: (133_883, 249_224, 1_021_446),
}
"""Steps to the excess loss by kappa, for N = 20, 40, 200."""
CONDITION = {10: (287.0, 405.0, 744.0), 100: (5.3e4, 9.1e4, 3.1e5)}
"""max/min of lambda^2 gamma, to two or three digits."""
FAR = 2_000_000
"""Steps that every cell of kappa = 1000 is above."""


def excess(spectrum: Spectrum, steps: float) -> float:
    """Return the excess loss after steps from 0, in units of that at 0: sum c_i e_i^2, c the second derivatives."""
    weight = spectrum.curvature / spectrum.gamma**2
    shrink = 1 - spectrum.curvature / spectrum.curvature.max()
    return float(np.sum(weight * shrink ** (2 * steps)) / weight.sum())


def error(spectrum: Spectrum, steps: float) -> float:
    """Return the largest error after steps from 0, in units of the largest entry of the minimizer."""
    shrink = 1 - spectrum.curvature / spectrum.curvature.max()
    return float(np.max(shrink**steps / spectrum.gamma)) / spectrum.far


def first(falling: Callable[[float], float]) -> int:
    """Return the first whole number from 1 on at which a falling function is at most the goal."""
    low, high = 0, 1
    while falling(high) > GOAL:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if falling(middle) > GOAL else (low, middle)
    return high


def steps(at: Run, made: Outcome) -> dict[tuple[int, int], tuple[int, int]]:
    """Count steps by the closed form, compare with the library's steps, and look at the condition number."""
    found = {cell: _counts(Spectrum(*cell)) for cell in CELLS}
    condition = {cell: _condition(Spectrum(*cell)) for cell in CELLS}
    walked = at.pick(((1, 20), (10, 20)), ((1, 20), (1, 40), (1, 200), (10, 20), (10, 40), (10, 200)))
    given = [(kappa, length) for kappa in COUNTS for length in LENGTHS]
    rows = [[*cell, *found[cell], condition[cell]] for cell in CELLS]
    growth = {
        f"N = {length}, kappa {low} to {10 * low}": math.log10(condition[10 * low, length] / condition[low, length])
        for length in LENGTHS
        for low in KAPPAS[1:-1]
    }
    made.add(
        Table("descent", "Steps of gradient descent, step 1/max(lambda^2 gamma)",
              ("kappa", "N", "to 1e-6 of the excess loss", "to 1e-6 of the error", "max/min of lambda^2 gamma"), rows),
        within("S27.descent", "gradient descent arrives at 1e-6 of its first excess loss after these steps",
               [found[cell][0] for cell in given], [each for counts in COUNTS.values() for each in counts], 1,
               confidence="closed form of the linear recursion"),
        within("S27.loop", "steps of the library's gradient descent in a random basis are as many",
               [walk(Spectrum(*cell), at) for cell in walked], [found[cell][0] for cell in walked], 1,
               confidence="small cells"),
        below("S27.far", f"at kappa = 1000 gradient descent takes more than {FAR} steps: {FAR}/steps",
              [FAR / found[cell][0] for cell in CELLS if cell[0] == KAPPAS[-1]], 1.0),
        within("S27.condition", "max/min of lambda^2 gamma, to the digits printed",
               [condition[kappa, length] for kappa in CONDITION for length in LENGTHS],
               [each for values in CONDITION.values() for each in values],
               [0.012 * each for values in CONDITION.values() for each in values], confidence="exact"),
        refuted("S27.cubic", "the condition number of gradient descent grows like kappa^3",
                all(each < 2.9 for each in growth.values()), growth, 3.0,
                confidence="exact; exponents between neighbouring kappa"),
    )  # fmt: skip
    return found


def walk(spectrum: Spectrum, at: Run) -> int:
    """Return the steps that the library's optimizer takes on matrices in a random basis."""
    problem, best = spectrum.turned(basis(at.rng("basis")))
    optimizer = SteepestDescent("fro", convention="sharp", lr=1 / float(spectrum.curvature.max()))
    W, least = np.zeros((SIZE, SIZE)), problem.loss(best)
    limit, count = GOAL * (problem.loss(W) - least), 0
    # The gradient Lambda (W Gamma - I) Lambda paired with the error is twice the excess, without its cancellation.
    while np.vdot(problem.gradient(W), W - best) / 2 > limit:
        W = optimizer.step({"W": W}, {"W": problem.gradient(W)})["W"]
        count += 1
    return count


def _counts(spectrum: Spectrum) -> tuple[int, int]:
    return first(lambda t: excess(spectrum, t)), first(lambda t: error(spectrum, t))


def _condition(spectrum: Spectrum) -> float:
    return float(spectrum.curvature.max() / spectrum.curvature.min())
