"""Plan -> tree of nodes."""

from __future__ import annotations

from functools import singledispatch

from normkit.backends.cpu.composite import AtomicNode, CombineNode, MixedNode, ScaleNode, linear_node
from normkit.backends.cpu.lift import LiftNode
from normkit.backends.cpu.node import Node
from normkit.backends.cpu.ranked import RankedNode
from normkit.backends.cpu.reduce import MaxNode, SumNode
from normkit.backends.cpu.root import RootNode
from normkit.backends.cpu.search import SearchNode
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
    return SumNode(plan) if plan.op == "sum" else MaxNode(plan)


@build.register
def _(plan: RankedPlan, eps: float) -> Node:
    return RankedNode(plan)


@build.register
def _(plan: RootPlan, eps: float) -> Node:
    return RootNode(plan)


@build.register
def _(plan: SearchPlan, eps: float) -> Node:
    return SearchNode(plan)


@build.register
def _(plan: MixedPlan, eps: float) -> Node:
    axis = "rows" if plan.axis == "rows" else "cols"
    return MixedNode(build(plan.outer, eps), build(plan.inner, eps), axis)  # type: ignore[arg-type]


@build.register
def _(plan: CombinePlan, eps: float) -> Node:
    return CombineNode(build(plan.outer, eps), tuple(build(part, eps) for part in plan.parts))


@build.register
def _(plan: MapPlan, eps: float) -> Node:
    return linear_node(plan.linear, build(plan.inner, eps))


@build.register
def _(plan: LiftPlan, eps: float) -> Node:
    return LiftNode(build(plan.inner, eps), eps)


@build.register
def _(plan: ScalePlan, eps: float) -> Node:
    return ScaleNode(plan.factor, build(plan.inner, eps))


@build.register
def _(plan: AtomicPlan, eps: float) -> Node:
    return AtomicNode(plan)
