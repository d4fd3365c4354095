r"""Functions of the singular values by polar factors alone, and what weight decay does to the largest of them.

Clipping to $[a,b]$, a cap at $b$ and a spectral ReLU at $a$ are each a few products and two polar factors. The formulas
agree with an SVD to rounding.

Decay that shrinks only what is above a bound, $W\to(1-a)W+a\,\mathrm{cap}_b(W)$, settles where the step that is added
balances what is taken away. With steps of length $\eta$ along a fixed direction that is $b+(1-a)\eta/a$ if the step
comes before the decay, and $b+\eta/a$ if it comes after. Plain decay keeps $\sigma_1\le1/wd$ under steps of the
linear minimization oracle. How near it comes depends on the gradients: along noisy ones with a drift it is 1.78 here,
and was 1.83 in an earlier run, of 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import normkit as nk
from normkit.optim import Decoupled, SpectralClipped, SteepestDescent
from normkit.studies.kit.claims import below, largest, within
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Run, study

SHARE, BOUND, LENGTH = 0.3, 1.0, 0.05
SHAPE, NOISE, NEAR = (5, 7), 0.3, 1.2
"""Of the matrices; of the gradients, beside a drift of 1; and how near the bound they must bring sigma_1."""
FINDING = "Polar factors alone clip and cap singular values to rounding; clipped decay settles at b + (1 - a) lr / a."


@study("spectral-clipping", "clips, caps and decay of singular values", ("S51",), finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Compare the formulas with an SVD, then watch the largest singular value settle."""
    made = Outcome()
    errors = _errors(at)
    made.add(
        Table("formulas", "Largest difference from an SVD", ("function", "difference"), list(errors.items())),
        below("S51.formulas", "clip, cap and ReLU by polar factors are those by an SVD", list(errors.values()), 1e-13),
    )
    steps = at.pick(300, 600)
    paths = {"decay after the step": _clipped(steps, False), "step after the decay": _clipped(steps, True)}
    ends = [path[-1] for path in paths.values()]
    limits = [BOUND + (1 - SHARE) * LENGTH / SHARE, BOUND + LENGTH / SHARE]
    made.add(
        Table("limits", "Where the largest singular value settles", ("order", "measured", "limit"),
              [[name, end, limit] for name, end, limit in zip(paths, ends, limits, strict=True)]),
        within("S51.equilibrium", "clipped decay settles where step and decay balance", ends, limits, 1e-6,
               confidence="exact recursion"),
    )  # fmt: skip
    rate = 0.5
    plain = _plain(at, rate, steps)
    made.add(
        below("S51.decay", "decoupled decay keeps sigma_1 at most 1/wd under LMO steps", largest(plain), 1 / rate),
        below("S51.drift", "and along gradients with a drift it comes near: 1/wd over the largest sigma_1",
              1 / rate / largest(plain), NEAR, confidence="random gradients"),
    )  # fmt: skip
    made.add(
        Figure("paths", "The largest singular value under clipped and plain decay.", _drawing(paths, plain, limits))
    )
    return made


def _errors(at: Run) -> dict[str, float]:
    """The largest difference between each function and its definition by an SVD, over some matrices."""
    worst = {"clip to [1/2, 2]": 0.0, "cap at 1": 0.0, "ReLU at 1": 0.0}
    for draw in range(at.pick(5, 40)):
        W = at.rng("matrices", draw).standard_normal(SHAPE)
        left, sigma, right = np.linalg.svd(W, full_matrices=False)
        pairs: list[tuple[Any, Any]] = [
            (nk.spectral_clip(W, 0.5, 2.0), np.clip(sigma, 0.5, 2.0)),
            (nk.spectral_hardcap(W, 1.0), np.minimum(sigma, 1.0)),
            (nk.spectral_relu(W, 1.0), np.maximum(sigma - 1.0, 0.0)),
        ]
        for name, (got, wanted) in zip(worst, pairs, strict=True):
            worst[name] = largest(worst[name], np.abs(got - (left * wanted) @ right))
    return worst


def _clipped(steps: int, first: bool) -> list[float]:
    """sigma_1 of W under clipped decay and steps of one direction; `first` decays before each step."""
    direction = np.eye(*SHAPE)
    decay = SpectralClipped(SHARE, BOUND)
    optimizer = SteepestDescent("spectral", lr=LENGTH, weight_decay=SpectralClipped(SHARE / LENGTH, BOUND))
    W, path = {"W": np.zeros(SHAPE)}, []
    for _ in range(steps):
        if first:
            W = optimizer.step(W, {"W": -direction})
        else:
            moved = W["W"] + LENGTH * nk.dualize("spectral", direction)
            extra = decay.extra(moved, 1.0)
            W = {"W": decay.keep(1.0) * moved + (0.0 if extra is None else extra)}
        path.append(float(nk.value("spectral", W["W"])))
    return path


def _plain(at: Run, rate: float, steps: int) -> list[float]:
    """sigma_1 under decoupled decay and LMO steps along random gradients with a drift."""
    draw = at.rng("gradients")
    optimizer = SteepestDescent("spectral", lr=0.1, weight_decay=Decoupled(rate))
    W, path = {"W": np.zeros(SHAPE)}, []
    for _ in range(steps):
        W = optimizer.step(W, {"W": NOISE * draw.standard_normal(SHAPE) - np.eye(*SHAPE)})
        path.append(float(nk.value("spectral", W["W"])))
    return path


def _drawing(paths: dict[str, list[float]], plain: list[float], limits: list[float]) -> Any:
    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2)
        for ink, (name, path) in zip(inks(markers=False), paths.items(), strict=False):
            left.plot(range(1, len(path) + 1), path, label=name, **ink)
        for limit in limits:
            left.axhline(limit, color="0.5", linewidth=0.8, zorder=0)
        left.set(xlabel="step", ylabel=r"$\sigma_1$", title="clipped decay, and its limits (grey)", xlim=(0, 60))
        left.legend(loc="lower right")
        right.plot(range(1, len(plain) + 1), plain, **next(inks(markers=False)))
        right.axhline(2.0, color="0.5", linewidth=0.8)
        right.set(xlabel="step", ylabel=r"$\sigma_1$", title="decay 0.5; grey: 1/wd", ylim=(0, 2.1))

    return draw
