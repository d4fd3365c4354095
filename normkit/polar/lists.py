"""Lists of coefficients taken as they are: published, by name, or the caller's own; cut, or repeated where sound."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from normkit.errors import ParameterError, SpecError, UnsafeSchedule
from normkit.polar.presets import PRESETS
from normkit.polar.remez import Row, divided, evaluate

CUSTOM = "custom"


def listed(
    preset: str | Sequence[Sequence[float]], steps: int | None, safety: float, roundoff: float, *, allow_unsafe: bool
) -> tuple[str, str, tuple[Row, ...]]:
    """Return name, source and rows of a list with so many steps; all rows but its last are divided by the safety.

    Raises
    ------
    SpecError, ParameterError
        If there is no such preset, or the rows are no odd polynomials with a > 0.
    UnsafeSchedule
        If the list is shorter than the steps and may not go on.
    """
    if not isinstance(preset, str):
        name, source, rows = CUSTOM, "given by the caller", _own(preset)
    elif preset in PRESETS:
        known = PRESETS[preset]
        name, source, rows = preset, known.source, (divided(known.rows[0], known.start), *known.rows[1:])
    else:
        raise SpecError(f"unknown preset {preset!r}; expected one of {', '.join(PRESETS)}")
    rows = (*(divided(row, safety) for row in rows[:-1]), rows[-1])
    if steps is None or steps <= len(rows):
        return name, source, rows[:steps]
    return name, source, lengthened(name, rows, steps, roundoff, cycle=allow_unsafe)


def lengthened(name: str, rows: tuple[Row, ...], steps: int, roundoff: float, *, cycle: bool) -> tuple[Row, ...]:
    """Return rows with the last repeated where that is sound; else cycled as other programs do, if that is allowed.

    Raises
    ------
    UnsafeSchedule
        If the last step does not have 1 as an attracting fixed point, or the list is the caller's own.
    """
    missing = steps - len(rows)
    if name != CUSTOM and repeats(rows[-1], roundoff):
        return (*rows, *(rows[-1],) * missing)
    if cycle:
        return tuple(rows[t % len(rows)] for t in range(steps))
    if name == CUSTOM:
        raise UnsafeSchedule(
            f"the list has {len(rows)} rows for {steps} steps; to cycle it would start again with steps made for small "
            f"singular values: give {steps} rows or steps={len(rows)}; allow_unsafe=True cycles it for study"
        )
    raise UnsafeSchedule(
        f"{name} is made for {len(rows)} steps, not {steps}: its last step maps 1 to {evaluate(rows[-1], 1.0):.4g} "
        f"with slope {slope_at_one(rows[-1]):.3g}, so repeating it does not end at 1, and cycling undoes the rest: "
        f"use steps={len(rows)}, preset='pe8' with safety=1.01, or polar_schedule(steps={steps}); allow_unsafe=True "
        f"cycles it for study"
    )


def repeats(row: Row, roundoff: float) -> bool:
    """Tell whether a step may be repeated for ever: p(1) = 1 (to 1e-6 and to working precision) and |p'(1)| < 1."""
    # Rows of floats map 1 to 1 up to the rounding of their sum.
    tolerance = max(min(roundoff, 1e-6), 2.0**-50)
    return abs(evaluate(row, 1.0) - 1) <= tolerance and abs(slope_at_one(row)) < 1


def slope_at_one(row: Row) -> float:
    """Return p'(1)."""
    return sum((2 * j + 1) * c for j, c in enumerate(row))


def _own(preset: Sequence[Sequence[float]]) -> tuple[Row, ...]:
    rows = tuple(tuple(float(c) for c in row) for row in preset)
    for row in rows:
        if not 1 < len(row) < 5 or not all(isfinite(c) for c in row) or row[0] <= 0:
            raise ParameterError(f"a row is (a, b), (a, b, c) or (a, b, c, d), finite, a > 0; got {row}")
    if not rows:
        raise ParameterError("a list of coefficients needs at least one row (a, b, c)")
    return rows
