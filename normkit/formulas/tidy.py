"""From what a builder collected to a formula that reads well: unused names dropped, one-use names put in, letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sympy import (
    Basic,
    Dummy,
    Expr,
    Indexed,
    IndexedBase,
    Max,
    Min,
    Piecewise,
    Sum,
    Symbol,
    Tuple,
    default_sort_key,
)

from normkit.formulas.arrays import unused
from normkit.formulas.formula import Definition, Formula
from normkit.formulas.nodes import MaxOver, Node, RootOf, Singular
from normkit.inverse import r

LETTERS = ["i", "j", "k", "l", "p", "q", "h", "i'", "j'", "k'", "l'", "p'", "q'", "h'"]

LONG = 4
"""Operations from which a number that is needed twice gets a name."""


def assemble(
    variable: IndexedBase,
    result: Definition,
    definitions: Sequence[Definition],
    lengths: Sequence[Symbol],
    shape: Sequence[int | None],
    keep: Sequence[Any] = (),
) -> Formula:
    """Return the formula of a result with the definitions that it needs, in order of use; `keep` names stay."""
    definitions = _needed(result, list(definitions))
    result, definitions = _inlined(result, definitions, keep)
    result, definitions = _shared(result, definitions)
    where = [_lettered(definition) for definition in definitions]
    fixed = Tuple(*(length or 0 for length in shape))
    return _unprimed(Formula(variable, _lettered(result), Tuple(*where), Tuple(*lengths), fixed))


def _unprimed(formula: Formula) -> Formula:
    """Take away the primes that tell a name from others which have been put in or dropped."""
    shorter: dict[Any, Any] = {}
    used = {str(formula.result.base)}
    for definition in formula.where:
        name = str(definition.base)
        short = unused(name.replace("'", ""), used)
        used.add(short)
        if short != name:
            old = definition.base
            shorter[old] = type(old)(short, **old.assumptions0)
    renamed: Formula = formula.xreplace(shorter)
    return renamed


@lru_cache(maxsize=4096)
def _names(expr: Basic) -> frozenset[Any]:
    return frozenset({atom.base for atom in expr.atoms(Indexed)} | expr.atoms(Symbol))


def _needed(result: Definition, definitions: list[Definition]) -> list[Definition]:
    """Drop the definitions that the result does not use."""
    wanted, kept = set(_names(result.rhs)), []
    for definition in reversed(definitions):
        if definition.base in wanted:
            kept.append(definition)
            wanted |= _names(definition.rhs)
    return kept[::-1]


def _inlined(
    result: Definition, definitions: list[Definition], keep: Sequence[Any]
) -> tuple[Definition, list[Definition]]:
    """Put in what is used once, is only another name, or is a plain number."""
    kept, at = list(definitions), 0
    while at < len(kept):
        definition = kept[at]
        users = [other for other in (*kept[at + 1 :], result) if definition.base in _names(other.rhs)]
        if definition.base in keep or not _removable(definition, users):
            at += 1
            continue
        del kept[at]
        kept = [_put(other, definition) if other in users else other for other in kept]
        result = _put(result, definition) if result in users else result
        at = 0
    return result, kept


def _removable(definition: Definition, users: Sequence[Definition]) -> bool:
    """Tell whether a definition reads better where it is used."""
    rhs = definition.rhs
    if isinstance(rhs, Node) and not isinstance(rhs, MaxOver):
        return False
    if len(users) == 1 and _is_use(users[0].rhs, definition):
        return True
    if rhs.is_Symbol or rhs.is_number or rhs.is_Indexed:
        return True
    if rhs.has(Piecewise):
        return False
    if len(users) != 1 or sum(_is_use(node, definition) for node in _preorder(users[0].rhs)) != 1:
        return False
    user = users[0]
    if isinstance(user.rhs, Singular) and not rhs.is_Indexed:
        return False
    loops = rhs.has(Sum, MaxOver)
    return not (loops and user.ranges) and not (loops and user.rhs.has(Node))


def _shared(result: Definition, definitions: list[Definition]) -> tuple[Definition, list[Definition]]:
    """Name the numbers that are written out more than once, the longest first."""
    rows, names = [*definitions, result], list[Dummy]()
    while repeated := _repeated(rows, names):
        names.append(base := Dummy(real=True))
        first = next(at for at, row in enumerate(rows) if row.rhs.has(repeated))
        rows = [Definition(row.lhs, row.rhs.xreplace({repeated: base}), row.ranges) for row in rows]
        rows.insert(first, Definition(base, repeated, Tuple()))
    order = [row.lhs for row in rows if row.lhs in names]
    numbered = {name: Symbol(f"c_{{{at}}}", real=True) for at, name in enumerate(order, start=1)}
    rows = [row.xreplace(numbered) for row in rows]
    return rows[-1], rows[:-1]


def _repeated(rows: Sequence[Definition], names: Sequence[Dummy]) -> Expr | None:
    """Return the longest sum that occurs twice and is the same number at every index; `names` are numbers."""
    counts = Counter(node for row in rows for node in _preorder(row.rhs) if node.is_Add)
    twice = [node for node, count in counts.items() if count > 1 and not node.atoms(Dummy).difference(names)]
    if not twice:
        return None
    unknowns = {r} | {node.args[0] for row in rows for node in row.rhs.atoms(RootOf)}
    long = [node for node in twice if not node.free_symbols & unknowns and node.count_ops() >= LONG]
    return max(long, key=lambda node: node.count_ops(), default=None)


def _is_use(expr: Basic, definition: Definition) -> bool:
    return (expr.is_Indexed and expr.base == definition.base) or (expr == definition.base and not definition.ranges)


def _put(target: Definition, definition: Definition) -> Definition:
    """Replace a name by what it stands for."""

    def value(use: Any) -> Expr:
        if not definition.ranges:
            return definition.rhs
        return definition.rhs.xreplace(dict(zip(definition.indices, use.indices, strict=True)))

    rhs = target.rhs.replace(lambda expr: _is_use(expr, definition), value)
    return Definition(target.lhs, rhs, target.ranges)


def _lettered(definition: Definition) -> Definition:
    """Give the indices letters: those of the left-hand side first, then bound ones in order of appearance."""
    order: list[Dummy] = [limit[0] for limit in definition.ranges]
    for node in _preorder(definition.rhs):
        if isinstance(node, Dummy) and node not in order:
            order.append(node)
    letters = {
        dummy: Symbol(letter, integer=True, positive=True) for dummy, letter in zip(order, LETTERS, strict=False)
    }
    named: Definition = definition.xreplace(letters)
    return named


def _preorder(expr: Basic) -> list[Basic]:
    """Return an expression and its parts from left to right, in an order that is always the same."""
    parts = sorted(expr.args, key=default_sort_key) if isinstance(expr, Max | Min) else expr.args
    if isinstance(expr, Sum | MaxOver):
        # The ranges are read before the body.
        parts = (*parts[1:], parts[0])
    return [expr, *(node for part in parts for node in _preorder(part))]
