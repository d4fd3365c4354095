"""Duality map -> plan: every scalar body and slope printed once, SymPy left behind."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any

from sympy import Expr, diff

from normkit.codegen.binding import closed
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
    StatPlan,
    WeightsPlan,
)
from normkit.codegen.scalars import scalar
from normkit.codegen.stable import stable
from normkit.errors import ParameterError
from normkit.functional import (
    Atomic,
    Combine,
    DualityMap,
    Lift,
    Map,
    Mixed,
    Ranked,
    Reduce,
    Root,
    Scale,
    Search,
    W,
    Weights,
    a,
    i,
    j,
    kappa,
    s,
    top,
    w,
    y,
    z,
)
from normkit.linear import Diagonal, Linear
from normkit.parameter import Parameter


def lower(map_: DualityMap) -> Plan:
    """Return the plan of a duality map: it computes the functional's value and the map itself.

    Raises
    ------
    ParameterError
        If `rows` or `columns` occur where no lift binds them.
    """
    plan = _plan(map_)
    if not closed(plan):
        raise ParameterError(
            "rows and columns are those of a matrix whose singular values are taken: a coefficient in them has no "
            "meaning for other arrays. Use m and n, or n for a vector"
        )
    return plan


def _plan(map_: DualityMap) -> Plan:
    return _lower(map_.of, map_)


@singledispatch
def _lower(stage: Any, map_: DualityMap) -> Plan:
    raise TypeError(f"no plan for the stage {type(stage).__name__}; add one to codegen/lower.py")


@_lower.register
def _(stage: Reduce, map_: DualityMap) -> Plan:
    return ReducePlan(stage.op, scalar(stage.body, (a,)), scalar(stage.post, (s,)), scalar(map_.slope("entry"), (a, s)))


@_lower.register
def _(stage: Ranked, map_: DualityMap) -> Plan:
    names = (a, w, j, y, z, W, top, *(stat.symbol for stat in stage.stats))
    stats = tuple(StatPlan(str(stat.symbol), stat.region, scalar(stat.body, (a, w, top))) for stat in stage.stats)
    weights = None if stage.weights is None else lower_weights(stage.weights)
    return RankedPlan(
        stage.split.kind,
        scalar(stage.split.rule, names),
        scalar(stage.split.low),
        scalar(stage.split.high),
        stats,
        scalar(stage.formula, names),
        scalar(map_.slope("head"), names),
        scalar(map_.slope("tail"), names),
        weights,
    )


def lower_weights(weights: Weights) -> WeightsPlan:
    """Lower a sequence of weights by rank."""
    terms = tuple(
        (scalar(factor), sequence if isinstance(sequence, Parameter) else scalar(sequence, (i,)))
        for factor, sequence in weights.terms
    )
    minimum = None if weights.minimum is None else lower_weights(weights.minimum)
    return WeightsPlan(terms, minimum)


@_lower.register
def _(stage: Root, map_: DualityMap) -> Plan:
    slopes = dict(map_.slopes)
    equation, body = stable(stage.equation, a), stable(stage.body, a)
    mass, spill = slopes.get("mass"), slopes.get("spill")
    return RootPlan(
        scalar(equation, (a,)),
        scalar(diff(stage.equation, a), (a,)),
        scalar(body, (a,)),
        scalar(stage.value, (kappa, s)),
        scalar(stable(map_.slope("entry"), a), (a, kappa, s)),
        None if mass is None else scalar(stable(mass, a), (a,)),
        None if stage.limit is None else scalar(stage.limit),
        None if spill is None else scalar(spill, (kappa, s)),
        stage.saturation and (scalar(stage.saturation[0]), scalar(stage.saturation[1])),
        stage.jumps,
    )


@_lower.register
def _(stage: Mixed, map_: DualityMap) -> Plan:
    outer, inner = map(_plan, map_.parts)
    return MixedPlan(outer, inner, stage.axis)


@_lower.register
def _(stage: Combine, map_: DualityMap) -> Plan:
    outer, *parts = map(_plan, map_.parts)
    return CombinePlan(outer, tuple(parts))


@_lower.register
def _(stage: Map, map_: DualityMap) -> Plan:
    return MapPlan(_number_power(stage.linear), _plan(map_.parts[0]))


def _number_power(linear: Linear) -> Linear:
    if isinstance(linear, Diagonal) and isinstance(linear.power, Expr):
        return replace(linear, power=float(linear.power))
    return linear


@_lower.register
def _(stage: Lift, map_: DualityMap) -> Plan:
    return LiftPlan(_plan(map_.parts[0]))


@_lower.register
def _(stage: Scale, map_: DualityMap) -> Plan:
    return ScalePlan(scalar(stage.factor), _plan(map_.parts[0]))


@_lower.register
def _(stage: Atomic, map_: DualityMap) -> Plan:
    return AtomicPlan(stage.atoms)


@_lower.register
def _(stage: Search, map_: DualityMap) -> Plan:
    return SearchPlan(
        stage.algorithm, tuple(map(lower_weights, stage.weights)), tuple(scalar(number) for number in stage.scalars)
    )
