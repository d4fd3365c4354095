"""A small network for the heat equation under both transcriptions, Muon and Adam (S62); there are no numbers for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from normkit.errors import NonFiniteError
from normkit.optim import SpecMuonA, SpecMuonB, SteepestDescent, pipeline_named
from normkit.studies.energies.follow import BETA, Track, follow, relaxed_a, relaxed_b
from normkit.studies.energies.heat import NAMES, Heat, initial
from normkit.studies.energies.quadratic import ROUNDED, clear
from normkit.studies.kit.claims import below, check, measured
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Run

METHODS: dict[str, Callable[[Any], SteepestDescent]] = {
    "SpecMuon A": lambda lr: SteepestDescent(pipeline_named("specmuon_a", beta=BETA), lr=lr),
    "SpecMuon B": lambda lr: SteepestDescent(pipeline_named("specmuon_b", beta=BETA), lr=lr),
    "Muon, momentum after": lambda lr: SteepestDescent(pipeline_named("map_first", beta=BETA), lr=lr),
    "Muon": lambda lr: SteepestDescent("spectral", lr=lr, momentum=BETA),
    "Adam": lambda lr: SteepestDescent(pipeline_named("adam"), lr=lr),
}
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
FOLLOWED = 0.003
"""The learning rate of the runs whose factors are followed."""
A, B = SpecMuonA(), SpecMuonB(beta=BETA)


def factors(at: Run, made: Outcome) -> dict[str, tuple[list[float], dict[str, Track]]]:
    """Check the gradient, then follow the factors of every matrix."""
    draw = at.rng("heat")
    problem, weights = Heat.draw(draw), initial(draw)
    steps = at.pick(150, 400)
    found = {
        name: follow(stage, FOLLOWED, weights, lambda w: problem.loss_and_gradient(w)[1], problem.loss, steps)
        for name, stage in (("A", A), ("B", B))
    }
    (losses, first), (_, second) = found["A"], found["B"]
    every = np.concatenate([track.after for track in first.values()], axis=1)
    b_parts = {name: float(track.spread.max()) for name, track in second.items() if track.after.shape[1] > 1}
    resets = {name: int(np.sum(~clear(track) & (track.after > track.reached[:, None] / 2)))
              for name, track in second.items()}  # fmt: skip
    rises = int(np.sum(np.diff(losses) > 0))
    made.add(
        below("S62.gradient", "the gradient by hand is that of the loss: relative distance from differences",
              [_slope(problem, weights, name, at) for name in NAMES], 1e-7, confidence="one direction a matrix"),
        below("S62.a-spread", "A: the factors of all modes of all matrices are one number: largest over smallest, "
              "minus 1", float(np.max(every.max(axis=1) / every.min(axis=1) - 1)), 1e-3,
              confidence=f"one start, {steps} steps"),
        below("S62.a-energy", "A: no factor ever rises, as on the quadratic: largest rise over sqrt(f)",
              [track.rise for track in first.values()], ROUNDED, confidence=f"one start, {steps} steps"),
        below("S62.a-rule", "A: the new r is the median of r', sqrt(f) and sqrt(T): distance over sqrt(f)",
              [_distance(track, relaxed_a(track, A.xi)) for track in first.values()], 1e-6,
              confidence=f"one start, {steps} steps"),
        check("S62.b-parted", "B: the factors of a matrix part by more than a factor of 10",
              min(b_parts.values()) > 10, b_parts, "> 10", confidence=f"one start, {steps} steps"),
        below("S62.b-rule", "B: the new r is the lesser of E+ and sqrt(r~^2 + psi D): distance over E",
              [_distance(track, relaxed_b(track, B, FOLLOWED)) for track in second.values()], 1e-6,
              confidence="factors that rounding leaves alone"),
        measured("S62.b-resets", "B: factors that were below 1e-6 E and that rounding set to E+",
                 resets, confidence=f"one start, {steps} steps"),
        measured("S62.a-rises", f"A: steps of {steps} at which the loss rises", rises, confidence="one start"),
    )  # fmt: skip
    return found


def race(at: Run, made: Outcome) -> list[dict[str, Any]]:
    """Run all methods at all learning rates, which fall to 0 in a line, and tell the best of each."""
    steps, rates = at.pick(120, 400), at.pick(RATES[1:3], RATES)
    seeds = [int(each) for each in at.rng("fits").integers(2**31, size=at.pick(1, 2))]
    jobs = [(method, lr, seed, steps) for method, lr, seed in product(METHODS, rates, seeds)]
    runs = [dict(zip(("method", "lr", "seed"), job, strict=False)) | result
            for job, result in zip(jobs, at.cells.map("fits", fit, jobs), strict=True)]  # fmt: skip
    groups = {key: [each for each in runs if (each["method"], each["lr"]) == key] for key in product(METHODS, rates)}
    means = {key: {what: float(np.mean([each[what] for each in group])) for what in ("loss", "error")}
             for key, group in groups.items()}  # fmt: skip
    best = {method: min(rates, key=lambda lr: means[method, lr]["loss"]) for method in METHODS}
    ends = (min(rates), max(rates))
    made.add(
        Table("fits", f"Loss and relative error of the heat equation after {steps} steps, means of {len(seeds)} starts",
              ("method", "lr", "loss", "error"),
              [[method, lr, each["loss"], each["error"]] for (method, lr), each in means.items()],
              "Learning rates fall to 0 in a line. The loss of the zero function is about 0.21."),
        measured("S62.fits", f"least mean loss after {steps} steps over the learning rates",
                 {f"{method} (lr {lr:g}{', an end of the grid' if lr in ends else ''})": means[method, lr]["loss"]
                  for method, lr in best.items()}, confidence=f"{len(seeds)} starts, one problem"),
    )  # fmt: skip
    return [each | {"best": each["lr"] == best[each["method"]]} for each in runs if each["seed"] == seeds[0]]


def fit(_: np.random.Generator, method: str, lr: float, seed: int, steps: int) -> dict[str, Any]:
    """Return the last loss and error of one run, and its losses; infinite where it overflows."""
    draw = np.random.default_rng(seed)
    problem, weights = Heat.draw(draw), initial(draw)
    optimizer = METHODS[method](lambda step: lr * (1 - (step - 1) / steps))
    losses = []
    try:
        for _step in range(steps):
            value, gradient = problem.loss_and_gradient(weights)
            losses.append(value)
            weights = optimizer.step(weights, gradient, loss=problem.loss if method.startswith("Spec") else None)
        return {"loss": problem.loss(weights), "error": problem.error(weights), "losses": losses}
    except NonFiniteError:
        return {"loss": math.inf, "error": math.inf, "losses": losses}


def _slope(problem: Heat, weights: dict[str, Any], name: str, at: Run, step: float = 1e-5) -> float:
    move = at.rng("direction", name).standard_normal(weights[name].shape)
    ahead, behind = (problem.loss({**weights, name: weights[name] + sign * step * move}) for sign in (1, -1))
    given = float(np.vdot(problem.loss_and_gradient(weights)[1][name], move))
    return abs((ahead - behind) / (2 * step) - given) / abs(given)


def _distance(track: Track, rule: Any) -> float:
    # Where the direction has hardly anything along a mode, r' cannot be read off it.
    seen = clear(track) & (np.abs(track.along) > 1e-3)
    return float(np.max((np.abs(track.after - rule) / track.level[:, None])[seen]))
