"""Schedules: odd polynomials that an iteration applies to singular values, step by step, and what is proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from normkit.errors import ParameterError
from normkit.polar.design import LOWER, MOST, designed
from normkit.polar.image import Interval, basins, images
from normkit.polar.lists import lengthened, listed, repeats
from normkit.polar.remez import CUSHION, Row
from normkit.polar.rounding import ROUNDOFF, SAFETY, rounding, working_dtype
from normkit.polar.safety import check

COLUMNS = 4
"""Coefficients of a step of degree 7."""


@dataclass(frozen=True)
class Schedule:
    """Odd polynomials p_1, ..., p_T; their composite p maps [lower, upper] into `image`, near 1. Frozen, hashable.

    It is for X_0 = G / bound with a bound of the largest singular value of G over `upper`. Whatever follows from the
    coefficients is proved in exact arithmetic, except `rounding`, which is a model.

    Attributes
    ----------
    name, source : str
        The preset, ``minimax`` or ``custom``, and where it is from.
    coefficients : tuple of tuple of float
        One row (a, b[, c[, d]]) of x, x^3, x^5, x^7 for each step, safety applied.
    dtype : str
        The working dtype: float64, float32, float16 or bfloat16.
    lower, upper : float
        The interval of singular values of X_0.
    unsafe : bool
        Whether the checks were waived.

    Raises
    ------
    UnsafeSchedule
        If p turns signs or passes 1.35 on the interval, or its basin ends below upper (1 + 2 u), u the unit roundoff.

    Examples
    --------
    >>> import normkit as nk
    >>> s = nk.polar_schedule("pe8", safety=1.01)
    >>> s.steps, round(s.slope, 1), s.error < 1e-6, round(s.basin, 4), s.repeats
    (8, 6363.4, True, 1.0109, True)
    >>> s([0.5, 1.0]).round(6)
    array([1., 1.])
    """

    name: str
    source: str
    coefficients: tuple[Row, ...]
    dtype: str
    lower: float
    upper: float
    unsafe: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.lower < self.upper < float("inf"):
            raise ParameterError(
                f"a schedule needs 0 < lower < upper < inf; got lower {self.lower}, upper {self.upper}"
            )
        if not self.unsafe:
            check(self)

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.coefficients)

    @property
    def degrees(self) -> tuple[int, ...]:
        """The degree of each step."""
        return tuple(2 * len(row) - 1 for row in self.coefficients)

    @cached_property
    def images(self) -> tuple[Interval, ...]:
        """Intervals that contain the image of [lower, upper] after each step, proved."""
        return images(self.coefficients, self.lower, self.upper)

    @property
    def image(self) -> Interval:
        """An interval that contains p([lower, upper]), proved."""
        return self.images[-1]

    @property
    def error(self) -> float:
        """A bound of |1 - p| over [lower, upper], proved."""
        return max(1 - self.image[0], self.image[1] - 1)

    @property
    def slopes(self) -> tuple[float, ...]:
        """The gain of a singular value near 0 after each step: the products of the a."""
        return tuple(accumulate((row[0] for row in self.coefficients), mul))

    @property
    def slope(self) -> float:
        """p'(0)."""
        return self.slopes[-1]

    @cached_property
    def basins(self) -> tuple[float, ...]:
        """For each step the largest input proved to stay bounded from there on, the last step repeated for ever."""
        return basins(self.coefficients)

    @property
    def basin(self) -> float:
        """The largest singular value of X_0 that is proved to stay bounded."""
        return self.basins[0]

    @cached_property
    def rounding(self) -> float:
        """What the dtype adds to |1 - p|, a first-order model: u sum_t ||X_t|| sup max(f_t(x)/x, |f_t'(x)|).

        f_t are the steps after t, x the state of a singular value there. X X' is off by twice that.
        """
        largest = [self.upper, *(max(-low, high) for low, high in self.images)]
        return rounding(self.coefficients, self.lower, self.upper, ROUNDOFF[self.dtype], largest)

    @property
    def repeats(self) -> bool:
        """Whether the last step may be repeated: 1 is a fixed point that attracts."""
        return repeats(self.coefficients[-1], ROUNDOFF[self.dtype])

    def __call__(self, sigma: ArrayLike) -> NDArray[np.float64]:
        """Return p(sigma), in float64."""
        x = np.asarray(sigma, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            for row in self.coefficients:
                y, value = x * x, np.zeros_like(x)
                for c in reversed(row):
                    value = value * y + c
                x = np.asarray(value * x)
        return x

    def array(self) -> NDArray[np.float64]:
        """Return the coefficients as an array of shape (steps, 4), absent ones 0."""
        table = np.zeros((self.steps, COLUMNS))
        for line, row in zip(table, self.coefficients, strict=True):
            line[: len(row)] = row
        return table

    def extended(self, steps: int) -> Schedule:
        """Return the schedule with its last step repeated up to a number of steps.

        Raises
        ------
        UnsafeSchedule
            If the last step does not have 1 as an attracting fixed point. An `unsafe` schedule is cycled instead.
        ParameterError
            If it has more steps already.
        """
        if steps < self.steps:
            raise ParameterError(f"{self.name} has {self.steps} steps; cannot extend it to {steps}")
        rows = lengthened(self.name, self.coefficients, steps, ROUNDOFF[self.dtype], cycle=self.unsafe)
        return replace(self, coefficients=rows)

    def __str__(self) -> str:
        from normkit.polar.table import table

        return table(self)


def polar_schedule(
    preset: str | Sequence[Sequence[float]] | None = None,
    *,
    accuracy: float | None = None,
    steps: int | None = None,
    degree: int | Sequence[int] = 5,
    lower: float | None = None,
    upper: float = 1.0,
    dtype: Any = "float32",
    safety: float | None = None,
    cushion: float | None = None,
    allow_unsafe: bool = False,
) -> Schedule:
    """Return odd polynomials whose composite takes [lower, upper] nearest to 1: designed by Remez, or a published list.

    With `accuracy` they are as few as reach max |1 - p| <= accuracy; with ``steps`` the best of that number; with both
    and no `lower`, `lower` is the least that so many steps bring to that accuracy.

    Parameters
    ----------
    preset : str or sequence of rows, optional
        The id of a published list (see docs/schedules.md), taken as published; ``steps`` may cut it, or repeat its last
        step where that is sound. Or rows (a, b[, c[, d]]) of your own.
    accuracy : float, optional
        Between 0 and 1: of the polynomial alone, in exact arithmetic; what the dtype adds is `Schedule.rounding`.
    steps : int, optional
        The number of steps.
    degree : int or sequence of int
        3, 5 or 7: of all steps, or of each.
    lower, upper : float
        The interval of singular values after scaling; `lower` is 1e-3 if not given.
    dtype : str or dtype
        The working dtype, which sets the default safety and the roundoff of the checks; also bf16, f16, f32, f64.
    safety : float, optional
        s >= 1: the argument of every step but the last is divided by s. For designed steps 1.0001 in float64, 1.01 in
        float32, 1.02 in half precision; for published lists 1.
    cushion : float, optional
        In [0, 1): no step is designed for less than this share of its upper end; 0.02407 if not given, 0 is minimax.
    allow_unsafe : bool
        Let an unsafe schedule through, for study; a list that is too short is then cycled.

    Raises
    ------
    UnsafeSchedule
        If the schedule would turn signs, overshoot, leave its basin or be cycled.
    SpecError, ParameterError, DTypeError
        If the preset, a number or the dtype is not one that is known.

    Examples
    --------
    >>> import normkit as nk
    >>> s = nk.polar_schedule(accuracy=1e-3, lower=1e-2)
    >>> s.steps, s.error <= 1e-3
    (5, True)
    >>> nk.polar_schedule(accuracy=0.1, steps=4).lower < 0.02
    True
    """
    name = working_dtype(dtype)
    _check_numbers(accuracy, steps, safety, cushion)
    if preset is not None:
        if accuracy is not None or cushion is not None or degree != 5:
            raise ParameterError("accuracy, degree and cushion are for designed steps; a list takes steps and safety")
        known = listed(preset, steps, safety or 1.0, ROUNDOFF[name], allow_unsafe=allow_unsafe)
        made = Schedule(*known, name, LOWER if lower is None else lower, upper, unsafe=True)
        if not allow_unsafe:
            # Whoever scales a matrix by a bound meets singular values up to 1.
            check(replace(made, upper=max(1.0, upper)))
        return replace(made, unsafe=allow_unsafe)
    margins = (safety or SAFETY[name], CUSHION if cushion is None else cushion)
    low, rows = designed(accuracy, steps, degree, lower, upper, *margins)
    return Schedule("minimax", "composition of minimax steps, arXiv 2505.16932", rows, name, low, upper, allow_unsafe)


def _check_numbers(accuracy: float | None, steps: int | None, safety: float | None, cushion: float | None) -> None:
    if accuracy is not None and not 0 < accuracy < 1:
        raise ParameterError(f"accuracy is a bound of |1 - p| between 0 and 1, such as 1e-3; got {accuracy}")
    if steps is not None and not 1 <= steps <= MOST:
        raise ParameterError(f"steps is a number from 1 to {MOST}; got {steps}")
    if safety is not None and not 1 <= safety < 2:
        raise ParameterError(f"safety divides the argument of a step, such as 1.01; got {safety}")
    if cushion is not None and not 0 <= cushion < 1:
        raise ParameterError(f"cushion is a share between 0 and 1, such as 0.02; got {cushion}")
