"""Plan -> tree of nodes. Loops are imported by the nodes that run them: a large SVD starts without numba."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np

from normkit.backends.cpu.node import Array, Floats, Node, Pull
from normkit.codegen.binding import bind, is_bound
from normkit.codegen.plan import (
    AtomicPlan,
    CombinePlan,
    LiftPlan,
    MapPlan,
    MixedPlan,
    Plan,
    RankedPlan,
    ReducePlan,
    RootPlan,
    ScalePlan,
    SearchPlan,
)


@dataclass(frozen=True)
class Asked:
    """What a tree of nodes is built for: the precision of the entries, and the accuracy that is enough, if any is."""

    eps: float
    accuracy: float | None = None


@singledispatch
def build(plan: Plan, asked: Asked) -> Node:
    """Return the node of a plan; `asked` says what input was given and which accuracy is enough."""
    raise TypeError(f"no CPU loops for {type(plan).__name__}; add them to backends/cpu, or use backend='reference'")


@build.register
def _(plan: ReducePlan, asked: Asked) -> Node:
    from normkit.backends.cpu.reduce import MaxNode, SumNode

    return SumNode(plan) if plan.op == "sum" else MaxNode(plan)


@build.register
def _(plan: RankedPlan, asked: Asked) -> Node:
    from normkit.backends.cpu.ranked import RankedNode

    return RankedNode(plan)


@build.register
def _(plan: RootPlan, asked: Asked) -> Node:
    from normkit.backends.cpu.root import RootNode

    return RootNode(plan)


@build.register
def _(plan: SearchPlan, asked: Asked) -> Node:
    from normkit.backends.cpu.search import SearchNode

    return SearchNode(plan)


@build.register
def _(plan: MixedPlan, asked: Asked) -> Node:
    from normkit.backends.cpu.mixed import MixedNode

    return MixedNode(build(plan.outer, asked), build(plan.inner, asked), "rows" if plan.axis == "rows" else "cols")


@build.register
def _(plan: CombinePlan, asked: Asked) -> Node:
    from normkit.backends.cpu.bands import BandsNode, cut
    from normkit.backends.cpu.combine import CombineNode

    outer, bands = build(plan.outer, asked), cut(plan)
    if bands:
        return BandsNode(outer, tuple(build(inner, asked) for _, inner in bands), tuple(band for band, _ in bands))
    return CombineNode(outer, tuple(build(part, asked) for part in plan.parts))


@build.register
def _(plan: ScalePlan, asked: Asked) -> Node:
    from normkit.backends.cpu.combine import ScaleNode

    return ScaleNode(plan.factor, build(plan.inner, asked))


@build.register
def _(plan: MapPlan, asked: Asked) -> Node:
    from normkit.backends.cpu.mapped import linear_node

    return linear_node(plan.linear, build(plan.inner, asked))


@build.register
def _(plan: AtomicPlan, asked: Asked) -> Node:
    from normkit.backends.cpu.mapped import AtomicNode

    return AtomicNode(plan)


@build.register
def _(plan: LiftPlan, asked: Asked) -> Node:
    return _lift(plan.inner, asked) if is_bound(plan.inner) else ShapedNode(plan.inner, asked)


def _lift(inner: Plan, asked: Asked) -> Node:
    from normkit.backends.cpu.lift import LiftNode

    return LiftNode(inner, asked.eps, lambda: build(inner, asked), asked.accuracy)


@dataclass(frozen=True)
class ShapedNode(Node):
    """A lift whose inner plan depends on the rows and columns of the matrix: a node for each shape."""

    inner: Plan
    asked: Asked

    def value(self, x: Array) -> Floats:
        """Return the values of all items."""
        return self._node(x).value(x)

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Return the values, and the map."""
        return self._node(x).forward(x)

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Write the map; return the values."""
        return self._node(x).map(x, coefficients, out)

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops for a matrix of one entry, and say so."""
        note = "# rows and columns are bound to every shape that comes; these are the loops for 1 x 1\n"
        return [note + text for text in _for_shape(self.inner, self.asked, 1, 1).texts(dtype)]

    def _node(self, x: Array) -> Node:
        return _for_shape(self.inner, self.asked, int(x.shape[2]), int(x.shape[3]))


@lru_cache(maxsize=1024)
def _for_shape(inner: Plan, asked: Asked, rows: int, columns: int) -> Node:
    return _lift(bind(inner, rows, columns), asked)
