"""Pictures that are read in grey: lines differ by dash and marker as well as by colour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from normkit.studies.kit.outcome import Figure

COLOURS = ("#1f5fa8", "#c0392b", "#2e7d4f", "#8a5a00", "#6a3d9a", "#444444", "#008b8b", "#b0417a")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "x", "P", "*")
STYLE: dict[str, Any] = {
    "font.size": 9.5,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "normkit",
}


def inks(markers: bool = True) -> Iterator[dict[str, Any]]:
    """Yield options of lines, each told from the others without colour.

    Examples
    --------
    >>> from normkit.studies.kit.ink import inks
    >>> next(inks())["linestyle"]
    '-'
    """
    for place in range(10_000):
        made = {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)], "linewidth": 1.5}
        yield made | ({"marker": MARKERS[place % len(MARKERS)], "markersize": 4} if markers else {})


def canvas(figure: Figure) -> Canvas:
    """Draw a figure."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    rc: Any = STYLE  # matplotlib's stubs list every key
    with rc_context(rc):
        made = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(made)
    return made
