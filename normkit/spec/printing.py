"""Norms as canonical text, which the parser reads back."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any

from sympy import Expr, Pow
from sympy.printing.precedence import precedence
from sympy.printing.str import StrPrinter

from normkit.norm import Norm, Scaled
from normkit.parameter import Parameter

LISTED = 2_000
"""Longest list of indices, in characters, that a spec prints in full."""
known: dict[str, Parameter | tuple[Any, ...]] = {}
"""Long array parameters and lists that have been printed, by their digest: their specs can be read back here."""


class _Scalars(StrPrinter):  # type: ignore[misc]
    """SymPy's printer, with the spaces left out where the spec language needs none."""

    def _print_Infinity(self, expr: Expr) -> str:
        return "oo"

    def _print_Mul(self, expr: Expr) -> str:
        """Keep a fraction in front of a denominator that is a sum: read back, 1/(2*(x + 1)) would be multiplied out."""
        number, rest = expr.as_coeff_Mul()
        sums = any(power.base.is_Add and power.exp.is_negative for power in rest.atoms(Pow))
        if number.is_Rational and number.q != 1 and sums and not rest.is_Add:
            return f"{self._print(number)}*{self.parenthesize(rest, precedence(rest))}"
        return str(super()._print_Mul(expr))


def scalar(expr: Expr) -> str:
    """Print a coefficient so that the spec language reads it back."""
    return str(_Scalars().doprint(expr))


def spec(norm: Norm) -> str:
    """Return the canonical spec of a norm; `norm` reads it back to an equal object."""
    if isinstance(norm, Scaled):
        factor = scalar(norm.factor)
        inner = spec(norm.of)
        return f"{_wrapped(factor, norm.factor.is_Add)}*{_wrapped(inner, norm.of.name == 'plus')}"
    if norm.name == "plus":
        return " + ".join(spec(part) for part in norm.parts)  # type: ignore[attr-defined]
    if norm.name == "induced":
        return "->".join(_tight(part) for part in (norm.domain, norm.codomain))  # type: ignore[attr-defined]
    name = "max" if norm.name == "maximum" else norm.name or type(norm).__name__
    values = [getattr(norm, field.name) for field in fields(norm)]  # type: ignore[arg-type]
    return f"{name}({', '.join(map(_argument, values))})" if values else name


def _argument(value: Any) -> str:
    if isinstance(value, Norm):
        return spec(value)
    if isinstance(value, Parameter):
        text = repr(value)
        if text.startswith("#"):
            known[text] = value
        elif len(value.shape) == 1:
            return text
        return text
    if isinstance(value, tuple) and value and all(isinstance(part, Norm) for part in value):
        return ", ".join(spec(part) for part in value)
    if isinstance(value, tuple):
        return _lists(value) if _plain(value) else str(value)
    if isinstance(value, str):
        return f"'{value}'"
    return scalar(value) if isinstance(value, Expr) else str(value)


def _lists(value: tuple[Any, ...]) -> str:
    """Print nested tuples of numbers as lists, integers as integers; long ones by their digest."""
    text = repr(value).replace(",)", ")").replace("(", "[").replace(")", "]")
    if len(text) <= LISTED:
        return text
    digest = f"#{len(value)}:{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    known[digest] = value
    return digest


def _plain(value: Any) -> bool:
    return all(isinstance(part, int | float) or (isinstance(part, tuple) and _plain(part)) for part in value)


def _tight(norm: Norm) -> str:
    return _wrapped(spec(norm), isinstance(norm, Scaled) or norm.name in ("plus", "induced"))


def _wrapped(text: str, needed: bool | None) -> str:
    return f"({text})" if needed else text
