"""Arrays as formulas take them: exact entries by index from 1."""

from __future__ import annotations

from itertools import product
from typing import Any

from sympy import Expr, Rational, Tuple, sympify

from normkit.errors import ParameterError, ShapeError


def entries(array: Any, ndim: int) -> tuple[tuple[int, ...], dict[tuple[int, ...], Expr]]:
    """Return the shape and the exact entries, by index from 1, of a SymPy matrix or a nested sequence.

    A SymPy row or column stands for a vector where the formula takes one.
    """
    nested = array.tolist() if hasattr(array, "tolist") else array
    if ndim == 1 and hasattr(array, "rows") and 1 in array.shape:
        nested = list(array)
    shape: list[int] = []
    level = nested
    for _ in range(ndim):
        if not isinstance(level, list | tuple | Tuple):
            raise ShapeError(f"the formula takes an array with {ndim} axes; got {array!r:.60}")
        shape.append(len(level))
        level = level[0] if len(level) else ()
    found = {}
    for place in product(*map(range, shape)):
        value = nested
        for at in place:
            if len(value) <= at:
                raise ShapeError("a formula needs rows of one length; got a ragged array")
            value = value[at]
        if isinstance(value, list | tuple):
            raise ShapeError(f"the formula takes an array with {ndim} axes; got more")
        found[tuple(at + 1 for at in place)] = _exact(value)
    return tuple(shape), found


def _exact(value: Any) -> Expr:
    plain = value.item() if hasattr(value, "item") else value
    made = Rational(plain) if isinstance(plain, float) else sympify(plain)
    if not (isinstance(made, Expr) and made.is_number and made.is_finite and made.is_real):
        raise ParameterError(f"a formula is evaluated on real numbers; got the entry {value!r}")
    return made
