"""The tables of expressions and what fills them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import normkit as nk

Expression = Any
Epigraph = tuple[Expression, list[Any]]
Entry = Callable[[Any, Any], Epigraph]


class NoOracle(Exception):
    """CVXPY cannot express this norm."""


TABLE: dict[str, Entry] = {}
DUALS: dict[str, Entry] = {}
"""Duals that have no name of their own, each from the definition of the polar set."""


def _into(table: dict[str, Entry], *names: str) -> Callable[[Entry], Entry]:
    def put(entry: Entry) -> Entry:
        for name in names:
            table[name] = entry
        return entry

    return put


def entry(*names: str) -> Callable[[Entry], Entry]:
    return _into(TABLE, *names)


def dual_entry(*names: str) -> Callable[[Entry], Entry]:
    return _into(DUALS, *names)


def express(norm: Any, x: Any) -> Epigraph:
    """Return (expression, constraints) of N(x)."""
    if isinstance(norm, nk.Scaled):
        inner, constraints = express(norm.of, x)
        return number(norm.factor, x) * inner, constraints
    if isinstance(norm, nk.Dual):
        if norm.of.name not in DUALS:
            raise NoOracle(f"the dual of {norm.of.name}")
        return DUALS[norm.of.name](norm.of, x)
    if norm.name not in TABLE:
        raise NoOracle(norm.name)
    return TABLE[norm.name](norm, x)


def number(factor: Any, x: Any) -> float:
    """Evaluate a coefficient: m and n are rows and columns, for a vector n is the length."""
    rows, columns = x.shape if len(x.shape) == 2 else (1, x.shape[0])
    return float(factor.subs({"m": rows, "n": columns}).subs({nk.functional.m: rows, nk.functional.n: columns}))


def numbers(parameter: Any) -> np.ndarray[Any, Any]:
    return np.array(parameter.nested(), dtype=np.float64)
