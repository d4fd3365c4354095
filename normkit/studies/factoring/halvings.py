"""S25: sixteen halvings of the learning rate. W2 W1 = M, 25 x 25, singular values proportional to 1/(4 + i)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from normkit.studies.factoring import pictures
from normkit.studies.factoring.problems import Asymmetric, Weights, orthogonal
from normkit.studies.factoring.runs import follow, muon
from normkit.studies.kit.claims import Claim, conditional, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

SIZE, SCALE, STEPS = 25, 1e-4, 16
SQUARES = {2: 2.33, 3: 0.331, 4: 0.208, 5: 4.8e-2, 6: 1.1e-2, 8: 8.0e-4, 11: 1.25e-5, 14: 1.3e-7, 16: 8.4e-9}
"""Squared relative residuals after so many steps."""
EARLY, SHARE, FACTOR = 11, 0.05, 1.5
QUARTER, QUARTER_ROOM = 0.25, 0.05
"""The mean factor of a step, from step 4 on."""


def rate(step: int) -> float:
    """Return 1e-4 at the first step, then 1, 1/2, 1/4, ...."""
    return SCALE if step == 1 else 2.0 ** (2 - step)


def one(rng: Generator, start: str, draw: int) -> list[float]:
    """Return squared residuals; starts are orthogonal: ``aligned`` with M, or independent, of either orientation."""
    spectrum = 5 / (4 + np.arange(1, SIZE + 1))
    made = Asymmetric(orthogonal(rng, SIZE), spectrum, orthogonal(rng, SIZE))
    P, Q = orthogonal(rng, SIZE), orthogonal(rng, SIZE)
    weights: Weights = {"P": SCALE * P, "Q": SCALE * Q}
    if start == "aligned":
        weights = {"P": SCALE * made.U @ P.T, "Q": SCALE * made.V @ P.T}
    elif made.orientation(weights) != (1 if start == "same orientation" else -1):
        weights["Q"][:, 0] *= -1
    return [rel**2 for rel in follow(made, weights, muon(rate), STEPS, until=0.0).rel]


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the residuals of three kinds of starts, their claims and figure."""
    draws = at.pick(3, 6)
    cells = [(start, draw) for start in ("aligned", "same orientation", "other orientation") for draw in range(draws)]
    found: dict[str, list[list[float]]] = {}
    for (start, _), each in zip(cells, at.cells.map("halvings", one, cells), strict=True):
        found.setdefault(start, []).append(each)
    rows: list[list[Any]] = [[t, *(_range([run[t] for run in runs]) for runs in found.values()), value]
                             for t, value in SQUARES.items()]  # fmt: skip
    yield Table("halvings", "Squared relative residual after t steps, learning rates 1e-4, 1, 1/2, 1/4, ...",
                ("t", *found, "expected"), rows, f"{draws} draws each")  # fmt: skip
    median = np.median(found["aligned"], axis=0)
    early = [t for t in SQUARES if t <= EARLY]
    yield within("S25.early", f"squared residuals up to step {EARLY}", [median[t] for t in early],
                 [SQUARES[t] for t in early], [SHARE * SQUARES[t] for t in early],
                 confidence="aligned starts")  # fmt: skip
    late = [t for t in SQUARES if t > EARLY]
    yield within("S25.late", "logarithms of the squared residuals after that", [np.log(median[t]) for t in late],
                 [np.log(SQUARES[t]) for t in late], np.log(FACTOR), confidence="aligned starts")  # fmt: skip
    yield within("S25.quarter", "the mean factor of a step from step 4 on: bisection",
                 (median[STEPS] / median[4]) ** (1 / (STEPS - 4)), QUARTER, QUARTER_ROOM,
                 confidence="aligned starts")  # fmt: skip
    same, other = (max(run[STEPS] for run in found[f"{side} orientation"]) for side in ("same", "other"))
    yield conditional("S25.orientation", "16 steps reach a squared residual of 1e-7 from independent starts: they "
                      "need the orientation of M", same < 1e-7, other < 1e-7,
                      {"same, largest": same, "other, largest": other}, confidence=f"{draws} draws each")  # fmt: skip
    yield Figure("halvings", "Squared relative residuals under a learning rate that is halved at every step.",
                 pictures.halvings(found, SQUARES))  # fmt: skip


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low}-{high}"
