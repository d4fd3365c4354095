"""A schedule as text: one line for each step, then what is proved of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from normkit.polar.schedule import Schedule


def table(schedule: Schedule) -> str:
    """Return the coefficients of each step with image, slope and basin, and those of the whole."""
    width = max(len(row) for row in schedule.coefficients)
    head = ["step", *"abcd"[:width], "image", "slope", "basin"]
    lines = [head]
    for t, row in enumerate(schedule.coefficients):
        coefficients = [repr(c) for c in row] + [""] * (width - len(row))
        proved = [interval(schedule.images[t]), f"{schedule.slopes[t]:.6g}", f"{schedule.basins[t]:.8g}"]
        lines.append([str(t + 1), *coefficients, *proved])
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    body = ["  ".join(cell.rjust(size) for cell, size in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([title(schedule), *body, *summary(schedule)])


def title(schedule: Schedule) -> str:
    """Return what the schedule is, in a line."""
    degrees = "/".join(str(degree) for degree in sorted(set(schedule.degrees)))
    return (
        f"{schedule.name}: {schedule.steps} steps of degree {degrees} for singular values in "
        f"[{schedule.lower:.6g}, {schedule.upper:.6g}], {schedule.dtype}"
    )


def summary(schedule: Schedule) -> list[str]:
    """Return what is proved, and the model of rounding, a line for each."""
    noise = "  (above 1: the smallest directions are noise)" if schedule.rounding > 1 else ""
    return [
        f"image     {interval(schedule.image)}   proved on [{schedule.lower:.6g}, {schedule.upper:.6g}]",
        f"error     {schedule.error:.3g}   of the polynomial, proved",
        f"slope     {schedule.slope:.6g}   gain of a singular value near 0",
        f"basin     {schedule.basin:.8g}   largest singular value proved to stay bounded",
        f"rounding  {schedule.rounding:.2g}   first-order model for {schedule.dtype}{noise}",
        f"repeats   {'yes' if schedule.repeats else 'no'}   whether the last step may be repeated",
        f"source    {schedule.source}",
    ]


def interval(bounds: tuple[float, float]) -> str:
    """Return bounds in six digits, or as 1 with a deviation where six digits would show 1."""
    low, high = bounds
    if max(abs(low - 1), abs(high - 1)) < 5e-6:
        return f"1 {low - 1:+.1e} .. 1 {high - 1:+.1e}"
    return f"{low:.6g} .. {high:.6g}"
