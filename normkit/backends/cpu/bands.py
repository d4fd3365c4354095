"""A function of several functionals, each of its own rows of the array: nothing is added, and nothing copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.backends.cpu.node import Array, Floats, Node, Pull
from normkit.codegen.plan import CombinePlan, MapPlan, Plan
from normkit.linear import Band


def cut(plan: CombinePlan) -> list[tuple[Band, Plan]]:
    """Return (rows, what is done with them) of the parts of a plan, if these are all rows in their order, else none."""
    maps = [part for part in plan.parts if isinstance(part, MapPlan)]
    bands = [(part.linear, part.inner) for part in maps if isinstance(part.linear, Band)]
    starts, ends = [band.start for band, _ in bands], [0, *(band.stop for band, _ in bands)]
    whole = len(bands) == len(plan.parts) and starts == ends[:-1] and ends[-1] == bands[-1][0].count
    return bands if whole else []


@dataclass(frozen=True)
class BandsNode(Node):
    """outer(part_1(rows of x), ..., part_k(the last rows of x))."""

    outer: Node
    parts: tuple[Node, ...]
    bands: tuple[Band, ...]

    def _views(self, x: Array) -> list[Array]:
        return [x[:, :, band.start : band.stop] for band in self.bands]

    def value(self, x: Array) -> Floats:
        """Return outer of the values of the parts."""
        pairs = zip(self.parts, self._views(x), strict=True)
        return self.outer.value(np.stack([part.value(view) for part, view in pairs], axis=-1))

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Take all parts, then outer; every part writes its own rows."""
        runs = [part.forward(view) for part, view in zip(self.parts, self._views(x), strict=True)]
        stacked = np.stack([values for values, _ in runs], axis=-1)
        values, outer = self.outer.forward(stacked)

        def pull(coefficients: Floats, out: Array) -> None:
            shares = np.empty(stacked.shape)
            outer(coefficients, shares)
            for place, ((_, inner), view) in enumerate(zip(runs, self._views(out), strict=True)):
                inner(np.ascontiguousarray(shares[..., place]), view)

        return values, pull

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Write the maps of the parts while they are measured, where outer gives each the same coefficient."""
        share = self.outer.slope(1.0, float(len(self.parts)))
        if share is None:
            return super().map(x, coefficients, out)
        runs = zip(self.parts, self._views(x), self._views(out), strict=True)
        values = [part.map(view, coefficients * share, written) for part, view, written in runs]
        return self.outer.value(np.stack(values, axis=-1))

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of the parts and of outer."""
        own = [text for part in self.parts for text in part.texts(dtype)]
        return [*own, *self.outer.texts(np.dtype(np.float64))]
