"""Plan -> tree of nodes on the device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from normkit.backends.cuda.maps.combine import BandsNode, CombineNode, ScaleNode
from normkit.backends.cuda.maps.host import HostNode
from normkit.backends.cuda.maps.lift import LiftNode, Polar
from normkit.backends.cuda.maps.mapped import AtomicNode, DiagonalNode, SelectNode, ViewNode, views
from normkit.backends.cuda.maps.maximum import MaxNode
from normkit.backends.cuda.maps.mixed import MixedNode
from normkit.backends.cuda.maps.node import Node
from normkit.backends.cuda.maps.ranked import RankedNode
from normkit.backends.cuda.maps.root import RootNode
from normkit.backends.cuda.maps.search import SearchNode
from normkit.backends.cuda.maps.sums import SumNode
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
from normkit.linear import Diagonal, Select


@dataclass(frozen=True)
class Asked:
    """What a tree is built for: the format of the entries, the accuracy that is enough, and the polar core."""

    kind: str
    accuracy: float | None = None
    polar: Polar | None = None


@singledispatch
def build(plan: Plan, asked: Asked) -> Node:
    """Return the node of a plan."""
    raise TypeError(f"no kernels for {type(plan).__name__}; add them to backends/cuda/maps, or use backend='cpu'")


@build.register
def _(plan: ReducePlan, asked: Asked) -> Node:
    return SumNode(plan) if plan.op == "sum" else MaxNode(plan)


@build.register
def _(plan: RankedPlan, asked: Asked) -> Node:
    return RankedNode(plan)


@build.register
def _(plan: RootPlan, asked: Asked) -> Node:
    return RootNode(plan)


@build.register
def _(plan: SearchPlan, asked: Asked) -> Node:
    return SearchNode(plan)


@build.register
def _(plan: MixedPlan, asked: Asked) -> Node:
    return MixedNode(build(plan.outer, asked), build(plan.inner, asked), plan.axis == "rows")


@build.register
def _(plan: CombinePlan, asked: Asked) -> Node:
    from normkit.backends.cpu.bands import cut

    outer, bands = build(plan.outer, asked), cut(plan)
    if bands:
        return BandsNode(outer, tuple(build(inner, asked) for _, inner in bands), tuple(band for band, _ in bands))
    return CombineNode(outer, tuple(build(part, asked) for part in plan.parts))


@build.register
def _(plan: ScalePlan, asked: Asked) -> Node:
    return ScaleNode(plan.factor, build(plan.inner, asked))


@build.register
def _(plan: MapPlan, asked: Asked) -> Node:
    if isinstance(plan.linear, Diagonal):
        return DiagonalNode(plan.linear, build(plan.inner, asked))
    if isinstance(plan.linear, Select) and not plan.linear.scatter:
        return SelectNode(plan.linear, build(plan.inner, asked))
    if views(plan.linear):
        return ViewNode(plan.linear, build(plan.inner, asked))
    return HostNode(plan, asked.kind, asked.accuracy)


@build.register
def _(plan: AtomicPlan, asked: Asked) -> Node:
    return AtomicNode(plan)


@build.register
def _(plan: LiftPlan, asked: Asked) -> Node:
    return LiftNode(plan, HostNode(plan, asked.kind, asked.accuracy), asked.polar, asked)
