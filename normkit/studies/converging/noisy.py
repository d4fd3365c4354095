r"""S31: Muon, MVR1 and MVR2 on 1/2 tr W'HW with noise, over the length T of the run.

    g = (H + sigma diag(z)) W + sigma Z        z, Z standard normal, anew at every step

The numbers are the mean of |H W_t|_nuc over a run and over its second half. The methods are stages of `normkit.optim`
followed by the spectral dualize map, on all seeds as one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

import normkit as nk
from normkit.optim import EMA, MVR1, MVR2
from normkit.optim.momentum import Momentum
from normkit.optim.stage import At, Slots
from normkit.studies.converging import pictures
from normkit.studies.kit.claims import Claim, below, check, measured, refuted, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

SHAPE, NOISE, SEEDS = (6, 5), 0.5, 8
EIGENVALUES = np.linspace(0.5, 2.0, SHAPE[0])
FIT = 1000
"""Slopes are those from this length on."""
ROOM = 0.07
SLOPES = {"Muon": -0.245, "MVR1": -0.25, "MVR2": -0.321}
"""Measured before; that of MVR1 is its theory's."""
THEORY = {"Muon": -1 / 4, "MVR1": -1 / 4, "MVR2": -1 / 3}
GAIN = 3.0
"""By how much MVR2 ends below an average under the same schedule, at least, at the longest run."""


@dataclass(frozen=True)
class Course:
    """A method with the schedule of its theory: 1 - beta = T^-averaging and lr = T^-length."""

    kind: str
    averaging: float
    length: float
    noise: float = NOISE

    def momentum(self, T: int) -> Momentum:
        """Return the stage for runs of a length."""
        beta = 1 - T**-self.averaging
        stages: dict[str, Momentum] = {
            "EMA": EMA(beta),
            "MVR1": MVR1(beta, T**-self.averaging, None),
            "MVR1, gamma 1": MVR1(beta, 1.0, None),
            "MVR2": MVR2(beta, 1.0, None),
        }
        return stages[self.kind]


COURSES = {
    "Muon": Course("EMA", 1 / 2, 3 / 4),
    "MVR1": Course("MVR1", 1 / 2, 3 / 4),
    "MVR1, gamma = 1": Course("MVR1, gamma 1", 1 / 2, 3 / 4),
    "MVR2": Course("MVR2", 2 / 3, 2 / 3),
    "Muon, schedule of MVR2": Course("EMA", 2 / 3, 2 / 3),
    "Muon, no noise": Course("EMA", 1 / 2, 3 / 4, 0.0),
    "MVR2, no noise": Course("MVR2", 2 / 3, 2 / 3, 0.0),
}


