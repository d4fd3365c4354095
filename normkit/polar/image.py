"""Where a composition of odd polynomials maps an interval, and which interval it keeps bounded: proved, not sampled.

Coefficients are float64 numbers, hence exact rationals. Signs are decided in rational arithmetic; a zero is enclosed
by two neighbouring floats with a change of sign between them, and no other zero can hide because the zeros of the
derivative are enclosed first. The image of an interval under one step is spanned by its ends and the turning points;
an image of an interval is an interval, so the image under a composition is found step by step without loss. Every
bound is rounded outward, once, and is within some 1e-15 of the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from math import inf, isinf, nextafter, sqrt

from normkit.polar.remez import Row

Interval = tuple[float, float]
LARGEST = 1.7976931348623157e308


class Polynomial:
    """A polynomial with rational coefficients, those of 1, x, x^2, ..."""

    def __init__(self, coefficients: Sequence[Fraction]) -> None:
        self.coefficients = coefficients
        self.rounded = [float(c) for c in reversed(coefficients)]

    @classmethod
    def odd(cls, row: Row) -> Polynomial:
        """Return a x + b x^3 + ..."""
        return cls([Fraction(0), *(part for c in row for part in (Fraction(c), Fraction(0)))][:-1])

    def plus(self, constant: Fraction, linear: int = 0) -> Polynomial:
        """Return p(x) + constant + linear x."""
        first, second, *rest = self.coefficients
        return Polynomial([first + constant, second + linear, *rest])

    @cached_property
    def derivative(self) -> Polynomial:
        """Return p'."""
        return Polynomial([k * c for k, c in enumerate(self.coefficients)][1:])

    @cached_property
    def majorant(self) -> Polynomial:
        """Return the polynomial of the magnitudes."""
        return Polynomial([abs(c) for c in self.coefficients])

    def __call__(self, x: float) -> Fraction:
        """Return p(x)."""
        value, point = Fraction(0), Fraction(x)
        for c in reversed(self.coefficients):
            value = value * point + c
        return value

    def sign(self, x: float) -> int:
        """Return the sign of p(x), x >= 0: in float64 where its rounding cannot matter, else in rationals."""
        value = size = 0.0
        for c in self.rounded:
            value = value * x + c
            size = size * x + abs(c)
        # At most 16 roundings reach any term of a degree of 7 or less; far from the subnormal numbers.
        if abs(value) > 2**-48 * size and abs(value) > 1e-290:
            return 1 if value > 0 else -1
        exact = self(x)
        return (exact > 0) - (exact < 0)

    def span(self, left: float, right: float) -> tuple[Fraction, Fraction]:
        """Return bounds over 0 <= left <= x <= right, short: the value at the left, and what Taylor's formula adds."""
        value = self(left)
        if left == right:
            return value, value
        width, slope = Fraction(right) - Fraction(left), self.derivative
        slack = width * (abs(slope(left)) + width * slope.derivative.majorant(right))
        return value - slack, value + slack


def images(rows: Iterable[Row], lower: float, upper: float) -> tuple[Interval, ...]:
    """Return intervals that contain the image of [lower, upper] after each step.

    Examples
    --------
    >>> images([(1.5, -0.5)], 0.5, 1.0)
    ((0.6875, 1.0),)
    """
    found = []
    for row in rows:
        lower, upper = image(row, lower, upper)
        found.append((lower, upper))
    return tuple(found)


@lru_cache(maxsize=1024)
def image(row: Row, lower: float, upper: float) -> Interval:
    """Return an interval that contains p([lower, upper])."""
    if isinf(lower) or isinf(upper):
        return -inf, inf
    if lower < 0:
        # p is odd: the negative part is a mirror image.
        low, high = image(row, max(0.0, -upper), -lower)
        parts = [(-high, -low), *([image(row, 0.0, upper)] if upper > 0 else [])]
        return min(part[0] for part in parts), max(part[1] for part in parts)
    p = Polynomial.odd(row)
    spans = [p.span(*cell) for cell in [(lower, lower), *zeros(p.derivative, lower, upper), (upper, upper)]]
    return _down(min(low for low, _ in spans)), _up(max(high for _, high in spans))


