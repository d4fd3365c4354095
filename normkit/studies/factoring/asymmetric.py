"""S21: P Q' = M, 24 x 16, from aligned starts: counts over kappa, and what Muon conserves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from normkit.studies.factoring import scalars
from normkit.studies.factoring.conserved import differences
from normkit.studies.factoring.problems import Asymmetric, Weights, logarithmic, orthogonal
from normkit.studies.factoring.runs import TARGET, Geometric, descent, follow, muon
from normkit.studies.factoring.symmetric import COUNT_ROOM, KAPPAS, MOST, MOST_DESCENT, SCALE, counts_of, shown
from normkit.studies.kit.claims import Claim, below, conditional, measured, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

ROWS, COLUMNS = 24, 16
RATES = {0.5: 0.5, 0.7: 0.45, 0.9: 0.15}
COUNTS = {0.5: (20, 21, 21, 21), 0.7: (35, 38, 38, 38), 0.9: (106, 118, 116, 118)}
DESCENT = (21, 222, 1801, 13558)
EXACT, LATE = 1e-12, 1.5e-2
UNEQUAL = (0.2, 0.1)
"""Lengths of P and Q in a start that is not balanced."""


def problem(rng: Generator, kappa: float) -> Asymmetric:
    """Return a problem with random bases."""
    return Asymmetric(
        orthogonal(rng, ROWS, COLUMNS), logarithmic(kappa, COLUMNS), orthogonal(rng, COLUMNS)
    )  # fmt: skip


def aligned(rng: Generator, of: Asymmetric, p: float = SCALE, q: float = SCALE) -> Weights:
    """Return P = p U R' and Q = q V R', R orthogonal."""
    R = orthogonal(rng, COLUMNS)
    return {"P": p * of.U @ R.T, "Q": q * of.V @ R.T}


def one(rng: Generator, kappa: float, ratio: float, draw: int) -> dict[str, Any]:
    """Return one run of Muon, and how far the difference of the roots moved."""
    made = problem(rng, kappa)
    seen: list[Any] = []
    run = follow(made, aligned(rng, made), muon(Geometric(RATES[ratio], ratio)), MOST,
                 watch=lambda t, weights: seen.append(differences(weights)["roots"]))  # fmt: skip
    return run.plain() | {"moved": max(float(np.max(np.abs(each - seen[0]))) for each in seen)}


def plain_descent(rng: Generator, kappa: float) -> dict[str, Any]:
    """Return one run of gradient descent, learning rate 1/2."""
    made = problem(rng, kappa)
    return follow(made, aligned(rng, made), descent(0.5), MOST_DESCENT).plain()


def unequal(rng: Generator, kappa: float, ratio: float, first: float) -> dict[str, Any]:
    """Return where a run from unequal lengths ends: singular values of P, and what they should be.

    `moved` is how far the difference of the roots moved, `least` the least q of the scalar recursion.
    """
    made, (p, q), lr = problem(rng, kappa), UNEQUAL, Geometric(first, ratio)
    weights = aligned(rng, made, p, q)
    before = differences(weights)["roots"]
    run = follow(made, weights, muon(lr), MOST, until=1e-9)
    _, single = scalars.asymmetric(np.full(COLUMNS, p), np.full(COLUMNS, q), made.spectrum, lr, len(run.rel) - 1)
    return {
        "sigma": np.linalg.svd(run.weights["P"], compute_uv=False),
        "wanted": scalars.fixed_point(np.full(COLUMNS, p - q), made.spectrum),
        "moved": float(np.max(np.abs(differences(run.weights)["roots"] - before))),
        "least": float(single.min()),
    }


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the counts and what is conserved."""
    draws = at.pick(1, 3)
    cells = [(kappa, ratio, draw) for ratio in RATES for kappa in KAPPAS for draw in range(draws)]
    found: dict[tuple[float, int], list[Any]] = {}
    for (kappa, ratio, _), each in zip(cells, at.cells.map("asymmetric", one, cells), strict=True):
        found.setdefault((ratio, kappa), []).append(each)
    kappas = KAPPAS[: at.pick(2, 4)]
    down = at.cells.map("asymmetric descent", plain_descent, [(kappa,) for kappa in kappas])
    alone = {ratio: [_alone(kappa, ratio) for kappa in KAPPAS] for ratio in RATES}
    rows: list[list[Any]] = []
    for ratio in RATES:
        rows.append([f"Muon, decay {ratio}", *(shown(found[ratio, kappa]) for kappa in KAPPAS)])
        rows.append([f"its scalar recursions, decay {ratio}", *alone[ratio]])
    rows.append(["gradient descent", *(shown([each]) for each in down), *[None] * (len(KAPPAS) - len(down))])
    yield Table("asymmetric", f"P Q' = M: steps to a relative residual of {TARGET:g}",
                ("method", *(f"kappa = {kappa}" for kappa in KAPPAS)), rows, f"{draws} draws")  # fmt: skip
    runs = [(ratio, place, each) for ratio in RATES for place, kappa in enumerate(KAPPAS)
            for each in found[ratio, kappa]]  # fmt: skip
    counts = counts_of([each for *_, each in runs])
    yield within("S21.counts", "Muon from an aligned start: the counts, for every decay, kappa and draw", counts,
                 [COUNTS[ratio][place] for ratio, place, _ in runs], COUNT_ROOM,
                 confidence="exact up to rounding")  # fmt: skip
    apart = [(ratio, place, each) for ratio, place, each in runs if ratio < 0.9 or KAPPAS[place] > 1]
    yield within("S21.same", "the matrices take as many steps as their scalar recursions, but for kappa = 1, decay 0.9",
                 counts_of([each for *_, each in apart]), [alone[ratio][place] for ratio, place, _ in apart],
                 [COUNT_ROOM if ratio < 0.9 else 2 * COUNT_ROOM for ratio, *_ in apart],
                 confidence="exact up to rounding")  # fmt: skip
    yield measured("S21.equal", "kappa = 1, decay 0.9: counts of the matrices and of the scalar recursion, whose modes "
                   "are all equal until rounding turns the matrices", [*counts_of(found[0.9, 1]), alone[0.9][0]],
                   confidence="all draws, and exact recursion")  # fmt: skip
    yield within("S21.descent", "gradient descent, learning rate 1/2: counts for kappa = 1, 10, ...", counts_of(down),
                 DESCENT[: len(down)], COUNT_ROOM, confidence="one draw each")  # fmt: skip
    yield from _conserved(at, runs)


