"""S12: norm, dual norm and duality map of every norm, and the dual norm once more by a solver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

import normkit as nk
from normkit.studies.duals.catalogue import CASES
from normkit.studies.duals.planes import bracket
from normkit.studies.kit.claims import Claim, below, check, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

DRAWS = 60
ROUNDING = 2e-15
ROOM = 1e-6
"""What difference quotients may put a cutting plane off."""


def residuals(rng: Generator, place: int) -> dict[str, float]:
    """Return what is left of N(D) = 1 and <G, D> = N*(G), and the largest <G, X> / (N*(G) N(X)), of one norm."""
    case = CASES[place]
    norm, axes = case.norm, tuple(range(1, len(case.shape) + 1))
    G, X = rng.standard_normal((2, DRAWS, *case.shape))
    D, dual = nk.dualize(norm, G), nk.dual_value(norm, G)
    X = np.concatenate([X, D])
    pairs = G.reshape(DRAWS, -1) @ X.reshape(2 * DRAWS, -1).T
    return {
        "unit": float(np.max(np.abs(nk.value(norm, D) - 1))),
        "pairing": float(np.max(np.abs(np.sum(G * D, axis=axes) / dual - 1))),
        "holder": float(np.max(pairs / np.outer(dual, nk.value(norm, X)))),
    }


def solved(rng: Generator, place: int, rounds: int) -> dict[str, float]:
    """Return N*(G) of a small G by the library, and lower and upper bounds of it by cutting planes, as shares of it."""
    case, norm = CASES[place], CASES[place].norm  # parsed once
    G = rng.standard_normal(case.small)
    dual = float(nk.dual_value(norm, G))
    lower, upper = bracket(rng, lambda X: np.asarray(nk.value(norm, X)), G, rounds)
    return {"lower": lower / dual, "upper": upper / dual}


TIES: tuple[tuple[str, Any, Any], ...] = (
    ("l1", (2.0, -2.0, 1.0), (0.0, -1.0, 0.0)),
    ("linf", (3.0, -4.0, 0.0), (1.0, -1.0, -1.0)),
    ("spectral", ((1.0, 0.0), (0.0, 0.0)), ((1.0, 0.0), (0.0, -1.0))),
    ("nuclear", ((1.0, 0.0), (0.0, 1.0)), ((0.5, 0.5), (0.5, 0.5))),
)
"""A norm, a gradient with more than one maximizer, and one that the library does not choose."""


def tied() -> list[list[float]]:
    """Return, for gradients with ties, N and the share of N* at D and at another maximizer, and their distance."""
    made = []
    for spec, g, other in TIES:
        dual, choices = float(nk.dual_value(spec, g)), [np.asarray(nk.dualize(spec, g)), np.asarray(other)]
        numbers = [x for D in choices for x in (float(nk.value(spec, D)), float(np.sum(D * np.asarray(g))) / dual)]
        made.append([*numbers, float(np.linalg.norm(choices[0] - choices[1]))])
    return made


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the triples and their claims."""
    places = range(len(CASES))
    found = at.cells.map("triples", residuals, [(place,) for place in places])
    solvers = at.cells.map("planes", solved, [(place, at.pick(30, 80)) for place in places])
    rows = [
        [
            case.optimizer,
            case.spec,
            str(case.norm.dual) if len(str(case.norm.dual)) < 60 else "dual",
            *a.values(),
            *b.values(),
        ]
        for case, a, b in zip(CASES, found, solvers, strict=True)
    ]
    yield Table("triples", "Norm, dual norm, duality map D",
                ("optimizer", "norm", "dual norm", "|N(D) - 1|", "|<G,D>/N*(G) - 1|", "largest <G,X>/(N*(G)N(X))",
                 "solver, lower", "solver, upper"), rows,
                note=f"{DRAWS} G each, X random and the D of all G; "
                     "the solver's bounds are shares of N*(G)")  # fmt: skip
    count = len(CASES)
    yield below("S12.unit", f"N(D(G)) = 1 for {count} norms: |N(D) - 1|", [each["unit"] for each in found], ROUNDING)
    yield below("S12.pairing", "<G, D(G)> = N*(G): relative difference", [each["pairing"] for each in found], ROUNDING)
    yield below("S12.holder", "Hölder: <G, X> / (N*(G) N(X)) is at most 1", [each["holder"] for each in found],
                1 + ROUNDING, confidence="60 x 120 pairs a norm, those of equality among them")  # fmt: skip
    ties = tied()
    yield check("S12.ties", "where the maximizer is not unique D is one of them: another one attains N* as well",
                all(np.allclose(each[:4], 1, rtol=0, atol=ROUNDING) and each[4] > 0.5 for each in ties),
                {spec: each for (spec, _, _), each in zip(TIES, ties, strict=True)},
                "N(D), <g, D>/N*, the same of the other, and their distance")  # fmt: skip
    yield below("S12.lower", "no X that a solver finds has <G, X>/N(X) above N*(G): shares",
                [each["lower"] for each in solvers], 1 + ROUNDING, confidence="cutting planes")  # fmt: skip
    yield within("S12.dual", "the dual norm is what the solver finds from values of the norm alone: bounds, as shares",
                 [[each["lower"], each["upper"]] for each in solvers], 1.0, at.pick(0.1, 0.01),
                 confidence="cutting planes, two-sided")  # fmt: skip
    yield below("S12.upper", "and it is not above the solver's upper bound: N*(G) over it",
                [1 / each["upper"] for each in solvers], 1 + ROOM, confidence="difference quotients")  # fmt: skip
