"""Numbers from formulas: rational as long as they stay rational, DIGITS digits after that.

Zero times anything is zero here: a zero entry has sign 0, and what its formula divides by is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch
from itertools import product
from typing import Any

from sympy import Add, Basic, Expr, Indexed, Integer, KroneckerDelta, Mul, Piecewise, Sum, Symbol, Tuple, sign

from normkit.errors import ShapeError
from normkit.formulas.solve import DIGITS, inverse_at
from normkit.inverse import InverseSlope

Binding = dict[Symbol, Expr]
"""Values of free indices."""


def number(value: Any) -> Any:
    """Keep rationals, truth values and infinities; anything else becomes a Float of DIGITS digits."""
    if not isinstance(value, Expr) or value.is_Rational or value.is_Float or value.is_infinite:
        return value
    return value.evalf(DIGITS)


class Evaluation:
    """One run of a formula on one array: indexed names are looked up, computed once, and remembered."""

    def __init__(self, arrays: dict[Any, dict[tuple[int, ...], Expr]], definitions: Any, given: Binding) -> None:
        self.arrays, self.given = arrays, given
        self.definitions = {definition.base: definition for definition in definitions}
        self.known: dict[tuple[Any, ...], Any] = {}
        self.inverses: dict[Tuple, Any] = {}

    def __call__(self, expr: Any, binding: Binding) -> Any:
        """Return the number (or truth value) of an expression under values of its free indices."""
        if isinstance(expr, Integer | int):
            return expr
        return number(evaluate(expr, self, binding))

    def named(self, base: Any, place: tuple[int, ...]) -> Any:
        """Return the value of a definition at an index."""
        key = (base, *place)
        if key not in self.known:
            definition = self.definitions[base]
            inner = dict(zip(definition.indices, map(Integer, place), strict=True))
            self.known[key] = self(definition.rhs, inner)
        return self.known[key]

    def ranges(self, limits: Sequence[Any], binding: Binding) -> Iterator[Binding]:
        """Yield the binding extended by every index of the ranges, the last running fastest."""
        spans = [range(int(self(low, binding)), int(self(high, binding)) + 1) for _, low, high in limits]
        for place in product(*spans):
            yield binding | {limit[0]: Integer(at) for limit, at in zip(limits, place, strict=True)}

    def outer(self, expr: Any, binding: Binding) -> tuple[Any, ...]:
        """Return the values of the bound indices that an expression uses, to remember what it gave."""
        return tuple(binding[name] for name in sorted(expr.free_symbols & set(binding), key=str))


@singledispatch
def evaluate(expr: Basic, run: Evaluation, binding: Binding) -> Any:
    """Evaluate the arguments, then let SymPy apply the function to the numbers."""
    return expr.func(*(run(arg, binding) for arg in expr.args)) if expr.args else expr


@evaluate.register
def _(expr: Symbol, run: Evaluation, binding: Binding) -> Any:
    if expr in binding:
        return binding[expr]
    return run.given[expr] if expr in run.given else run.named(expr, ())


@evaluate.register
def _(expr: Indexed, run: Evaluation, binding: Binding) -> Any:
    place = tuple(int(run(index, binding)) for index in expr.indices)
    if expr.base not in run.arrays:
        return run.named(expr.base, place)
    try:
        return run.arrays[expr.base][place]
    except KeyError:
        raise ShapeError(f"the norm reads entry {place} of the array, which it does not have") from None


@evaluate.register
def _(expr: Mul, run: Evaluation, binding: Binding) -> Any:
    result: Any = Integer(1)
    for factor in sorted(expr.args, key=lambda arg: not arg.has(sign, KroneckerDelta)):
        value = run(factor, binding)
        if value == 0:
            return Integer(0)
        result = result * value
    return result


@evaluate.register
def _(expr: Sum, run: Evaluation, binding: Binding) -> Any:
    return Add(*(run(expr.function, inner) for inner in run.ranges(expr.limits, binding)))


@evaluate.register
def _(expr: Piecewise, run: Evaluation, binding: Binding) -> Any:
    return next(run(value, binding) for value, condition in expr.args if run(condition, binding) == True)  # noqa: E712


@evaluate.register
def _(expr: KroneckerDelta, run: Evaluation, binding: Binding) -> Any:
    first, second = (run(arg, binding) for arg in expr.args[:2])
    return Integer(first == second)


@evaluate.register
def _(expr: InverseSlope, run: Evaluation, binding: Binding) -> Any:
    function, low, high, at = expr.args
    return inverse_at(function, run(low, binding), run(high, binding), run(at, binding))
