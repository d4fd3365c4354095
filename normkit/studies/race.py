r"""Norms and learning rates side by side on an objective of your own.

A race runs every norm at every learning rate from the same starts, with the same batches, and compares where they end:
means over seeds with 95 % intervals by Student's t, and the lead of the best norm over the second on the same seeds.
Learning rates fall in a line to 0. A norm is a spec such as `rms->rms`, stepped by `normkit.optim.SteepestDescent`
under a convention and a momentum, or the name of a pipeline such as `adamw`, which has its own. Arrays that are vectors
step in `rms` where the norm is one of matrices.

The objective is built in (`digits`: a network 64-32-10; `logistic`; `factorization`) or a Python file:

    import numpy as np

    def initial(seed):
        return {"w": np.random.default_rng(seed).standard_normal((4, 3))}

    def loss_and_gradient(weights, seed):
        return 0.5 * float(np.sum(weights["w"] ** 2)), {"w": weights["w"]}

`seed` is that of the step: draw a batch with it, or leave it. With `evaluate(weights)` runs are compared by that
number, else by the mean loss at eight seeds. Gradients are compared with differences of the loss first; a gradient that
does not fit is the one claim that a race can fail.

    normkit study race --objective mine.py --norm spectral --norm adamw --lr 0.01 --lr 0.1 --seeds 5

A race says what was best on this objective, for these learning rates and numbers of steps, and no more: a best learning
rate at an end of the grid means that the grid should go on, and an interval that holds 0 that there are too few seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import normkit as nk
from normkit.errors import ParameterError
from normkit.optim import PIPELINES
from normkit.studies.kit.claims import below, measured
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Option, Run, study
from normkit.studies.racing.contest import run, slope_error
from normkit.studies.racing.judging import Score, best, lead
from normkit.studies.racing.objective import digest, load

SLOPE = 1e-4
"""How far a directional derivative may be from a difference; kinks of ReLU are met rarely."""
OPTIONS = {
    "objective": Option(str, "digits", "digits, logistic, factorization, or a Python file."),
    "norm": Option(str, ("spectral", "rms->rms", "max", "fro", "adamw"), "A norm or a pipeline; repeat it.", many=True),
    "lr": Option(float, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0), "A learning rate; repeat it.", many=True),
    "seeds": Option(int, 5, "Starts of every run; at most 2 under --quick."),
    "steps": Option(int, 150, "Steps of every run; at most 40 under --quick."),
    "convention": Option(str, "lmo", "lmo or sharp."),
    "momentum": Option(float, 0.9, "The share of the momentum that is kept, of an EMA; 0 is none."),
}
FINDING = (
    "Which norm ends lowest is a matter of one objective, its learning rates and the number of steps: a race says it "
    "with intervals over seeds, and claims no more."
)


@study("race", "norms and learning rates on an objective of your own", options=OPTIONS, finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Run all, and say who is ahead."""
    _check(at.options)
    name, version = at.options["objective"], digest(at.options["objective"])
    objective = load(name, version)
    made = Outcome()
    made.add(
        below("race.gradient", "the gradient is that of the loss: distance from central differences",
              slope_error(objective, at.rng("directions")), SLOPE, confidence="three directions at the start"),
    )  # fmt: skip
    steps = at.pick(min(at.options["steps"], 40), at.options["steps"])
    count = at.pick(min(at.options["seeds"], 2), at.options["seeds"])
    seeds = [int(seed) for seed in at.rng("starts").integers(2**31, size=count)]
    rest = (steps, at.options["convention"], at.options["momentum"])
    cells = [
        (name, version, norm, lr, seed, *rest)
        for norm in dict.fromkeys(at.options["norm"])
        for lr in sorted(set(at.options["lr"]))
        for seed in seeds
    ]
    runs = at.cells.map("race", run, cells)
    found: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for cell, result in zip(cells, runs, strict=True):
        found.setdefault(cell[2:4], []).append(result)
    scores = [Score(*key, tuple(result["final"] for result in results)) for key, results in found.items()]
    made.add(*_judged(scores, objective.note))
    made.add(
        Figure("race", f"Where runs end on {objective.name}, with 95 % intervals, and the best of each norm.",
               partial(_draw, scores=scores, found=found), size=(8.4, 4.2)),
    )  # fmt: skip
    return made


