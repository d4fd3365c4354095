"""The spec of a rule's norm: its norm of matrices or vectors, and the axes that it is a norm of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from normkit.codegen.cache import load_program
from normkit.errors import ParameterError
from normkit.patterns import Pattern, shown


def spec_of(table: Mapping[str, Any], axes: Pattern | None) -> str | None:
    """Return the norm of a rule, with its axes, as one spec."""
    if "norm" not in table:
        return None
    inner, rows, cols, over = (table.get(key) for key in ("norm", "rows", "cols", "over"))
    stray = [key for key in ("rows", "cols", "over") if key in table]
    if axes is None and stray:
        raise ParameterError(f'{stray[0]} names axes; give axes too, such as axes = "o i h w"')
    if "inner_outer" in table and over is None:
        raise ParameterError("inner_outer joins the slices that over numbers; the rule gives no over")
    if (rows is None) != (cols is None):
        raise ParameterError("a matrix has rows and cols; give both")
    text = str(inner)
    if axes is not None and not stray:
        raise ParameterError("axes alone change nothing; say which are rows and cols, or which ones over numbers")
    if axes is not None and rows is not None:
        left = [axis for axis in axes.named if axis.name not in str(over or "").split()]
        text = f"matricize({text}, '{axes.text if over is None else ' '.join(shown((a,)) for a in left)}'"
        text += f", {rows!r}, {cols!r})"
    if axes is not None and over is not None:
        text = f"slices({text}, '{axes.text}', {over!r}, {table.get('inner_outer', 'linf')})"
    _known(text)
    return text


@lru_cache(maxsize=1024)
def _known(spec: str) -> None:
    """Raise `SpecError` unless a spec is one; what has a program on disk is, and needs no SymPy."""
    if load_program(spec) is None:
        from normkit.spec import norm

        norm(spec)