def _alone(kappa: float, ratio: float) -> int | None:
    spectrum, start = logarithmic(kappa, COLUMNS), np.full(COLUMNS, SCALE)
    p, q = scalars.asymmetric(start, start, spectrum, Geometric(RATES[ratio], ratio), MOST)
    return scalars.first(p * q, spectrum, TARGET)


def _conserved(at: Run, runs: Sequence[tuple[float, int, Any]]) -> Iterator[Claim]:
    yield below("S21.conserved", "decay 0.5 and 0.7: Muon keeps (P'P)^1/2 - (Q'Q)^1/2, largest change of an entry",
                [each["moved"] for ratio, _, each in runs if ratio < 0.9], EXACT)  # fmt: skip
    yield below("S21.late", "decay 0.9: rounding that is amplified moves it by no more than this",
                [each["moved"] for ratio, _, each in runs if ratio == 0.9], LATE, confidence="all draws")  # fmt: skip
    calm, wild = at.cells.map("unequal", unequal, [(10, 0.8, 0.25), (1000, 0.9, 0.5)])
    yield within("S21.fixed", "from P longer than Q by d the singular values of P end at (d + sqrt(d^2 + 4 s))/2",
                 calm["sigma"], calm["wanted"], 1e-6, confidence="one draw")  # fmt: skip
    yield conditional("S21.positive", "Muon keeps (P'P)^1/2 - (Q'Q)^1/2: it needs modes that stay positive",
                      calm["least"] > 0 and calm["moved"] < 1e-6, wild["least"] > 0 or wild["moved"] < 1e-2,
                      {"small steps, least q and change": [calm["least"], calm["moved"]],
                       "large steps": [wild["least"], wild["moved"]]}, confidence="one draw each")  # fmt: skip
