r"""LaTeX of norms: the spec in the notation of papers. Formulas print themselves (`normkit.formulas.printing`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sympy import Expr

from normkit.formulas.formula import Formula
from normkit.formulas.lines import aligned
from normkit.formulas.printing import SHOWN, expression
from normkit.norm import Dual, Norm, Scaled
from normkit.parameter import Parameter

NAMES = {
    "l1": r"\ell_1",
    "l2": r"\ell_2",
    "linf": r"\ell_\infty",
    "rms": r"\mathrm{RMS}",
    "fro": r"\mathrm{F}",
}
"""Notation of norms without parameters; the others print their own names upright."""


def latex(what: Norm | Formula) -> str:
    r"""Return the LaTeX of a norm, or of a formula with its ``where`` clauses, without dollar signs.

    Parameters
    ----------
    what : Norm or Formula
        ``latex(nk.norm("rms->rms"))`` names the norm; ``latex(nk.derive(N).dualize)`` is an ``aligned`` environment.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import normkit as nk
    >>> print(latex(nk.norm("rms->rms")))
    \mathrm{RMS}\to\mathrm{RMS}
    """
    if isinstance(what, Formula):
        return aligned(what)
    if not isinstance(what, Norm):
        raise TypeError(f"latex prints a Norm or a Formula; got {type(what).__name__}")
    return _norm(what)


def _norm(norm: Norm) -> str:
    if isinstance(norm, Scaled):
        return rf"{_factor(norm.factor)}\,{_bracketed(norm.of, norm.of.name == 'plus')}"
    if isinstance(norm, Dual):
        return rf"\left({_norm(norm.of)}\right)^*"
    if norm.name == "plus":
        return " + ".join(map(_norm, norm.parts))  # type: ignore[attr-defined]
    if norm.name == "induced":
        return r"\to".join(_tight(part) for part in (norm.domain, norm.codomain))  # type: ignore[attr-defined]
    if norm.name == "maximum":
        return _call(r"\max", norm.parts)  # type: ignore[attr-defined]
    if blocks := norm.named_blocks():
        return _modular(*blocks)
    values = [getattr(norm, field.name) for field in fields(norm)]  # type: ignore[arg-type]
    if norm.name == "lp":
        return rf"\ell_{{{_value(values[0])}}}"
    name = NAMES.get(norm.name, rf"\mathrm{{{_escaped(norm.name or type(norm).__name__)}}}")
    return _call(name, values) if values else name


BLOCKS = 6
"""Named parts that are shown; of more, the first ones."""


def _modular(outer: Norm, parts: tuple[tuple[str, Norm], ...]) -> str:
    shown = [rf"{_tight(part)}\,[W_{{\text{{{_escaped(name)}}}}}]" for name, part in parts[:BLOCKS]]
    if len(parts) > BLOCKS:
        shown.append(rf"\dots\text{{ ({len(parts)} in all)}}")
    return rf"{_bracketed(outer, bool(fields(outer)))}\left({', '.join(shown)}\right)"  # type: ignore[arg-type]


def _call(name: str, values: Iterable[Any]) -> str:
    shown = ", ".join(map(_value, values))
    return rf"{name}\left({shown}\right)" if r"\frac" in shown else f"{name}({shown})"


def _factor(factor: Expr) -> str:
    return rf"\left({expression(factor)}\right)" if factor.is_Add else expression(factor)


def _value(value: Any) -> str:
    if isinstance(value, Norm):
        return _norm(value)
    if isinstance(value, Expr):
        return expression(value)
    if isinstance(value, Parameter):
        axes = r"\times ".join(map(str, value.shape))
        return _list(value.nested()) if len(value) <= SHOWN else rf"[{axes}\text{{ numbers}}]"
    if isinstance(value, tuple):
        parts = ", ".join(map(_value, value))
        return parts if value and isinstance(value[0], Norm) else f"[{parts}]"
    return rf"\text{{{_escaped(str(value))}}}"


def _list(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_list, value))}]"
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _tight(norm: Norm) -> str:
    return _bracketed(norm, isinstance(norm, Scaled) or norm.name in ("plus", "induced"))


def _bracketed(norm: Norm, needed: bool) -> str:
    return rf"\left({_norm(norm)}\right)" if needed else _norm(norm)


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")
