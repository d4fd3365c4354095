"""SymPy expression -> one line of Python over floats (and over NumPy arrays: no branches, only `where`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sympy import Basic, Expr, Float, Integer, Rational, Symbol, diff, log, sympify
from sympy.printing.pycode import PythonCodePrinter

from normkit.codegen.inverses import inverse_source
from normkit.codegen.plan import Scalar
from normkit.codegen.stable import stable
from normkit.errors import ParameterError
from normkit.functional import columns, m, n, rows
from normkit.inverse import InverseSlope, r

EXACT = 2**53
"""Integers up to here are floats."""


class Printer(PythonCodePrinter):  # type: ignore[misc]
    """Prints with the bare function names of `normkit.codegen.plan.FUNCTIONS`; collects the helpers that it needs."""

    def __init__(self) -> None:
        super().__init__()
        self.helpers: list[str] = []

    def _print_InverseSlope(self, expr: InverseSlope) -> str:
        function, low, high, at = expr.args
        value, derivative = (str(self._print(stable(body, r))) for body in (function, diff(function, r)))
        name, helpers = inverse_source(value, derivative, repr(float(low)), repr(float(high)))
        self.helpers += [helper for helper in helpers if helper not in self.helpers]
        return f"{name}({self._print(at)})"

    def _print_Float(self, expr: Float) -> str:
        return repr(float(expr))

    def _print_Symbol(self, expr: Symbol) -> str:
        return str(expr.name)

    def _print_Integer(self, expr: Integer) -> str:
        return str(int(expr)) if abs(expr) <= EXACT else _float(expr)  # compiled integers end at 2^63

    def _print_Rational(self, expr: Rational) -> str:
        small = abs(expr.p) <= EXACT and expr.q <= EXACT
        return f"{expr.p}.0/{expr.q}.0" if small else _float(expr)

    def _print_Pow(self, expr: Any, rational: bool = False, sqrt: str = "sqrt") -> str:
        base, power = expr.base, expr.exp
        if power == Rational(1, 2):
            return f"sqrt({self._print(base)})"
        if power == Rational(-1, 2):
            return f"1.0/sqrt({self._print(base)})"
        if power.is_Integer and 2 <= power <= 4 and base.is_Symbol:
            return "(" + "*".join([self._print(base)] * int(power)) + ")"
        if power.is_Integer:
            return f"({self._print(base)})**({int(power)})"
        return f"({self._print(base)})**({float(power)!r})" if power.is_number else super()._print_Pow(expr)

    def _print_Function(self, expr: Any) -> str:
        names = {"Abs": "absolute", "ceiling": "ceil", "Heaviside": "heaviside"}
        name = type(expr).__name__
        return f"{names.get(name, name)}({', '.join(map(self._print, expr.args))})"

    _print_Abs = _print_floor = _print_ceiling = _print_sign = _print_Function
    _print_sin = _print_cos = _print_tan = _print_asin = _print_acos = _print_atan = _print_Function
    _print_sinh = _print_cosh = _print_tanh = _print_asinh = _print_acosh = _print_atanh = _print_Function
    _print_exp = _print_log = _print_erf = _print_expm1 = _print_log1p = _print_Function

    def _fold(self, name: str, args: Iterable[Basic]) -> str:
        texts = [str(self._print(arg)) for arg in args]
        text = texts.pop()
        while texts:
            text = f"{name}({texts.pop()}, {text})"
        return text

    def _print_Max(self, expr: Any) -> str:
        return self._fold("maximum", expr.args)

    def _print_Min(self, expr: Any) -> str:
        return self._fold("minimum", expr.args)

    def _print_And(self, expr: Any) -> str:
        return self._fold("logical_and", sorted(expr.args, key=str))

    def _print_Or(self, expr: Any) -> str:
        return self._fold("logical_or", sorted(expr.args, key=str))

    def _print_Not(self, expr: Any) -> str:
        return f"logical_not({self._print(expr.args[0])})"

    def _print_Piecewise(self, expr: Any) -> str:
        text = "nan"
        for value, condition in reversed(expr.args):
            shown = self._print(value)
            text = shown if condition == True else f"where({self._print(condition)}, {shown}, {text})"  # noqa: E712
        return text

    def _print_Exp1(self, expr: Any) -> str:
        return repr(2.718281828459045)

    def _print_Pi(self, expr: Any) -> str:
        return repr(3.141592653589793)

    def _print_Infinity(self, expr: Any) -> str:
        return "inf"


def _float(number: Expr) -> str:
    """Return a number as a float, or raise `ParameterError` if it is too large for one."""
    try:
        return repr(float(number))
    except OverflowError as error:
        raise ParameterError(
            f"a coefficient of about 10**{int(log(abs(number), 10).evalf())} is beyond float64. Scale the norm, or "
            "bring the coefficients of its parts nearer to each other"
        ) from error


def scalar(expr: Any, arguments: Iterable[Symbol] = ()) -> Scalar:
    """Lower an expression to a `Scalar` of the given arguments followed by `m` and `n`.

    `rows` and `columns` may stay free: a lift binds them (`normkit.codegen.binding`).

    Raises
    ------
    ValueError
        If the expression has other free symbols: a stage was built from a symbol that it does not know.
    """
    names = (*arguments, m, n)
    expr = sympify(expr)
    strange = expr.free_symbols - {*names, rows, columns}
    if strange:
        raise ValueError(f"the scalar {expr} uses {sorted(map(str, strange))}, which its stage does not bind")
    # Integers as floats: Python's int division and powers would follow other rules than the kernels'.
    printer = Printer()
    text = printer.doprint(expr)
    if isinstance(expr, Integer):
        text = f"{int(expr)}.0"
    return Scalar(tuple(str(name) for name in names), text, tuple(printer.helpers))


def is_exact(expr: Expr) -> bool:
    """Tell whether an expression is a number that float64 holds exactly."""
    return bool(expr.is_Rational and Rational(float(expr)) == expr)
