"""The printed function that gives both the map and the dual norm, with the words and tables that it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass

import normkit.targets.linear
import normkit.targets.ranked
import normkit.targets.searches  # noqa: F401 (their rules register themselves)
from normkit.codegen.plan import LiftPlan, Plan
from normkit.targets.lift import constant_slope
from normkit.targets.scalars import Term, product
from normkit.targets.stages import forward
from normkit.targets.vocabulary import Target, spoken
from normkit.targets.writer import Items, Writer

AXES = {1: ("length",), 2: ("rows", "columns")}
MAIN = "dualize_with_dual_norm"
NAME = re.compile(r"[A-Za-z_]\w*")
RESERVED = ("G", "T", "x", "c", "items", "rows", "columns", "length", "a1", "a3", "a5")


@dataclass(frozen=True)
class Polynomial:
    """The steps (a1, a3, a5) for polar factors, and the largest value of their composite."""

    steps: tuple[tuple[float, ...], ...]
    top: float


def has_polar_factor(plan: Plan) -> bool:
    """Tell whether a plan has a polar factor in it, which matrix products can give."""
    return any(isinstance(node, LiftPlan) and constant_slope(node.inner) for node in plan.walk())


def has_vectors(plan: Plan, polynomial: bool) -> bool:
    """Tell whether a plan takes singular vectors, if polar factors come from a polynomial or do not."""
    lifts = [node for node in plan.walk() if isinstance(node, LiftPlan)]
    return any(not (polynomial and constant_slope(node.inner)) for node in lifts)


def written(plan: Plan, shape: tuple[int | None, ...], target: Target, polynomial: Polynomial | None) -> Writer:
    """Write the function for items of a shape, None where any length will do.

    Raises
    ------
    NoClosedForm
        If the plan has a stage that the target does not print.
    """
    write = Writer(target) if polynomial is None else Writer(target, polynomial.steps, polynomial.top)
    axes = AXES.get(len(shape)) or tuple(f"d{at}" for at in range(1, len(shape) + 1))
    write.taken.update(RESERVED, axes)
    write.lines.append(f"x = _rows(G, {len(shape)}, {polynomial is not None})")
    write.lines += [f"{axis} = G.shape[{at - len(axes)}]" for at, axis in enumerate(axes)]
    wanted = ", ".join(str(size or axis) for size, axis in zip(shape, axes, strict=True))
    for axis, size in zip(axes, shape, strict=True):
        if size is not None:
            write.lines += [f"if {axis} != {size}:", f'    raise ValueError("expected items of shape ({wanted})")']
    write.lines += ["items = x.shape[0]", "c = _scale(x)", "x = x / c"]
    value, pull = forward(plan, Items("x", "items", axes, scaled=True), write)
    t = pull(Term("1.0", rows=False))
    write.lines.append(f"return _finished({t.text}, {product(value, Term('c')).text}, G, {len(shape)})")
    write.lines = pruned(write.lines)
    return write


def pruned(lines: list[str]) -> list[str]:
    """Leave out assignments of names that nothing below them uses."""
    kept: list[str] = []
    named: set[str] = set()
    for line in reversed(lines):
        name, mark, text = line.partition(" = ")
        if mark and name.isidentifier() and name not in named:
            continue
        kept.append(line)
        named |= set(NAME.findall(text if mark and name.isidentifier() else line))
    return kept[::-1]


def assembled(write: Writer, functions: list[str]) -> str:
    """Return the file without its head: imports, tables, words, the function, and those that call it."""
    target = write.target
    lines = "".join(f"    {line}\n" for line in write.lines)
    main = f'def {MAIN}(G):\n    """Return T = argmax of <G, T> over N(T) <= 1, and the dual norm N*(G)."""\n{lines}'
    public = [f"{target.guard}\n{each}".strip() for each in (main, *functions)]
    imports, words = spoken(target, "\n".join(public))
    standard = [line for line in imports if "math" in line]
    others = [line for line in imports if line not in standard]
    tables = [f"{name} = {text}" for text, name in write.constants.items()]
    blocks = ["\n".join(block) for block in (standard, others, tables) if block]
    return "\n\n".join(blocks) + "\n\n\n" + "\n\n\n".join([*words, *public]) + "\n"
