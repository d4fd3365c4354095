"""The file of a plan: imports, tables, words, the function that gives both the map and the dual norm."""

from __future__ import annotations

from dataclasses import dataclass

import normkit.targets.linear
import normkit.targets.ranked
import normkit.targets.searches  # noqa: F401 (their rules register themselves)
from normkit.codegen.plan import Plan
from normkit.targets.scalars import Term, product
from normkit.targets.stages import forward
from normkit.targets.vocabulary import Target, spoken
from normkit.targets.writer import Items, Writer, length

AXES = {1: ("length",), 2: ("rows", "columns")}
WIDTH = 100
MAIN = "dualize_with_dual_norm"


@dataclass(frozen=True)
class Polynomial:
    """The steps for polar factors, and the largest value of their composite."""

    steps: tuple[tuple[float, ...], ...]
    top: float


def uses_polynomial(plan: Plan) -> bool:
    """Tell whether a plan has a polar factor in it, which a polynomial can give."""
    from normkit.codegen.plan import LiftPlan
    from normkit.targets.stages import constant_slope

    return any(isinstance(node, LiftPlan) and constant_slope(node.inner) for node in plan.walk())


def body(plan: Plan, shape: tuple[int | None, ...], target: Target, polynomial: Polynomial | None) -> Writer:
    """Write the lines of the function for items of a shape, None where any length will do."""
    write = Writer(target) if polynomial is None else Writer(target, polynomial.steps, polynomial.top)
    axes = AXES.get(len(shape)) or tuple(f"d{at}" for at in range(len(shape)))
    write.taken |= {*axes, "items", "rows", "columns", "length", "axes", "text", "a1", "a3", "a5"}
    if polynomial is not None:
        narrow = True
    else:
        narrow = False
    write.taken |= {"x"}
    write.lines.append(f"x = _rows(G, {len(shape)}, {narrow})")
    taken = "G.shape" if not target.batches else f"G.shape[-{len(shape)} :]"
    left = f"{axes[0]}," if len(axes) == 1 else ", ".join(axes)
    write.lines.append(f"{left} = {taken}" if len(axes) > 1 else f"({left}) = {taken}")
    for axis, wanted in zip(axes, shape, strict=True):
        if wanted is not None:
            write.lines += [f"if {axis} != {wanted}:", f'    raise ValueError("the norm takes {_shape(shape)}")']
    write.lines.append("items = x.shape[0]")
    write.lines += ["c = _scale(x)", "x = x / c"]
    write.taken.add("c")
    value, pull = forward(plan, Items("x", "items", axes, signed=True, scaled=True), write)
    t = pull(Term("1.0", rows=False))
    total = product(value, Term("c"))
    write.lines.append(f"return _finished({t.text}, {total.text}, G, {len(shape)})")
    return write


def _shape(shape: tuple[int | None, ...]) -> str:
    names = AXES.get(len(shape)) or tuple(f"d{at}" for at in range(len(shape)))
    return "shape (" + ", ".join(str(size or name) for size, name in zip(shape, names, strict=True)) + ")"


def assembled(write: Writer, docstring: str, functions: str) -> tuple[list[str], str]:
    """Return the imports, and the text below them: tables, words, the function, further functions."""
    target = write.target
    doc = "\n".join(f"    {line}".rstrip() for line in docstring.split("\n"))
    lines = "\n".join(f"    {line}" for line in write.lines)
    guard = f"{target.guard}\n" if target.guard else ""
    main = f'{guard}def {MAIN}(G):\n    """{doc.strip()}\n    """\n{lines}'
    imports, words = spoken(target, f"{main}\n\n\n{functions}")
    tables = [f"{name} = {text}" for text, name in write.constants.items()]
    blocks = ["\n".join(tables)] if tables else []
    return imports, "\n\n\n".join([*blocks, *words, main, functions]) + "\n"


__all__ = ["MAIN", "Polynomial", "assembled", "body", "length", "uses_polynomial"]
