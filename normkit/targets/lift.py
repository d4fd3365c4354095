"""Functions of singular values: by singular vectors, or for a polar factor by matrix products alone."""

from __future__ import annotations

from normkit.codegen.plan import LiftPlan, Plan, ReducePlan
from normkit.targets.scalars import Term, product
from normkit.targets.stages import ZERO, forward
from normkit.targets.writer import Items, Pull, Writer


@forward.register
def _(plan: LiftPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    x, scale = write.rescaled(x)
    by = by_products if write.steps and constant_slope(plan.inner) else by_vectors
    value, pull = by(plan, x, write)
    return write.let("v", product(value, scale).text), pull


def constant_slope(plan: Plan) -> bool:
    """Tell whether a plan is a multiple of the sum of the magnitudes, so that its map is the same for all."""
    return isinstance(plan, ReducePlan) and (plan.op, plan.body.source) == ("sum", "a") and plan.slope.constant


def by_vectors(plan: LiftPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    """Write the singular values' function; the map is left diag(slopes) right, without what counts as zero."""
    m, n = x.shape
    left, sigma, right = (write.name(stem) for stem in ("left", "sigma", "right"))
    write.lines.append(f"{left}, {sigma}, {right} = _svd({x.text}, {m}, {n})")
    values = Items(sigma, x.count, (f"min({m}, {n})",), signed=False)
    write.lifted = (m, n)
    value, inner = forward(plan.inner, values, write)

    def pull(coefficient: Term) -> Term:
        tolerance = f"min(math.sqrt(max({m}, {n})) * _spacing(G), 2.0**-5)"
        write.lifted = (m, n)
        real = Term(f"{sigma} > {tolerance} * _max({sigma})")
        kept = write.let("d", write.call(values, "where", real, inner(coefficient), ZERO).text)
        return write.let("t", f"_composed({left}, {kept.text}, {right})")

    return value, pull


def by_products(plan: LiftPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    """Write the polar factor by the steps of a schedule, after division by a proved bound of the singular values.

    The bound is the root of the smaller of the Frobenius norm and the largest absolute row sum of X X'. It is at least
    the largest entry, so at least 1/2 unless X is 0.
    """
    assert isinstance(plan.inner, ReducePlan)
    m, n = x.shape
    short = write.whole(f"min({m}, {n})", "short")
    X = write.let("X", f"_matrices({x.text}, {m}, {n})").text
    gram = write.let("gram", f"_gram({X})").text
    squares = write.let("squares", f"({gram} * {gram}).reshape(({x.count}, {short} * {short}))")
    magnitudes = write.call(x, "absolute", Term(gram))
    lines = write.let("lines", f"{magnitudes.text}.reshape(({x.count} * {short}, {short}))")
    frobenius = write.call(x, "sqrt", Term(f"_sum({squares.text})"))
    largest = Term(f"_max(_sum({lines.text}).reshape(({x.count}, {short})))")
    square = write.call(x, "maximum", write.call(x, "minimum", frobenius, largest), Term("0.25", rows=False))
    bound = write.let("bound", write.call(x, "sqrt", square).text).text
    write.lines += [
        f"{X} = {X} / {bound}.reshape(({x.count}, 1, 1))",
        f"for a1, a3, a5 in {write.table(write.steps)}:",
        f"    {gram} = _gram({X})",
        f"    {X} = a1 * {X} + _times(a3 * {gram} + a5 * _times({gram}, {gram}), {X})",
    ]
    factor = write.let("U", f"_flat({X} / {write.top!r}, {m}, {n})")
    s = write.let("s", f"_sum({x.text} * {factor.text})")
    values = Items(s.text, x.count, (short,), signed=False)
    slope = write.scalar(plan.inner.slope, values)
    value = write.scalar(plan.inner.post, values, s=s)
    return value, lambda coefficient: write.let("t", product(coefficient, slope, factor).text)
