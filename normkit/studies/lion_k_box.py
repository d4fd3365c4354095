r"""Lion-K keeps its weights in a ball, whatever the loss: $\Vert W\Vert\le1/\lambda$ with $\lambda$ the weight decay.

Lion with decoupled decay and a linear minimization step in the norm $N$ moves $W\to(1-\eta\lambda)W-\eta T$ with
$N(T)\le1$. So

$$N(W_t)\le(1-\eta\lambda)^t\max(0,N(W_0)-1/\lambda)+1/\lambda$$

at every step, and no property of the gradients enters. The function $K$ of Chen et al. is the dual norm: $K=\ell_1$ is
Lion itself, with all entries in a box, the nuclear norm gives Muon with decay and a bound on $\sigma_1$, and the sum of
the row norms gives RMNP and a bound on every row.

The invariant is a statement about the set in which the weights stay. It says nothing about how fast the loss falls.
Here the minimizer of a quadratic is put far outside the ball, so that the weights settle on its boundary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import normkit as nk
from normkit.optim import LionMomentum, SteepestDescent
from normkit.studies.kit.claims import below, within
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Run, study

RATE, LENGTH, SHAPE = 0.5, 0.1, (6, 9)
START, FAR = 12.0, 50.0
"""N(W_0), and the size of the entries of the minimizer."""
NORMS = {"l1": "max", "nuclear": "spectral", "row norms": "l2->linf"}
"""K, by name, and the norm whose dual it is."""
FINDING = "Lion-K with decoupled decay keeps its weights in a ball whatever the loss: N(W) <= 1/wd in the limit."


@study("lion-k-box", "the ball that decoupled decay keeps the weights in", ("S33",), finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Run Lion-K on a quadratic with a far minimizer, and compare every step with the invariant."""
    made, steps = Outcome(), at.pick(200, 400)
    paths = {name: _path(at, name, spec, steps) for name, spec in NORMS.items()}
    bound = (1 - LENGTH * RATE) ** np.arange(steps + 1) * (START - 1 / RATE) + 1 / RATE
    excess = [float(np.max(path / bound - 1)) for path in paths.values()]
    ends = [float(path[-1]) for path in paths.values()]
    rows = [[name, spec, e, end] for (name, spec), e, end in zip(NORMS.items(), excess, ends, strict=True)]
    made.add(
        Table("norms", "Excess over the invariant, and where the norm ends", ("K", "norm", "excess", "end"), rows),
        below("S33.invariant", "N(W_t) stays below the invariant at every step", excess, 1e-12),
        within("S33.boundary", "with a far minimizer the weights settle on the boundary", ends, 1 / RATE, 1e-3,
               confidence="one seed"),
        Figure("paths", "N(W) of Lion-K for three norms, and the invariant.", _drawing(paths, bound)),
    )  # fmt: skip
    return made


def _path(at: Run, name: str, spec: str, steps: int) -> np.ndarray:
    """N(W_t) for t = 0, ..., steps, on 1/2 |W - M|^2 with entries of M near FAR in magnitude."""
    draw = at.rng(name)
    M = FAR * np.where(draw.random(SHAPE) < 0.5, -1.0, 1.0) * draw.uniform(0.5, 1.5, SHAPE)
    W = START * np.asarray(nk.initialize(spec, SHAPE, seed=draw, law="gaussian"))
    optimizer = SteepestDescent(spec, lr=LENGTH, momentum=LionMomentum(0.9, 0.99), weight_decay=RATE)
    found = [float(nk.value(spec, W))]
    for _ in range(steps):
        W = optimizer.step({"W": W}, {"W": W - M})["W"]
        found.append(float(nk.value(spec, W)))
    return np.array(found)


def _drawing(paths: dict[str, np.ndarray], bound: np.ndarray) -> Any:
    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for ink, (name, path) in zip(inks(markers=False), paths.items(), strict=False):
            axes.plot(path, label=f"K: {name}", **ink)
        axes.plot(bound, color="0.6", linewidth=4, alpha=0.5, label="invariant", zorder=0)
        axes.axhline(1 / RATE, color="0.3", linewidth=0.8)
        axes.annotate("1/wd", (len(bound) * 0.9, 1 / RATE), xytext=(0, 4), textcoords="offset points")
        axes.set(xlabel="step", ylabel="N(W)", xlim=(0, 120), ylim=(0, START * 1.05))
        axes.legend()

    return draw
