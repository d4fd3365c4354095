"""What steps are taken, in which precision: a schedule that was asked for, or those that should reach an accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import sqrt

from normkit.backends.cuda.polar.ops import ITEMSIZE
from normkit.backends.precision import rank_tolerance
from normkit.errors import DTypeError
from normkit.polar.planner import COARSE, SINGLE, WORKING
from normkit.polar.schedule import Schedule, polar_schedule

EPS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
LEAST = {"float16": 1e-3, "float32": 1e-4, "float64": 0.0}
"""The least singular values, of ||G||_F, that steps are designed for: below these rounding covers them."""
GRAM = {"float16": 1.05, "bfloat16": 1.05}
"""The safety of ``pe8`` in half precision: with a smaller one, segments in bfloat16 pass the bounds of iterates by more
than the standard iteration does, and let singular values reach 1.3 (tests/cuda/test_plan_numpy.py)."""
SHARE = 0.45
"""The share of the accuracy that a schedule may use; as much goes to bringing T into the unit ball."""


def fixed(schedule: Schedule | str | None, steps: int | None, storage: str | None) -> tuple[Schedule, str]:
    """Return the schedule that is meant, and what matrices are stored in: what it was made for, if not said.

    Raises
    ------
    UnsafeSchedule
        If a published list is not safe in that type, or cannot be continued to so many steps.
    DTypeError
        For a type that nothing is stored in.
    """
    if storage is not None and storage not in ITEMSIZE:
        raise DTypeError(f"no matrices are stored in {storage!r}; expected one of {', '.join(ITEMSIZE)}")
    if isinstance(schedule, Schedule):
        made = schedule if steps is None or steps == schedule.steps else schedule.extended(steps)
        return made, storage or schedule.dtype
    chosen = storage or "float16"
    if schedule is None and chosen in GRAM:
        return polar_schedule("pe8", steps=steps, safety=GRAM[chosen], dtype=chosen), chosen
    return polar_schedule(schedule, steps=steps, dtype=chosen), chosen


def working(given: str, accuracy: float | None) -> float:
    """Return what is meant by an accuracy, by the type of the matrices; by default working precision.

    Examples
    --------
    >>> working("float32", None), working("float32", 1e-2), working("bfloat16", None)
    (1e-06, 0.01, 7.8125e-05)
    """
    finest = WORKING[given] if given in WORKING else 0.01 * EPS[given]
    return max(finest, accuracy or 0.0)


def attempts(m: int, n: int, given: str, accuracy: float | None) -> Iterator[tuple[Schedule, str]]:
    """Yield schedules with the types that their matrices are stored in, the cheapest first.

    The last is for every direction above the rank tolerance of the matrices: singular values down to that times
    ||G||_F / sqrt(m). Whether an attempt serves is known once it was made.
    """
    wanted = working(given, accuracy)
    least = rank_tolerance((m, n), EPS[given]) / sqrt(max(1, min(m, n)))
    for storage in ("float16", "float32", "float64"):
        if wanted >= {"float16": COARSE, "float32": SINGLE}.get(storage, 0.0):
            yield _designed(SHARE * wanted, max(least, LEAST[storage]), storage), storage


@lru_cache(64)
def _designed(accuracy: float, lower: float, storage: str) -> Schedule:
    return polar_schedule(accuracy=accuracy, lower=lower, dtype=storage)
