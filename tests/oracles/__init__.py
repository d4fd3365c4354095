"""Norms as CVXPY expressions, written from their definitions: an oracle that shares no formula with normkit.

`express(norm, X)` returns (expression, constraints) such that N(X) <= r if and only if some values of the auxiliary
variables satisfy the constraints with expression <= r. So N(x) is a minimum, and N*(g) = max <g, T> over N(T) <= 1 a
conic program that knows nothing of dual norms.
"""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np

import normkit as nk
from oracles import constructions, matrices, vectors  # noqa: F401  (their entries fill the tables)
from oracles.core import DUALS, TABLE, NoOracle, express

__all__ = ["DUALS", "TABLE", "NoOracle", "express", "oracle_dual", "oracle_value"]


def _solve(problem: Any) -> float:
    problem.solve(solver=cp.CLARABEL)
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
    return float(problem.value)


def oracle_value(norm: Any, x: np.ndarray[Any, Any]) -> float:
    """Solve for N(x)."""
    if isinstance(norm, nk.Dual) and norm.of.name not in DUALS:
        return oracle_dual(norm.of, x)
    variable = cp.Variable(x.shape)
    expression, constraints = express(norm, variable)
    return _solve(cp.Problem(cp.Minimize(expression), [*constraints, variable == x]))


def oracle_dual(norm: Any, g: np.ndarray[Any, Any]) -> float:
    """Solve max <g, T> over N(T) <= 1."""
    if isinstance(norm, nk.Dual) and norm.of.name not in DUALS:
        return oracle_value(norm.of, g)
    variable = cp.Variable(g.shape)
    expression, constraints = express(norm, variable)
    objective = cp.Maximize(cp.sum(cp.multiply(g, variable)))
    return _solve(cp.Problem(objective, [*constraints, expression <= 1]))
