"""The rows and columns of a matrix, put into the plan of what is done with its singular values.

Coefficients such as those of ``max(sqrt(n/m)*spectral, fro)`` depend on the shape of the matrix, of which a vector of
singular values knows the shorter side only. Their scalars name `rows` and `columns`, which no loop passes on: the plan
below a lift is bound to each shape that comes, and compiled for it.
"""

from __future__ import annotations

import ast
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from normkit.codegen.plan import LiftPlan, Plan, Scalar
from normkit.codegen.source import names

SIZES = {"rows", "columns"}
P = TypeVar("P", bound=Plan)


@lru_cache(maxsize=1024)
def is_bound(plan: Plan) -> bool:
    """Tell whether a plan names no rows and columns of a matrix."""
    return not any(names(scalar) & SIZES for scalar in _scalars(plan))


def closed(plan: Plan) -> bool:
    """Tell whether rows and columns occur below lifts only."""
    if isinstance(plan, LiftPlan):
        return True
    own = [getattr(plan, field.name) for field in fields(plan)]
    scalars = [scalar for part in own if not isinstance(part, Plan) for scalar in _scalars(part, Plan)]
    return not any(names(scalar) & SIZES for scalar in scalars) and all(map(closed, plan.children()))


@lru_cache(maxsize=1024)
def bind(plan: P, rows: int, columns: int) -> P:
    """Return a plan for the singular values of a matrix of a shape."""
    return plan if is_bound(plan) else _bound(plan, {"rows": float(rows), "columns": float(columns)})


def _scalars(part: Any, without: type | tuple[()] = ()) -> list[Scalar]:
    """Return the scalars of a part; those of plans in it unless these are left out."""
    if isinstance(part, Scalar):
        return [part]
    if isinstance(part, tuple):
        return [scalar for each in part if not isinstance(each, without) for scalar in _scalars(each, without)]
    inner = fields(part) if is_dataclass(part) else ()
    return [scalar for field in inner for scalar in _scalars(getattr(part, field.name), without)]


def _bound(part: Any, sizes: dict[str, float]) -> Any:
    if isinstance(part, Scalar):
        tree = _Numbers(sizes).visit(ast.parse(part.source, mode="eval"))
        return replace(part, source=ast.unparse(tree)) if names(part) & SIZES else part
    if isinstance(part, tuple):
        return tuple(_bound(each, sizes) for each in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: _bound(getattr(part, field.name), sizes) for field in fields(part)})
    return part


class _Numbers(ast.NodeTransformer):
    def __init__(self, numbers: dict[str, float]) -> None:
        self.numbers = numbers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self.numbers[node.id]) if node.id in self.numbers else node
