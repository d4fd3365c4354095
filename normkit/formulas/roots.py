"""Formulas of norms that one monotone equation defines: the root, its limit, what is left over, and jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Eq, Expr, Integer, KroneckerDelta, Ne, Piecewise, S, Sum

from normkit.formulas.arrays import Array, Builder, Place, Scope
from normkit.formulas.nodes import AtMost, Count, FirstArgmax, MaxOver, RootOf, Vanishing
from normkit.functional import DualityMap, Root, a, kappa, s


class Level:
    """A `Root` stage at an array: kappa and the sums at it."""

    def __init__(self, stage: Root, map_: DualityMap, x: Array, build: Builder, scope: Scope) -> None:
        self.stage, self.map, self.x, self.build, self.scope = stage, map_, x, build, scope
        self.slopes = dict(map_.slopes)
        place, ranges = build.place(x.lengths)
        self.largest = MaxOver(x.magnitude(place), *ranges)
        self.limit = None if stage.limit is None else x.scalars(stage.limit)
        self.cap = S.Infinity if self.limit is None else self.limit / self.largest
        self.kappa = self._root(0)
        self._after: Expr | None = None

    def _root(self, side: int) -> Expr:
        """Name the root; `side` 1 is the point just above it, where the equation may have jumped."""
        node = RootOf(kappa, self.total(self.stage.equation, kappa), self.cap, side)
        return self.build.define(r"\kappa" + "^{+}" * side, node, self.scope, positive=True)()

    @property
    def after(self) -> Expr:
        """The point just above the root."""
        if self._after is None:
            self._after = self._root(1)
        return self._after

    def argument(self, level: Expr, place: Place) -> Expr:
        """Return level * magnitude, which rounding must not carry beyond the limit."""
        scaled = level * self.x.magnitude(place)
        return scaled if self.limit is None else AtMost(scaled, self.limit)

    def total(self, body: Any, level: Expr) -> Expr:
        """Return the sum of body(level * magnitude) over the nonzero entries."""
        place, ranges = self.build.place(self.x.lengths)
        term = self.x.scalars(body).xreplace({a: self.argument(level, place)})
        return Sum(Vanishing(term, self.x.magnitude(place)), *ranges)

    def named(self, name: str, total: Expr) -> Expr:
        """Name a sum."""
        return self.build.define(name, total, self.scope, nonnegative=True)()

    def value(self) -> Expr:
        """Return the value at the root, or where there is none."""
        value = self.x.scalars(self.stage.value)
        if value.has(s):
            value = value.xreplace({s: self.named("s", self.total(self.stage.body, self.kappa))})
        value = value.xreplace({kappa: self.kappa})
        if self.stage.saturation is not None:
            place, ranges = self.build.place(self.x.lengths)
            flat = self.x.scalars(self.stage.saturation[1]) * Sum(self.x.magnitude(place), *ranges)
            value = Piecewise((flat, self._saturated()), (value, True))
        return Vanishing(value, self.largest)

    def _saturated(self) -> Any:
        assert self.stage.saturation is not None
        place, ranges = self.build.place(self.x.lengths)
        count = Count(Ne(self.x.magnitude(place), 0), *ranges)
        return self.x.scalars(self.stage.saturation[0]) * count <= 1

    def entry(self) -> Callable[[Place], Expr]:
        """Return place -> entry of the map."""
        smooth = self._slope(self.kappa)
        inside = smooth
        if self.stage.jumps:
            beyond, share = self._slope(self.after), self._share()

            def inside(at: Place) -> Expr:
                return (1 - share) * smooth(at) + share * beyond(at)

        cases: list[tuple[Callable[[Place], Expr], Any]] = [(inside, True)]
        if "spill" in self.slopes:
            cases.insert(0, (self._stopped(smooth), self.kappa >= self.cap))
        if self.stage.saturation is not None:
            flat = self.x.scalars(self.stage.saturation[1])
            cases.insert(0, (lambda at: self.x.signed(flat, at), self._saturated()))
        if len(cases) == 1:
            return inside
        return lambda at: Piecewise(*((case(at), when) for case, when in cases))

    def _slope(self, level: Expr) -> Callable[[Place], Expr]:
        """Return place -> slope at a level of kappa."""
        slope = self.x.scalars(self.slopes["entry"])
        if slope.has(s):
            body = self.slopes.get("mass", self.stage.body)
            slope = slope.xreplace({s: self.named("M", self.total(body, level))})

        def entry(at: Place) -> Expr:
            if self.limit is None:
                return self.x.signed(slope.xreplace({a: kappa * a}), at).xreplace({kappa: level})
            bounded = slope.xreplace({a: self.argument(level, at)}).xreplace({kappa: level})
            return self.x.signed(bounded, at)

        return entry

    def _share(self) -> Expr:
        """Return the share of the upper side of a jump that makes the equation 1."""
        below = self.named("E", self.total(self.stage.equation, self.kappa))
        above = self.named("E^{+}", self.total(self.stage.equation, self.after))
        share = Piecewise((S.Zero, Eq(above, below)), ((1 - below) / (above - below), True))
        return self.named(r"\theta", share)

    def _stopped(self, smooth: Callable[[Place], Expr]) -> Callable[[Place], Expr]:
        """Return place -> entry at the limit, where the first largest entry takes what is left."""
        place, ranges = self.build.place(self.x.lengths)
        best = tuple(
            self.build.define(letter + r"^{\star}", FirstArgmax(axis, self.x.magnitude(place), *ranges), self.scope)()
            for axis, letter in zip(range(len(place)), "ijkl", strict=False)
        )
        spill = self.x.scalars(self.slopes["spill"])
        if spill.has(s):
            spill = spill.xreplace({s: self.named("E", self.total(self.stage.equation, self.kappa))})
        spill = spill.xreplace({kappa: self.kappa})
        alone = "mass" in self.slopes

        def entry(at: Place) -> Expr:
            delta: Expr = Integer(1)
            for here, there in zip(at, best, strict=True):
                delta *= KroneckerDelta(here, there)
            rest = delta * self.x.signed(spill, at)
            return rest if alone else smooth(at) + rest

        return entry
