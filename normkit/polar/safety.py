"""What makes a schedule unsafe: a result that is not positive, that overshoots, or a basin that rounding leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from normkit.errors import UnsafeSchedule
from normkit.polar.image import images
from normkit.polar.rounding import ROUNDOFF

if TYPE_CHECKING:
    from normkit.polar.schedule import Schedule

OVERSHOOT = 1.35
"""No singular value of the result may pass this; the most that a list in use reaches is 1.3 (cubic5)."""

STUDY = "allow_unsafe=True lets it through for study"


def check(schedule: Schedule) -> None:
    """Raise unless the composite stays in (0, OVERSHOOT] over its interval, and the basin holds that after rounding.

    The interval is extended down to half of 1/slope, below which no direction is resolved.

    Raises
    ------
    UnsafeSchedule
        With what would happen, and what to use instead.
    """
    lower = min(schedule.lower, 1 / (2 * schedule.slope))
    least, most = images(schedule.coefficients, lower, schedule.upper)[-1]
    if least <= 0:
        raise UnsafeSchedule(_flipping(schedule, lower, least))
    if most > OVERSHOOT:
        raise UnsafeSchedule(
            f"{schedule.name} with {schedule.steps} steps leaves singular values between {least:.3g} and {most:.3g}, "
            f"above {OVERSHOOT}: take more steps, a larger lower end than {schedule.lower:g}, or "
            f"polar_schedule(accuracy=...); {STUDY}"
        )
    roundoff = ROUNDOFF[schedule.dtype]
    if schedule.basin < schedule.upper * (1 + 2 * roundoff):
        raise UnsafeSchedule(
            f"{schedule.name} in {schedule.dtype}: rounding may make {schedule.upper * (1 + 2 * roundoff):.9g} of a "
            f"singular value {schedule.upper:g}; that is outside the stable basin {schedule.basin:.9g} and grows "
            f"without bound: give safety=1.02, or use preset='pe5-1.02' or polar_schedule(accuracy=...); {STUDY}"
        )


def _flipping(schedule: Schedule, lower: float, least: float) -> str:
    sigma = np.linspace(lower, schedule.upper, 100_001)
    wrong = sigma[schedule(sigma) <= 0]
    where = f" from {wrong[0]:.4f} on" if wrong.size else ""
    return (
        f"{schedule.name} turns the sign of singular values{where} (its range reaches {least:.3f}; {schedule.upper:g} "
        f"goes to {float(schedule(schedule.upper)):.3f}): the update would step uphill, however the input is scaled; "
        f"use preset='pe5-1.02' or polar_schedule(accuracy=...); {STUDY}"
    )
