"""A picture of a norm in the plane: its unit ball, the dual ball, a gradient and its dualize arrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit.descent import dual_value, dualize, value
from normkit.errors import FileError, NoClosedForm, ShapeError
from normkit.files import replacing, target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from normkit.norm import Norm

Points = NDArray[np.float64]

DIRECTIONS = 1440
BACKEND = "reference"
"""Nothing to compile for some thousand points."""

PICTURES = (".png", ".svg", ".pdf")
BALL, DUAL, GRADIENT, LINE = "#2f6db3", "#3c8d5a", "#c0392b", "#555555"


def plot_ball(norm: Norm, path: str, gradient: Sequence[float] = (2.0, 1.0), *, force: bool = False) -> None:
    """Draw {N <= 1} with t = dualize(g) and the supporting line <g, x> = N*(g); beside it {N* <= 1} with g / N*(g).

    A matrix norm is drawn on the diagonal matrices diag(x, y), where that section and its dual belong together.

    Parameters
    ----------
    norm : Norm
        A norm of vectors of length 2, or of matrices with 2 rows and 2 columns.
    path : str
        Where the picture goes, by suffix .png, .svg or .pdf; written whole or not at all.
    gradient : sequence of float
        The gradient; its direction is what matters.
    force : bool
        Overwrite a file that exists.

    Raises
    ------
    ShapeError
        If the norm takes nothing two-dimensional, or its diagonal section is not dual to itself.
    NoClosedForm
        If neither N nor N* has a closed form.
    FileError
        If the picture cannot be written.

    Examples
    --------
    >>> import tempfile, normkit as nk
    >>> from normkit.plot import plot_ball
    >>> plot_ball(nk.norm("linf"), tempfile.mkdtemp() + "/ball.svg")
    """
    if not path.endswith(PICTURES):
        raise FileError(f"cannot draw into {path!r}; end it in {', '.join(PICTURES)}")
    place = target(path, force=force)
    if norm.named_blocks() is not None:
        raise ShapeError(f"a picture needs a norm of one array; got {norm}. Draw its outer norm, or one of its parts")
    if norm.ndim > 2 or any(length not in (None, 2) for length in norm.shape):
        raise ShapeError(f"a picture needs a norm of two entries; {norm} takes items of shape {norm.shape}")
    balls = boundary(norm), boundary(norm.dual)
    g = np.asarray(gradient, dtype=np.float64)
    try:
        t = _flat(norm, dualize(norm, _item(norm, g), backend=BACKEND))
        size = float(dual_value(norm, _item(norm, g), backend=BACKEND))
    except NoClosedForm:
        # No map from a formula: the vertex of the drawn ball that pairs best.
        t = balls[0][np.argmax(balls[0] @ g)]
        size = float(t @ g)
    figure = _figure(norm, balls, g, t, size)
    with replacing(place) as stream:
        # Without dates, so that the same norm gives the same file.
        figure.savefig(stream, format=place.suffix[1:], dpi=160, metadata=_undated(place.suffix))


def boundary(norm: Norm) -> Points:
    """Return points around the boundary of the unit ball {N <= 1}.

    If N* has a closed form they are the support points dualize(g) for directions g around the circle, which hit every
    vertex of a polygon; else u / N(u) for such u.
    """
    angles = 2 * np.pi * (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    try:
        points = dualize(norm, _item(norm, circle), backend=BACKEND)
    except NoClosedForm:
        radii: Points = 1 / np.asarray(value(norm, _item(norm, circle), backend=BACKEND))
        return circle * radii[:, None]
    return _flat(norm, points)


def _item(norm: Norm, x: Points) -> Points:
    """Return plane vectors as items of the norm: themselves, or diagonal matrices."""
    items: Points = x if norm.ndim == 1 else x[..., None] * np.eye(2)
    return items


def _flat(norm: Norm, items: Points) -> Points:
    if norm.ndim == 1:
        return items
    flat: Points = np.diagonal(items, axis1=-2, axis2=-1)
    if np.abs(items - _item(norm, flat)).max() > 1e-9 * np.abs(items).max():
        raise ShapeError(f"the dualize map of {norm} leaves the diagonal matrices; a picture needs a norm of 2 entries")
    return flat


def _figure(norm: Norm, balls: tuple[Points, Points], g: Points, t: Points, size: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 6.2))
    figure.subplots_adjust(left=0.05, right=0.99, top=0.94, bottom=0.19, wspace=0.12)
    primal, dual = figure.subplots(1, 2)
    where = "" if norm.ndim == 1 else " on diag(x, y)"
    reach = _reach(balls[0])
    side = 1.0 if t[0] * g[1] >= t[1] * g[0] else -1.0
    _ball(primal, balls[0], BALL, r"$\{\,x : N(x) \leq 1\,\}$", f"$N$ = {_short(norm)}{where}", reach)
    _line(primal, g, size, reach, r"supporting line $\langle g, x\rangle = N^*(g)$")
    _arrow(primal, 0.7 * reach * g / np.linalg.norm(g), GRADIENT, r"gradient $g$ (direction)", "$g$", side)
    _arrow(primal, t, "black", r"$t$ = dualize$(g)$", "$t$", -side)
    y = g / size
    reach = _reach(balls[1])
    _ball(dual, balls[1], DUAL, r"$\{\,y : N^*(y) \leq 1\,\}$", f"$N^*$ = {_short(norm.dual)}{where}", reach)
    _line(dual, t, 1.0, reach, r"supporting line $\langle t, y\rangle = 1$")
    _arrow(dual, y, GRADIENT, r"$g\,/\,N^*(g)$", "$g$")
    for axes in (primal, dual):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, frameon=False, fontsize=10)
        axes.locator_params(nbins=6)
    return figure


def _short(norm: Norm) -> str:
    text = str(norm)
    return text if len(text) <= 44 else text[:41] + "..."


def _reach(ball: Points) -> float:
    """Return half the width of a picture that a ball fills to four fifths."""
    return 1.25 * float(np.abs(ball).max())


def _ball(axes: Axes, ball: Points, colour: str, label: str, title: str, reach: float) -> None:
    axes.fill(*ball.T, facecolor=(colour, 0.18), edgecolor=colour, linewidth=2, joinstyle="round", label=label)
    axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_title(title, fontsize=12)


def _line(axes: Axes, normal: Points, offset: float, reach: float, label: str) -> None:
    """Draw {x : <normal, x> = offset} across the picture."""
    foot = normal * offset / (normal @ normal)
    along = np.array([-normal[1], normal[0]]) / np.linalg.norm(normal)
    ends = np.array([foot - 4 * reach * along, foot + 4 * reach * along])
    axes.plot(*ends.T, color=LINE, linestyle="--", linewidth=1.2, label=label)


def _arrow(axes: Axes, tip: Points, colour: str, label: str, name: str, side: float = 1.0) -> None:
    """Draw an arrow from the origin, its name beside it, to the left for side 1, to the right for -1."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (tip[0], tip[1]), (0.0, 0.0), arrowprops=style)
    normal = 11 * side * np.array([-tip[1], tip[0]]) / np.linalg.norm(tip)
    axes.annotate(
        name,
        (0.7 * tip[0], 0.7 * tip[1]),
        (normal[0], normal[1]),
        textcoords="offset points",
        color=colour,
        fontsize=13,
        horizontalalignment="center",
        verticalalignment="center",
    )
    axes.plot([], [], color=colour, linewidth=1.8, label=label)


def _undated(suffix: str) -> dict[str, None]:
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
