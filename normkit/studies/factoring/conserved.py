"""S26: which of two matrices is conserved. Muon keeps (P'P)^{1/2} - (Q'Q)^{1/2}, gradient descent P'P - Q'Q, nearly.

P = W2 and Q = W1' of a product W2 W1, both Gaussian and small; constant learning rates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

import normkit as nk
from normkit.studies.factoring import pictures
from normkit.studies.factoring.problems import Asymmetric, Matrix, Weights
from normkit.studies.factoring.runs import descent, follow, muon
from normkit.studies.kit.claims import Claim, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

N, SCALE, STEPS, FROM = 32, 5e-3, 1200, 80
METHODS = {"Muon": (muon, 5e-4), "gradient descent": (descent, 2.5e-3)}
TIMES = (300, 600, 1199)
OVERLAPS = {
    ("Muon", "roots"): (1.0, 1.0, 1.0),
    ("Muon", "squares"): (3.0, 5.7, 11.0),
    ("gradient descent", "roots"): (0.74, 0.46, 0.19),
    ("gradient descent", "squares"): (1.0, 1.0, 1.0),
}
"""At `TIMES`: of the difference of the roots, (P'P)^{1/2} - (Q'Q)^{1/2}, and of the squares, P'P - Q'Q."""
ROOM, SPREAD = 0.05, 0.07
"""Of an overlap, and the share of one that grows: draws differ by as much."""
EVERY = 20


def root(W: Matrix) -> Matrix:
    """Return (W'W)^{1/2} as msign(W)' W.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.factoring.conserved import root
    >>> root(np.array([[0.0, -2.0], [3.0, 0.0]])).round(9).tolist()
    [[3.0, 0.0], [0.0, 2.0]]
    """
    made: Matrix = np.asarray(nk.dualize("spectral", W)).T @ W
    return (made + made.T) / 2


def differences(weights: Weights) -> dict[str, Matrix]:
    """Return the differences of the roots and of the squares."""
    P, Q = weights["P"], weights["Q"]
    return {"roots": root(P) - root(Q), "squares": P.T @ P - Q.T @ Q}


def overlaps(rng: Generator, method: str, draw: int) -> dict[str, Any]:
    """Return the overlaps of both differences with what they were at t = 80, every 20 steps."""
    problem = Asymmetric(np.eye(N), 10 / np.arange(1, N + 1), np.eye(N))
    weights = {name: SCALE * rng.standard_normal((N, N)) for name in ("P", "Q")}
    make, lr = METHODS[method]
    found: dict[int, dict[str, Matrix]] = {}

    def watch(t: int, now: Weights) -> None:
        if t >= FROM and (t % EVERY == 0 or t in TIMES):
            found[t] = differences(now)

    follow(problem, weights, make(lr), STEPS - 1, until=0.0, watch=watch)
    made: dict[str, Any] = {"t": sorted(found)}
    for name in ("roots", "squares"):
        start = found[FROM][name]
        made[name] = [float(np.vdot(found[t][name], start) / np.vdot(start, start)) for t in made["t"]]
    return made


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the overlaps, their claims and figure: medians of draws."""
    draws = at.pick(1, 3)
    cells = [(method, draw) for method in METHODS for draw in range(draws)]
    found: dict[str, list[Any]] = {}
    for (method, _), each in zip(cells, at.cells.map("overlaps", overlaps, cells), strict=True):
        found.setdefault(method, []).append(each)
    medians = {(method, name): np.median([each[name] for each in found[method]], axis=0) for method, name in OVERLAPS}
    times = found["Muon"][0]["t"]
    rows = [[method, name, *(float(line[times.index(t)]) for t in TIMES), *OVERLAPS[method, name]]
            for (method, name), line in medians.items()]  # fmt: skip
    columns = ("method", "difference of", *(f"t = {t}" for t in TIMES), *(f"expected, {t}" for t in TIMES))
    yield Table("conserved", f"Overlap of (P'P)^1/2 - (Q'Q)^1/2 (roots) and P'P - Q'Q (squares) with t = {FROM}",
                columns, rows, f"medians of {draws} draws")  # fmt: skip
    kinds = {"Muon": "the difference of the roots, not that of the squares",
             "gradient descent": "the difference of the squares, not that of the roots"}  # fmt: skip
    for method, claim in kinds.items():
        got = [float(medians[method, name][times.index(t)]) for name in ("roots", "squares") for t in TIMES]
        want = [each for name in ("roots", "squares") for each in OVERLAPS[method, name]]
        yield within(f"S26.{method.split()[-1]}", f"{method} conserves {claim}: overlaps", got, want,
                     [ROOM if each <= 1 else SPREAD * each for each in want],
                     confidence=f"median of {draws} draws")  # fmt: skip
    yield Figure("conserved", f"Overlaps of two differences with what they were at t = {FROM}.",
                 pictures.conserved(times, medians), (8.4, 4.0))  # fmt: skip
