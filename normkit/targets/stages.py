"""The rules of the stages: each writes its value, and returns the pullback that writes its map.

They are those of `normkit.backends.reference`, on rows. What is 0/0 at a row of zeros is never chosen.
"""

from __future__ import annotations

from functools import singledispatch

from normkit.codegen.plan import (
    AtomicPlan,
    CombinePlan,
    MixedPlan,
    Plan,
    ReducePlan,
    ScalePlan,
)
from normkit.errors import NoClosedForm
from normkit.targets.scalars import Term, product
from normkit.targets.writer import Items, Pull, Writer, length

ZERO = Term("0.0", rows=False)


@singledispatch
def forward(plan: Plan, x: Items, write: Writer) -> tuple[Term, Pull]:
    """Write a plan's value at the items, and return it with the pullback."""
    raise NoClosedForm(f"no {type(plan).__name__} is printed for {write.target.name}; nk.compile computes it")


def signed(write: Writer, x: Items, slope: Term, coefficient: Term, where: str | None = None) -> Term:
    """Write coefficient * sign * slope, 0 where an entry is 0 or a condition does not hold."""
    sign = write.call(x, "sign", Term(x.text))
    entries = product(coefficient, sign, slope)
    if slope.rows or where is not None:
        entries = write.call(x, "where", Term(where or f"{x.text} != 0.0"), entries, ZERO)
    return write.let("t", entries.text)


@forward.register
def _(plan: ReducePlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    scale = Term("1.0", rows=False)
    if plan.body.source != "a":
        x, scale = write.rescaled(x)
    a = write.magnitudes(x)
    bodies = write.scalar(plan.body, x, a=a)
    if plan.op == "max":
        bodies = write.let("b", bodies.text)
    s = write.let("s", f"_{plan.op}({bodies.text})")
    value = write.let("v", product(write.scalar(plan.post, x, s=s), scale).text)

    def pull(coefficient: Term) -> Term:
        slope = write.scalar(plan.slope, x, a=a, s=s)
        first = f"_first({bodies.text})" if plan.op == "max" else None
        if first is not None and slope.rows:
            first = f"{first} & ({x.text} != 0.0)"
        return signed(write, x, slope, coefficient, first)

    return value, pull


@forward.register
def _(plan: ScalePlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    factor = write.scalar(plan.factor, x)
    value, inner = forward(plan.inner, x, write)
    return write.let("v", product(factor, value).text), lambda coefficient: inner(product(factor, coefficient))


@forward.register
def _(plan: MixedPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    first, rest = x.shape[0], x.shape[1:]
    text, turned = x.text, plan.axis == "cols"
    if turned:
        text = write.let("x", f"_swapped({text}, {', '.join(x.shape)})").text
        first, rest = x.shape[1], x.shape[:1]
    count = length(x.count, first)
    lines = Items(write.let("x", f"{text}.reshape(({count}, {length(*rest)}))").text, count, rest, x.signed)
    values, inner = forward(plan.inner, lines, write)
    outer_items = Items(write.let("y", f"{values.text}.reshape(({x.count}, {first}))").text, x.count, (first,), False)
    value, outer = forward(plan.outer, outer_items, write)

    def pull(coefficient: Term) -> Term:
        shares = write.let("w", f"{outer(coefficient).text}.reshape(({count}, 1))")
        t = write.let("t", f"{inner(shares).text}.reshape(({x.count}, {x.entries}))")
        return write.let("t", f"_swapped({t.text}, {first}, {rest[0]})") if turned else t

    return value, pull


@forward.register
def _(plan: CombinePlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    runs = [forward(part, x, write) for part in plan.parts]
    together = write.let("y", f"_beside({', '.join(value.text for value, _ in runs)})")
    value, outer = forward(plan.outer, Items(together.text, x.count, (str(len(runs)),), signed=False), write)

    def pull(coefficient: Term) -> Term:
        shares = outer(coefficient)
        pulled = [inner(Term(f"{shares.text}[:, {at} : {at + 1}]")) for at, (_, inner) in enumerate(runs)]
        return write.let("t", " + ".join(term.text for term in pulled))

    return value, pull


@forward.register
def _(plan: AtomicPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    rows = tuple(plan.atoms.rows())
    turned = write.constant(tuple(zip(*rows, strict=True)), x.text)
    pairings = write.let("p", f"_product({x.text}, {turned})")
    sizes = write.let("b", write.call(x, "absolute", pairings).text)

    def pull(coefficient: Term) -> Term:
        sign = write.call(x, "sign", pairings)
        best = write.call(x, "where", Term(f"_first({sizes.text})"), product(coefficient, sign), ZERO)
        return write.let("t", f"_product({best.text}, {write.constant(rows, x.text)})")

    return write.let("v", f"_max({sizes.text})"), pull
