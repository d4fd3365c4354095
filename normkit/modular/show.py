"""Trees as text: the expression that builds one, and a table of its atoms."""

from __future__ import annotations

from dataclasses import MISSING, fields

from normkit.modular.bonds import Add, Multiply
from normkit.modular.composition import Composite, Tuple
from normkit.modular.extent import total
from normkit.modular.leaf import Atom
from normkit.modular.tree import Module

HEADS = ("name", "shape", "norm", "mass", "scale", "input", "sensitivity so far")


def expression(tree: Module) -> str:
    """Return Python that builds a tree; `Bond` alone prints what is claimed of it, since a function has no text."""
    if isinstance(tree, Tuple):
        shown = ", ".join(map(repr, tree.parts))
        return f"({shown},)" if len(tree.parts) == 1 else f"({shown})"
    if not isinstance(tree, Composite):
        return _call(tree)
    if terms := _terms(tree):
        first, second = terms
        return f"{first!r} + {_bracketed(second, _terms(second) is not None)}"
    before = _bracketed(tree.before, isinstance(tree.before, Composite))
    if isinstance(tree.after, Multiply):
        return f"{tree.after.factor!r} * {before}"
    return f"{_bracketed(tree.after, _terms(tree.after) is not None)} @ {before}"


def _terms(tree: Module) -> tuple[Module, ...] | None:
    """Return the two modules that a tree is the sum of, if it is one."""
    if not (isinstance(tree, Composite) and isinstance(tree.after, Add) and isinstance(tree.before, Tuple)):
        return None
    return tree.before.parts if len(tree.before.parts) == 2 else None


def _bracketed(tree: Module, needed: bool) -> str:
    return f"({tree!r})" if needed else repr(tree)


def _call(leaf: Module) -> str:
    """Return the constructor's call, without what has its default."""
    usual = {"layout": leaf.axes} if isinstance(leaf, Atom) else {}
    shown: list[str] = []
    for field in sorted(fields(leaf), key=lambda field: field.kw_only is True):
        value = getattr(leaf, field.name)
        if field.default is MISSING:
            shown.append(repr(value))
        elif value != usual.get(field.name, field.default):
            shown.append(f"{field.name}={value!r}")
    return f"{type(leaf).__name__}({', '.join(shown)})"


def table(tree: Module) -> str:
    """Return a line for each atom: its own numbers, a bound on its input and the sensitivity up to its output."""
    rows = [HEADS]
    for name, (atom, seen) in tree.atoms().items():
        scale = f"{seen.scale:.4g}" if seen.scale > 0 else "frozen"
        before = seen.before * atom.sensitivity
        numbers = (f"{atom.mass:g}", scale, f"{total(seen.given):.4g}", f"{before:.4g}")
        rows.append((name, "x".join(map(str, atom.shape)), str(atom.measure), *numbers))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    ways = " or ".join(sorted(tree.positions)) or "nothing"
    lines.append(f"mass {tree.mass:g}, sensitivity {tree.sensitivity:.4g}, positions measured by {ways}")
    return "\n".join([*lines, *(f"not proved: {doubt}" for doubt in tree.why)])
