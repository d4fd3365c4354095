"""S24: which modes grow first. W2 W1 = diag(10/k), 32 x 32, from small Gaussian factors, constant learning rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from normkit.studies.factoring import pictures
from normkit.studies.factoring.conserved import SCALE, N
from normkit.studies.factoring.problems import Asymmetric, Weights
from normkit.studies.factoring.runs import descent, follow, muon
from normkit.studies.factoring.starts import gaussian
from normkit.studies.kit.claims import Claim, check, measured, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

STEPS = 1000
METHODS = {"Muon": (muon, 5e-3), "gradient descent": (descent, 1.5e-2)}
MODES = (1, 2, 4, 8, 16, 32)
FIRST: dict[str, tuple[int | None, ...]] = {
    "Muon": (567, 400, 283, 201, 143, 106),
    "gradient descent": (40, 74, 140, 265, 530, None),
}
"""The step at which the k-th singular value of W2 first is at 0.9 sqrt(sigma_k), for `MODES`."""
ROOM, SHARE = 5, 0.1
SLOPE, SLOPE_ROOM = 0.0049, 0.00015


def one(rng: Generator, method: str, side: int, draw: int) -> dict[str, Any]:
    """Return the first steps at 0.9 sqrt(sigma_k), the slope of the largest, and singular values of W2 over time."""
    made = Asymmetric(np.eye(N), 10 / np.arange(1, N + 1), np.eye(N))
    make, lr = METHODS[method]
    sigma: list[Any] = []

    def watch(t: int, weights: Weights) -> None:
        sigma.append(np.linalg.svd(weights["P"], compute_uv=False)[[k - 1 for k in MODES]])

    follow(made, gaussian(rng, made, side, SCALE), make(lr), STEPS, until=0.0, watch=watch)
    path = np.array(sigma)
    reached = [np.flatnonzero(path[:, place] >= 0.9 * np.sqrt(10 / k)) for place, k in enumerate(MODES)]
    kept = list(range(0, STEPS + 1, 5))
    return {
        "first": [int(each[0]) if len(each) else None for each in reached],
        "slope": float((path[60, 0] - path[20, 0]) / 40),
        "t": kept,
        "sigma": path[kept],
    }


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield when modes arrive, their claims and figure."""
    draws = at.pick(1, 4)
    cells = [("Muon", side, draw) for side in at.pick((1,), (1, -1)) for draw in range(draws)]
    cells += [("gradient descent", 1, draw) for draw in range(at.pick(1, 3))]
    found: dict[tuple[str, int], list[Any]] = {}
    for (method, side, _), each in zip(cells, at.cells.map("staircase", one, cells), strict=True):
        found.setdefault((method, side), []).append(each)
    muons, downs = found["Muon", 1], found["gradient descent", 1]
    lr = METHODS["Muon"][1]
    formula = [round(0.9 * (10 / k) ** 0.5 / lr) for k in MODES]
    names = {("Muon", 1): "Muon, same orientation", ("Muon", -1): "Muon, other orientation",
             ("gradient descent", 1): "gradient descent"}  # fmt: skip
    rows: list[list[Any]] = [[names[kind], *each["first"]] for kind, runs in found.items() for each in runs]
    rows += [["0.9 sqrt(sigma_k)/lr, Muon", *formula]]
    rows += [[f"expected, {method}", *row] for method, row in FIRST.items()]
    yield Table("staircase", "Step at which the k-th singular value of W2 is first at 0.9 sqrt(sigma_k)",
                ("run", *(f"k = {k}" for k in MODES)), rows)  # fmt: skip
    yield within("S24.Muon", "Muon, starts of the same orientation: steps of k = 1, 2, 4, 8, 16, medians",
                 _medians(muons)[:-1], FIRST["Muon"][:-1], ROOM, confidence="median of draws")  # fmt: skip
    wanted = [each for each in FIRST["gradient descent"] if each is not None]
    yield within("S24.descent", "gradient descent: steps of k = 1, 2, 4, 8, 16, medians", _medians(downs)[:-1], wanted,
                 [SHARE * each for each in wanted], confidence="median of draws, expected of one")  # fmt: skip
    slopes = [each["slope"] for each in muons]
    yield within("S24.slope", "Muon: all modes grow by the learning rate a step; slope of the largest", slopes, SLOPE,
                 SLOPE_ROOM, confidence="all draws")  # fmt: skip
    rising, falling = _medians(downs)[:-1], _medians(muons)
    yield check("S24.order", "gradient descent learns the largest modes first, Muon settles the smallest first",
                rising == sorted(rising) and falling == sorted(falling, reverse=True) and downs[0]["first"][-1] is None,
                {"gradient descent": rising, "Muon": falling}, confidence="medians of draws")  # fmt: skip
    yield measured("S24.last", "Muon: steps of k = 32, starts of the same and of the other orientation",
                   {"same": [each["first"][-1] for each in muons],
                    "other": [each["first"][-1] for each in found.get(("Muon", -1), ())]},
                   confidence="all draws")  # fmt: skip
    yield Figure("staircase", "Singular values of W2 over time; Muon's stay where they are, at sqrt(sigma_k) (grey).",
                 pictures.staircase(muons[0], downs[0], MODES), (8.4, 4.2))  # fmt: skip


def _medians(runs: Sequence[Any]) -> list[float]:
    return [float(np.median([np.inf if value is None else value for value in row]))
            for row in zip(*(each["first"] for each in runs), strict=True)]  # fmt: skip
