"""Pictures that are read in grey: lines differ by dash and marker as well as by colour."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from normkit.studies.kit.outcome import Figure

COLOURS = ("#1f5fa8", "#c0392b", "#2e7d4f", "#8a5a00", "#6a3d9a", "#444444", "#008b8b", "#b0417a")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "x", "P", "*")
DPI = 130
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


def picture(figure: Figure, stream: BinaryIO, kind: str) -> None:
    """Draw a figure and write it as png or svg; the same figure gives the same bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    rc: Any = STYLE  # matplotlib's stubs list every key
    # Without a date, and with ids that depend on the picture alone.
    facts: dict[str, Any] = {"svg": {"Date": None}, "png": {"Software": None}}[kind]
    made = BytesIO()
    with rc_context(rc):
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        canvas.savefig(made, format=kind, dpi=DPI, metadata=facts)
    stream.write(_small(made) if kind == "png" else made.getvalue())


def _small(picture: BytesIO) -> bytes:
    """Return a PNG with 256 colours, which are enough for lines and a third of the size."""
    from PIL import Image  # comes with matplotlib

    small = BytesIO()
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()
