"""The precision of a Halley step, and the largest weights that rounding allows in it.

Rounding. A step by Cholesky with unit roundoff u leaves the factor it converges to wrong by

    ||T - polar(X)||_F / sqrt(rank)  <=  0.3 u c  +  0.2 u / l',

l' being the smallest singular value after it. The first term is the rounding of I + c X X': an error of u c in
directions (i, j) reaches the result times a s_j / ((1 + c s_i^2)(1 + c s_j^2)(s_i' + s_j')), at most about 1/2 at
s = 1/sqrt(c), whatever smaller singular values there are. The second is the rounding of the new iterate, which the
polar factor amplifies by 1/(2 l'). Measured on log-spaced, clustered, half tiny and one-tiny spectra of condition 1e2
to 1e5, the first constant lies between 0.0005 (one tiny) and 0.28 (half tiny), the second between 0.02 and 0.17. This
error is skew where what a truncated iteration leaves is symmetric, so that the two add as squares and each may take 0.7
of the accuracy. So float32 serves a step whose weights keep the sum below that; other steps run in float64, there with
c bounded by the same rule.
"""

from __future__ import annotations

import math

from normkit.polar.zolotarev import Weights, bounded_weights, weights

ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}
SHARE = 0.7
"""Share of the accuracy that rounding, and that truncation, may take: their squares add to at most 1."""


def attainable(accuracy: float, dtype: str) -> float:
    """Return the accuracy, or what the dtype can hold: 4 roundoffs of float32, 32 of float64."""
    return max(accuracy, (4.0 if dtype == "float32" else 32.0) * ROUNDOFF[dtype])


def rounding(c: float, image: float, u: float) -> float:
    """The model of the module: 0.3 u c + 0.2 u / l'."""
    return 0.3 * u * c + 0.2 * u / image


def largest_c(accuracy: float, u: float, size: int) -> float:
    """Return the c up to which rounding stays below the accuracy, and I + c X X' numerically positive definite."""
    return max(min(SHARE * accuracy / (0.3 * u), 1.0 / (8.0 * u * math.sqrt(size))), 16.0)


def step(l: float, goal: float, kept: str, size: int, narrow: bool) -> tuple[Weights, bool]:  # noqa: E741
    """Return the weights of a step from a smallest singular value l, and whether it must be taken in float64.

    float32 if the model allows it and the result is kept in it. An iterate that is not `narrow`, float32 already, is
    rounded before the step as well as after it.
    """
    best = weights(l)
    if kept == "float32":
        u = ROUNDOFF[kept]
        stored = 0.5 * best(l) if narrow else min(l, 0.5 * best(l))
        bounded = bounded_weights(l, largest_c(goal - 0.2 * u / (SHARE * stored), u, size))
        if bounded(l) >= 0.5 * best(l) and rounding(bounded.c, stored, u) <= 1.001 * SHARE * goal:
            return bounded, False
    return bounded_weights(l, largest_c(goal, ROUNDOFF["float64"], size)), True
