"""Adam with steps that fall geometrically, in the basis of the covariance and in a random one; a grid of both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product

import numpy as np

from normkit.optim import SteepestDescent, pipeline_named
from normkit.studies.incontext.muon import GOAL, geometric
from normkit.studies.incontext.problem import CELLS, SIZE, Floats, Spectrum, basis
from normkit.studies.kit.claims import conditional
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Run

FIRST, RATIOS = (0.03, 0.1, 0.3), (0.97, 0.99, 0.997, 0.999)
"""First steps, in units of the largest entry of the minimizer, and their ratios."""
LIMIT = 6000
Counts = dict[tuple[int, int], int | None]


def grid(at: Run, made: Outcome) -> dict[str, Counts]:
    """Run the grid in both bases, and compare the best counts over the condition numbers."""
    bases = {"eigenbasis": np.eye(SIZE), "random basis": basis(at.rng("basis"))}
    lengths, ratios = at.pick(FIRST[1:2], FIRST), at.pick(RATIOS[:2], RATIOS)
    jobs = [(name, length, ratio) for name, length, ratio in product(bases, lengths, ratios)]
    runs = {job: run(bases[job[0]], *job[1:]) for job in jobs}
    best: dict[str, Counts] = {name: _best(runs, name) for name in bases}
    rows = [[name, length, ratio, *found.values()] for (name, length, ratio), found in runs.items()]
    straight, turned = best.values()
    high = [cell for cell in CELLS if cell[0] >= 10]
    made.add(
        Table("adam", "Steps of Adam to an error of 1e-6 of the largest entry of the minimizer",
              ("basis", "first step", "ratio", *(f"kappa {kappa}, N {length}" for kappa, length in CELLS)), rows,
              f"Adam (0.9, 0.999) with first steps in units of that entry; - is not within {LIMIT} steps."),
        conditional("S27.adam", "the best count of Adam on the grid is within 10 % the same for kappa = 10, 100, 1000",
                    _even([straight[cell] for cell in high]), _even([turned[cell] for cell in high]),
                    {f"{name}, kappa {kappa}, N {length}": best[name][kappa, length]
                     for name in best for kappa, length in high if length == 20},
                    "the covariance is diagonal", confidence="this grid, one basis"),
    )  # fmt: skip
    return best


def run(turn: Floats, length: float, ratio: float) -> Counts:
    """Return the counts of all cells at once: Adam knows no more of an array than its entries."""
    spectra = [Spectrum(*cell) for cell in CELLS]
    problems, best = zip(*(spectrum.turned(turn) for spectrum in spectra), strict=True)
    far = np.array([spectrum.far for spectrum in spectra])[:, None, None]
    covariance, gamma = (np.array([getattr(each, name) for each in problems]) for name in ("covariance", "gamma"))
    target = np.array(best) / far  # the weights are those of the problem over `far`
    optimizer = SteepestDescent(pipeline_named("adam"), lr=geometric(length, ratio))
    W, found = np.zeros_like(target), np.full(len(spectra), -1)
    for step in range(min(LIMIT, math.ceil(math.log(1e-9) / math.log(ratio)))):
        error = W - target
        # The spectral norm is between the Frobenius norm over sqrt(d) and the Frobenius norm.
        near = np.flatnonzero((np.linalg.norm(error, axis=(1, 2)) <= GOAL * math.sqrt(SIZE)) & (found < 0))
        found[near[np.linalg.norm(error[near], 2, axis=(1, 2)) <= GOAL]] = step
        W = optimizer.step({"W": W}, {"W": far * (covariance @ error @ gamma @ covariance)})["W"]
    return {cell: int(count) if count >= 0 else None for cell, count in zip(CELLS, found, strict=True)}


def _best(runs: Mapping[tuple[str, float, float], Counts], name: str) -> Counts:
    """The least count of every cell over the grid."""
    counts = {cell: [found[cell] for job, found in runs.items() if job[0] == name] for cell in CELLS}
    return {cell: min((each for each in counts[cell] if each is not None), default=None) for cell in CELLS}


def _even(counts: list[int | None]) -> bool:
    known = [count for count in counts if count is not None]
    return len(known) == len(counts) and max(known) <= 1.1 * min(known)
