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


@singledispatch
def build(plan: Plan, eps: float) -> Node:
    """Return the node of a plan; `eps` is the precision in which the input was given."""
    raise TypeError(f"no CPU loops for {type(plan).__name__}; add them to backends/cpu, or use backend='reference'")


@build.register
def _(plan: ReducePlan, eps: float) -> Node:
    from normkit.backends.cpu.reduce import MaxNode, SumNode

    return SumNode(plan) if plan.op == "sum" else MaxNode(plan)


@build.register
def _(plan: RankedPlan, eps: float) -> Node:
    from normkit.backends.cpu.ranked import RankedNode

    return RankedNode(plan)


@build.register
def _(plan: RootPlan, eps: float) -> Node:
    from normkit.backends.cpu.root import RootNode

    return RootNode(plan)


@build.register
def _(plan: SearchPlan, eps: float) -> Node:
    from normkit.backends.cpu.search import SearchNode

    return SearchNode(plan)


@build.register
def _(plan: MixedPlan, eps: float) -> Node:
    from normkit.backends.cpu.mixed import MixedNode

    return MixedNode(build(plan.outer, eps), build(plan.inner, eps), "rows" if plan.axis == "rows" else "cols")


@build.register
def _(plan: CombinePlan, eps: float) -> Node:
    from normkit.backends.cpu.combine import CombineNode

    return CombineNode(build(plan.outer, eps), tuple(build(part, eps) for part in plan.parts))


@build.register
def _(plan: ScalePlan, eps: float) -> Node:
    from normkit.backends.cpu.combine import ScaleNode

    return ScaleNode(plan.factor, build(plan.inner, eps))


@build.register
def _(plan: MapPlan, eps: float) -> Node:
    from normkit.backends.cpu.mapped import linear_node

    return linear_node(plan.linear, build(plan.inner, eps))


@build.register
def _(plan: AtomicPlan, eps: float) -> Node:
    from normkit.backends.cpu.mapped import AtomicNode

    return AtomicNode(plan)


@build.register
def _(plan: LiftPlan, eps: float) -> Node:
    return _lift(plan.inner, eps) if is_bound(plan.inner) else ShapedNode(plan.inner, eps)


def _lift(inner: Plan, eps: float) -> Node:
    from normkit.backends.cpu.lift import LiftNode

    return LiftNode(inner, eps, lambda: build(inner, eps))


@dataclass(frozen=True)
class ShapedNode(Node):
    """A lift whose inner plan depends on the rows and columns of the matrix: a node for each shape."""

    inner: Plan
    eps: float

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
        return [note + text for text in _for_shape(self.inner, self.eps, 1, 1).texts(dtype)]

    def _node(self, x: Array) -> Node:
        return _for_shape(self.inner, self.eps, int(x.shape[2]), int(x.shape[3]))


@lru_cache(maxsize=1024)
def _for_shape(inner: Plan, eps: float, rows: int, columns: int) -> Node:
    return _lift(bind(inner, rows, columns), eps)
