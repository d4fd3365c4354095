r"""LaTeX of formulas: SymPy's printer with the nodes of this package, and `where` clauses in an aligned environment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    Mul,
    Piecewise,
    Pow,
    Rational,
    S,
    Sum,
    Symbol,
    Tuple,
)
from sympy.printing.latex import LatexPrinter

from normkit.formulas.nodes import (
    AtMost,
    Count,
    FirstArgmax,
    Inside,
    Inverted,
    Largest,
    Listed,
    Maximiser,
    MaxOver,
    RankOf,
    RootOf,
    Singular,
    SplitIndex,
    Vanishing,
)
from normkit.formulas.search import BALLS

ORDER = "_()"
"""Ends the name of a sorted array, whose entries are printed as order statistics."""
SHOWN = 16
"""Longest table of numbers that is printed in full."""
SHORT = 1024
"""Largest denominator of a number in a table that is printed as a fraction."""
Silent = AtMost | Inside | Vanishing
"""Nodes that say what happens at rounding, outside a subspace and at zero: they print as what they hold."""


class Printer(LatexPrinter):  # type: ignore[misc]
    """LaTeX in the subset that `normkit.tex` reads."""

    def __init__(self) -> None:
        super().__init__({"fold_short_frac": False, "order": "none"})

    def _print_Symbol(self, expr: Symbol, style: str = "plain") -> str:
        raw = any(mark in expr.name for mark in "\\^{'|")
        return str(expr.name) if raw else str(super()._print_Symbol(expr, style))

    def _print_Indexed(self, expr: Indexed) -> str:
        name, mark, _ = str(expr.base.label.name).partition(ORDER)
        if mark:
            return f"{name}_{{({self._places(expr.indices)})}}"
        label, places = str(self._print(expr.base.label)), self._places(expr.indices)
        stem, mark, sub = label.partition("_{")
        return f"{stem}_{{{sub[:-1]},{places}}}" if mark else f"{label}_{{{places}}}"

    def _print_Pow(self, expr: Pow) -> str:
        base = expr.base
        if isinstance(base, Abs) and expr.exp.is_even:
            return str(self._print(Pow(base.args[0], expr.exp)))
        marked = isinstance(base, Indexed) and any(mark in str(base.base) for mark in "^'")
        marked = marked or isinstance(base, Inverted)
        if marked and expr.exp.is_Rational and expr.exp > 0 and expr.exp.p != 1:
            return rf"\left({self._print(base)}\right)^{{{self._print(expr.exp)}}}"
        return str(super()._print_Pow(expr))

    def _print_Add(self, expr: Add, order: Any = None) -> str:
        """Print what is subtracted last."""
        terms = sorted(expr.args, key=lambda term: (term.could_extract_minus_sign(), term.is_number))
        first, *rest = terms
        text = self._print(first)
        for term in rest:
            negative = term.could_extract_minus_sign()
            text += (" - " if negative else " + ") + self._print(-term if negative else term)
        return str(text)

    def _places(self, indices: Iterable[Expr]) -> str:
        shown = [self._print(index) for index in indices]
        letters = all(len(text) == 1 or (text.startswith("\\") and "{" not in text) for text in shown)
        return (" " if letters else ",").join(shown)

    def _print_Abs(self, expr: Abs, exp: str | None = None) -> str:
        inner = self._print(expr.args[0])
        shown = f"|{inner}|" if isinstance(expr.args[0], Indexed | Symbol) else rf"\left|{inner}\right|"
        return shown if exp is None else f"{shown}^{{{exp}}}"

    def _print_sign(self, expr: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        opening, closing = _brackets(shown := str(self._print(expr.args[0])))
        return rf"\operatorname{{sign}}{power}{opening}{shown}{closing}"

    def _print_Relational(self, expr: Any) -> str:
        """Print the side with the index first: SymPy turns comparisons round."""
        turned = expr.rhs.has(Indexed) and not expr.lhs.has(Indexed)
        return str(super()._print_Relational(expr.reversed if turned else expr))

    def _print_KroneckerDelta(self, expr: Any, exp: str | None = None) -> str:
        first, second = sorted(expr.args[:2], key=lambda arg: (arg.is_Integer, not arg.is_Symbol, str(arg)))
        return rf"\mathbf{{1}}[{self._print(first)}={self._print(second)}]"

    def _print_Max(self, expr: Any, exp: str | None = None) -> str:
        return self._call(r"\max", expr.args, exp)

    def _print_Min(self, expr: Any, exp: str | None = None) -> str:
        return self._call(r"\min", expr.args, exp)

    def _call(self, name: str, args: Any, exp: str | None) -> str:
        shown = ", ".join(self._print(arg) for arg in sorted(args, key=lambda arg: (not arg.is_number, str(arg))))
        opening, closing = _brackets(shown)
        return f"{name}{opening}{shown}{closing}{'' if exp is None else f'^{{{exp}}}'}"

    def _print_Sum(self, expr: Sum) -> str:
        signs = "".join(
            rf"\sum_{{{self._print(at)}={self._print(low)}}}^{{{self._print(high)}}} " for at, low, high in expr.limits
        )
        return signs + self._factor(expr.function)

    def _print_Mul(self, expr: Mul) -> str:
        """Print roots of numbers and sizes as one root; sums and cases after everything else."""
        if not expr.is_Mul:
            # SymPy prints a reciprocal as a product too, by a call with the power itself.
            return str(super()._print_Mul(expr))
        large = [factor for factor in expr.args if isinstance(factor, Sum | MaxOver | Piecewise)]
        roots = [factor for factor in expr.args if isinstance(factor, Pow) and abs(factor.exp) == Rational(1, 2)]
        plain = [factor for factor in roots if not factor.has(Indexed, Sum, MaxOver)]
        rest = [factor for factor in expr.args if factor not in large and factor not in plain]
        if len(plain) < 2 and (not large or not plain + rest):
            return str(super()._print_Mul(expr))
        text = "" if not rest else self._factor(Mul(*rest))
        if text in ("1", "-1"):
            text = text[:-1]
        if plain:
            text += rf"\sqrt{{{self._print(Mul(*(factor**2 for factor in plain)))}}}"
        return rf"{text}\,{' '.join(map(self._print, large))}" if large else text

    def _factor(self, expr: Expr) -> str:
        """Print an operand, a sum in brackets; what a silent node holds is what is seen."""
        while isinstance(expr, Silent):
            expr = expr.args[0]
        return rf"\left({self._print(expr)}\right)" if isinstance(expr, Add) else str(self._print(expr))

    # --- nodes ---------------------------------------------------------------------------------------------------

    def _print_MaxOver(self, expr: MaxOver) -> str:
        body, *limits = expr.args
        names = ",".join(self._print(limit[0]) for limit in limits)
        return rf"\max_{{{names}}} {self._factor(body)}"

    def _print_FirstArgmax(self, expr: FirstArgmax) -> str:
        _, body, *limits = expr.args
        names = ",".join(self._print(limit[0]) for limit in limits)
        return rf"\operatorname*{{arg\,max}}_{{{names}}} {self._factor(body)}\ \text{{(the first)}}"

    def _print_Largest(self, expr: Largest) -> str:
        k, body, *_ = expr.args
        return rf"\text{{the }}{self._print(k)}\text{{-th largest of the }}{self._print(body)}"

    def _print_RankOf(self, expr: RankOf) -> str:
        position, body, *limits = expr.args
        here = body.xreplace({limit[0]: at for limit, at in zip(limits, position, strict=True)})
        return rf"\text{{the rank of }}{self._print(here)}\text{{, largest first, ties by index}}"

    def _print_SplitIndex(self, expr: SplitIndex) -> str:
        kind, rule, (index, low, high), _ = expr.args
        span = rf"{self._print(low)}\le {self._print(index)}\le {self._print(high)}"
        if str(kind) == "argmax":
            return rf"\operatorname*{{arg\,max}}_{{{span}}} {self._print(rule)}\ \text{{(the first)}}"
        which, end = (r"\min", high) if str(kind) == "first" else (r"\max", low)
        otherwise = rf"\ \text{{(if none: }}{self._print(end)}\text{{)}}"
        return rf"{which}\{{{self._print(index)} : {span},\ {self._print(rule)}\}}{otherwise}"

    def _print_Singular(self, expr: Singular) -> str:
        names = (r"\sigma", "u", "v")
        return rf"{names[int(expr.args[0])]}_{{{self._print(expr.args[2])}}}({self._print(expr.args[3])})"

    def _print_Count(self, expr: Count) -> str:
        condition, *limits = expr.args
        names = ",".join(self._print(limit[0]) for limit in limits)
        return rf"\#\{{{names} : {self._print(condition)}\}}"

    def _print_Listed(self, expr: Listed) -> str:
        values, *indices = expr.args
        return f"{self.table(values)}_{{{self._places(indices)}}}"

    def table(self, values: Any) -> str:
        """Print a vector in brackets and a matrix as one; a long one by its shape."""
        shape, level = [], values
        while isinstance(level, Tuple):
            shape.append(len(level))
            level = level[0]
        count = 1
        for length in shape:
            count *= length
        if count > SHOWN or len(shape) > 2:
            axes = r"\times ".join(map(str, shape))
            return rf"\text{{given, }}{axes}\text{{ numbers}}"
        if len(shape) == 1:
            return "(" + ", ".join(map(self._number, values)) + ")"
        rows = r" \\ ".join(" & ".join(map(self._number, row)) for row in values)
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"

    def _number(self, value: Expr) -> str:
        """Print a number of a table: a float that is no short fraction by the decimals that name it."""
        if not value.is_Rational or value.q <= SHORT:
            return str(self._print(value))
        mantissa, _, power = repr(float(value)).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa

    def _print_Inverted(self, expr: Inverted) -> str:
        opening, closing = _brackets(shown := str(self._print(expr.args[1])))
        return f"{self._print(expr.args[0])}^{{-1}}{opening}{shown}{closing}"

    def _print_RootOf(self, expr: RootOf) -> str:
        unknown, left, cap, _ = expr.args
        limit = "" if cap == S.Infinity else rf",\ {self._print(unknown)}\le {self._print(cap)}"
        return rf"\text{{the root }}{self._print(unknown)}\text{{ of }}{self._print(left)}=1{limit}"

    def _print_Maximiser(self, expr: Maximiser) -> str:
        algorithm, _, y, w, v, scalars, limit = expr.args
        k = self._print(limit[0])
        if str(algorithm) not in BALLS:
            return rf"\text{{the maximiser found by the search {self._words(str(algorithm))} at }}{self._print(y)}"
        operation, *sides = BALLS[str(algorithm)]
        names = [str(body.base) if isinstance(body, Indexed) else "w" for body in (w, v)]
        places = {"w'_": f"{names[1]}_", "w_": f"{names[0]}_"}
        for at, number in enumerate(scalars):
            places |= {f"<{at}>": "" if number == 1 else self._factor(number), f"[{at}]": self._print(number)}
        marked = [_replaced(side, places) for side in sides]
        ball = " + ".join(marked) if operation == "+" else rf"\max\left({', '.join(marked)}\right)"
        body = rf"\sum_{{{k}}} {self._print(y)} u_{{{k}}}"
        return rf"\operatorname*{{arg\,max}}_{{u_1\ge u_2\ge\dots\ge 0}} \left\{{{body} : {ball}\le 1\right\}}"

    @staticmethod
    def _words(name: str) -> str:
        return name.replace("_", " ")

    def _print_AtMost(self, expr: AtMost) -> str:
        return str(self._print(expr.args[0]))

    _print_Inside = _print_Vanishing = _print_AtMost

    def _print_ExprCondPair(self, expr: Any) -> str:
        return str(self._print(expr.args[0]))

    def _print_Piecewise(self, expr: Piecewise) -> str:
        rows = [
            rf"{self._print(value)} & \text{{otherwise}}"
            if condition == True  # noqa: E712
            else rf"{self._print(value)} & \text{{if }}{self._print(condition)}"
            for value, condition in expr.args
        ]
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"


def _brackets(shown: str) -> tuple[str, str]:
    """Return brackets as high as what they hold."""
    high = any(mark in shown for mark in (r"\frac", r"\sum", r"\begin"))
    return (r"\left(", r"\right)") if high else ("(", ")")


def _replaced(text: str, places: dict[str, str]) -> str:
    """Replace every key at once."""
    return re.sub("|".join(map(re.escape, places)), lambda match: places[match.group()], text)


def expression(expr: Any) -> str:
    """Return the LaTeX of an expression."""
    return str(Printer().doprint(expr))
