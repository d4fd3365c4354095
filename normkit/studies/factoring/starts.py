"""S22: P Q' = M from independent Gaussian P and Q. The budget of a schedule, and the orientation of a start.

det(U'P) det(Q'V) is positive where P Q' = M, since the singular values of M are. A start with the other sign has to
pass a singular core on its way. Found and derived for this project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from numpy.random import Generator

from normkit.studies.factoring import pictures
from normkit.studies.factoring.asymmetric import COLUMNS, ROWS, problem
from normkit.studies.factoring.problems import Asymmetric, Weights
from normkit.studies.factoring.runs import TARGET, Geometric, follow, muon
from normkit.studies.factoring.symmetric import KAPPAS, SCALE, shown
from normkit.studies.kit.claims import Claim, check, conditional, measured, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

RATIOS = (0.5, 0.7, 0.8, 0.9)
"""With the first learning rate 2 (1 - ratio): in all 2, twice the largest root."""
SIDES = {1: "same orientation", -1: "other orientation"}
COUNT, COUNT_ROOM = 117.5, 5.5
"""Of decay 0.9: 114 to 121, and 2."""
FASTER, FASTER_ROOM = 60, 3
"""Of decay 0.8 where it arrives, kappa = 10, 100: 59 to 61, and 2."""
STUCK, STUCK_ROOM = 0.45, 0.1
"""The residual that decay 0.5 leaves for kappa = 1."""
Found = Mapping[tuple[float, int, int], Sequence[Mapping[str, Any]]]


def gaussian(rng: Generator, of: Asymmetric, side: int, scale: float = SCALE) -> Weights:
    """Return Gaussian P and Q of an orientation: of a draw of the other one, a column of Q is turned round."""
    (rows, count), columns = of.U.shape, len(of.V)
    made = {"P": scale * rng.standard_normal((rows, count)), "Q": scale * rng.standard_normal((columns, count))}
    if of.orientation(made) != side:
        made["Q"][:, 0] *= -1
    return made


def one(rng: Generator, kappa: float, ratio: float, side: int, draw: int) -> dict[str, Any]:
    """Return one run of Muon from independent starts."""
    made = problem(rng, kappa)
    return follow(made, gaussian(rng, made, side), muon(Geometric(2 * (1 - ratio), ratio)), 600).plain()


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield counts and residuals from independent starts, their claims and figure."""
    draws, kappas = at.pick(3, 6), at.pick((1, 10, 1000), KAPPAS)
    cells = [(kappa, ratio, side, draw) for ratio in RATIOS for kappa in kappas for side in SIDES
             for draw in range(draws)]  # fmt: skip
    found: dict[tuple[float, int, int], list[Any]] = {}
    for (kappa, ratio, side, _), each in zip(cells, at.cells.map("starts", one, cells), strict=True):
        found.setdefault((ratio, kappa, side), []).append(each)
    rows = [[f"decay {ratio}, {name}", *(shown(found[ratio, kappa, side]) for kappa in kappas)]
            for ratio in RATIOS for side, name in SIDES.items()]  # fmt: skip
    yield Table("starts", f"P Q' = M, {ROWS} x {COLUMNS}, independent Gaussian starts: steps to {TARGET:g}",
                ("run", *(f"kappa = {kappa}" for kappa in kappas)), rows, f"{draws} draws each")  # fmt: skip
    yield from _claims(found)
    yield Figure("starts", "Residuals at which Muon ends, or 1e-6, from independent Gaussian starts.",
                 pictures.starts(found, RATIOS, kappas), (8.4, 4.2))  # fmt: skip


def _runs(found: Found, ratio: float, kappas: Sequence[int] = KAPPAS, sides: Sequence[int] = (1, -1)) -> list[Any]:
    return [each for kappa in kappas for side in sides for each in found.get((ratio, kappa, side), ())]


def _met(runs: Sequence[Any]) -> list[int]:
    return [each["steps"] for each in runs if each["steps"] is not None]


def _median(counts: Sequence[int]) -> float | None:
    return float(median(counts)) if counts else None


def _claims(found: Found) -> Iterator[Claim]:
    same = _runs(found, 0.9, sides=(1,))
    met = _met(same)
    yield within("S22.counts", "decay 0.9, starts of the same orientation: median count, and how many arrive",
                 [_median(met), len(met)], [COUNT, len(same)], [COUNT_ROOM, 0], confidence="all draws")  # fmt: skip
    other = _runs(found, 0.9, KAPPAS[:1], (-1,))
    yield conditional("S22.orientation", "decay 0.9: Muon arrives from every independent Gaussian start: it needs the "
                      "orientation of M", len(met) == len(same), len(_met(other)) == len(other),
                      {"same, arrive": f"{len(met)} of {len(same)}",
                       "other, kappa = 1": f"{len(_met(other))} of {len(other)}"},
                      confidence="all draws")  # fmt: skip
    half = _runs(found, 0.5)
    yield check("S22.half", "decay 0.5: no independent start arrives", not _met(half), len(_met(half)), 0,
                confidence=f"{len(half)} draws")  # fmt: skip
    yield within("S22.stuck", "decay 0.5, kappa = 1: the median residual that is left",
                 median(each["end"] for each in _runs(found, 0.5, KAPPAS[:1])), STUCK, STUCK_ROOM,
                 confidence="median of draws")  # fmt: skip
    seven = _runs(found, 0.7)
    yield check("S22.few", "decay 0.7: at most one in eight arrives", len(_met(seven)) * 8 <= len(seven),
                f"{len(_met(seven))} of {len(seven)}", confidence="all draws")  # fmt: skip
    eight, far = _met(_runs(found, 0.8, KAPPAS[1:3])), _runs(found, 0.8, KAPPAS[3:])
    yield within("S22.faster", "decay 0.8, kappa = 10 and 100: median count of those that arrive", _median(eight),
                 FASTER, FASTER_ROOM, confidence="all draws")  # fmt: skip
    yield check("S22.budget", "decay 0.8, kappa = 1000: at most a quarter arrives", len(_met(far)) * 4 <= len(far),
                f"{len(_met(far))} of {len(far)}", confidence="all draws")  # fmt: skip
    turned = [runs for (ratio, _, side), runs in found.items() if (ratio, side) == (0.9, -1)]
    yield measured("S22.shares", "shares that arrive, decay 0.9, other orientation, by kappa",
                   [len(_met(runs)) / len(runs) for runs in turned],
                   confidence="all draws")  # fmt: skip
