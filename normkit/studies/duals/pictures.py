"""The figures of the study, each a function that returns what draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import normkit as nk
from normkit.studies.kit.ink import inks

Draw = Callable[[Any], None]
GREY = {"color": "0.45", "linewidth": 0.9}


def balls(specs: Sequence[str], g: tuple[float, float]) -> Draw:
    """Unit balls with the points that dualize to, and the objective along each of these directions."""

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2)
        angle = np.linspace(0, 2 * np.pi, 721)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        lengths = np.linspace(0, 6, 200)
        for ink, spec in zip(inks(), specs, strict=False):
            line = ink | {"marker": None}
            ball = circle / np.asarray(nk.value(spec, circle))[:, None]
            best, dual = np.asarray(nk.dualize(spec, g)), float(nk.dual_value(spec, g))
            left.plot(ball[:, 0], ball[:, 1], **line)
            left.plot(*best, ink["marker"], color=ink["color"], markersize=8)
            right.plot(lengths, -lengths * dual + lengths**2 / 2, **line)
            right.plot(dual, -(dual**2) / 2, label=spec, **(ink | {"markersize": 8}))
        unit = np.array(g) / np.linalg.norm(g)
        left.annotate("", unit * 0.8, (0, 0), arrowprops={"arrowstyle": "->"})
        left.annotate("g", unit * 0.5, xytext=(-12, 2), textcoords="offset points")
        left.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", title="unit balls and D(g)", ylim=(-1.15, 1.15))
        right.axhline(0, **GREY)
        right.set(xlabel="length c of the step -c D(g)", ylabel=r"$\langle g,x\rangle+\frac{1}{2}N(x)^2$",
                  title=r"minimum $-N^*(g)^2/2$ at $c=N^*(g)$")  # fmt: skip
        right.legend(loc="upper left")

    return draw


def coupling(d: tuple[float, float], s: tuple[float, float]) -> Draw:
    """Contours of the objective in two lengths under the maximum and under an l2 sum, with the minima."""

    def draw(canvas: Any) -> None:
        first, second = np.meshgrid(np.linspace(0, 9, 200), np.linspace(0, 4.5, 200))
        linear = -d[0] * first - d[1] * second
        sizes = np.stack([s[0] * first, s[1] * second])
        eta = d[0] / s[0] + d[1] / s[1]
        lower = "$s_1c_1=s_2c_2$"
        for axes, title, value, place in zip(
            canvas.subplots(1, 2, sharey=True),
            ("maximum over the layers", "l2 sum over the layers"),
            (linear + np.max(sizes, axis=0) ** 2 / 2, linear + np.sum(sizes**2, axis=0) / 2),
            ((eta / s[0], eta / s[1]), (d[0] / s[0] ** 2, d[1] / s[1] ** 2)),
            strict=True,
        ):
            low = np.floor(value.min())
            levels = [low + 0.6, *(low + 1 + np.array([0.0, 1, 2, 4, 8, 12, 20]))]
            drawn = axes.contour(first, second, value, levels, colors="0.35", linewidths=0.9, linestyles="solid")
            axes.clabel(drawn, fmt="%g", fontsize=7.5)
            axes.plot([0, 9], [0, 9 * s[0] / s[1]], dashes=(6, 3), label=lower, **GREY)
            axes.plot(*place, "*", color="k", markersize=12, label=f"minimum, c = ({place[0]:g}, {place[1]:g})")
            axes.set(xlabel="$c_1$", title=title)
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        canvas.axes[0].set_ylabel("$c_2$")

    return draw
