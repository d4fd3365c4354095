"""Best rational approximations of 1 on [l, 1]: coefficients of QDWH and Zolo steps, to full relative accuracy.

Everything is a sum, product or quotient of positive floats, whatever l is: where double precision elliptic functions of
the modulus sqrt(1 - l^2) fail, since it rounds to 1 from l = 1e-8 down, these keep 14 digits at l = 1e-16 and below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

MOST_SOLVES = 8
"""Solves of a Zolo step that take [1e-16, 1] to within rounding of 1 in two steps."""


@dataclass(frozen=True)
class Weights:
    """The map x (a + b x^2) / (1 + c x^2), a step of QDWH.

    Attributes
    ----------
    a, b, c : float
        Positive; a is the slope at 0.
    """

    a: float
    b: float
    c: float

    def __call__(self, x: float) -> float:
        """Return the image of a singular value."""
        return x * (self.a + self.b * x * x) / (1.0 + self.c * x * x)


def coefficients(lower: float) -> tuple[float, float, float]:
    """Return (a, b, c) of `weights`: plain arithmetic, which compiled code uses too."""
    square = lower * lower
    d = (4.0 * (1.0 - lower) * (1.0 + lower) / square / square) ** (1.0 / 3.0)
    root = math.sqrt(1.0 + d)
    a = root + 0.5 * math.sqrt(max(8.0 - 4.0 * d + 8.0 * (2.0 - square) / (square * root), 0.0))
    b = (a - 1.0) ** 2 / 4.0
    return a, b, a + b - 1.0


def weights(lower: float) -> Weights:
    """The best approximation x (a + b x^2)/(1 + c x^2) of 1 on [l, 1] that stays at or below 1.

    The image of [l, 1] is [f(l), 1] (Nakatsukasa, Bai, Gygi, SIAM J. Matrix Anal. Appl. 31 (2010) 2700, equation 3.11).

    Parameters
    ----------
    lower : float
        l in (0, 1].
    """
    return Weights(*coefficients(lower))


def bounded_weights(lower: float, most: float) -> Weights:
    """Return `weights` of l, or of the least l' > l whose c is at most `most`: of less gain, and still at most 1.

    Below l' the map increases, so that the image of [l, 1] is again [f(l), 1].
    """
    best = weights(lower)
    return best if best.c <= most else _weights_of(most)


@lru_cache(256)
def _weights_of(most: float) -> Weights:
    """Return the `weights` whose c is `most`, or a little less."""
    low, high = math.log(1e-30), 0.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if weights(math.exp(middle)).c > most:
            low = middle
        else:
            high = middle
    return weights(math.exp(high))


@dataclass(frozen=True)
class PartialFractions:
    """The map s x (1 + sum_j a_j / (x^2 + c_j)), a step of Zolo.

    Attributes
    ----------
    scale : float
        s, so that the map is 1 at 1.
    residues, poles : tuples of float
        a_j and c_j > 0; one solve with X X' + c_j I each.
    lower : float
        The image of l; the image of [l, 1] is [lower, 1].
    """

    scale: float
    residues: tuple[float, ...]
    poles: tuple[float, ...]
    lower: float

    def __call__(self, x: float) -> float:
        """Return the image of a singular value."""
        return self.scale * x * (1.0 + sum(a / (x * x + c) for a, c in zip(self.residues, self.poles, strict=True)))


def _cotangent(angle: float, lower: float) -> float:
    """cn/sn at the share angle/(pi/2) of the quarter period, for the complementary modulus l: descending Landen.

    Bulirsch's recursion (Numer. Math. 7 (1965) 78, sncndn): it starts from the complementary modulus, and its way back
    only adds, multiplies and divides positive numbers.
    """
    means = [(1.0, lower)]
    while abs(means[-1][0] - means[-1][1]) > 1e-9 * means[-1][0]:
        a, g = means[-1]
        means.append((0.5 * (a + g), math.sqrt(a * g)))
    a, g = means[-1]
    ratio = 1.0 / math.tan(angle)
    cotangent, dn = 0.5 * (a + g) * ratio, 1.0
    for a, g in reversed(means):
        scaled = ratio * cotangent
        cotangent *= dn
        dn = (g + scaled) / (a + scaled)
        ratio = cotangent / a
    return cotangent


def nodes(lower: float, solves: int) -> tuple[float, ...]:
    """c_i = l^2 sn^2(u_i)/cn^2(u_i), u_i = i K'/(2r + 1), modulus sqrt(1 - l^2), for i = 1..2r; increasing.

    Nakatsukasa and Freund, SIAM Review 58 (2016) 461, equation 3.4. c_i c_(2r+1-i) = l^2 gives the upper half.
    """
    half = [(lower / _cotangent(math.pi * i / (4 * solves + 2), lower)) ** 2 for i in range(1, solves + 1)]
    return (*half, *(lower / c * lower for c in reversed(half)))


def partial_fractions(lower: float, solves: int) -> PartialFractions:
    """Zolotarev's best approximation of 1 on [l, 1] of type (2r + 1, 2r), as partial fractions.

    x prod (x^2 + c_2i)/(x^2 + c_(2i-1)) = x (1 + sum a_j/(x^2 + c_(2j-1))), divided by its value at 1; r = 1 is a
    step of QDWH. Nakatsukasa and Freund, SIAM Review 58 (2016) 461, equations 3.4 and 3.15.

    Parameters
    ----------
    lower : float
        l in (0, 1).
    solves : int
        r.
    """
    c = nodes(lower, solves)
    poles, zeros = c[0::2], c[1::2]
    residues = []
    for j, pole in enumerate(poles):
        value = -(pole - zeros[j])
        for k in range(solves):
            if k != j:
                value *= (pole - zeros[k]) / (pole - poles[k])
        residues.append(value)

    def product(square: float) -> float:
        return math.prod((square + zero) / (square + pole) for zero, pole in zip(zeros, poles, strict=True))

    at_one = product(1.0)
    return PartialFractions(1.0 / at_one, tuple(residues), poles, lower * product(lower * lower) / at_one)


def solves_for(lower: float, error: float) -> int:
    """Return the least r, up to `MOST_SOLVES`, with which two Zolo steps take [l, 1] to within `error` of 1."""
    for solves in range(1, MOST_SOLVES):
        first = partial_fractions(lower, solves).lower
        if first >= 1.0 - error or partial_fractions(first, solves).lower >= 1.0 - error:
            return solves
    return MOST_SOLVES
