"""S20, the modes: diag(U'X Q) follows the scalar recursions, and their distances follow the lemma."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

from normkit.studies.factoring import pictures, scalars
from normkit.studies.factoring.problems import Matrix, Symmetric, Weights, logarithmic, orthogonal
from normkit.studies.factoring.runs import Geometric, descent, follow, muon
from normkit.studies.factoring.symmetric import KAPPAS, RATES, SCALE, N
from normkit.studies.kit.claims import Claim, below, conditional
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

EXACT, ALIGNED = 1e-13, 1e-11
EARLY = 20
"""Steps for which decay 0.9 is exact."""
LATE = 1e-2
SHOWN = (0, 10, 20, 31)
"""Modes of the figure."""


def modes(rng: Generator, kappa: float, method: str, ratio: float, steps: int) -> dict[str, Any]:
    """Return how far singular values, and entries of U'X Q, are from the scalar recursions at every step; and modes."""
    made, Q = Symmetric(orthogonal(rng, N), logarithmic(kappa, N)), orthogonal(rng, N)
    alone, optimizer = _alone(made.spectrum, method, ratio, steps)
    values, entries, seen = [], [], []

    def watch(t: int, weights: Weights) -> None:
        turned = made.U.T @ weights["X"] @ Q
        sigma = np.linalg.svd(turned, compute_uv=False)
        values.append(float(np.max(np.abs(sigma - np.sort(np.abs(alone[t]))[::-1]))))
        entries.append(float(np.max(np.abs(turned - np.diag(alone[t])))))
        seen.append(np.diag(turned)[list(SHOWN)].tolist())

    follow(made, {"X": SCALE * made.U @ Q.T}, optimizer, steps, until=0.0, watch=watch)
    return {"values": values, "entries": entries, "seen": seen, "alone": alone[: len(seen), list(SHOWN)]}


def _alone(spectrum: Matrix, method: str, ratio: float, steps: int) -> tuple[Matrix, Any]:
    x = np.full(N, SCALE)
    if method == "descent":
        return scalars.descent(x, spectrum, 0.5, steps), descent(0.5)
    lr = Geometric(RATES[ratio], ratio)
    return scalars.symmetric(x, spectrum, lr, steps), muon(lr)


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the distances from the recursions, the lemma, and the figure of modes."""
    cells = [(kappa, "muon", ratio, 40 if ratio < 0.9 else 120) for ratio in RATES for kappa in KAPPAS]
    found = dict(zip(cells, at.cells.map("modes", modes, cells), strict=True))
    fast = [each for (_, _, ratio, _), each in found.items() if ratio < 0.9]
    slow = [each for (_, _, ratio, _), each in found.items() if ratio == 0.9]
    yield below("S20.modes", "decay 0.5 and 0.7: singular values of X are those of the scalar recursions, at every t",
                [max(each["values"]) for each in fast], EXACT)  # fmt: skip
    yield below("S20.diagonal", "decay 0.5 and 0.7: U'X Q stays diagonal, with the scalar recursions on the diagonal",
                [max(each["entries"]) for each in fast], ALIGNED)  # fmt: skip
    yield below("S20.early", f"decay 0.9: singular values are those of the recursions for the first {EARLY} steps",
                [max(each["values"][: EARLY + 1]) for each in slow], EXACT)  # fmt: skip
    yield below("S20.late", "decay 0.9: later rounding turns modes that are nearly equal; singular values are off by",
                [max(each["values"]) for each in slow], LATE, confidence="one draw each")  # fmt: skip
    cases = at.pick(20_000, 100_000)
    ranges = ((0.5, 0.99), (0.1, 0.45))
    under, without = (scalars.excess(at.rng("lemma", low), cases, low, high) for low, high in ranges)
    yield conditional("S20.lemma", "distances stay below what is left of the schedule, first ratio^t / (1 - ratio): it "
                      "needs a ratio of 1/2 or more", under <= 1e-6, without <= 1e-6,
                      {"ratio in [0.5, 0.99]": under, "ratio in [0.1, 0.45]": without}, "excess over the bound of 0",
                      confidence=f"{cases} random cases each")  # fmt: skip
    shown = (1000, "muon", 0.7, 40)
    down = at.cells.map("modes", modes, [(1000, "descent", 0.0, at.pick(1500, 6000))])[0]
    yield Figure("modes", "Modes of X for kappa = 1000: scalar recursions (lines) and the matrix (marks). A mode that "
                 "passes 0 settles at minus the root.",
                 pictures.modes(found[shown], down, logarithmic(1000, N)[list(SHOWN)]), (8.4, 4.2))  # fmt: skip
