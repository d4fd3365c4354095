"""The table that the source prints, and long-run values of its cells, from `values.csv`.

The long runs are this study's own, seed 0: ``normkit study muon-rmnp-gap --long`` computes them again.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

ROWS = (3, 5, 10, 20)
COLUMNS = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
GRID = tuple((m, n) for m in ROWS for n in COLUMNS)
SAMPLES = 500
"""Of the source, a cell."""
SLACK = 6e-4
"""What a mean may be off beside its standard errors: the source rounds to 0.001."""
NORMS = ("op", "F")


@dataclass(frozen=True)
class Value:
    """What is known of one norm in one cell: the source's mean, and mean and standard deviation of a long run."""

    source: float
    mean: float
    sd: float
    samples: int

    def tolerance(self, samples: int = SAMPLES) -> float:
        """Return how far a mean of so many samples may be from the long run's: rounding and 4 standard errors."""
        return SLACK + 4 * self.sd / math.sqrt(samples)


@cache
def known() -> Mapping[tuple[int, int, str], Value]:
    """Return the values of every cell, by m, n and norm.

    Examples
    --------
    >>> from normkit.studies.gap.reference import known
    >>> known()[3, 50, "op"].source
    0.122
    """
    found = {}
    with (files("normkit.studies.gap") / "values.csv").open(encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            for norm in NORMS:
                source, mean, sd = (float(line[f"{kind}_{norm}"]) for kind in ("source", "mean", "sd"))
                found[int(line["m"]), int(line["n"]), norm] = Value(source, mean, sd, int(line["samples"]))
    return found
