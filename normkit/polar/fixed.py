"""A fixed schedule of Newton-Schulz steps: what people run today, with the range that its schedule proves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.errors import ParameterError
from normkit.polar import workspace
from normkit.polar.bounds import spectral_bound
from normkit.polar.schedule import Schedule, polar_schedule
from normkit.polar.task import Outcome

Array = NDArray[Any]


def fixed_steps(
    batch: Array, schedule: Schedule | str | None, steps: int | None, precision: str, out: Array
) -> list[Outcome]:
    """Apply a schedule to G / u, u >= sigma_1 proved, for every matrix of a batch (B, m, n).

    Parameters
    ----------
    batch : array (B, m, n), float32 or float64
        Finite; not changed.
    schedule : Schedule or str, optional
        Or the name of a published one; without it, the best ``steps`` quintics for [1e-3, 1].
    steps : int, optional
        Of the schedule; all of them if not given.
    precision : str
        bfloat16, float32 or float64: what products are made in.
    out : array (B, m, n)
        Receives the iterates; 0 for a zero matrix.

    Raises
    ------
    ParameterError
        For a precision that is not known, or cannot be had here.
    UnsafeSchedule
        If the schedule is not safe in that precision, or cannot be continued to ``steps``.
    """
    kind = _precision(precision)
    plan = _schedule(schedule, steps, precision)
    rows = np.ascontiguousarray(plan.array(), np.float64)
    m, n = sorted(batch.shape[1:])
    outcomes = []
    for A, T in zip(batch, out, strict=True):
        bound = spectral_bound(A)
        if not bound > 0:
            T[...] = 0
            outcomes.append(Outcome("ns", precision, 0, 0.0, float("nan"), 0.0, 0))
            continue
        space = workspace.workspace(m, n, kind, False)
        workspace.transfer(A, space.X, A.shape[0] == m)
        space.X /= space.X.dtype.type(bound)
        flops = space.follow(rows)
        workspace.transfer(space.X, T, A.shape[0] == m)
        outcomes.append(Outcome("ns", precision, len(rows), flops, float("nan"), float(plan.image[1]), None))
    return outcomes


def _precision(name: str) -> workspace.Precision:
    from normkit.backends.cpu import bf16

    found = workspace.PRECISIONS.get(name)
    if found is None:
        raise ParameterError(f"unknown precision {name!r}; known: {', '.join(workspace.PRECISIONS)}")
    if name == "bfloat16" and not bf16.available():
        raise ParameterError("this processor has no AVX-512 BF16 products; give precision='float32'")
    return found


def _schedule(schedule: Schedule | str | None, steps: int | None, precision: str) -> Schedule:
    if isinstance(schedule, Schedule):
        return schedule if steps is None or steps == schedule.steps else schedule.extended(steps)
    return polar_schedule(schedule, steps=steps, dtype=precision)
