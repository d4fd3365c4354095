"""A picture of a schedule: what its composite makes of a singular value in (0, 1], beside published lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.errors import FileError
from normkit.files import replacing, target
from normkit.plot import PICTURES
from normkit.polar.schedule import Schedule, polar_schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BESIDE = {"muon5": "#c0392b", "quintic": "#8a8a8a", "pe5-1.02": "#3c8d5a"}
"""Published lists drawn for comparison, with their colours: the first Muon's, Newton-Schulz, and the one now in use."""

COLOUR = "#2f6db3"
POINTS = 4000
LEAST_ERROR = 1e-16
"""Where the evaluation of 1 - p in float64 ends."""


def plot_schedule(schedule: Schedule, path: str, *, force: bool = False) -> None:
    """Draw p(sigma) and the worst |1 - p| over [sigma, 1] for sigma in (0, 1], beside muon5, quintic and pe5-1.02.

    Parameters
    ----------
    schedule : Schedule
        What is drawn thick, with its proved image over [lower, upper] as a band.
    path : str
        Where the picture goes, by suffix .png, .svg or .pdf; written whole or not at all.
    force : bool
        Overwrite a file that exists.

    Raises
    ------
    FileError
        If the picture cannot be written.

    Examples
    --------
    >>> import tempfile, normkit as nk
    >>> from normkit.polar_plot import plot_schedule
    >>> plot_schedule(nk.polar_schedule(accuracy=1e-2), tempfile.mkdtemp() + "/range.svg")
    """
    if not path.endswith(PICTURES):
        raise FileError(f"cannot draw into {path!r}; end it in {', '.join(PICTURES)}")
    place = target(path, force=force)
    figure = _figure(schedule)
    undated: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with replacing(place) as stream:
        # Without dates, so that the same schedule gives the same file.
        figure.savefig(stream, format=place.suffix[1:], dpi=160, metadata=undated.get(place.suffix, {}))


def _figure(schedule: Schedule) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.4), facecolor="white")
    figure.subplots_adjust(left=0.07, right=0.985, top=0.91, bottom=0.22, wspace=0.17)
    value, worst = figure.subplots(1, 2)
    least = min(schedule.lower / 10, 1e-4)
    sigma = np.geomspace(least, max(1.0, schedule.upper), POINTS)
    beside = [(polar_schedule(name), colour, 1.3) for name, colour in BESIDE.items() if name != schedule.name]
    for each, colour, width in [*beside, (schedule, COLOUR, 2.2)]:
        p = each(sigma)
        value.plot(sigma, np.where(p > 0, p, np.nan), color=colour, linewidth=width, label=_label(each))
        reached = np.maximum.accumulate(np.abs(1 - p)[::-1])[::-1]
        worst.plot(sigma, np.maximum(reached, LEAST_ERROR), color=colour, linewidth=width)
    interval = f"[{schedule.lower:.3g}, {schedule.upper:.3g}]"
    low, high = (max(bound, LEAST_ERROR) for bound in schedule.image)
    ends = [schedule.lower, schedule.upper]
    value.fill_between(ends, low, high, color=COLOUR, alpha=0.18, linewidth=0, label=f"proved image of {interval}")
    value.set_ylim(1e-2, max(3.0, 1.2 * high))
    worst.plot(ends, [schedule.error] * 2, color="black", linewidth=1.2, linestyle="--", label="proved error there")
    worst.set_ylim(max(schedule.error / 30, LEAST_ERROR), 3.0)
    _axes(value, least, sigma[-1], r"composite $p(\sigma)$")
    _axes(worst, least, sigma[-1], r"worst $|1 - p|$ over $[\sigma, 1]$")
    handles = [line for axes in (value, worst) for line in axes.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False, fontsize=10)
    return figure


def _label(schedule: Schedule) -> str:
    return f"{schedule.name}, {schedule.steps} step{'s' if schedule.steps > 1 else ''}"


def _axes(axes: Axes, least: float, most: float, title: str) -> None:
    axes.set(xscale="log", yscale="log", xlim=(least, most), xlabel=r"singular value $\sigma$ of the scaled matrix")
    axes.set_title(title, fontsize=12)
    axes.grid(True, which="major", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