def basins(rows: Sequence[Row]) -> tuple[float, ...]:
    """Return for each step the largest s such that inputs of at most s stay bounded from there on for ever.

    The last step is taken as repeated for ever, so its s is the edge of an interval that it maps into itself; before
    it, s is where a step first leaves the s of the next.
    """
    bound = edge(rows[-1])
    found = []
    for row in reversed(rows):
        bound = reach(row, bound)
        found.append(bound)
    return tuple(reversed(found))


@lru_cache(maxsize=1024)
def edge(row: Row) -> float:
    """Return the largest e, proved up to 1e-12, with |p| <= e on [0, e]; 0 if there is none.

    At the largest e the maximum of |p| is taken at e itself, hence p(e) = e or p(e) = -e.
    """
    p = Polynomial.odd(row)
    if not any(row[1:]):
        return inf if abs(row[0]) <= 1 else 0.0
    leading = next(c for c in reversed(p.coefficients) if c)
    # |p(x)| > x beyond this point (Cauchy's bound of the zeros of p(x)/x -+ 1 in x^2).
    far = _up((1 + sum(p.majorant.coefficients)) / abs(leading) + 1)
    cells = [cell for sign in (1, -1) for cell in zeros(p.plus(Fraction(0), sign), nextafter(0.0, 1.0), far)]
    for low, _ in sorted(cells, reverse=True):
        for e in (low, low * (1 - 1e-14), low * (1 - 1e-12)):
            least, most = image(row, 0.0, e)
            if -e <= least and most <= e:
                return e
    return 0.0


@lru_cache(maxsize=1024)
def reach(row: Row, bound: float) -> float:
    """Return the largest s, rounded down, with |p| <= bound on [0, s]."""
    if bound in (0.0, inf):
        return bound
    p, far = Polynomial.odd(row), 1.0
    while abs(p(far)) <= bound:
        far *= 2
    cells = [cell for level in (bound, -bound) for cell in zeros(p.plus(Fraction(level)), 0.0, far)]
    return min(low for low, _ in cells)


def zeros(p: Polynomial, lower: float, upper: float) -> list[Interval]:
    """Return intervals between neighbouring floats, ascending, that contain every zero in [lower, upper], lower >= 0.

    Between neighbouring zeros of the derivative a polynomial is monotone: it has one zero there or none, and the
    signs at the ends tell.
    """
    if not any(p.coefficients[1:]):
        return []
    cuts = [(lower, lower), *zeros(p.derivative, lower, upper), (upper, upper)]
    found = []
    for low, high in cuts:
        least, most = p.span(low, high)
        if least <= 0 <= most:
            found.append((low, high))
    for (_, left), (right, _) in pairwise(cuts):
        if p.sign(left) * p.sign(right) < 0:
            found.append(_bisected(p, left, right))
    return sorted(found)


def _bisected(p: Polynomial, left: float, right: float) -> Interval:
    sign = p.sign(left)
    while nextafter(left, inf) < right:
        # Halving the exponent first: a zero near 0 is found as quickly as one near 1.
        middle = sqrt(left) * sqrt(right) if 0 < 4 * left < right else (left + right) / 2
        if p.sign(middle) == sign:
            left = middle
        else:
            right = middle
    return left, right


def _down(number: Fraction) -> float:
    return -_up(-number)


def _up(number: Fraction) -> float:
    """Return the least float that is not below a rational number."""
    try:
        nearest = float(number)
    except OverflowError:
        return inf if number > 0 else -LARGEST
    return nearest if Fraction(nearest) >= number else nextafter(nearest, inf)
