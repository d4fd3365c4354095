"""The odd polynomial nearest to 1 on an interval (Remez), and the composition of such polynomials, step by step.

For p(x) = a x + b x^3 + ... of degree 2 q + 1 and 0 < l < u the best approximation of 1 on [l, u] takes the values
1 - E, 1 + E, 1 - E, ... at q + 2 points: both ends and the q zeros of p' (Chebyshev). Composing best approximations,
each on the image of the one before, is best among all compositions of those degrees (Amsel, Persson, Musco & Gower,
"The Polar Express", arXiv 2505.16932).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from itertools import pairwise
from math import comb, log10

import numpy as np

Row = tuple[float, ...]
"""Coefficients (a, b, ...) of x, x^3, ... of one step."""

CUSHION = 0.02407327424182761
"""The share of u below which a step is not designed; the value that the code of arXiv 2505.16932 uses."""

ROUNDS = 60


@lru_cache(maxsize=4096)
def minimax(degree: int, lower: float, upper: float) -> tuple[Row, float]:
    """Return the odd polynomial p of a degree that minimizes E = max |1 - p| over [lower, upper], and E.

    Remez exchange in decimal arithmetic whose digits grow as lower/upper nears 1, where the equations become singular:
    the coefficients are right to the last bit of float64 for 1e-300 <= lower/upper <= 1. At lower = upper the limit is
    the Newton-Schulz (Padé) polynomial.

    Examples
    --------
    >>> row, error = minimax(3, 0.5, 1.0)
    >>> [round(c, 6) for c in row], round(error, 6)
    ([2.178213, -1.244693], 0.066480)
    """
    q = degree // 2
    if lower == upper:
        return newton_schulz(degree, upper), 0.0
    ratio = lower / upper
    lost = -2 * (q + 1) * log10(1 - ratio) - log10(ratio)
    with localcontext(Context(prec=40 + int(lost))):
        low, high = Decimal(lower), Decimal(upper)
        nodes = [low + (high - low) * k / (q + 1) for k in range(q + 2)]
        levelled = Decimal(0)
        for _ in range(ROUNDS):
            row, error = _through(nodes)
            if abs(error - levelled) <= Decimal("1e-20") * error * low / high:
                break
            levelled = error
            nodes = [low, *_turning(row, low, high), high]
        return tuple(float(c) for c in row), float(error)


def newton_schulz(degree: int, scale: float = 1.0) -> Row:
    """Return the p of a degree flattest at p(scale) = 1; at 1 it is x sum_k binom(2 k, k) (1 - x^2)^k / 4^k."""
    q = degree // 2
    row = [sum(comb(2 * k, k) * comb(k, j) * (-1) ** j / 4**k for k in range(j, q + 1)) for j in range(q + 1)]
    return tuple(c / scale ** (2 * j + 1) for j, c in enumerate(row))


def _through(nodes: Sequence[Decimal]) -> tuple[list[Decimal], Decimal]:
    """Return p and E with p = 1 - E, 1 + E, 1 - E, ... at the nodes.

    s(y) = p(x)/x in y = x^2 has one degree less than the nodes would allow, so its highest divided difference is 0:
    with the weights w_i = 1/prod_j (y_i - y_j), sum_i w_i (1 - (-1)^i E)/x_i = 0 gives E.
    """
    squares = [x * x for x in nodes]
    weights = []
    for i, y in enumerate(squares):
        product = Decimal(1)
        for j, other in enumerate(squares):
            product *= y - other if j != i else 1
        weights.append(1 / (product * nodes[i]))
    error = sum(weights, Decimal(0)) / sum((w if i % 2 == 0 else -w for i, w in enumerate(weights)), Decimal(0))
    table = [(1 - error if i % 2 == 0 else 1 + error) / x for i, x in enumerate(nodes)][:-1]
    row: list[Decimal] = []
    for k in range(len(table), 0, -1):
        # Newton's form from its highest term down: s <- s * (y - y_{k-1}) + the difference of the first k values.
        row = [up - squares[k - 1] * down for up, down in zip([Decimal(0), *row], [*row, Decimal(0)], strict=True)]
        row[0] += _difference(table[:k], squares)
    return row, error


def _difference(values: Sequence[Decimal], squares: Sequence[Decimal]) -> Decimal:
    """Return the divided difference of all the values."""
    current = list(values)
    for order in range(1, len(values)):
        current = [(b - a) / (squares[i + order] - squares[i]) for i, (a, b) in enumerate(pairwise(current))]
    return current[0]


def _turning(row: Sequence[Decimal], low: Decimal, high: Decimal) -> list[Decimal]:
    """Return the zeros of p' in (low, high), ascending."""
    middle, half = (low * low + high * high) / 2, (high * high - low * low) / 2
    slope = [(2 * j + 1) * c for j, c in enumerate(row)]
    # In t = (y - middle)/half the zeros are apart whatever the interval, so float64 finds where to start.
    powers = range(len(row))
    terms = [[comb(j, i) * slope[j] * middle ** (j - i) * half**i for j in powers if j >= i] for i in powers]
    shifted = [sum(term, Decimal(0)) for term in terms]
    size = max(abs(c) for c in shifted)
    starts = np.sort(np.roots([float(c / size) for c in reversed(shifted)]).real)
    return [(middle + half * _polished(shifted, Decimal(float(t)))).sqrt() for t in starts]


def _polished(polynomial: Sequence[Decimal], t: Decimal) -> Decimal:
    """Return a simple zero to full precision, by Newton's iteration from its float64 value."""
    for _ in range(4):
        value = derivative = Decimal(0)
        for c in reversed(polynomial):
            derivative = derivative * t + value
            value = value * t + c
        t -= value / derivative
    return t


def composition(
    lower: float, upper: float, degrees: Iterable[int], safety: float = 1.0, cushion: float = CUSHION
) -> tuple[Row, ...]:
    """Return the steps p_1, p_2, ..., each the best on what the ones before leave of [lower, upper].

    After a step with least value l the interval is [l, 2 - l]. With a safety s the argument of every step but the
    last is divided by s: rounding that lifts a singular value above the interval by a factor s does no harm.
    With a cushion k a step is designed on [max(l, k u), u] and centred on its range over [l, u], which keeps it from
    mapping large values to almost 0.
    """
    steps: list[Row] = []
    degrees = list(degrees)
    for t, degree in enumerate(degrees):
        row = _cushioned(degree, lower, upper, cushion)
        row = row if t == len(degrees) - 1 else divided(row, safety)
        steps.append(row)
        lower = min(evaluate(row, lower), 1.0)
        upper = 2 - lower
    return tuple(steps)


def _cushioned(degree: int, lower: float, upper: float, cushion: float) -> Row:
    row, error = minimax(degree, max(lower, cushion * upper), upper)
    if lower >= cushion * upper:
        return row
    # p rises up to its first turning point, so its least value over [lower, upper] is at lower.
    centre = (evaluate(row, lower) + 1 + error) / 2
    return tuple(c / centre for c in row)


def divided(row: Row, safety: float) -> Row:
    """Return p(x/s): (a/s, b/s^3, c/s^5, ...)."""
    return tuple(c / safety ** (2 * j + 1) for j, c in enumerate(row))


def evaluate(row: Row, x: float) -> float:
    """Return p(x)."""
    value = 0.0
    for c in reversed(row):
        value = value * (x * x) + c
    return value * x
