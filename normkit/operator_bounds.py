"""Bounds on operator norms alpha->beta and on their duals, which are NP-hard in general.

Lower bounds come with what attains them, upper bounds from inequalities that hold for every matrix; see each function.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from normkit.codegen.plan import Operator, Program
from normkit.descent import dual_value, dualize, value
from normkit.surrogate import surrogate, surrogate_constant

Array = NDArray[np.float64]
Found = tuple[float, float, Literal["exact", "certified"], Array | None]
"""(lower, upper, kind, witness)"""

STARTS = 12
"""Random starting points of the ascent, beside the deterministic ones."""
STEPS = 60
"""Most ascent steps from each start."""
ENUMERATE = 14
"""Most signs that are enumerated for an exact value."""


def operator_bounds(operator: Operator, x: Array, backend: str) -> Found:
    """Bounds on sup beta(x v) over alpha(v) <= 1; the witness is a vector v of alpha-norm 1.

    Exact by enumeration if alpha is a multiple of linf on few columns, or beta one of l1 on few rows (a convex function
    is largest at a vertex). Else the lower bound is the best of several ascents v <- t_alpha(x' t_beta*(x v)), each
    monotone (Higham 1992), and the upper bound the smallest of `_upper_bounds`.
    """
    if not x.any():
        return 0.0, 0.0, "exact", np.zeros(x.shape[1])
    vertices = _vertices(operator, x, backend)
    if vertices is not None:
        sizes = value(operator.codomain, vertices @ x.T, backend=backend)
        best = int(np.argmax(sizes))
        return float(sizes[best]), float(sizes[best]), "exact", vertices[best]
    lower, witness = _ascend(operator, x, backend)
    return lower, max(lower, min(_upper_bounds(operator, x, backend))), "certified", witness


def _signs(count: int) -> Array:
    """Return the 2^(count-1) sign vectors with first entry 1."""
    rest = (np.arange(2 ** (count - 1))[:, None] >> np.arange(count - 1)) & 1
    return np.hstack([np.ones((len(rest), 1)), 1.0 - 2.0 * rest])


def _vertices(operator: Operator, x: Array, backend: str) -> Array | None:
    """Return vectors of alpha-norm 1 among which the maximum is, if they are few."""
    rows, columns = x.shape
    if operator.p == np.inf and columns <= ENUMERATE:
        signs = _signs(columns)
        return signs / float(value(operator.domain, signs[0], backend=backend))
    if operator.q == 1 and rows <= ENUMERATE:
        # sup over v of sum |x v| = max over signs s of alpha*(x' s), attained at v = t_alpha(x' s)
        found: Array = dualize(operator.domain, _signs(rows) @ x, backend=backend)
        return found
    return None


def _ascend(operator: Operator, x: Array, backend: str) -> tuple[float, Array]:
    rng = np.random.default_rng(0)
    _, _, right = np.linalg.svd(x, full_matrices=False)
    heaviest = np.argsort(-np.abs(x).sum(axis=0), kind="stable")[:3]
    starts = [*right[:3], *np.eye(x.shape[1])[heaviest], np.ones(x.shape[1])]
    starts += list(rng.standard_normal((STARTS, x.shape[1])))
    return max((_climb(operator, x, start, backend) for start in starts), key=lambda run: run[0])


def _climb(operator: Operator, x: Array, start: Array, backend: str) -> tuple[float, Array]:
    best, kept = 0.0, start
    v = start
    for _ in range(STEPS):
        v = v / value(operator.domain, v, backend=backend)
        image = x @ v
        size = float(value(operator.codomain, image, backend=backend))
        if size <= best * (1 + 1e-14):
            break
        best, kept = size, v
        v = dualize(operator.domain, x.T @ dualize(_dual(operator.codomain), image, backend=backend), backend=backend)
        if not v.any():
            break
    return best, kept


def _dual(part: Program) -> Program:
    return Program(f"dual({part.spec})", part.shape, part.dual, part.value)


def _upper_bounds(operator: Operator, x: Array, backend: str) -> list[float]:
    """Return upper bounds that hold for absolute alpha, beta; infinity if none of them applies."""
    found = [np.inf]
    if operator.absolute:
        columns = value(operator.codomain, x.T, backend=backend)
        rows = dual_value(operator.domain, x, backend=backend)
        # beta(x v) <= sum_j |v_j| beta(x_:j), and |(x v)_i| <= alpha*(x_i:) alpha(v)
        found.append(float(dual_value(operator.domain, columns, backend=backend)))
        found.append(float(value(operator.codomain, rows, backend=backend)))
    p, q = operator.p, operator.q
    if p is not None and q is not None:
        unit = _unit(operator.codomain, x.shape[0], backend) / _unit(operator.domain, x.shape[1], backend)
        flat = x.shape[0] ** max(0.0, 1 / q - 0.5) * x.shape[1] ** max(0.0, 0.5 - 1 / p)
        found.append(unit * flat * float(np.linalg.norm(x, 2)))
        if p == q and p > 1:
            # Riesz-Thorin between the largest column sum and the largest row sum
            sums = np.abs(x).sum(axis=0).max(), np.abs(x).sum(axis=1).max()
            found.append(unit * float(sums[0] ** (1 / p) * sums[1] ** (1 - 1 / p)))
        if q <= 2 <= p:
            found.append(unit * factorisation_bound(x, p, q))
    return found


def _unit(part: Program, length: int, backend: str) -> float:
    """Return c for a norm c * lp, its value at a unit vector."""
    return float(value(part, np.eye(length)[0], backend=backend))


def factorisation_bound(x: Array, p: float, q: float) -> float:
    """Bound ||x||_{p->q}, q <= 2 <= p, by ||d1||_b ||D1^-1 x D2^-1||_op ||d2||_a, minimised over d1, d2 > 0.

    a = 2p/(p-2), b = 2q/(2-q) by Hoelder twice; every d1, d2 gives a valid bound, and the best one is within
    Grothendieck-type constants of the norm (Bhattiprolu et al. 2018). Its logarithm is convex in (log d1, log d2); the
    largest singular value, which has kinks, is approached by Schatten norms of growing order.
    """
    rows, columns = x.shape
    a = np.inf if p == 2 else (2.0 if np.isinf(p) else 2 * p / (p - 2))
    b = np.inf if q == 2 else 2 * q / (2 - q)
    scale = np.abs(x).max()
    x = x / scale

    def split(logs: Array) -> tuple[Array, Array]:
        return (logs[:rows] if b < np.inf else 0 * logs[:rows]), (logs[rows:] if a < np.inf else 0 * logs[rows:])

    def objective(logs: Array, order: int) -> tuple[float, Array]:
        u, v = split(logs)
        left, sigma, right = np.linalg.svd(x * np.exp(-u[:, None] - v[None, :]), full_matrices=False)
        shares = (sigma / sigma[0]) ** (2 * order)
        total = shares.sum()
        size = np.log(sigma[0]) + np.log(total) / (2 * order)
        slope_u, slope_v = -(left**2 @ shares) / total, -(shares @ right**2) / total
        for logs_d, power, slope in ((u, b, slope_u), (v, a, slope_v)):
            if power < np.inf:
                top = logs_d.max()
                weights = np.exp(power * (logs_d - top))
                size += top + np.log(weights.sum()) / power
                slope += weights / weights.sum()
            else:
                slope[:] = 0.0
        return float(size), np.concatenate([slope_u, slope_v])

    logs, best = np.zeros(rows + columns), np.inf
    for order in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        found: Any = scipy.optimize.minimize(objective, logs, args=(order,), jac=True, method="L-BFGS-B")
        logs = found.x
        # an order of 2^20 is the operator norm up to 1e-6 from above: still a bound, since Schatten norms decrease
        best = min(best, objective(logs, 2**20)[0])
    return float(scale * np.exp(best))


def projective_bounds(operator: Operator, g: Array, backend: str) -> Found:
    """Bounds on the dual of alpha->beta, inf of sum beta*(u_k) alpha(v_k) over g = sum u_k v_k'.

    Upper: the best of three decompositions (columns, rows, singular pairs), or the surrogate's for q <= 2 <= p. Lower:
    <g, t> over an upper bound on the operator norm of t, for t among the surrogate's maximiser, the polar factor, the
    signs, the largest entries and g itself.
    """
    if not g.any():
        return 0.0, 0.0, "exact", np.zeros_like(g)
    left, sigma, right = np.linalg.svd(g, full_matrices=False)
    real = sigma > 1e-15 * sigma[0]
    out, into = _dual(operator.codomain), operator.domain
    columns = value(out, g.T, backend=backend) @ value(into, np.eye(g.shape[1]), backend=backend)
    rows = value(out, np.eye(g.shape[0]), backend=backend) @ value(into, g, backend=backend)
    pairs = sigma @ (value(out, left.T, backend=backend) * value(into, right, backend=backend))
    upper = float(min(columns, rows, pairs))
    lower, witness = 0.0, np.zeros_like(g)
    p, q = operator.p, operator.q
    if p is not None and q is not None and q <= 2 <= p:
        unit = _unit(operator.codomain, g.shape[0], backend) / _unit(operator.domain, g.shape[1], backend)
        lower, above, t = surrogate(g, p, q)
        lower, upper, witness = lower / unit, min(upper, surrogate_constant(p, q) * above / unit), t / unit
    for t in (left[:, real] @ right[real], np.sign(g), np.where(np.abs(g) == np.abs(g).max(), g, 0.0), g):
        size = operator_bounds(operator, t, backend)[1]
        if float(np.sum(g * t)) / size > lower:
            lower, witness = float(np.sum(g * t)) / size, t / size
    return lower, max(lower, upper), "certified", witness
