r"""What Gaussian rows give.

For n of them, of d numbers and scaled to unit length, det G is a product of independent Beta variables, so

    E log det G = sum_i psi((d - i + 1)/2) - n psi(d/2),    Var log det G = sum_i psi'((d - i + 1)/2) - n psi'(d/2).

It falls with n without any structure. (Rows' lengths are independent of their directions, and log det XX' is the sum
of log chi^2_{d-i+1}: derived for this project.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from scipy.special import polygamma, psi

from normkit.studies.grams.matrices import gram, logdet, rows
from normkit.studies.kit.claims import Claim, refuted, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

WIDTH = 64
COUNTS = (2, 8, 16, 32, 48, 64)


def baseline(n: int, d: int) -> tuple[float, float]:
    """Return mean and variance of log det of the Gram matrix of n uniform unit vectors."""
    half = (d - np.arange(n)) / 2
    return float(psi(half).sum() - n * psi(d / 2)), float(polygamma(1, half).sum() - n * polygamma(1, d / 2))


def sample(rng: Generator, n: int, d: int, draws: int) -> tuple[float, float]:
    """Return the mean and the variance of log det over draws."""
    values = logdet(np.array([gram(rows(rng, "noise", n, d)) for _ in range(draws)]))
    return float(values.mean()), float(values.var(ddof=1))


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the baseline against draws."""
    draws = at.pick(300, 2000)
    found = [sample(at.rng("noise", n), n, WIDTH, draws) for n in COUNTS]
    known = [baseline(n, WIDTH) for n in COUNTS]
    table = [[n, a[0], b[0], b[0] / n, a[1], b[1]] for n, a, b in zip(COUNTS, found, known, strict=True)]
    yield Table("noise", f"log det of n uniform unit vectors of {WIDTH} numbers",
                ("n", "mean", "formula", "formula / n", "variance", "formula of it"), table,
                f"{draws} draws")  # fmt: skip
    yield within("gram.noise", "the mean of log det for noise is that of the formula", [a for a, _ in found],
                 [mean for mean, _ in known], [4 * (v / draws) ** 0.5 for _, v in known],
                 confidence=f"4 standard errors of {draws} draws; derived for this project")  # fmt: skip
    shares = [a[1] / b[1] for a, b in zip(found[1:], known[1:], strict=True)]
    yield within("gram.spread", f"so is its variance, as a share of it, from {COUNTS[1]} rows on", shares, 1.0,
                 5 * (2.5 / draws) ** 0.5,
                 confidence=f"5 standard errors of {draws} draws; derived for this project")  # fmt: skip
    per_row = [row[1] / row[0] for row in table]
    yield refuted("gram.structure", "log det per row that falls as rows are added shows structure",
                  bool(np.all(np.diff(per_row) < 0)), dict(zip(map(str, COUNTS), per_row, strict=True)),
                  "constant for noise", confidence=f"{draws} draws of noise")  # fmt: skip
