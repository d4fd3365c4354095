"""The figures of the sweep over Schatten norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.studies.kit.ink import inks
from normkit.studies.racing.judging import Score

Counts = Mapping[tuple[float, float], Sequence[int | None]]


def name(p: float) -> str:
    """Return p as a text."""
    return "inf" if np.isinf(p) else f"{p:g}"


def factorization(canvas: Any, counts: Counts, errors: Mapping[float, NDArray[np.float64]], kappa: float) -> None:
    """Draw errors of one condition number by step, and counts by p."""
    left, right = canvas.subplots(1, 2)
    for ink, (p, error) in zip(inks(markers=False), errors.items(), strict=False):
        least = np.minimum.accumulate(error)  # the errors themselves jump by the length of a step
        left.plot(range(1, len(error) + 1), np.median(least, axis=1), label=f"p = {name(p)}", **ink)
    left.set(yscale="log", xlabel="step", ylabel=r"least $\Vert XX^\top-M\Vert_F/\Vert M\Vert_F$ so far",
             xlim=(0, 125), ylim=(5e-7, 3e2), title=rf"$\kappa$ = {kappa:g}, median of the draws")  # fmt: skip
    left.legend(ncols=3)
    order = sorted({p for p, _ in counts})
    for ink, each in zip(inks(), sorted({kappa for _, kappa in counts}), strict=False):
        found = {i: [c for c in counts[p, each] if c is not None] for i, p in enumerate(order)}
        places = [i for i, done in found.items() if len(done) == len(counts[order[i], each])]
        middle = np.array([np.median(found[i]) for i in places])
        ends = np.abs(np.array([[min(found[i]), max(found[i])] for i in places]).T - middle)
        right.errorbar(places, middle, ends, capsize=2, label=rf"$\kappa$ = {each:g}", **ink)
    right.set(xlabel="p", ylabel="steps to a relative error of 1e-6", title="median and range; none where it stalls",
              xlim=(-0.5, len(order) - 0.5))  # fmt: skip
    right.set_xticks(range(len(order)), [name(p) for p in order])
    right.legend(loc="lower left")


def digits(canvas: Any, scores: Mapping[float, Sequence[Score]]) -> None:
    """Draw where the network ends by learning rate."""
    axes = canvas.subplots()
    for ink, (p, line) in zip(inks(), scores.items(), strict=False):
        axes.errorbar([s.lr for s in line], [s.mean for s in line], [s.half for s in line], capsize=2,
                      label=f"p = {name(p)}", **ink)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="learning rate, along the p-mean of the singular values",
             ylabel="cross-entropy of the digits at the end, nats")  # fmt: skip
    axes.legend(ncols=2)
