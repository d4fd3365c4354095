"""Numbers that users give, as exact SymPy expressions."""

from __future__ import annotations

from typing import Any

from sympy import Expr, sympify

from normkit.errors import ParameterError


def exact(number: Any) -> Expr:
    """Return a SymPy expression; floats become the rational that their shortest decimal names (0.1 is 1/10)."""
    from sympy import Rational, SympifyError

    if isinstance(number, float) or (type(number).__module__ == "numpy" and hasattr(number, "dtype")):
        number = number.item() if hasattr(number, "item") else number
        if isinstance(number, float):
            if number != number or number in (float("inf"), float("-inf")):
                raise ParameterError(f"a coefficient must be finite; got {number}")
            return Rational(repr(number))
    try:
        expr = sympify(number)
    except (SympifyError, TypeError, AttributeError, SyntaxError) as error:
        raise ParameterError(f"expected a number or an expression; got {number!r}") from error
    return expr.replace(lambda e: e.is_Float, lambda e: Rational(str(e))) if isinstance(expr, Expr) else expr


def positive(number: Any, what: str) -> Expr:
    """Return `exact(number)` if it is a positive real constant, else raise `ParameterError` naming `what`."""
    value = exact(number)
    if not (value.is_number and value.is_positive and value.is_finite):
        raise ParameterError(f"{what} must be a positive number; got {number}")
    return value


def at_least(number: Any, bound: int, what: str) -> Expr:
    """Return `exact(number)` if it is a real constant >= bound, else raise `ParameterError` naming `what`."""
    value = exact(number)
    if not (value.is_number and value.is_real and value >= bound):
        raise ParameterError(f"{what} must be at least {bound}; got {number}")
    return value
