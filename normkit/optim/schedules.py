r"""Learning rates that change: functions of the step, which counts from 1.

constant      peak
linear        from peak at step 1 towards peak * end at `steps`
cosine        peak (end + (1 - end) (1 + cos(pi (t - 1)/steps))/2)
trapezoid     peak, then linearly down over the last `cooldown` steps (warmup-stable-decay)
inverse_root  peak min(1, sqrt(flat/t))
warmup        the first `steps` steps of another schedule times t/steps
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from normkit.errors import ParameterError
from normkit.lengths import positive


@runtime_checkable
class Schedule(Protocol):
    """Anything that gives a learning rate for a step, from 1 on."""

    def __call__(self, step: int, /) -> float:
        """Return the learning rate of a step."""
        ...


@dataclass(frozen=True)
class Shaped:
    """A peak times a shape; comparable, and printed by its numbers."""

    kind: str
    peak: float
    numbers: tuple[float, ...] = ()

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, from 1 on."""
        return self.peak * _SHAPES[self.kind](step, *self.numbers)

    def __str__(self) -> str:
        if self.kind == "constant":
            return f"{self.peak}"
        return f"{self.kind}({', '.join(f'{number:g}' for number in (self.peak, *self.numbers))})"


@dataclass(frozen=True)
class Warmed:
    """Another schedule, whose first steps are scaled up from 1/steps."""

    after: Schedule
    steps: int

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, from 1 on."""
        return self.after(step) * min(1.0, step / self.steps)

    def __str__(self) -> str:
        return f"warmup({self.after}, {self.steps})"


def _linear(step: int, steps: float, end: float) -> float:
    return 1.0 - (1.0 - end) * min(1.0, (step - 1) / steps)


def _cosine(step: int, steps: float, end: float) -> float:
    return end + (1.0 - end) * (1.0 + math.cos(math.pi * min(1.0, (step - 1) / steps))) / 2.0


def _trapezoid(step: int, steps: float, cooldown: float) -> float:
    return min(1.0, max(0.0, (steps + 1 - step) / (cooldown + 1)))


_SHAPES: dict[str, Callable[..., float]] = {
    "constant": lambda step: 1.0,
    "linear": _linear,
    "cosine": _cosine,
    "trapezoid": _trapezoid,
    "inverse_root": lambda step, flat: min(1.0, math.sqrt(flat / step)),
}


def constant(peak: float) -> Schedule:
    """Return a schedule that is `peak` at every step."""
    return Shaped("constant", _peak(peak))


def linear(peak: float, steps: int, end: float = 0.0) -> Schedule:
    """Return a schedule that goes down in a line from `peak` at step 1 to `end` * `peak` after `steps` steps.

    Examples
    --------
    >>> from normkit.optim import schedules
    >>> [schedules.linear(1.0, 4)(t) for t in (1, 2, 5, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """
    return Shaped("linear", _peak(peak), (_count(steps, "steps"), _end(end)))


def cosine(peak: float, steps: int, end: float = 0.0) -> Schedule:
    """Return a schedule that goes down along half a cosine from `peak` at step 1 to `end` * `peak` after `steps`."""
    return Shaped("cosine", _peak(peak), (_count(steps, "steps"), _end(end)))


def trapezoid(peak: float, steps: int, cooldown: int) -> Schedule:
    """Return a schedule that stays at `peak` and falls in a line over the last `cooldown` of `steps` steps."""
    if cooldown > steps:
        raise ParameterError(f"a cooldown of {cooldown} steps does not fit into {steps}")
    return Shaped("trapezoid", _peak(peak), (_count(steps, "steps"), _count(cooldown, "cooldown")))


def inverse_root(peak: float, flat: int) -> Schedule:
    """Return a schedule that stays at `peak` for `flat` steps and falls as one over the root of the step from there."""
    return Shaped("inverse_root", _peak(peak), (_count(flat, "flat"),))


def warmup(after: float | Schedule, steps: int) -> Schedule:
    """Return a schedule whose first `steps` steps rise in a line.

    Examples
    --------
    >>> from normkit.optim import schedules
    >>> [schedules.warmup(1.0, 4)(t) for t in (1, 2, 4, 5)]
    [0.25, 0.5, 1.0, 1.0]
    """
    return Warmed(as_schedule(after), int(_count(steps, "steps")))


def as_schedule(lr: Any) -> Schedule:
    """Return a schedule: itself, any function of the step, or a constant for a number.

    Raises
    ------
    ParameterError
        For a number that is negative or not finite, or anything else.
    """
    if isinstance(lr, int | float | np.number) and not isinstance(lr, bool):
        return Shaped("constant", _peak(lr))
    if callable(lr):
        made: Schedule = lr
        return made
    raise ParameterError(f"a learning rate is a number or a function of the step; got {lr!r}")


def at(schedule: Schedule, step: int) -> float:
    """Return the learning rate of a step, or raise `ParameterError` if it is negative or not finite."""
    return _peak(schedule(step), f"the learning rate of step {step}")


def _peak(number: Any, what: str = "the learning rate") -> float:
    if not (isinstance(number, int | float | np.number) and 0 <= number < np.inf):
        raise ParameterError(f"{what} must be finite and not negative; got {number!r}")
    return float(number)


def _count(number: Any, what: str) -> float:
    if not isinstance(number, int) or isinstance(number, bool):
        raise ParameterError(f"{what} is a whole number of steps; got {number!r}")
    positive(number, what)
    return float(number)


def _end(number: Any) -> float:
    if not 0 <= number <= 1:
        raise ParameterError(f"end is a share of the peak, in [0, 1]; got {number!r}")
    return float(number)
