r"""S05, lemmas 3.3 and 3.4: tails of singular values and of chi-square, exact and sampled, against what bounds them.

The exact tails of the singular values are those of two rows, whose Gram matrix has eigenvalues of joint density
proportional to (x y)^{(n-3)/2} e^{-(x+y)/2} (x - y): one integral is an incomplete gamma function.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from scipy import special, stats

from normkit.studies.gap.gauss import rule
from normkit.studies.gap.sampling import bartlett
from normkit.studies.kit.claims import Claim, below, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

DEPTHS = (0.5, 1.0, 1.5, 2.0)
"""t of 3.3; 3.4 is taken at x = t^2/2, where its bounds are the same e^{-t^2/2}."""
SIZES = ((2, 50), (2, 1000), (5, 50), (20, 50), (20, 1000))
EXACT = 2
"""The number of rows with an exact tail."""


def chi_square_tails(n: int, t: float) -> tuple[float, float]:
    """Return the exact probabilities of 3.4: Z >= n + 2 sqrt(nx) + 2x and Z <= n - 2 sqrt(nx), at x = t^2/2."""
    x = t * t / 2
    law = stats.chi2(n)
    return float(law.sf(n + 2 * np.sqrt(n * x) + 2 * x)), float(law.cdf(n - 2 * np.sqrt(n * x)))


def pair_tails(n: int, t: float, nodes: int = 400) -> tuple[float, float]:
    """Return the exact probabilities of 3.3 for two rows: of the largest and of the smallest singular value.

    Examples
    --------
    >>> from normkit.studies.gap.concentration import pair_tails
    >>> [round(p, 4) for p in pair_tails(50, 0.5)]
    [0.0187, 0.0163]
    """
    high, low = np.sqrt(n) + np.sqrt(2) + t, np.sqrt(n) - np.sqrt(2) - t
    far = max(high, np.sqrt(n)) + 12.0
    upper = [_integral(n, True, start, far, nodes) for start in (high, 0.0)]
    lower = [_integral(n, False, 0.0, end, nodes) for end in (low, far)]
    return upper[0] / upper[1], lower[0] / lower[1]


def _integral(n: int, largest: bool, start: float, end: float, nodes: int) -> float:
    """Integrate the density of the largest or the smallest singular value, up to a factor, in sigma = sqrt(x)."""
    if end <= start:
        return 0.0
    points, weights = rule(nodes)
    sigma = start + (end - start) * points
    x, alpha = sigma**2, (n - 1) / 2
    gamma = special.gammainc if largest else special.gammaincc
    # integral of y^{alpha-1} e^{-y/2} (x - y) over y < x, or of (y - x) over y > x, over 2^alpha Gamma(alpha)
    inner = x * gamma(alpha, x / 2) - 2 * alpha * gamma(alpha + 1, x / 2)
    density = np.exp((n - 2) * np.log(sigma / np.sqrt(n)) - (x - n) / 2) * np.abs(inner)
    return float((end - start) * weights @ density)


def frequencies(rng: Generator, m: int, n: int, samples: int) -> dict[str, list[float]]:
    """Return how often each tail of 3.3, and of 3.4 for the first row, was met, by `DEPTHS`."""
    A = bartlett(rng, samples, m, n)
    sigma = np.sqrt(np.linalg.eigvalsh(A))
    high, low = sigma[:, -1] - np.sqrt(n) - np.sqrt(m), np.sqrt(n) - np.sqrt(m) - sigma[:, 0]
    row, x = A[:, 0, 0], [t * t / 2 for t in DEPTHS]
    return {
        "largest": [float(np.mean(high >= t)) for t in DEPTHS],
        "smallest": [float(np.mean(low >= t)) for t in DEPTHS],
        "chi-square above": [float(np.mean(row >= n + 2 * np.sqrt(n * y) + 2 * y)) for y in x],
        "chi-square below": [float(np.mean(row <= n - 2 * np.sqrt(n * y))) for y in x],
    }


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the tails and their claims."""
    samples = at.pick(10_000, 50_000)
    found = at.cells.map("tails", frequencies, [(m, n, samples) for m, n in SIZES])
    rows, sampled, exact = [], [], []
    for (m, n), each in zip(SIZES, found, strict=True):
        for place, t in enumerate(DEPTHS):
            known = chi_square_tails(n, t)
            pair = pair_tails(n, t) if m == EXACT else (None, None)
            for (name, got), law in zip(each.items(), (*pair, *known), strict=True):
                rows.append([m, n, name, t, got[place], law, float(np.exp(-t * t / 2))])
                if law is not None:
                    sampled.append(got[place])
                    exact.append(law)
    yield Table("tails", "Tails of 3.3 and 3.4: sampled, exact where known, and the bound exp(-t^2/2)",
                ("m", "n", "tail", "t", "sampled", "exact", "bound"), rows)  # fmt: skip
    errors = [4.5 * np.sqrt(p * (1 - p) / samples) + 4 / samples for p in exact]
    yield within("S05.tails", "sampled tails are the exact ones", sampled, exact, errors,
                 confidence="4.5 standard errors, a tail")  # fmt: skip
    bounds = [row[-1] for row in rows]
    yield below("S05.concentration", "3.3 and 3.4: no tail exceeds exp(-t^2/2), exact or sampled",
                [max(row[4], row[5] or 0.0) for row in rows], bounds, confidence="far below the bound")  # fmt: skip
