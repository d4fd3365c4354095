"""S23: X X' = M by sign descent and by Adam, over whole grids of first learning rates and decays.

Both act entry by entry, so that the runs of a grid are one array, and the steps are the library's stages on it. Neither
knows the basis of M: counts depend on the draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.random import Generator

from normkit.optim import Adam, Pipeline
from normkit.optim.stage import At
from normkit.optim.stages import Sign
from normkit.studies.factoring import pictures
from normkit.studies.factoring.problems import Matrix, length
from normkit.studies.factoring.runs import TARGET
from normkit.studies.factoring.symmetric import KAPPAS, ORTHOGONAL, counts_of, descents, problem, runs, shown
from normkit.studies.kit.claims import Claim, below, check, refuted, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

RATES = (0.003, 0.01, 0.03, 0.1)
DECAYS = {"sign descent": (0.9, 0.99, 0.999, 1.0), "Adam": (0.99, 0.997, 0.999, 1.0)}
STAGES = {"sign descent": Sign(), "Adam": Adam(0.9, 0.999)}
MOST = 6000
SPENT = 1e-9
"""What is left of a schedule, lr / (1 - ratio), when a run is over."""
SIGN = {1: 115, 100: 1413}
TWO = (124, 1050)
"""The counts of sign descent for kappa = 10: where decay 0.9 goes far enough, and where it takes 0.99."""
SIGN_END, END_FACTOR = 6.6e-4, 2.5
ADAM = (244, 245, 257, 413)
SHARE = 0.15
WIDE = {("sign descent", 100): 0.25, ("Adam", 1000): 0.6}
"""Room of counts that depend on the draw: the best of a grid is between 1160 and 1520, and between 345 and 620."""
Cell = Mapping[str, Any]


def grid(rng: Generator, method: str, kappa: float, most: int, draw: int) -> list[list[Any]]:
    """Return first rate, decay, count or None, and last residual of all runs of a grid, from one orthogonal start."""
    made, weights = problem(rng, kappa, "orthogonal")
    cells = [(lr, ratio) for ratio in DECAYS[method] for lr in RATES]
    lr, ratio = (np.array(column) for column in zip(*cells, strict=True))
    X, alive = np.repeat(weights["X"][None], len(cells), axis=0), np.arange(len(cells))
    pipeline, held = Pipeline(STAGES[method]), dict[str, Matrix]()
    counts: list[int | None] = [None] * len(cells)
    ends = np.empty(len(cells))
    for t in range(most + 1):
        rest = X @ np.swapaxes(X, 1, 2) - made.M
        ends[alive] = np.sqrt(np.sum(rest * rest, axis=(1, 2))) / length(made.spectrum)
        left = lr[alive] * ratio[alive] ** t / np.maximum(1 - ratio[alive], 1e-9)
        for place in alive[ends[alive] < TARGET]:
            counts[place] = t
        going = (ends[alive] >= TARGET) & (left > SPENT)
        if not going.any():
            break
        X, rest, alive = X[going], rest[going], alive[going]
        held = {name: array[going] for name, array in held.items()}
        step = pipeline.direction(rest @ X, held, At("X", t + 1, 1.0, X))
        X = X - (lr[alive] * ratio[alive] ** t)[:, None, None] * step
    return [[*cell, count, float(end)] for cell, count, end in zip(cells, counts, ends, strict=True)]


def best(cells: Sequence[Sequence[Any]], decayed: bool) -> Sequence[Any]:
    """Return the run of the least count, or of the least residual where none arrives, with or without decay."""
    some = [cell for cell in cells if (cell[1] < 1) == decayed]
    return min(some, key=lambda cell: (np.inf if cell[2] is None else cell[2], cell[3]))


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the grids, the best of each, their claims and the figure of counts against kappa."""
    draws, most = at.pick(2, 5), at.pick(2000, MOST)
    cells = [(method, kappa, most, draw) for method in DECAYS for kappa in KAPPAS for draw in range(draws)]
    found: dict[tuple[str, int], list[Any]] = {}
    for (method, kappa, *_), each in zip(cells, at.cells.map("baselines", grid, cells), strict=True):
        found.setdefault((method, kappa), []).append(each)
    for method, ratios in DECAYS.items():
        yield _table(method, ratios, found, most)
    counts = {(method, decayed): [[best(each, decayed)[2] for each in found[method, kappa]] for kappa in KAPPAS]
              for method in DECAYS for decayed in (True, False)}  # fmt: skip
    yield from _sign(found, counts)
    yield from _adam(counts)
    medians = {f"{method}, {'decayed' if decayed else 'constant'}": _medians(rows)
               for (method, decayed), rows in counts.items()}  # fmt: skip
    lines = _others(at) | medians
    yield Figure("kappa", f"Steps to a residual of {TARGET:g} against the condition number: medians, the best of a "
                 "grid for sign descent and Adam.", pictures.kappa(KAPPAS, lines), (7.6, 4.6))  # fmt: skip


