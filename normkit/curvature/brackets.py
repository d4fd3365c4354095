"""Brackets of the sharpness: what is exact by geometry, attained by iterations, and bounded by inequalities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from normkit.curvature import exact, one_sided
from normkit.curvature.ascent import Best, ascend
from normkit.curvature.extremum import Extremum, Sharpness, kind_of
from normkit.curvature.forms import gauge_power, weighted_power
from normkit.curvature.hessian import Hessian
from normkit.curvature.krylov import ritz_vectors
from normkit.curvature.space import Floats, Space
from normkit.curvature.upper import upper_bounds
from normkit.errors import NonFiniteError


@dataclass(frozen=True)
class Effort:
    """What the iterations may cost: random starts, steps of each, the gain at which one ends; where starts are from."""

    starts: int
    steps: int
    rtol: float
    draw: np.random.Generator


def _search(of: Space, apply: Callable[[Floats], Floats], effort: Effort) -> Best:
    """Ascend from random extreme points of the ball, and from those that the ends of the spectrum point to."""
    vectors = [*effort.draw.standard_normal((effort.starts, of.size)), *ritz_vectors(apply, of.size, effort.draw)]
    return ascend(of, apply, [of.dualize(vector)[0] for vector in vectors], effort.steps, effort.rtol)


# --- by products alone ----------------------------------------------------------------------------------------------


def open_brackets(of: Space, apply: Hessian, effort: Effort) -> Sharpness:
    """Return attained lower bounds: the best points are evaluated once more, each by a product of its own."""
    best = _search(of, apply, effort)
    sphere, operator = _attained(of, apply, best.x)[0], _attained(of, apply, best.z)[1]
    made = [
        Extremum(_finite(number), np.inf, "lower", of.given(point))
        for number, point in ((sphere, best.x), (operator, best.z))
    ]
    return Sharpness(made[0], made[1], apply.products, best.steps)


def _attained(of: Space, apply: Callable[[Floats], Floats], x: Floats) -> tuple[float, float]:
    """Return <x, Hx> / N(x)^2 and N*(Hx) / N(x) at a point as the caller sees it."""
    x = of.rounded(x)
    size, Hx = of.value(x), apply(x)
    return float((x / size) @ Hx) / size, of.dual_value(Hx) / size


# --- with the matrix ------------------------------------------------------------------------------------------------


def closed_brackets(of: Space, H: Floats, effort: Effort, products: int) -> Sharpness:
    """Return both bounds of what is not known exactly, from the matrix that some products were spent on."""
    top = float(np.abs(H).max())
    power = int(np.frexp(top)[1]) if top else 0
    H = np.ldexp(H, -power)  # exactly: entries up to 1, whatever the scale of the loss
    sphere, operator = _known(of, H)
    best, above, wide = None, np.inf, np.inf
    if sphere is None or operator is None:
        best = _search(of, lambda x: H @ x, effort)
        above, wide = upper_bounds(of, H)
    ends = []
    for known, point, upper, at in ((sphere, "x", above, 0), (operator, "z", wide, 1)):
        x = getattr(best, point) if known is None else known
        x = x / of.value(x)
        lower = _attained(of, lambda v: H @ v, x)[at]
        upper = lower if known is not None else max(lower, upper)
        low, high = (_raised(number, power) for number in (lower, upper))
        ends.append(Extremum(low, high, kind_of(lower, upper), of.given(x)))
    return Sharpness(ends[0], ends[1], products, 0 if best is None else best.steps)


def _known(of: Space, H: Floats) -> tuple[Floats | None, Floats | None]:
    """Return the maximisers of <x, Hx> and of N*(Hx) where they can be told exactly."""
    if (weighted := weighted_power(of)) is not None:
        w = weighted.weights
        found = [find(H / w / w[:, None], weighted.p) for find in (exact.largest, exact.largest_operator)]
        return tuple(None if each is None else each[1] / w for each in found)  # type: ignore[return-value]
    if of.product is None and (p := gauge_power(of.norm)) is not None:
        return _known_factor(of, H, p)
    return None, None


def _known_factor(of: Space, H: Floats, p: float) -> tuple[Floats | None, Floats | None]:
    m, n = of.shapes[0]
    split = one_sided.factor(H, (m, n))
    if split is None:
        return None, None
    A, left = split
    points = []
    for find in (one_sided.largest, one_sided.largest_operator):
        long = np.zeros((m, n) if left else (n, m))
        long[:, : min(m, n)] = find(A, min(m, n), p)[1]
        points.append((long if left else long.T).ravel())
    return points[0], points[1]


def _raised(number: float, power: int) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return _finite(float(np.ldexp(number, power)))


def _finite(number: float) -> float:
    if not np.isfinite(number):
        raise NonFiniteError("the sharpness is beyond the range of float64; scale the loss down")
    return number
