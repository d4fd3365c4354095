"""Formulas line by line: the result, then every quantity that it uses."""

from __future__ import annotations

from typing import Any

from sympy import Indexed, S, Symbol, preorder_traversal

from normkit.formulas.formula import Definition, Formula
from normkit.formulas.nodes import FirstArgmax, Inside, InverseEntry, Inverted, Listed, Maximiser, RootOf, Singular
from normkit.formulas.printing import Printer, expression
from normkit.inverse import InverseSlope


def lines(formula: Formula) -> list[tuple[str, str, str]]:
    """Return (left, relation, right) of the result, then of every definition that it uses."""
    functions = _functions(formula)
    formula = formula.replace(
        lambda node: isinstance(node, InverseSlope), lambda node: Inverted(functions[node.args[:3]], node.args[3])
    )
    result = formula.result
    shown = [(expression(result.lhs), "=", expression(result.rhs))]
    groups: dict[Any, list[Definition]] = {}
    for definition in formula.where:
        groups.setdefault(_group(definition), []).append(definition)
    shown += [_line(group) for group in groups.values()]
    return shown + [_function(name, *parts) for parts, name in functions.items()]


def _functions(formula: Formula) -> dict[tuple[Any, ...], Symbol]:
    """Name the functions whose inverses a formula uses: f, f', ..."""
    used = [node.args[:3] for node in preorder_traversal(formula) if isinstance(node, InverseSlope)]
    return {parts: Symbol("f" + "'" * at) for at, parts in enumerate(dict.fromkeys(used))}


def _function(name: Symbol, function: Any, low: Any, high: Any) -> tuple[str, str, str]:
    """State a function that is inverted, with its domain where that is not all r >= 0."""
    domain = rf"{expression(low)}\le r\le {expression(high)}" if high != S.Infinity else rf"r\ge {expression(low)}"
    span = "" if (low, high) == (0, S.Infinity) else rf"\ \text{{for }}{domain}"
    return (f"{expression(name)}(r)", "=", expression(function) + span)


def _group(definition: Definition) -> Any:
    """Definitions that one line states: the three factors of a decomposition, the indices of one maximum."""
    rhs = definition.rhs
    if isinstance(rhs, FirstArgmax):
        limits = dict(zip([limit[0] for limit in rhs.args[2:]], "ijkl", strict=False))
        return ("argmax", rhs.args[1].xreplace({old: Symbol(new) for old, new in limits.items()}))
    if isinstance(rhs, Singular):
        rows, columns = rhs.args[4:]
        return ("svd", rhs.args[3].xreplace({rows[0]: Symbol("i"), columns[0]: Symbol("j")}))
    return ("one", definition)


def _line(group: list[Definition]) -> tuple[str, str, str]:
    first = group[0]
    rhs, printer = first.rhs, Printer()
    if isinstance(rhs, FirstArgmax) and len(group) > 1:
        return ("(" + ", ".join(expression(each.lhs) for each in group) + ")", "=", expression(rhs))
    if isinstance(rhs, Singular):
        return _decomposition(group)
    if isinstance(rhs, Listed):
        return (expression(_label(first)), "=", printer.table(rhs.args[0]))
    if isinstance(rhs, InverseEntry):
        return (expression(_label(first)), "=", printer.table(rhs.args[0]) + "^{-1}")
    if isinstance(rhs, Maximiser):
        return (expression(_label(first)), "=", expression(rhs))
    if isinstance(rhs, Inside):
        # Of a norm on a subspace: what its arrays must be.
        return (expression(first.lhs), "=", f"{expression(rhs.args[0])}={expression(rhs.args[1])}")
    if isinstance(rhs, RootOf):
        named = expression(first.lhs)
        equation = printer.doprint(rhs.args[1].xreplace({rhs.args[0]: Symbol(named, positive=True)}))
        cap = "" if rhs.args[2] == S.Infinity else rf"\ \text{{(at most }}{expression(rhs.args[2])}\text{{)}}"
        if int(rhs.args[3]):
            return (named, ">0:", rf"{equation}>1\ \text{{(the least number)}}")
        return (named, ">0:", f"{equation}=1{cap}")
    return (expression(first.lhs), "=", expression(rhs))


def _label(definition: Definition) -> Any:
    return definition.base.label if isinstance(definition.lhs, Indexed) else definition.lhs


def _decomposition(group: list[Definition]) -> tuple[str, str, str]:
    """State singular values, or the thin decomposition."""
    names = {int(each.rhs.args[0]): each for each in group}
    body = group[0].rhs.args[3]
    outer = [limit[0] for limit in group[0].ranges][: -1 if 0 in names else -2]
    whole = body.base.label if isinstance(body, Indexed) else body
    matrix = expression(whole) + (f"^{{({','.join(map(expression, outer))})}}" if outer else "")
    sigma = expression(_label(names[0])) if 0 in names else r"\sigma"
    if 1 not in names:
        return (rf"{sigma}_1\ge {sigma}_2\ge\dots", "", rf"\text{{ the singular values of }}{matrix}")
    left, right = expression(_label(names[1])), expression(_label(names[2]))
    return (
        matrix,
        "=",
        rf"{left}\operatorname{{diag}}({sigma}){right}^{{\top}}\ \text{{(thin singular value decomposition)}}",
    )


def aligned(formula: Formula) -> str:
    r"""Return the formula and its `where` clauses as an ``aligned`` environment."""
    first, *rest = lines(formula)
    rows = [f"{first[0]} &{first[1]} {first[2]}"]
    for place, (left, relation, right) in enumerate(rest):
        word = r"\text{where}\quad " if place == 0 else ""
        rows.append(rf"{word}{left} &{relation} {right}")
    separator = ", \\\\\n"
    return "\\begin{aligned}\n" + separator.join(rows) + "\n\\end{aligned}"
