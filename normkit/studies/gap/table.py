"""S01 and S02: the table of the gap, cell by cell against long runs, the source's beside it, and the slopes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import normkit as nk
from normkit.errors import ParameterError
from normkit.studies.gap import pictures
from normkit.studies.gap.constants import frobenius_limit
from normkit.studies.gap.reference import COLUMNS, GRID, NORMS, ROWS, SAMPLES, known
from normkit.studies.gap.sampling import SAMPLERS, gap, moments
from normkit.studies.kit.claims import Claim, below, largest, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

LONG = {3: 1_000_000, 5: 1_000_000, 10: 500_000, 20: 200_000}
"""Samples of the long run, a cell, by m."""
FROM = 200
"""The first n of a slope."""
SLOPE, SLOPE_TOLERANCE = -0.5, 0.010
SLOPE_SAMPLES = 72_000
"""Samples of a cell for slopes, times m^2: the standard errors of log means fall like 1/m."""

Cell = tuple[int, int]
Means = Mapping[Cell, Mapping[str, Any]]


def grid(options: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Return the cells (m, n) that the options ask for: the source's if they name neither m nor n.

    Raises
    ------
    ParameterError
        For one row, for more rows than columns, for fewer than two samples, or an unknown sampler.
    """
    rows, columns = options.get("m") or (), options.get("n") or ()
    cells = tuple((m, n) for m in rows or ROWS for n in columns or COLUMNS) if rows or columns else GRID
    for m, n in cells:
        if m < 2:
            raise ParameterError(f"--m {m}: one row has no gap; give 2 or more")
        if m > n:
            raise ParameterError(f"--m {m} --n {n}: A = W W' is singular where m > n; give n of at least {m}")
    if samples(options) < 2:
        raise ParameterError(f"--samples {samples(options)}: a standard error takes 2 or more")
    if sampler(options) not in SAMPLERS:
        raise ParameterError(f"unknown sampler {sampler(options)!r}; known: {', '.join(SAMPLERS)}")
    return cells


def samples(options: Mapping[str, Any]) -> int:
    """Return the samples a cell."""
    return int(options.get("samples", SAMPLES))


def sampler(options: Mapping[str, Any]) -> str:
    """Return the name of the sampler."""
    return str(options.get("sampler", "bartlett"))


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the table, the slopes, their claims and figures."""
    cells, count, drawn = grid(at.options), samples(at.options), sampler(at.options)
    found = at.cells.map("table", moments, [(m, n, count, drawn) for m, n in cells])
    means: Means = dict(zip(cells, found, strict=True))
    yield _table(means)
    yield from _agreement(means, count)
    yield from _samplers(at, means, count, drawn)
    yield below("S01.evaluation", "K A K' has the norms of the difference of the two directions, by an SVD",
                _evaluation(at), 1e-10)  # fmt: skip
    yield from _slopes(at, means, count)
    yield Figure("gap", "Mean norms of the gap, the source's (rings), and the reference 1/sqrt(n).",
                 pictures.gap(means), (8.2, 4.4))  # fmt: skip
    if set(GRID) <= set(cells):
        yield Figure("source", "The source's means less the long run's, in standard errors of 500 samples.",
                     pictures.source(), (8.2, 3.8))  # fmt: skip


def _table(means: Means) -> Table:
    rows = []
    for (m, n), found in means.items():
        for norm in NORMS:
            value = known().get((m, n, norm))
            facts = [None] * 3 if value is None else [value.source, value.mean, value.tolerance(found["samples"])]
            limit = frobenius_limit(m) / n**0.5 if norm == "F" else None
            rows.append([m, n, norm, found[norm], *facts, limit])
    columns = ("m", "n", "norm", "mean", "source", "long run", "tolerance", "n large")
    note = "n large: the exact limit of the Frobenius norm over sqrt(n)"
    return Table("gap", "Mean norm of the gap", columns, rows, note)


def _agreement(means: Means, count: int) -> Iterator[Claim]:
    if not (shared := [(m, n, norm) for m, n in means for norm in NORMS if (m, n, norm) in known()]):
        return
    values = [known()[each] for each in shared]
    wanted, room = [value.mean for value in values], "rounding and 4 standard errors, a cell"
    yield within("S01.table", f"the mean of {count} samples is that of the long run, in every cell",
                 [means[m, n][norm] for m, n, norm in shared], wanted,
                 [value.tolerance(count) for value in values], confidence=room)  # fmt: skip
    yield within("S01.source", "the source's table is the long run's, in every cell",
                 [value.source for value in values], wanted,
                 [value.tolerance() for value in values], confidence=room)  # fmt: skip


def _samplers(at: Run, means: Means, count: int, drawn: str) -> Iterator[Claim]:
    """Draw some cells again by the other sampler: W of few entries in the quick form, never more samples than usual."""
    (other,), few = set(SAMPLERS) - {drawn}, min(count, SAMPLES)
    cells = [(m, n) for m, n in means if m * n <= at.pick(20_000, 400_000)]
    again = at.cells.map("other", moments, [(m, n, few, other) for m, n in cells])
    pairs = [(means[cell], found, norm) for cell, found in zip(cells, again, strict=True) for norm in NORMS]
    if pairs:
        yield within("S01.samplers", "drawing W and drawing its Gram matrix by Bartlett's law give the same means",
                     [one[norm] - two[norm] for one, two, norm in pairs], 0.0,
                     [5 * (a[f"{norm}_sd"] ** 2 / count + b[f"{norm}_sd"] ** 2 / few) ** 0.5 for a, b, norm in pairs],
                     confidence="5 standard errors, a cell")  # fmt: skip


def _evaluation(at: Run) -> float:
    """The largest difference between the norms by A alone and an SVD of the difference of the library's directions."""
    errors = []
    for m, n in ((2, 50), (3, 100), (10, 200), (20, 500)):
        W = at.rng("evaluation", m, n).standard_normal((4, m, n))
        delta = nk.dualize("spectral", W) - nk.dualize("rows(linf, l2)", W)
        sigma = np.linalg.svd(delta, compute_uv=False)
        op, fro = gap(W @ np.swapaxes(W, 1, 2))
        errors += [np.abs(op - sigma[:, 0]), np.abs(fro - np.sqrt((sigma**2).sum(axis=1)))]
    return largest(*errors)


