r"""S08: how far the diagonal of A = V V' stands out where V is noise alone.

r_i = A_ii over the mean of |A_ij|, j != i, is about sqrt(pi n/2): A_ii is about n, and A_ij about sqrt(n) N(0, 1). The
mean of m - 1 absolute values is itself random, which adds the share (pi/2 - 1)/(m - 1). Derived for this project.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from normkit.studies.gap import pictures
from normkit.studies.gap.sampling import direct
from normkit.studies.kit.claims import Claim, check, measured, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

DRAWS = {(16, 64): 400, (64, 256): 60, (256, 1024): 8, (1024, 1024): 1}
"""Matrices, by shape."""
ROOM, CORRECTED_ROOM = 0.03, 0.015


def baseline(m: int, n: int) -> float:
    """Return sqrt(pi n/2), with what few rows add."""
    return float(np.sqrt(np.pi * n / 2) * (1 + (np.pi / 2 - 1) / (m - 1)))


def ratios(rng: Generator, m: int, n: int, draws: int) -> dict[str, float]:
    """Return mean, smallest and largest r_i over some Gaussian matrices, and the extremes in the first."""
    A = direct(rng, draws, m, n)
    size = np.abs(A)
    diagonal = np.diagonal(A, axis1=1, axis2=2)
    r = diagonal / ((size.sum(axis=2) - diagonal) / (m - 1))
    found = {"mean": r.mean(), "least": r[0].min(), "largest": r[0].max(), "least of all": r.min()}
    return {name: float(value) for name, value in found.items()}


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the ratios of noise, their claims and a figure."""
    found = at.cells.map("dominance", ratios, [(*shape, draws) for shape, draws in DRAWS.items()])
    by = dict(zip(DRAWS, found, strict=True))
    yield Table("dominance", "Diagonal dominance r of V V', V Gaussian",
                ("m", "n", "mean r", "sqrt(pi n/2)", "for m rows", "least", "largest", "draws"),
                [[m, n, r["mean"], float(np.sqrt(np.pi * n / 2)), baseline(m, n), r["least"], r["largest"], DRAWS[m, n]]
                 for (m, n), r in by.items()], "least and largest: of the first matrix")  # fmt: skip
    many = [shape for shape in DRAWS if shape[0] >= 64]
    plain = [float(np.sqrt(np.pi * n / 2)) for _, n in many]
    yield within("S08.baseline", "noise of 64 rows or more has mean r of sqrt(pi n/2)", [by[s]["mean"] for s in many],
                 plain, [ROOM * each for each in plain], confidence="3 %")  # fmt: skip
    exact = [baseline(*shape) for shape in DRAWS]
    yield within("S08.rows", "few rows add the share (pi/2 - 1)/(m - 1)", [r["mean"] for r in found], exact,
                 [CORRECTED_ROOM * each for each in exact], confidence="1.5 %")  # fmt: skip
    least = {f"{m} x {n}": r["least of all"] for (m, n), r in by.items() if m >= 64}
    yield check("S08.noise", "noise without any structure has r above 5 in every row", min(least.values()) > 5, least,
                "> 5", confidence="smallest of all draws, 64 rows or more")  # fmt: skip
    yield measured("S08.range", "smallest and largest r of one 64 x 256 matrix",
                   [by[64, 256]["least"], by[64, 256]["largest"]], confidence="one draw")  # fmt: skip
    yield Figure("dominance", "Mean r of noise, its range in one matrix, and sqrt(pi n/2).",
                 pictures.dominance(by), (6.4, 4.2))  # fmt: skip
