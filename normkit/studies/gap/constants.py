r"""S03: where sqrt(n) times the means go: half the norms of G0, symmetric, with zero diagonal and N(0,1) beside it.

sqrt(n) |Delta|_F tends in law to chi_k / sqrt(2), k = m(m - 1)/2, and sqrt(n) |Delta|_op to |G0|_op / 2. Derived for
this project.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.special import gammaln

from normkit.studies.gap import pictures
from normkit.studies.gap.gauss import rule
from normkit.studies.gap.reference import ROWS
from normkit.studies.gap.sampling import moments
from normkit.studies.kit.claims import Claim, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

AT = 20_000
"""The n where the limit is looked for."""
OPERATOR = {2: 0.39894, 3: 0.85287, 5: 1.5107, 10: 2.6016, 20: 4.0377}
"""Half the mean operator norm of G0: 1/sqrt(2 pi), a quadrature, and long runs."""
FROBENIUS = {2: 0.5642, 3: 1.1284, 5: 2.1809, 10: 4.7171, 20: 9.7340}
OPERATOR_ERRORS = {2: 5e-6, 3: 5e-6, 5: 3e-4, 10: 5e-4, 20: 7e-4}
"""Standard errors of the long runs; of the others, rounding."""
DRAWN = {2: 400_000, 3: 200_000, 5: 100_000, 10: 50_000, 20: 20_000}
"""Samples, by m: fewer where the norms spread less."""
SHARE = 0.01
"""What a mean at n = 20000 may be off, relative to the limit."""


def frobenius_limit(m: int) -> float:
    """Return the limit of sqrt(n) E|Delta|_F: Gamma((k+1)/2)/Gamma(k/2), k = m(m-1)/2.

    Examples
    --------
    >>> from normkit.studies.gap.constants import frobenius_limit
    >>> round(frobenius_limit(3), 4)
    1.1284
    """
    k = m * (m - 1) / 2
    return float(np.exp(gammaln((k + 1) / 2) - gammaln(k / 2)))


def three_rows(nodes: int = 60) -> float:
    """Return half the mean operator norm of G0 for m = 3, by quadrature over an octant of the unit sphere.

    The eigenvalues are the roots of x^3 - r^2 x = 2abc: the largest is 2r/sqrt(3) cos(arccos(3 sqrt(3) abc/r^3)/3).

    Examples
    --------
    >>> from normkit.studies.gap.constants import three_rows
    >>> round(three_rows(), 5)
    0.85287
    """
    points, weights = rule(nodes)
    height, angle = np.meshgrid(points, np.pi / 2 * points)
    cells = np.outer(weights, weights)
    product = height * (1 - height**2) * np.sin(2 * angle) / 2
    mean = np.sum(cells * np.cos(np.arccos(np.minimum(3 * np.sqrt(3) * product, 1.0)) / 3))
    return float(np.sqrt(8 / np.pi) / np.sqrt(3) * mean)


def limit(rng: Generator, m: int, samples: int) -> dict[str, float]:
    """Return mean and standard error of |G0|_op / 2 over so many draws."""
    above = np.triu_indices(m, 1)
    parts = []
    for start in range(0, samples, 10_000):
        G = np.zeros((min(10_000, samples - start), m, m))
        G[:, above[0], above[1]] = rng.standard_normal((len(G), len(above[0])))
        values = np.linalg.eigvalsh(G + np.swapaxes(G, 1, 2))
        parts.append(np.maximum(values[:, -1], -values[:, 0]) / 2)
    found = np.concatenate(parts)
    return {"mean": float(found.mean()), "error": float(found.std(ddof=1) / samples**0.5)}


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the constants, their claims and a figure."""
    sizes = list(OPERATOR)
    share = at.pick(0.25, 1.0)
    drawn = [(m, AT, int(share * DRAWN[m]), "bartlett") for m in sizes]
    found = at.cells.map("constants", moments, drawn)
    limits = at.cells.map("limits", limit, [(m, at.pick(10_000, 100_000, 2_000_000)) for m in sizes])
    yield Table("constants", f"sqrt(n) times the mean at n = {AT}, and its limit",
                ("m", "op", "op limit", "op limit, sampled", "F", "F limit"),
                [[m, each["op"] * AT**0.5, OPERATOR[m], lim["mean"], each["F"] * AT**0.5, frobenius_limit(m)]
                 for m, each, lim in zip(sizes, found, limits, strict=True)])  # fmt: skip
    for norm, wanted in (("op", OPERATOR), ("F", FROBENIUS)):
        yield within(f"S03.{norm}", f"sqrt(n) times the mean {norm} norm is near its limit at n = {AT}",
                     [each[norm] * AT**0.5 for each in found], list(wanted.values()),
                     [SHARE * each for each in wanted.values()],
                     confidence="1 %, 4 standard errors or more")  # fmt: skip
    yield within("S03.gamma", "the limit of the F norm is Gamma((k+1)/2)/Gamma(k/2), k = m(m-1)/2",
                 [frobenius_limit(m) for m in sizes], list(FROBENIUS.values()), 6e-5, confidence="exact")  # fmt: skip
    yield within("S03.three", "the limit of the op norm for three rows is an integral over the sphere", three_rows(),
                 OPERATOR[3], OPERATOR_ERRORS[3], confidence="quadrature")  # fmt: skip
    yield within("S03.limits", "the limit of the op norm is half the mean op norm of G0",
                 [each["mean"] for each in limits], list(OPERATOR.values()),
                 [_room(each, m) for each, m in zip(limits, sizes, strict=True)],
                 confidence="4 standard errors")  # fmt: skip
    yield Figure("constants", "sqrt(n) times the long run's means, and their limits (lines).",
                 pictures.constants({m: (OPERATOR[m], frobenius_limit(m)) for m in ROWS}), (8.2, 4.2))  # fmt: skip


def _room(sampled: dict[str, Any], m: int) -> float:
    return float(4 * np.hypot(sampled["error"], OPERATOR_ERRORS[m]))