def slope(n: NDArray[np.float64], means: NDArray[np.float64]) -> float:
    """Return the least squares slope of log mean on log n.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.gap.table import slope
    >>> n = np.array([100.0, 1000.0, 10000.0])
    >>> round(slope(n, 3 / np.sqrt(n)), 6)
    -0.5
    """
    x = np.log(n) - np.log(n).mean()
    return float(x @ np.log(means) / (x @ x))


def _slopes(at: Run, means: Means, count: int) -> Iterator[Claim | Table]:
    """Yield slopes of this table, and of more samples where rows are few: those of 500 are only good to 0.005."""
    lines = {m: [n for each, n in means if each == m and n >= FROM] for m in sorted({m for m, _ in means})}
    lines = {m: columns for m, columns in lines.items() if len(columns) >= 3}
    if not lines:
        return
    cells = [(m, n, max(count, SLOPE_SAMPLES // m**2), "bartlett") for m, columns in lines.items() for n in columns]
    many = dict(zip(((m, n) for m, n, *_ in cells), at.cells.map("slopes", moments, cells), strict=True))
    rows = []
    for m, columns in lines.items():
        n = np.array(columns, dtype=float)
        for norm in NORMS:
            fresh, table = (slope(n, np.array([found[m, each][norm] for each in columns])) for found in (many, means))
            rows.append([m, norm, fresh, table, *_documented(m, norm, columns)])
    names = ("m", "norm", "slope", "of this table", "long run", "source")
    yield Table("slopes", f"Slopes of log mean on log n, n >= {FROM}", names, rows)
    kinds = (
        ("slopes", "means are", 2, "standard errors of 0.0015 or less"),
        ("long", "long run's means are", 4, "standard errors of 0.0002 or less"),
        ("source", "source's means are", 5, "standard errors of 0.005 or less, and rounding"),
    )
    for kind, name, place, confidence in kinds:
        listed = [row[place] for row in rows if row[place] is not None]
        if listed:
            yield within(f"S02.{kind}", f"the slopes of the {name} -1/2, for every m and norm", listed, SLOPE,
                         SLOPE_TOLERANCE, confidence=confidence)  # fmt: skip


def _documented(m: int, norm: str, columns: list[int]) -> tuple[float | None, float | None]:
    """Slopes of the long run and of the source, where they have the cells."""
    if any((m, n, norm) not in known() for n in columns):
        return None, None
    n, values = np.array(columns, dtype=float), [known()[m, each, norm] for each in columns]
    long, source = (slope(n, np.array(row)) for row in zip(*((v.mean, v.source) for v in values), strict=True))
    return long, source


def long_run(at: Run) -> Iterator[Claim | Table]:
    """Yield the shipped values of the asked cells, computed again: `values.csv` is this table at seed 0."""
    cells = [(m, n, LONG[m], "bartlett") for m, n in grid(at.options) if m in LONG and (m, n, NORMS[0]) in known()]
    found = at.cells.map("long run", moments, cells)
    rows, differences, rooms = [], [], []
    for (m, n, count, _), each in zip(cells, found, strict=True):
        values = [known()[m, n, norm] for norm in NORMS]
        rows.append([m, n, *(v.source for v in values), count, *(round(each[f"{norm}{kind}"], 6)
                     for norm in NORMS for kind in ("", "_sd"))])  # fmt: skip
        differences += [each[norm] - v.mean for norm, v in zip(NORMS, values, strict=True)]
        rooms += [1e-6 + 5 * np.hypot(v.sd / v.samples**0.5, v.sd / count**0.5) for v in values]
    columns = ("m", "n", "source_op", "source_F", "samples", "mean_op", "sd_op", "mean_F", "sd_F")
    yield Table("long", "Long runs", columns, rows)
    yield within("S01.shipped", "a long run gives the shipped values again", differences, 0.0, rooms,
                 confidence="5 standard errors of both")  # fmt: skip
