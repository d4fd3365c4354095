"""Formulas as plain Python: one function per formula, one inner function per named quantity, loops as they are read.

The code needs `numpy.linalg.svd` where singular values occur and normkit's own searches where a norm uses one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sympy import Indexed, KroneckerDelta, Piecewise, Sum, Symbol, Tuple, sign
from sympy.printing.pycode import PythonCodePrinter

from normkit.formulas.formula import Definition, Formula
from normkit.formulas.nodes import (
    AtMost,
    Count,
    FirstArgmax,
    Inside,
    InverseEntry,
    Largest,
    Listed,
    Maximiser,
    MaxOver,
    RankOf,
    RootOf,
    Singular,
    SplitIndex,
    Vanishing,
    eps,
    sharpness,
)
from normkit.formulas.runtime import SOURCE
from normkit.inverse import InverseSlope, r


def module(norm: str, formulas: Iterable[tuple[str, Formula]]) -> str:
    """Return a module with one function per (name, formula)."""
    made = [f'"""The formulas of {norm}."""\n', SOURCE]
    made += [function(name, formula) for name, formula in formulas]
    return "\n\n".join(made)


def function(name: str, formula: Formula) -> str:
    """Return a formula as a function of nested lists."""
    printer = Printer(formula)
    variable = str(formula.variable)
    sizes = ["n = len(g)"] if len(formula.lengths) == 1 else ["m, n = len(g), len(g[0])"]
    sizes[0] = sizes[0].replace("(g", f"({variable}")
    extra = {"sharpness": "sharpness=1.0", "eps": "eps=2.0**-52"}
    used = {"sharpness": sharpness, "eps": eps}
    given = [
        text
        for word, text in extra.items()
        if any(each.rhs.has(used[word]) for each in (*formula.where, formula.result))
    ]
    rows = [
        f"def {name}({', '.join([variable, *given])}):",
        *(f"    {row}" for row in sizes),
    ]
    for definition in formula.where:
        rows += ["", *printer.definition(definition)]
    result = printer.definition(formula.result)
    zero = f"all(x == 0 for x in _flat({variable}))"
    rows += ["", *result]
    called = printer.name(formula.result.base)
    if not formula.result.ranges:
        return "\n".join([*rows, f"    return 0.0 if {zero} else {called}()"])
    inner = f"0.0 if zero else {called}({', '.join(map(str, formula.result.indices))})"
    for index, low, high in reversed(formula.result.ranges):
        inner = f"[{inner} for {index} in range({low}, {printer.doprint(high)} + 1)]"
    return "\n".join([*rows, f"    zero = {zero}", f"    return {inner}"])


class Printer(PythonCodePrinter):  # type: ignore[misc]
    """Python over nested lists with indices from 1; named quantities are functions."""

    def __init__(self, formula: Formula) -> None:
        super().__init__({"fully_qualified_modules": True, "allow_unknown_functions": True})
        self.variable = formula.variable
        self.names: dict[Any, str] = {}
        for definition in (*formula.where, formula.result):
            self.names[definition.base] = self._fresh(str(definition.base))

    def _fresh(self, latex: str) -> str:
        words = re.sub(
            r"\\([A-Za-z]+)", r"\1", latex.replace("'", "_p").replace("^{-1}", "_inverse").replace("_()", "_sorted")
        )
        words = words.replace("|", "").replace("^*", "_dual")
        text = re.sub(r"\W+", "_", words).strip("_")
        while text in self.names.values():
            text += "_"
        return text

    def name(self, base: Any) -> str:
        """Return the Python name of a named quantity."""
        return str(self.names[base])

    def definition(self, definition: Definition) -> list[str]:
        """Return a named quantity as a cached inner function."""
        indices = ", ".join(self.doprint(index) for index in definition.indices)
        return [
            "    @cache",
            f"    def {self.name(definition.base)}({indices}):",
            f"        return {self.doprint(definition.rhs)}",
        ]

    # --- SymPy's nodes -----------------------------------------------------------------------------------------

    def _print_Symbol(self, expr: Symbol) -> str:
        if expr in self.names:
            return f"{self.names[expr]}()"
        known = {"lambda": "sharpness", "varepsilon": "eps"}
        return str(known.get(expr.name, expr.name.replace("'", "_")))

    def _print_Indexed(self, expr: Indexed) -> str:
        places = [self._print(index) for index in expr.indices]
        if expr.base == self.variable:
            return str(expr.base) + "".join(f"[{place} - 1]" for place in places)
        return f"{self.name(expr.base)}({', '.join(places)})"

    def _print_Sum(self, expr: Sum) -> str:
        return f"sum({self._print(expr.function)}{self._loops(expr.limits)})"

    def _print_Abs(self, expr: Any) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_sign(self, expr: Any) -> str:
        return f"_sign({self._print(expr.args[0])})"

    def _print_Max(self, expr: Any) -> str:
        return f"max({', '.join(map(self._print, expr.args))})"

    def _print_Min(self, expr: Any) -> str:
        return f"min({', '.join(map(self._print, expr.args))})"

    def _print_Infinity(self, expr: Any) -> str:
        return "math.inf"

    def _print_KroneckerDelta(self, expr: Any) -> str:
        return f"({self._print(expr.args[0])} == {self._print(expr.args[1])})"

    def _print_Mul(self, expr: Any) -> str:
        """Zero times anything is zero: what may be zero is looked at before what is divided by."""
        divided = any(
            arg.is_Pow and arg.exp.could_extract_minus_sign() and arg.has(Indexed, *self.names) for arg in expr.args
        )
        signs = [arg for arg in expr.args if isinstance(arg, sign | KroneckerDelta) or (divided and arg.is_Indexed)]
        rest = expr.func(*(arg for arg in expr.args if arg not in signs))
        guard = " and ".join(self._print(arg) for arg in signs)
        plain = str(super()._print_Mul(rest)) if rest.is_Mul else self.parenthesize(rest, 50)
        if not signs:
            return plain
        return f"({guard} and {'*'.join([*map(self._print, signs), f'({plain})'])})"

    def _print_Piecewise(self, expr: Piecewise) -> str:
        text = "math.nan"
        for value, condition in reversed(expr.args):
            shown = self._print(value)
            text = shown if condition == True else f"({shown} if {self._print(condition)} else {text})"  # noqa: E712
        return text

    def _loops(self, limits: Iterable[Any]) -> str:
        return "".join(
            f" for {self._print(at)} in range({self._print(low)}, {self._print(high)} + 1)" for at, low, high in limits
        )

    # --- own nodes ---------------------------------------------------------------------------------------------

    def _print_MaxOver(self, expr: MaxOver) -> str:
        body, *limits = expr.args
        return f"max({self._print(body)}{self._loops(limits)})"

    def _print_FirstArgmax(self, expr: FirstArgmax) -> str:
        place, body, *limits = expr.args
        return f"_first_argmax(({self._print(body)}, {self._key(limits)}){self._loops(limits)})[{place}]"

    def _key(self, limits: Iterable[Any]) -> str:
        return f"({', '.join(self._print(limit[0]) for limit in limits)},)"

    def _print_Largest(self, expr: Largest) -> str:
        k, body, *limits = expr.args
        return f"_largest({self._print(k)}, [{self._print(body)}{self._loops(limits)}])"

    def _print_RankOf(self, expr: RankOf) -> str:
        position, body, *limits = expr.args
        here = f"({', '.join(map(self._print, position))},)"
        return f"_rank({here}, [({self._print(body)}, {self._key(limits)}){self._loops(limits)}])"

    def _print_SplitIndex(self, expr: SplitIndex) -> str:
        kind, rule, (index, low, high), count = expr.args
        rule_of = f"lambda {self._print(index)}: {self._print(rule)}"
        ends = f"{self._print(low)}, {self._print(high)}, {self._print(count)}"
        return f"_split({str(kind)!r}, {rule_of}, {ends})"

    def _print_Singular(self, expr: Singular) -> str:
        place, row, k, body, rows, columns = expr.args
        grid = f"[[{self._print(body)}{self._loops([columns])}]{self._loops([rows])}]"
        return f"_singular({place}, {self._print(row)}, {self._print(k)}, {grid})"

    def _print_Count(self, expr: Count) -> str:
        condition, *limits = expr.args
        return f"sum(bool({self._print(condition)}){self._loops(limits)})"

    def _print_Listed(self, expr: Listed) -> str:
        values, *indices = expr.args
        return str(self._print(values)) + "".join(f"[{self._print(index)} - 1]" for index in indices)

    def _print_Tuple(self, expr: Tuple) -> str:
        return f"({', '.join(map(self._print, expr))},)" if len(expr) else "()"

    def _print_InverseEntry(self, expr: InverseEntry) -> str:
        rows, i, j = expr.args
        return f"_inverse({self._print(rows)})[{self._print(i)} - 1][{self._print(j)} - 1]"

    def _print_RootOf(self, expr: RootOf) -> str:
        unknown, left, cap, side = expr.args
        return f"_root(lambda {self._print(unknown)}: {self._print(left)}, {self._print(cap)}, {side})"

    def _print_InverseSlope(self, expr: InverseSlope) -> str:
        body, low, high, at = expr.args
        ends = f"{self._print(low)}, {self._print(high)}, {self._print(at)}"
        return f"_inverse_at(lambda {self._print(r)}: {self._print(body)}, {ends})"

    def _print_Maximiser(self, expr: Maximiser) -> str:
        algorithm, k, y, w, v, scalars, limit = expr.args
        bodies = ", ".join("[]" if body == 0 else f"[{self._print(body)}{self._loops([limit])}]" for body in (y, w, v))
        return f"_maximiser({str(algorithm)!r}, {bodies}, {self._print(scalars)})[{self._print(k)} - 1]"

    def _print_Vanishing(self, expr: Vanishing) -> str:
        value, size = map(self._print, expr.args)
        return f"({value} if {size} else 0.0)"

    def _print_AtMost(self, expr: AtMost) -> str:
        return f"min({', '.join(map(self._print, expr.args))})"

    def _print_Inside(self, expr: Inside) -> str:
        return str(self._print(expr.args[0]))
