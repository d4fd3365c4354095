"""How long a step is: numbers that must be positive, and directions multiplied by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.errors import NonFiniteError, ParameterError

LARGEST = float(np.finfo(np.float64).max)


def positive(number: Any, what: str) -> None:
    """Raise `ParameterError` unless a number is positive and finite."""
    if not (isinstance(number, int | float | np.number) and 0 < number <= LARGEST):
        raise ParameterError(f"{what} must be a positive finite number; got {number!r}")


def times(t: Array, factor: Any, out: Array, what: str = "the step") -> Array:
    """Write t * factor, computed in float64, to `out`; an overflow of its dtype raises `NonFiniteError`."""
    try:
        if np.isinf(factor).any():
            raise FloatingPointError
        with np.errstate(over="raise", invalid="ignore"):
            np.multiply(t, factor, out=out, casting="unsafe")
    except FloatingPointError as error:
        raise NonFiniteError(f"{what} overflows {t.dtype}; give a smaller radius or a larger sharpness") from error
    return out
