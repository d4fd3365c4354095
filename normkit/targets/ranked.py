"""Formulas on the sorted magnitudes: the search for the split by scans, then the stages' sums at the split found."""

from __future__ import annotations

from dataclasses import dataclass

from normkit.codegen.plan import RankedPlan, Scalar, StatPlan, WeightsPlan
from normkit.codegen.source import names
from normkit.errors import NoClosedForm
from normkit.targets.scalars import Term, product
from normkit.targets.stages import ZERO, forward
from normkit.targets.writer import Items, Pull, Writer

INFINITE = Term("-math.inf", rows=False)


def weights(plan: WeightsPlan, x: Items, ranks: Term, write: Writer) -> Term:
    """Write w_1, ..., w_n as one row."""
    terms = []
    for factor, sequence in plan.terms:
        if isinstance(sequence, Scalar):
            values = write.scalar(sequence, x, i=ranks)
            if not values.rows:
                values = Term(f"{values.text} + 0.0 * {ranks.text}")
        else:
            values = Term(write.constant((tuple(sequence),), x.text))
        terms.append(product(write.scalar(factor, x), values).text)
    total = write.let("w", " + ".join(terms))
    if plan.minimum is None:
        return total
    other = weights(plan.minimum, x, ranks, write)
    lower = write.call(x, "minimum", Term(f"_running({total.text})"), Term(f"_running({other.text})"))
    return write.let("w", f"_increments({lower.text})")


@dataclass
class Sorted:
    """The sorted magnitudes of items: rows `y`, places `order`, a row of ranks, the weights and the largest."""

    plan: RankedPlan
    x: Items
    write: Writer

    def __post_init__(self) -> None:
        write, x = self.write, self.x
        a = write.magnitudes(x)
        self.order = write.let("order", f"_order({a.text})")
        self.y = write.let("y", f"_sorted({a.text}, {self.order.text})")
        self.ranks = write.let("i", f"_ranks({x.entries}, {x.text})")
        self.w = ZERO if self.plan.weights is None else weights(self.plan.weights, x, self.ranks, write)
        self.largest = Term(f"{self.y.text}[:, :1]")

    def bodies(self, stat: StatPlan) -> Term:
        """Return what a sum is taken of."""
        made = self.write.scalar(stat.body, self.x, a=self.y, w=self.w, y_1=self.largest)
        return made if made.rows else Term(f"{made.text} + 0.0 * {self.y.text}")

    def scanned(self, wanted: set[str], places: Term) -> dict[str, Term]:
        """Write what the rule looks at for every split 0, ..., n."""
        write, found = self.write, {"j": places, "y_1": self.largest, "a": ZERO, "w": ZERO}
        sums = {"head": "_within", "tail": "_beyond", "all": "_sum"}
        if "y" in wanted:
            found["y"] = write.let("above", f"_above({self.y.text})")
        if "z" in wanted:
            found["z"] = write.let("below", f"_below({self.y.text})")
        if "W" in wanted:
            found["W"] = write.let("W", f"_within({self.w.text})")
        for stat in self.plan.stats:
            if stat.name in wanted:
                found[stat.name] = write.let(stat.name, f"{sums[stat.region]}({self.bodies(stat).text})")
        return found

    def split(self) -> Term:
        """Write the number of entries in the head: rows of one entry, or a number."""
        plan, x, write = self.plan, self.x, self.write
        wanted = names(plan.rule)
        if plan.split == "at":
            if not wanted <= {"m", "n", "minimum", "maximum", "floor", "ceil"}:
                raise NoClosedForm(f"a split at {plan.rule.source} is printed for no target; nk.compile computes it")
            count = write.scalar(plan.rule, x)
            return write.let("j", f"float(min({x.entries}, int({count.text})))", rows=False)
        places = write.let("j", f"_ranks({x.entries} + 1, {x.text}) - 1.0")
        rule = write.scalar(plan.rule, x, **self.scanned(wanted, places))
        low = write.let("low", f"max(0.0, math.floor({write.scalar(plan.low, x).text}))", rows=False)
        top = f"min(float({x.entries}), math.floor({write.scalar(plan.high, x).text}))"
        high = write.let("high", f"max({low.text}, {top})", rows=False)
        inside = f"({places.text} >= {low.text}) & ({places.text} <= {high.text})"
        if plan.split == "argmax":
            scores = write.call(x, "where", Term(inside), rule, INFINITE)
            best = write.call(x, "where", Term(f"_first({scores.text})"), places, ZERO)
            return write.let("j", f"_sum({best.text})")
        last = plan.split == "last"
        order = places if last else Term(f"-{places.text}")
        scores = write.call(x, "where", Term(f"{inside} & ({rule.text})"), order, INFINITE)
        found = Term(f"_max({scores.text})" if last else f"-_max({scores.text})")
        return write.let("j", write.call(x, "maximum" if last else "minimum", found, low if last else high).text)

    def chosen(self, wanted: set[str], j: Term) -> dict[str, Term]:
        """Write what the formulas use, at the split j."""
        write, x = self.write, self.x
        head, tail = (Term(f"{self.ranks.text} {sign} {j.text}") for sign in ("<=", ">"))
        found = {"j": j, "y_1": self.largest, "a": self.y, "w": self.w}

        def total(region: Term, body: Term) -> str:
            return f"_sum({write.call(x, 'where', region, body, ZERO).text})"

        if "y" in wanted:
            at = write.call(x, "where", Term(f"{self.ranks.text} == {j.text}"), self.y, ZERO)
            none = Term(f"{j.text} + 0.0 * {self.largest.text} == 0.0")
            edge = write.call(x, "where", none, Term("math.inf", rows=False), Term(f"_sum({at.text})"))
            found["y"] = write.let("above", edge.text)
        if "z" in wanted:
            found["z"] = write.let("below", total(Term(f"{self.ranks.text} == {j.text} + 1.0"), self.y))
        if "W" in wanted:
            found["W"] = write.let("W", total(head, self.w))
        for stat in self.plan.stats:
            if stat.name in wanted:
                bodies = self.bodies(stat)
                text = (
                    f"_sum({bodies.text})"
                    if stat.region == "all"
                    else total(head if stat.region == "head" else tail, bodies)
                )
                found[stat.name] = write.let(stat.name, text)
        return found


@forward.register
def _(plan: RankedPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    x, scale = write.rescaled(x)
    ranked = Sorted(plan, x, write)
    j = ranked.split()
    used = names(plan.value) | names(plan.head) | names(plan.tail)
    terms = ranked.chosen(used, j)
    value = write.scalar(plan.value, x, **terms | {"a": ZERO, "w": ZERO})
    value = write.call(x, "where", Term(f"{ranked.largest.text} > 0.0"), value, ZERO)
    value = write.let("v", product(value, scale).text)

    def pull(coefficient: Term) -> Term:
        head, tail = (write.scalar(slope, x, **terms) for slope in (plan.head, plan.tail))
        region = Term(f"{ranked.ranks.text} <= {j.text}")
        chosen = write.call(x, "where", region, head, tail)
        kept = write.call(x, "where", Term(f"{ranked.y.text} > 0.0"), chosen, ZERO)
        slopes = Term(f"_unsorted({kept.text}, {ranked.order.text})")
        return write.let("t", product(coefficient, write.call(x, "sign", Term(x.text)), slopes).text)

    return value, pull