def _others(at: Run) -> dict[str, list[float]]:
    """Medians of the counts of S20."""
    found, down = runs(at), descents(at)
    lines = {f"Muon, decay {ratio}": [median(counts_of(found["orthogonal", ratio, kappa])) for kappa in KAPPAS]
             for ratio in ORTHOGONAL}  # fmt: skip
    return lines | {"gradient descent": [counts_of([down[k]])[0] if k in down else np.inf for k in KAPPAS]}


def _room(method: str, kappa: int) -> float:
    return WIDE.get((method, kappa), SHARE)


def _medians(rows: Sequence[Sequence[int | None]]) -> list[float]:
    """Medians of counts; infinite where most runs do not arrive."""
    return [float(np.median([np.inf if count is None else count for count in row])) for row in rows]


def _table(method: str, ratios: Sequence[float], found: Mapping[tuple[str, int], Sequence[Any]], most: int) -> Table:
    rows = []
    for place, (ratio, lr) in enumerate((ratio, lr) for ratio in ratios for lr in RATES):
        line = [[each[place] for each in found[method, kappa]] for kappa in KAPPAS]
        rows.append([ratio, lr, *(_shown(each) for each in line)])
    names = ("decay ratio", "first rate", *(f"kappa = {kappa}" for kappa in KAPPAS))
    note = (
        f"{len(found[method, 1])} draws each; not: the largest residual after {most} steps or where the rates are spent"
    )
    return Table(f"grid-{method.split()[0].lower()}", f"{method}, X X' = M: steps to {TARGET:g}", names, rows, note)


def _shown(line: Sequence[Sequence[Any]]) -> str:
    return shown([{"steps": run[2], "end": run[3]} for run in line])


def _sign(found: Mapping[tuple[str, int], Sequence[Any]], counts: Mapping[tuple[str, bool], Any]) -> Iterator[Claim]:
    rows = dict(zip(KAPPAS, counts["sign descent", True], strict=True))
    got = _medians([rows[kappa] for kappa in SIGN])
    want = list(SIGN.values())
    yield within("S23.sign", "sign descent, best of the grid: median counts for kappa = 1 and 100", got, want,
                 [_room("sign descent", kappa) * each for kappa, each in SIGN.items()],
                 confidence="median of draws, expected of one")  # fmt: skip
    near = [min(abs((count or np.inf) - each) / each for each in TWO) for count in rows[10]]
    yield below("S23.two", f"sign descent, kappa = 10: every draw takes about {TWO[0]} or about {TWO[1]} steps; "
                "distance from the nearer over it", near, SHARE, confidence="all draws")  # fmt: skip
    ends = [best(each, True)[3] for each in found["sign descent", 1000]]
    yield check("S23.fails", "sign descent, kappa = 1000: no run of the grid arrives; best residuals near 6.6e-4",
                rows[1000] == [None] * len(ends) and abs(np.log(np.median(ends) / SIGN_END)) < np.log(END_FACTOR), ends,
                f"{SIGN_END:g} within a factor {END_FACTOR}", confidence="median of draws")  # fmt: skip
    still = [count for row in counts["sign descent", False] for count in row]
    yield check("S23.plateau", "sign descent at a constant rate never arrives: it stops at a plateau",
                still == [None] * len(still), len([count for count in still if count is not None]), 0,
                confidence="all draws and rates")  # fmt: skip


def _adam(counts: Mapping[tuple[str, bool], Any]) -> Iterator[Claim]:
    rooms = [_room("Adam", kappa) for kappa in KAPPAS]
    falling, flat = _medians(counts["Adam", True]), _medians(counts["Adam", False])
    yield within("S23.Adam", "Adam with decay, best of the grid: median counts for kappa = 1, 10, 100, 1000", falling,
                 ADAM, [room * each for room, each in zip(rooms, ADAM, strict=True)],
                 confidence="median of draws, expected of one")  # fmt: skip
    yield below("S23.constant", "Adam without decay, best rate: median counts over those with decay",
                [one / two for one, two in zip(flat, falling, strict=True)], 1 + SHARE,
                confidence="median of draws")  # fmt: skip
    share = falling[-1] / falling[0]
    yield refuted("S23.share", "on X X' = M the count of Adam grows in proportion to kappa", share < 10,
                  {"count for kappa = 1000 over that for 1": share}, "1000", confidence="median of draws")  # fmt: skip
    ratios = [each / ORTHOGONAL[0.5][place] for place, each in enumerate(falling)]
    yield within("S23.times", "Adam's count over that of Muon with decay 1/2 from an orthogonal start", ratios,
                 [each / ORTHOGONAL[0.5][place] for place, each in enumerate(ADAM)],
                 [rooms[place] * each / ORTHOGONAL[0.5][place] for place, each in enumerate(ADAM)],
                 confidence="median of draws")  # fmt: skip
