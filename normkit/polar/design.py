"""How many steps, or how wide an interval: the composition of minimax steps that meets an accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from normkit.errors import ParameterError
from normkit.polar.image import images
from normkit.polar.remez import CUSHION, Row, composition, evaluate

LOWER = 1e-3
"""The lower end that half precision resolves."""

MOST = 64
SMALLEST = 1e-60
"""Where the search for a lower end begins."""

FINEST = 1e-15
"""Float64 coefficients map 1 to 1 no better than this."""


def designed(
    accuracy: float | None,
    steps: int | None,
    degree: int | Sequence[int],
    lower: float | None,
    upper: float,
    safety: float,
    cushion: float = CUSHION,
) -> tuple[float, tuple[Row, ...]]:
    """Return the lower end and the steps that an accuracy, a number of steps, or both call for.

    Raises
    ------
    ParameterError
        If they cannot be met, or neither is given.
    """
    low = LOWER if lower is None else lower
    if not 0 < low < upper < float("inf"):
        raise ParameterError(f"a schedule needs 0 < lower < upper < inf; got lower {low:g}, upper {upper:g}")
    if steps is None:
        if accuracy is None:
            raise ParameterError("a schedule needs a preset, an accuracy or a number of steps")
        return low, fewest(low, upper, accuracy, degree, safety, cushion)
    degrees = degrees_for(degree, steps)
    if accuracy is not None and lower is None:
        return widest(upper, accuracy, degrees, safety, cushion)
    rows = composition(low, upper, degrees, safety, cushion)
    if accuracy is not None and error(rows, low, upper) > accuracy:
        raise ParameterError(
            f"{steps} steps leave an error of {error(rows, low, upper):.3g} on [{low:g}, {upper:g}], not {accuracy:g}: "
            f"take more steps, or leave lower out to learn how far down they reach"
        )
    return low, rows


def degrees_for(degree: int | Sequence[int], steps: int) -> tuple[int, ...]:
    """Return the degree of each step, from one number for all or one for each.

    Raises
    ------
    ParameterError
        If a degree is not 3, 5 or 7, or there are fewer than steps.
    """
    degrees = (degree,) * steps if isinstance(degree, int) else tuple(degree)
    wrong = [d for d in degrees if d not in (3, 5, 7)]
    if wrong:
        raise ParameterError(f"a step has degree 3, 5 or 7; got {wrong[0]!r}")
    if len(degrees) < steps:
        raise ParameterError(f"degree lists {len(degrees)} steps, but {steps} are needed; give one degree for each")
    return degrees[:steps]


def error(rows: Sequence[Row], lower: float, upper: float) -> float:
    """Return the proved max |1 - p| over [lower, upper]."""
    least, most = images(rows, lower, upper)[-1]
    return max(1 - least, most - 1)


def fewest(
    lower: float, upper: float, accuracy: float, degree: int | Sequence[int], safety: float, cushion: float = CUSHION
) -> tuple[Row, ...]:
    """Return the shortest composition with max |1 - p| <= accuracy on [lower, upper], proved.

    Raises
    ------
    ParameterError
        If no number of steps reaches it, or the list of degrees ends before.
    """
    most = MOST if isinstance(degree, int) else len(degree)
    for steps in range(1, most + 1):
        rows = composition(lower, upper, degrees_for(degree, steps), safety, cushion)
        left = 1 - _through(rows, lower)
        # Where the steps end at, by their design, is quick to see; the proof is for those that promise enough.
        if left <= accuracy * (1 + 1e-9) + FINEST:
            if error(rows, lower, upper) <= accuracy:
                return rows
            if left <= FINEST:
                break
    reached = error(rows, lower, upper)
    raise ParameterError(
        f"accuracy {accuracy:g} on [{lower:g}, {upper:g}] is not reached: {len(rows)} steps leave {reached:.2g} "
        f"(float64 coefficients allow some 1e-15); ask for less, raise lower, or allow more steps"
    )


def widest(
    upper: float, accuracy: float, degrees: Sequence[int], safety: float, cushion: float = CUSHION
) -> tuple[float, tuple[Row, ...]]:
    """Return the least lower end for which steps of these degrees reach max |1 - p| <= accuracy, and the steps.

    The interval [lower, upper] is the widest that they map into [1 - accuracy, 1 + accuracy] (delta-orthogonalization,
    arXiv 2506.10935); found by bisection on log(lower), since the error falls as lower rises.

    Raises
    ------
    ParameterError
        If no interval is mapped there.
    """

    def reached(logarithm: float) -> bool:
        lower = exp(logarithm)
        return 1 - _through(composition(lower, upper, degrees, safety, cushion), lower) <= accuracy

    low, high = log(SMALLEST), log(upper) + log(1 - 1e-9)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    for margin in (0.0, 1e-12, 1e-9, 1e-6):
        lower = min(exp(high) * (1 + margin), upper)
        rows = composition(lower, upper, degrees, safety, cushion)
        if error(rows, lower, upper) <= accuracy:
            return lower, rows
    raise ParameterError(
        f"no interval below {upper:g} is mapped to 1 +- {accuracy:g} in {len(degrees)} steps with safety {safety:g}; "
        f"take more steps, less safety or a coarser accuracy"
    )


def _through(rows: Sequence[Row], x: float) -> float:
    for row in rows:
        x = evaluate(row, x)
    return x
