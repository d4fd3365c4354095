"""Norms, the best learning rates of an earlier run, and long-run values, from `values.csv`.

The long runs are this study's own, seed 0: ``normkit study width-transfer --long`` computes them again.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from normkit.optim.recipes.muon import ADJUST

NORMS = {"RMS to RMS": "rms->rms", "spectral": "spectral", "Frobenius": "fro", "original": ADJUST["original"]}
WIDTHS = (8, 16, 32, 64, 128, 256)
BEST = {
    "RMS to RMS": {16: 0.088, 32: 0.125, 64: 0.0625, 128: 0.0625, 256: 0.0625},
    "spectral": {16: 0.0625, 32: 0.0625, 64: 0.044, 128: 0.031, 256: 0.022},
    "Frobenius": {16: 0.088, 32: 0.0625, 64: 0.044, 128: 0.044, 256: 0.031},
    "original": {16: 0.0625, 32: 0.044, 64: 0.031, 128: 0.022, 256: 0.022},
}
"""Of an earlier run with five starts, by width."""


@dataclass(frozen=True)
class Value:
    """Long-run numbers of one norm at one width, in log2, over groups of five starts.

    Attributes
    ----------
    groups : int
    least, most : float
        The range of the best learning rates.
    edge, edge_sd : float
        The least learning rate that arrives, and its standard deviation.
    """

    groups: int
    least: float
    most: float
    edge: float
    edge_sd: float


@cache
def known() -> Mapping[tuple[str, int], Value]:
    """Return the long-run values by norm and width.

    Examples
    --------
    >>> from normkit.studies.width.reference import known
    >>> known()["RMS to RMS", 256].edge > known()["spectral", 256].edge
    True
    """
    found = {}
    with (files("normkit.studies.width") / "values.csv").open(encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            numbers = (float(line[name]) for name in ("least", "most", "edge", "edge_sd"))
            found[line["norm"], int(line["width"])] = Value(int(line["groups"]), *numbers)
    return found