def averages(rng: Generator, name: str, T: int) -> tuple[float, float]:
    """Return the mean of |H W_t|_nuc over t < T and over its second half, over all seeds."""
    course = COURSES[name]
    stage, rate, slots, seeds = course.momentum(T), T**-course.length, Slots({}), SEEDS if course.noise else 1
    H, W = EIGENVALUES[:, None], np.ones((seeds, *SHAPE))
    earlier, path = np.zeros_like(W), np.empty((T, *W.shape))
    for step in range(T):
        z, Z = rng.standard_normal((seeds, SHAPE[0], 1)), rng.standard_normal(W.shape)
        bent, added = H + course.noise * z, course.noise * Z
        path[step] = W
        before = bent * earlier + added if step else np.zeros_like(W)
        U = stage.apply(bent * W + added, slots, At("W", step + 1, rate, W, previous=before))
        earlier, W = W, W - rate * nk.dualize("spectral", U)
    sizes = nk.value("nuclear", H * path)
    return float(np.mean(sizes)), float(np.mean(sizes[T // 2 :]))


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the averages, their slopes, and what they rest on."""
    lengths = at.pick((1000, 3000), (100, 300, 1000, 3000, 10000))
    cells = [(name, T) for name in COURSES for T in lengths]
    found = dict(zip(cells, at.cells.map("rates", averages, cells), strict=True))
    whole, half = ({name: [found[name, T][k] for T in lengths] for name in COURSES} for k in (0, 1))
    slopes = {name: slope(lengths, values) for name, values in whole.items()}
    later = {name: slope(lengths, values) for name, values in half.items()}
    yield Table("rates", "Mean of |H W|_nuc over runs of length T, and over their second halves in brackets",
                ("method", *(f"T = {T}" for T in lengths), "slope", "slope of halves"),
                [[name, *(f"{a:.3f} ({b:.3f})" for a, b in zip(whole[name], half[name], strict=True)), slopes[name],
                  later[name]] for name in COURSES], f"{SEEDS} seeds; slopes from T = {FIT} on")  # fmt: skip
    for name, want in SLOPES.items():
        yield within(f"S31.{name.lower()}", f"slope of the mean of |H W|_nuc over T for {name}, theory "
                     f"{THEORY[name]:.3f}", slopes[name], want, ROOM, confidence=f"{SEEDS} seeds")  # fmt: skip
    yield from _sources(slopes, half, lengths)
    yield from _mix(at)
    yield Figure("rates", "Mean of |H W| (nuclear norm) over a run (left) and over its second half (right).",
                 pictures.rates(lengths, whole, half), (8.0, 4.2))  # fmt: skip


def slope(lengths: tuple[int, ...], values: list[float]) -> float:
    """Return the slope of log value over log T, from FIT on."""
    kept = [k for k, T in enumerate(lengths) if T >= FIT]
    return float(np.polyfit(np.log([lengths[k] for k in kept]), np.log([values[k] for k in kept]), 1)[0])


def _sources(slopes: dict[str, float], half: dict[str, list[float]], lengths: tuple[int, ...]) -> Iterator[Claim]:
    """What the slopes come from, and where variance reduction is seen."""
    away = {name: slopes[f"{name}, no noise"] - slopes[name] for name in ("Muon", "MVR2")}
    yield refuted("S31.noise", "these slopes come from the noise", max(map(abs, away.values())) < 0.05,
                  {name: slopes[f"{name}, no noise"] for name in away}, "without noise, slopes 0.05 away",
                  confidence=f"{SEEDS} seeds")  # fmt: skip
    ratio = [a / b for a, b in zip(half["Muon, schedule of MVR2"], half["MVR2"], strict=True)]
    yield below("S31.reduction", f"under the schedule of MVR2, MVR2 ends {GAIN:g} times below an average, at the "
                "longest run: second halves, MVR2 over Muon", 1 / ratio[-1], 1 / GAIN,
                confidence=f"{SEEDS} seeds; MVR2 takes two gradients a step")  # fmt: skip
    yield check("S31.growth", "that advantage of MVR2 over an average grows with T", bool(np.all(np.diff(ratio) > 0)),
                dict(zip(map(str, lengths), ratio, strict=True)), "increasing",
                confidence=f"{SEEDS} seeds")  # fmt: skip
    equal = {"MVR2": half["MVR2"][-2], "Muon": half["Muon"][-1]}
    yield measured("S31.cost", f"second halves of MVR2 with {2 * lengths[-2]} gradients and of Muon, with its own "
                   f"schedule, with {lengths[-1]}", equal, confidence=f"{SEEDS} seeds, no rate was tuned")  # fmt: skip


def _mix(at: Run) -> Iterator[Claim]:
    """MVR1 without its clip is (1 - gamma) EMA + gamma g, so its variance has a floor."""
    beta, gamma, draws = 0.9, 0.3, at.pick(4000, 20000)
    noise = at.rng("mix").standard_normal((200, draws))
    stages = {"EMA": EMA(beta), "MVR1": MVR1(beta, gamma, None), "plain": MVR1(beta, 1.0, None)}
    ends = {name: _last(stage, noise) for name, stage in stages.items()}
    mixed = (1 - gamma) * ends["EMA"] + gamma * noise[-1]
    yield below("S31.mix", "MVR1 without clip is (1 - gamma) EMA + gamma g: largest difference, gamma = 0.3 and 1",
                [float(np.max(np.abs(ends["MVR1"] - mixed))), float(np.max(np.abs(ends["plain"] - noise[-1])))], 1e-12,
                confidence="exact; derived for this project")  # fmt: skip
    alone = (1 - beta) / (1 + beta)
    wanted = [alone, (1 - gamma) ** 2 * alone + 2 * gamma * (1 - gamma) * (1 - beta) + gamma**2, 1.0]
    variances = [float(np.var(ends[name])) for name in stages]
    yield within("S31.variance", "so its variance, over that of a gradient, is that of the mix: EMA, gamma = 0.3, "
                 "gamma = 1", variances, wanted, [4 * each * np.sqrt(2 / draws) for each in wanted],
                 confidence=f"4 standard errors of {draws} draws; derived for this project")  # fmt: skip


def _last(stage: Momentum, gradients: Any) -> Any:
    """What a stage makes of gradients, after the last of them."""
    slots, U = Slots({}), gradients[0]
    for step, g in enumerate(gradients):
        U = stage.apply(g, slots, At("W", step + 1, 1.0, g))
    return np.array(U)
