r"""Muon on the problem of S27: steps of length eta_0 rho^t along the polar factor of the gradient.

Where W commutes with Lambda this is w_i <- w_i - eta_t sign(w_i - 1/gamma_i), one recursion for every eigenvalue.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from normkit.optim import SteepestDescent
from normkit.studies.incontext.problem import CELLS, KAPPAS, SIZE, Floats, Spectrum, basis
from normkit.studies.kit.claims import conditional, largest, within
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Run

GOAL = 1e-6
"""The error, in units of the largest entry of the minimizer, at which a run has arrived."""
COUNTS = {0.5: 20, 0.7: 39, 0.9: 132}
"""Steps by rho."""
SMALL = 0.4
"""A rho below 1/2, where steps to come are together shorter than the present one."""
STARTS = (1e-12, 1e-9, 1e-6, 1e-3, 0.1)
"""Sizes of Gaussian starts, in units of the largest entry of the minimizer."""
MARGIN = 1.5
"""How much longer the first step is for these."""
LEFT = 1e-8
"""A run stops where the steps to come are this share of all."""


@dataclass(frozen=True)
class Path:
    """Errors |W_t - W*| over the largest entry of W*, up to arrival; and W_t, as vectors or matrices."""

    errors: list[float]
    weights: list[Floats]

    @property
    def count(self) -> int | None:
        """Steps to arrival."""
        return len(self.errors) - 1 if self.errors[-1] <= GOAL else None


def geometric(first: float, ratio: float) -> Callable[[int], float]:
    """Return the learning rates first ratio^(t - 1) of steps t = 1, 2, ..."""
    return lambda step: first * ratio ** (step - 1)


def last(rho: float) -> int:
    """Return the step after which hardly anything moves."""
    return math.ceil(math.log(LEFT) / math.log(rho))


def numbers(spectrum: Spectrum, rho: float, share: float = 1.0) -> Path:
    """Return the recursion of numbers from 0; with a share of 1 all steps together are just long enough."""
    target, w = 1 / spectrum.gamma, np.zeros(SIZE)
    rates = geometric(share * (1 - rho) * spectrum.far, rho)
    errors, path = [float(np.max(np.abs(w - target))) / spectrum.far], [w]
    while errors[-1] > GOAL and len(errors) <= last(rho):
        w = w - rates(len(errors)) * np.sign(w - target)
        errors.append(float(np.max(np.abs(w - target))) / spectrum.far)
        path.append(w)
    return Path(errors, path)


def matrices(spectrum: Spectrum, rho: float, turn: Floats, start: Floats | None = None, margin: float = 1.0) -> Path:
    """Return the run of matrices by the library's optimizer in the basis of the columns of `turn`."""
    problem, best = spectrum.turned(turn)
    optimizer = SteepestDescent("spectral", lr=geometric(margin * (1 - rho) * spectrum.far, rho))
    W = np.zeros((SIZE, SIZE)) if start is None else start
    errors, path = [float(np.linalg.norm(W - best, 2)) / spectrum.far], [W]
    while errors[-1] > GOAL and len(errors) <= last(rho):
        W = optimizer.step({"W": W}, {"W": problem.gradient(W)})["W"]
        errors.append(float(np.linalg.norm(W - best, 2)) / spectrum.far)
        path.append(W)
    return Path(errors, path)


