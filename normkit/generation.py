"""Column generation: a norm between proven bounds from its dualize map alone.

    N(x) = min sum |mu_k|  over  x = sum mu_k t_k,  N(t_k) <= 1

The linear program over the maximisers found so far bounds N(x) from above. Its multipliers are a gradient g: the ratio
<g, x> / N*(g) bounds N(x) from below, and t(g) is the next column (Dantzig and Wolfe 1960). Finite for polytopes,
convergent for every norm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.codegen.plan import Program
from normkit.descent import dualize_with_value

Array = NDArray[np.float64]

TOLERANCE = 1e-9
"""Relative width at which the generation stops."""


@dataclass(frozen=True)
class Generated:
    """lower <= N(x) <= upper, and the gradient g with N*(g) = 1 and <g, x> = lower."""

    lower: float
    upper: float
    gradient: Array


def generate(program: Program, x: Array, backend: str, seeds: Iterable[Array] = (), steps: int = 200) -> Generated:
    """Return bounds on N(x) after at most `steps` columns; the maximisers at `seeds` are columns from the start."""
    if not x.any():
        return Generated(0.0, 0.0, np.zeros_like(x))
    scale = float(np.abs(x).max())
    target = (x / scale).reshape(-1)
    columns: list[Array] = []

    def add(g: Array) -> float:
        made = dualize_with_value(program, g.reshape(x.shape), backend=backend)
        columns.append(made.array.reshape(-1))
        return float(made.dual_norm)

    for g in (*np.eye(target.size), target, *(seed.astype(np.float64).reshape(-1) for seed in seeds)):
        add(g)
    lower, upper, witness = 0.0, float("inf"), np.zeros_like(x)
    for _ in range(steps):
        atoms = np.array(columns).T
        weights, g = _decompose(atoms, target)
        upper = min(upper, _size_of(atoms, weights, target))
        size = add(g)
        if size > 0 and float(g @ target) / size > lower:
            lower, witness = float(g @ target) / size, (g / size).reshape(x.shape)
        if upper <= lower * (1 + TOLERANCE):
            break
    return Generated(scale * lower, scale * max(lower, upper), witness)


def _decompose(atoms: Array, target: Array) -> tuple[Array, Array]:
    """Return (mu, g): the least sum |mu| with atoms @ mu = target, and the multipliers of the equations."""
    # here and not above: certificates of norms with parts or a closed form do without a linear program
    import scipy.optimize

    both = np.hstack([atoms, -atoms])
    costs = np.ones(both.shape[1])
    found: Any = scipy.optimize.linprog(costs, A_eq=both, b_eq=target, bounds=(0, None), method="highs")
    if found.status != 0:
        weights: Array = np.linalg.lstsq(atoms, target, rcond=None)[0].astype(np.float64)
        return weights, target
    half = atoms.shape[1]
    return found.x[:half] - found.x[half:], np.asarray(found.eqlin.marginals)


def _size_of(atoms: Array, weights: Array, target: Array) -> float:
    """Return sum |mu| after the solver's residual is decomposed too; infinity if the atoms do not span it."""
    total = float(np.abs(weights).sum())
    for _ in range(2):
        rest = target - atoms @ weights
        extra = np.linalg.lstsq(atoms, rest, rcond=None)[0]
        weights = weights + extra
        total = float(np.abs(weights).sum())
    return total if np.allclose(atoms @ weights, target, rtol=0, atol=1e-13 * atoms.shape[0]) else float("inf")
