"""What loops find: roots of monotone equations, and maximisers by the algorithms of `normkit.backends.search`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from normkit.codegen.plan import RootPlan, Scalar, SearchPlan
from normkit.errors import NoClosedForm
from normkit.targets.ranked import weights
from normkit.targets.scalars import Term, product
from normkit.targets.stages import ZERO, forward
from normkit.targets.writer import Items, Pull, Writer

DOUBLINGS = 1000
"""Doublings or halvings of kappa before the search for a bracket ends."""
HALVINGS = 1100
"""More than any bracket takes; the loop ends when its ends are neighbours."""


def refuse(write: Writer, kind: str, allowed: bool, works: str) -> None:
    """Raise `NoClosedForm` if a target cannot have a search."""
    if not allowed:
        raise NoClosedForm(
            f"its dualize map takes {kind}, which is not printed for {write.target.name}; it is for {works}. "
            "Without printed code: nk.compile(norm)"
        )


@forward.register
def _(plan: SearchPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    refuse(write, f"the search {plan.algorithm}", write.target.loops, "numpy, numba")
    x, scale = write.rescaled(x)
    a = write.magnitudes(x)
    order = write.let("order", f"_order({a.text})")
    y = write.let("y", f"_sorted({a.text}, {order.text})")
    ranks = write.let("i", f"_ranks({x.entries}, {x.text})")
    given = [f"{weights(each, x, ranks, write).text}[0]" for each in plan.weights]
    given += ["np.empty(0)"] * (2 - len(given))
    numbers = [write.scalar(number, x).text for number in plan.scalars]
    p = write.let("p", f"np.array([{', '.join(numbers)}])" if numbers else "np.empty(0)")
    found = write.let("u", f"0.0 * {y.text}")
    row = write.name("k")
    write.lines += [
        f"for {row} in range({x.count}):",
        f"    if {y.text}[{row}, 0] > 0.0:",
        f"        {plan.algorithm}({y.text}[{row}], {', '.join(given)}, {p.text}, {found.text}[{row}])",
    ]

    def pull(coefficient: Term) -> Term:
        slopes = Term(f"_unsorted({found.text}, {order.text})")
        return write.let("t", product(coefficient, write.call(x, "sign", Term(x.text)), slopes).text)

    return write.let("v", product(Term(f"_sum({y.text} * {found.text})"), scale).text), pull


@dataclass
class Level:
    """A root at rows of magnitudes `a` with largest `top`; `edge` is where kappa ends, infinite without a limit."""

    plan: RootPlan
    x: Items
    write: Writer

    def __post_init__(self) -> None:
        write, x = self.write, self.x
        self.a = write.magnitudes(x)
        self.top = write.let("top", f"_max({self.a.text})")
        self.limit = None if self.plan.limit is None else write.scalar(self.plan.limit, x)
        self.edge = write.let("edge", f"{self.top.text} + math.inf")
        if self.limit is not None:
            self.edge = write.let("edge", f"{self.limit.factor} / {self.top.text}")
        self.saturated = None
        if self.plan.saturation is not None:
            count = write.call(x, "where", self.here, Term("1.0", rows=False), ZERO)
            share = write.scalar(self.plan.saturation[0], x)
            self.saturated = write.let("flat", f"{product(share, Term(f'_sum({count.text})')).text} <= 1.0")

    @property
    def here(self) -> Term:
        """The condition that an entry is not 0."""
        return Term(f"{self.a.text} > 0.0")

    def at(self, scalar: Scalar, kappa: Term, **more: Term) -> Term:
        """Return a scalar at kappa a, which rounding may not take above the limit."""
        argument = product(kappa, self.a)
        if self.limit is not None:
            argument = self.write.call(self.x, "minimum", argument, self.limit)
        return self.write.scalar(scalar, self.x, a=argument, kappa=kappa, **more)

    def total(self, scalar: Scalar, kappa: Term) -> Term:
        """Return the sum of a scalar over the nonzero entries."""
        return Term(f"_sum({self.write.call(self.x, 'where', self.here, self.at(scalar, kappa), ZERO).text})")

    def solve(self) -> tuple[Term, Term]:
        """Write the loops that bracket the root and halve the bracket; return neighbours around it."""
        write, x = self.write, self.x
        start = write.call(x, "minimum", Term(f"0.5 * {self.edge.text}"), Term("1.0", rows=False))
        low, high = (write.let(name, start.text) for name in ("low", "high"))
        over, grows, middle = (write.name(name) for name in ("over", "grows", "middle"))
        level = f"({self.total(self.plan.equation, low).text} <= 1.0)"
        self._loop(DOUBLINGS, f"{over} = {write.call(x, 'logical_not', Term(level)).text}", f"{over}.any()")
        self._step(high, Term(over), low)
        self._step(low, Term(over), Term(f"0.5 * {low.text}"))
        known = f"({self.top.text} > 0.0) & ({high.text} < {self.edge.text})"
        if self.saturated is not None:
            known += f" & {write.call(x, 'logical_not', self.saturated).text}"
        level = f"({self.total(self.plan.equation, high).text} <= 1.0)"
        self._loop(DOUBLINGS, f"{grows} = {known} & {level}", f"{grows}.any()")
        self._step(low, Term(grows), high)
        doubled = write.call(x, "minimum", Term(f"2.0 * {high.text}"), self.edge)
        self._step(high, Term(grows), doubled)
        self._loop(
            HALVINGS,
            f"{middle} = 0.5 * ({low.text} + {high.text})",
            f"(({low.text} < {middle}) & ({middle} < {high.text})).any()",
        )
        write.lines.append(f"    {over} = {self.total(self.plan.equation, Term(middle)).text} <= 1.0")
        self._step(low, Term(over), Term(middle))
        write.lines.append(f"    {high.text} = {write.call(x, 'where', Term(over), high, Term(middle)).text}")
        return low, high

    def _loop(self, times: int, first: str, goes_on: str) -> None:
        self.write.lines += [f"for _ in range({times}):", f"    {first}", f"    if not {goes_on}:", "        break"]

    def _step(self, name: Term, condition: Term, then: Term) -> None:
        chosen = self.write.call(self.x, "where", condition, then, name)
        self.write.lines.append(f"    {name.text} = {chosen.text}")


@forward.register
def _(plan: RootPlan, x: Items, write: Writer) -> tuple[Term, Pull]:
    refuse(write, "the root of an equation", write.target.branches, "numpy, numba, torch")
    x, scale = write.rescaled(x)
    level = Level(plan, x, write)
    low, high = level.solve()
    kappa, stopped = low, None
    if plan.limit is not None:
        stopped = write.let("stopped", f"{level.total(plan.equation, level.edge).text} <= 1.0")
        kappa = write.let("kappa", write.call(x, "where", stopped, level.edge, low).text)
    s = write.let("s", level.total(plan.body, kappa).text)
    value = write.scalar(plan.value, x, kappa=kappa, s=s)
    if level.saturated is not None and plan.saturation is not None:
        flat = product(write.scalar(plan.saturation[1], x), Term(f"_sum({level.a.text})"))
        value = write.call(x, "where", level.saturated, flat, value)
    value = write.call(x, "where", Term(f"{level.top.text} > 0.0"), value, ZERO)

    def entries(at: Term) -> Term:
        mass = s if plan.mass is None and at is kappa else level.total(plan.mass or plan.body, at)
        return level.at(plan.entry, at, s=mass)

    def pull(coefficient: Term) -> Term:
        slopes = write.let("u", entries(kappa).text)
        if plan.jumps:
            slopes = _jump(level, slopes, kappa, high, entries)
        if stopped is not None and plan.spill is not None:
            reached = level.total(plan.equation, kappa)
            spill = write.scalar(plan.spill, x, kappa=kappa, s=reached)
            rest = write.call(x, "where", Term(f"_first({level.a.text})"), spill, ZERO)
            whole = rest if plan.mass is not None else Term(f"{entries(kappa).text} + {rest.text}")
            slopes = write.let("u", write.call(x, "where", stopped, whole, slopes).text)
        if level.saturated is not None and plan.saturation is not None:
            flat = write.scalar(plan.saturation[1], x)
            slopes = write.call(x, "where", level.saturated, flat, slopes)
        entry = product(coefficient, write.call(x, "sign", Term(x.text)), slopes)
        return write.let("t", write.call(x, "where", level.here, entry, ZERO).text)

    return write.let("v", product(value, scale).text), pull


def _jump(level: Level, slopes: Term, kappa: Term, above: Term, entries: Callable[[Term], Term]) -> Term:
    """Write the mixture of both sides of a jump at which the equation holds."""
    write, x = level.write, level.x
    below, beyond = (write.let("E", level.total(level.plan.equation, at).text) for at in (kappa, above))
    inside = f"({above.text} < {level.edge.text}) & ({beyond.text} > {below.text})"
    share = f"(1.0 - {below.text}) / ({beyond.text} - {below.text})"
    theta = write.let("share", write.call(x, "where", Term(inside), Term(share), ZERO).text)
    return write.let("u", f"(1.0 - {theta.text}) * {slopes.text} + {theta.text} * {entries(above).factor}")
