"""Where a Gram iteration starts anew, as the lengths of its segments; what such a plan costs; and the defaults.

A segment forms R = X X', follows its steps on the short side, and applies what they gathered to X. Segments of one step
are the standard iteration. Long segments are cheap, and rounding spoils them: errors of R are amplified by all the
steps that follow in its segment, most by the first steps of a schedule, whose gain is largest.
"""

from __future__ import annotations

from collections.abc import Sequence

from normkit.errors import ParameterError

FIRST = {"float16": 3, "bfloat16": 2, "float32": 3, "float64": 3}
"""Steps of the first segment by default; two follow at a time. Measured in tests/cuda/test_plan_numpy.py.

float16 and float32 have the range for three: [3, 2] keeps singular values below 1.14 where [2, 3] lets them grow, at
one price. bfloat16 has eight bits, and gets [2, 2, 1]. For the nine steps of float32, [3, 2, 2, 2] is within ten times
the rounding of the standard iteration; [3, 3, 3] and [3, 6] are off by a hundred times that.
"""


def default_segments(steps: int, storage: str) -> tuple[int, ...]:
    """Return the segments of a Gram iteration of so many steps, by the type that matrices are stored in.

    Examples
    --------
    >>> default_segments(5, "float16"), default_segments(5, "bfloat16"), default_segments(9, "float32")
    ((3, 2), (2, 2, 1), (3, 2, 2, 2))
    """
    first = min(FIRST[storage], steps)
    pairs, rest = divmod(steps - first, 2)
    return (first, *(2,) * pairs, *(1,) * rest)


def check_segments(segments: Sequence[int], steps: int) -> tuple[int, ...]:
    """Return segments as a tuple.

    Raises
    ------
    ParameterError
        If they are not positive numbers that add up to the number of steps.
    """
    found = tuple(int(length) for length in segments)
    if any(length < 1 for length in found) or sum(found) != steps:
        raise ParameterError(
            f"segments are the numbers of steps between restarts and add up to {steps}, such as "
            f"{list(default_segments(steps, 'float16'))}; got {list(segments)}"
        )
    return found


def operations(m: int, n: int, rows: Sequence[Sequence[float]], segments: Sequence[int], price: float = 0.5) -> float:
    """Return the operations of the products of a plan, a multiplication and an addition counting as two.

    Quintic steps, m <= n, r = n/m, S steps in s segments, symmetric results at half price: m^3 (3 s r + 4 S - 3 s);
    at full price m^3 (4 s r + 8 S - 6 s), for the standard iteration 20 r + 10 of five steps.

    Parameters
    ----------
    m, n : int
        m <= n.
    rows : sequence of rows
        Coefficients (a, b[, c[, d]]) of the steps; b alone needs no square product.
    segments : sequence of int
        Their lengths.
    price : float
        Of a product whose result is symmetric; see `symmetric_price`.

    Examples
    --------
    >>> rows = [(2.0, -1.5, 0.5)] * 5
    >>> [operations(1, 1, rows, segments) for segments in ([1] * 5, [3, 2], [2, 2, 1])]
    [20.0, 20.0, 20.0]
    >>> operations(1, 4, rows, [1] * 5), operations(1, 4, rows, [3, 2]), operations(1, 4, rows, [3, 2], price=1.0)
    (65.0, 38.0, 60.0)
    """
    starts = len(segments)
    square = sum(len(row) - 2 for row in rows) + 3 * (len(rows) - starts)
    long, cube = 2.0 * m * m * n, 2.0 * m**3
    return starts * long * (1 + price) + square * cube * price


def symmetric_price(m: int, tile: int) -> float:
    """Return what a symmetric product of side m costs in tiles on and below the diagonal, as a share of all tiles.

    Examples
    --------
    >>> symmetric_price(128, 128), symmetric_price(1024, 128)
    (1.0, 0.5625)
    """
    tiles = -(-m // tile)
    return (tiles + 1) / (2 * tiles)


def chosen_segments(
    m: int, n: int, rows: Sequence[Sequence[float]], storage: str, price: float = 0.5
) -> tuple[int, ...]:
    """Return the cheaper of the standard iteration and the default segments; at one price the standard one.

    That is the more accurate of both. For square matrices it costs no more; with products at full price, up to a ratio
    of the sides of 1.5.

    Examples
    --------
    >>> rows = [(2.0, -1.5, 0.5)] * 5
    >>> chosen_segments(512, 512, rows, "float16"), chosen_segments(512, 768, rows, "float16")
    ((1, 1, 1, 1, 1), (3, 2))
    >>> chosen_segments(512, 768, rows, "float16", price=1.0)
    (1, 1, 1, 1, 1)
    """
    standard, gram = (1,) * len(rows), default_segments(len(rows), storage)
    cheaper = operations(m, n, rows, gram, price) < operations(m, n, rows, standard, price)
    return gram if cheaper else standard
