"""Orthogonal polar factors of arrays in device memory, and the proof of updates by them, where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit import device
from normkit.arrays import Batch, NanPolicy
from normkit.backends.cuda import interop
from normkit.backends.scalar import function
from normkit.codegen.binding import bind
from normkit.codegen.plan import LiftPlan, Missing, Plan, Program, ReducePlan, ScalePlan
from normkit.errors import ParameterError
from normkit.programs import program

if TYPE_CHECKING:
    from normkit.polar.schedule import Schedule

Floats = NDArray[np.float64]
WHAT = "the matrix"


def polar(
    G: Any,
    accuracy: float | None,
    method: str,
    steps: int | None,
    schedule: Schedule | str | None,
    rank_tol: float | None,
    precision: str | None,
    out: Any,
    nan_policy: NanPolicy,
) -> Any:
    """Return U_r V_r' of every matrix in device memory; parameters as in `normkit.polar`.

    To an accuracy it is the dualize map of the spectral norm: an iteration on the GPU whose result is measured, and a
    factorization on the CPU for matrices that it cannot reach. With ``steps`` or a schedule it waits for nothing but
    the check of ``nan_policy="raise"``, and `precision` may be ``"float16"``, too, which is the default.

    Raises
    ------
    ParameterError
        For a method, or a rank tolerance, that runs on the CPU only.
    """
    if method != "auto" or rank_tol is not None:
        said = f"method={method!r}" if method != "auto" else f"rank_tol={rank_tol!r}"
        raise ParameterError(f"{said} is for matrices in CPU memory; on a GPU leave method= and rank_tol=")
    if steps is None and schedule is None:
        if precision is not None:
            raise ParameterError("precision= belongs to steps= or schedule=; an accuracy decides it")
        made = device.dualize(program("spectral"), G, out=out, nan_policy=nan_policy, accuracy=accuracy, what=WHAT)
        return made.array
    if accuracy is not None:
        raise ParameterError("steps= and schedule= take Newton-Schulz steps and promise nothing: leave accuracy=")
    return device.written(G, program("spectral"), out, nan_policy, _Steps(schedule, steps, precision), WHAT).array


class _Steps:
    """Takes the steps of a schedule."""

    def __init__(self, schedule: Schedule | str | None, steps: int | None, precision: str | None) -> None:
        self.schedule, self.steps, self.precision = schedule, steps, precision

    def __call__(self, x: interop.View, out: interop.View) -> Floats:
        """Write the results; return Frobenius norms, NaN where a matrix is not finite."""
        from normkit.backends.cuda.polar import polar as run

        return run(x, out, schedule=self.schedule, steps=self.steps, storage=self.precision).norms()


def proved(made: Program, items: Batch, candidates: Batch) -> tuple[Floats, Floats, Floats] | None:
    """Return (<G, T>, a bound of N(T), a bound of N*(G)) of every item, from products alone, without an SVD.

    For multiples of the spectral norm, whose dual is one of the nuclear norm; None for other norms.
    """
    m, n = (int(side) for side in items.items.shape[-2:])
    factors = [_multiple(plan, op, m, n) for plan, op in ((made.value, "max"), (made.dual, "sum"))]
    if None in factors:
        return None
    from normkit.backends.cuda.polar.certificate import nuclear_bounds

    found = nuclear_bounds(interop.view(items.items, WHAT), interop.view(candidates.items, "the candidate"))
    return found.pairing, factors[0] * found.spectral, factors[1] * found.upper


def _multiple(plan: Plan | Missing, op: str, m: int, n: int) -> Any:
    """Return c if the plan is c times the maximum, or the sum, of the singular values; else None."""
    factor = 1.0
    while isinstance(plan, ScalePlan):
        factor, plan = factor * float(function(plan.factor)(float(m), float(n))), plan.inner
    if not isinstance(plan, LiftPlan):
        return None
    inner = bind(plan.inner, m, n)
    while isinstance(inner, ScalePlan):
        factor, inner = factor * float(function(inner.factor)(1.0, float(min(m, n)))), inner.inner
    plain = isinstance(inner, ReducePlan) and (inner.op, inner.body.source, inner.post.source) == (op, "a", "s")
    return factor if plain else None
