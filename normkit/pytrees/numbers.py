"""Learning rates, momentum and decay that may be arrays of JAX, as `optax.inject_hyperparams` makes of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from normkit.errors import ParameterError
from normkit.optim.decay import Decay, Decoupled
from normkit.optim.method import as_decay, as_momentum, check_accuracy
from normkit.optim.momentum import EMA, Linear
from normkit.optim.schedules import Shaped, Warmed, as_schedule


def is_array(number: Any) -> bool:
    """Tell whether a number is an array, traced or not: it cannot be looked at."""
    return isinstance(number, jax.Array | np.ndarray)


def rate(lr: Any) -> Callable[[Any], Any]:
    """Return the learning rate as a function of the count, which is 0 at the first step.

    Raises
    ------
    ParameterError
        For a number that is negative or not finite, and for schedules of `normkit.optim`, which count from 1 in Python.
    """
    if isinstance(lr, Shaped | Warmed):
        raise ParameterError(
            f"{lr!r} is a function of Python numbers from 1 on; give a schedule of optax such as "
            "optax.cosine_decay_schedule"
        )
    if is_array(lr):
        return lambda count: lr
    if callable(lr):
        made: Callable[[Any], Any] = lr
        return made
    number = as_schedule(lr)(1)
    return lambda count: number


def momentum(given: Any) -> Linear | None:
    """Return a momentum form as `normkit.optim.SteepestDescent` takes it; an array is the beta of an `EMA`."""
    if is_array(given):
        average: Linear = _unchecked(EMA, beta=given, nesterov=False, debias=False)
        return average
    made = as_momentum(given)
    if made is not None and not isinstance(made, Linear):
        raise ParameterError(f"{made!r} has no JAX form; known: a number, EMA, HeavyBall, LionMomentum")
    return made


def decay(given: Any) -> Decay | None:
    """Return a weight decay as `normkit.optim.SteepestDescent` takes it; an array is the rate of a `Decoupled`."""
    return _unchecked(Decoupled, rate=given) if is_array(given) else as_decay(given)


def accuracy(given: Any) -> tuple[float | None, Any]:
    """Return an accuracy as a number, and as an array if it is one."""
    return (None, given) if is_array(given) else (check_accuracy(given), None)


def _unchecked(form: type[Any], **fields: Any) -> Any:
    """Return a frozen object whose fields are arrays: their range cannot be looked at."""
    made = object.__new__(form)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made