def counts(at: Run, made: Outcome) -> dict[tuple[int, int, float], Path]:
    """Compare the counts of all cells with the formula, and the matrices with the numbers."""
    turn, straight = basis(at.rng("basis")), np.eye(SIZE)
    grid = list(product(CELLS, COUNTS))
    alone = {(*cell, rho): numbers(Spectrum(*cell), rho) for cell, rho in grid}
    eigen = {(*cell, rho): matrices(Spectrum(*cell), rho, straight) for cell, rho in grid}
    turned = {(*cell, rho): matrices(Spectrum(*cell), rho, turn) for cell, rho in grid}
    apart = {key: (_apart(alone[key], eigen[key], straight, key), _apart(alone[key], turned[key], turn, key))
             for key in alone}  # fmt: skip
    rows = [[*key, alone[key].count, eigen[key].count, turned[key].count, *apart[key]] for key in alone]
    wanted = [COUNTS[rho] for _, _, rho in alone]
    quick = [key for key in alone if key[2] < 0.9]
    slow = [key for key in alone if key[2] == 0.9]
    made.add(
        Table("muon", "Steps of Muon to an error of 1e-6 of the largest entry of the minimizer",
              ("kappa", "N", "rho", "numbers", "matrices, eigenbasis", "matrices, random basis",
               "distance, eigenbasis", "distance, random basis"), rows,
              "Distances of the matrices from the recursion of numbers, largest entry over all steps."),
        within("S27.formula", "the expected counts are log(10^6)/log(1/rho), rounded up",
               [math.ceil(math.log(1e6) / -math.log(rho)) for rho in COUNTS], list(COUNTS.values()), 0,
               confidence="exact"),
        within("S27.counts", "Muon from 0 arrives in as many steps, for every kappa and N",
               [path.count for path in alone.values()], wanted, 0, confidence="exact recursion"),
        within("S27.matrices", "so do matrices in the eigenbasis of the covariance",
               [path.count for path in eigen.values()], wanted, 0, confidence="all cells"),
        within("S27.random", "so do matrices in a random basis, for rho up to 0.7",
               [turned[key].count for key in quick], [COUNTS[key[2]] for key in quick], 0, confidence="one basis"),
        conditional("S27.decoupling", "matrices follow the recursion of numbers to 1e-9",
                    max(apart[key][1] for key in quick) < 1e-9 and max(each[0] for each in apart.values()) < 1e-9,
                    max(apart[key][1] for key in slow) < 1e-9,
                    {"rho up to 0.7, or eigenbasis": max([apart[key][1] for key in quick]
                                                         + [each[0] for each in apart.values()]),
                     "rho 0.9, random basis": max(apart[key][1] for key in slow)}, confidence="one basis"),
    )  # fmt: skip
    return alone


def _apart(alone: Path, whole: Path, turn: Floats, key: tuple[int, int, float]) -> float:
    """The largest entry of the difference between a run of matrices and the recursion, in units of the minimizer."""
    pairs = zip(alone.weights, whole.weights, strict=False)
    return largest(*(np.abs(W - (turn * w) @ turn.T) for w, W in pairs)) / Spectrum(*key[:2]).far


def conditions(at: Run, made: Outcome) -> dict[float, Path]:
    """Take away what the counts rest on: enough step, rho of at least 1/2, and a start that commutes."""
    half = [numbers(Spectrum(*cell), rho, share=0.5).errors[-1] for cell, rho in product(CELLS, COUNTS)]
    spread = [cell for cell in CELLS if cell[0] > 1]
    small = [numbers(Spectrum(*cell), SMALL).errors[-1] for cell in spread]
    made.add(
        within("S27.budget", "with first steps of half the length, runs end at half the error", half, 0.5, 1e-6,
               confidence="exact recursion"),
        conditional("S27.ratio", "runs whose steps are together long enough arrive",
                    all(numbers(Spectrum(*cell), rho).count for cell, rho in product(CELLS, COUNTS)),
                    all(error <= GOAL for error in small),
                    {f"errors at the end, rho = {SMALL}, kappa > 1": [min(small), max(small)]},
                    "rho at least 1/2", confidence="exact recursion"),
    )  # fmt: skip
    return _starts(at, made)


def _starts(at: Run, made: Outcome) -> dict[float, Path]:
    turn, noise = basis(at.rng("basis")), at.rng("start").standard_normal((SIZE, SIZE)) / math.sqrt(SIZE)
    kappas, sizes = KAPPAS, at.pick(STARTS[2:], STARTS)
    found: dict[tuple[float, int, float], Path] = {}
    for size, kappa, rho in product(sizes, kappas, COUNTS):
        spectrum = Spectrum(kappa, 20)
        found[size, kappa, rho] = matrices(spectrum, rho, turn, size * spectrum.far * noise, MARGIN)
    columns = ("size of the start", "kappa", *(f"{what}, rho = {rho}" for rho in COUNTS for what in ("steps", "end")))
    rows: list[list[Any]] = []
    for size, kappa in product(sizes, kappas):
        paths = [found[size, kappa, rho] for rho in COUNTS]
        rows.append([size, kappa, *(cell for path in paths for cell in (path.count, path.errors[-1]))])
    large = {kappa: found[STARTS[-1], kappa, 0.5].errors[-1] for kappa in kappas}
    made.add(
        Table("starts", "Steps and last error of Muon from Gaussian starts, N = 20", columns, rows,
              "Sizes in units of the largest entry of the minimizer; first steps are 1.5 times as long."),
        conditional("S27.start", "the count of Muon with rho = 1/2 does not depend on kappa",
                    all(numbers(Spectrum(*cell), 0.5).count == COUNTS[0.5] for cell in CELLS),
                    all(error <= GOAL for error in large.values()),
                    {f"last error from a start of size {STARTS[-1]:g}, kappa {kappa}": error
                     for kappa, error in large.items()},
                    "the start commutes with the covariance", confidence="one basis, one start"),
    )  # fmt: skip
    return {size: found[size, 100, 0.5] for size in sizes}