def _check(options: Any) -> None:
    """Raise for numbers and names that no run could take, before the first."""
    for each in options["norm"]:
        if each not in PIPELINES:
            nk.norm(each)
    if options["convention"] not in ("lmo", "sharp"):
        raise ParameterError(f"a convention is lmo or sharp; got {options['convention']!r}")
    if not 0 <= options["momentum"] < 1:
        raise ParameterError(f"a momentum is a share from 0 to below 1; got {options['momentum']:g}")
    if options["seeds"] < 1 or options["steps"] < 1:
        raise ParameterError(f"a race needs seeds and steps; got {options['seeds']} and {options['steps']}")
    if any(not 0 < lr < float("inf") for lr in options["lr"]):
        raise ParameterError(f"learning rates are positive; got {', '.join(f'{lr:g}' for lr in options['lr'])}")


def _judged(scores: list[Score], note: str) -> Iterator[Any]:
    order = best(scores)
    rates = sorted({score.lr for score in scores})
    rows = [[s.norm, s.lr, s.mean, s.half, s.diverged, _end(s, rates)] for s in order]
    columns = ("norm", "best lr", "mean", "+-", "diverged", "at the end of the grid")
    yield Table("best", "The best learning rate of every norm", columns, rows, note)
    every = [[s.norm, s.lr, s.mean, s.half, s.diverged] for s in scores]
    yield Table("runs", "All runs", ("norm", "lr", "mean", "+-", "diverged"), every, note)
    first, many = order[0], f"95 % interval, {len(order[0].finals)} seeds"
    if np.isinf(first.mean):
        lost = {f"{score.norm} at {score.lr:g}": score.diverged for score in scores}
        yield measured("race.best", "no norm ends at a finite number from every start; runs that diverged", lost,
                       confidence=f"{len(first.finals)} seeds")  # fmt: skip
        return
    yield measured(
        "race.best",
        f"{first.norm} at {first.lr:g} ends lowest",
        {"mean": first.mean, "+-": first.half},
        confidence=many,
    )
    if len(order) > 1 and np.isfinite(order[1].mean):
        ahead = f"{first.norm} is ahead of {order[1].norm} on the same seeds by"
        yield measured(
            "race.lead", ahead, dict(zip(("mean", "+-"), lead(first, order[1]), strict=True)), confidence=many
        )


def _end(score: Score, rates: list[float]) -> str:
    return "yes" if len(rates) > 1 and score.lr in (rates[0], rates[-1]) else "no"


def _draw(canvas: Any, scores: list[Score], found: dict[tuple[str, float], list[dict[str, Any]]]) -> None:
    left, right = canvas.subplots(1, 2)
    styles = dict(zip(dict.fromkeys(score.norm for score in scores), inks(), strict=False))
    for norm, ink in styles.items():
        line = [s for s in scores if s.norm == norm and not s.diverged]
        errors = [s.half if np.isfinite(s.half) else 0.0 for s in line]
        left.errorbar([s.lr for s in line], [s.mean for s in line], errors, capsize=2, label=norm, **ink)
    for score in best(scores):
        ink = styles[score.norm] | {"marker": ""}
        curves = [result for result in found[score.norm, score.lr] if not np.isinf(result["final"])]
        if curves:
            mean = np.mean([result["losses"] for result in curves], axis=0)
            right.plot(curves[0]["steps"], mean, label=f"{score.norm}, {score.lr:g}", **ink)
    left.set(xscale="log", xlabel="learning rate", ylabel="loss at the end")
    right.set(xlabel="step", ylabel="loss, mean over seeds", title="at the best learning rate")
    for axes in (left, right):
        if all(y > 0 for line in axes.lines for y in np.ravel(line.get_ydata())):
            axes.set_yscale("log")
        if axes.has_data():
            axes.legend()
