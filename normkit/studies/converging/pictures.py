"""The figures of the study, each a function that returns what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from normkit.studies.kit.ink import COLOURS, MARKERS, inks

Draw = Callable[[Any], None]
GREY = {"color": "0.45", "linewidth": 0.9, "zorder": 0}


def steps(found: Mapping[str, Any]) -> Draw:
    """Ratios of the two decreases against the nuclear rank over L*/L, by Hessian."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for colour, marker, (name, each) in zip(COLOURS, MARKERS, found.items(), strict=False):
            axes.plot(each[:, 0], each[:, 1] / each[:, 2], marker, ms=4, mfc="none", color=colour, label=f"H: {name}")
        axes.axhline(1.0, **GREY)
        for place in (1.0, 2.0):
            axes.axvline(place, linestyle=":", **GREY)
        axes.set(xscale="log", yscale="log", xlabel=r"nuclear rank of G over $L_*/L$",
                 ylabel="decrease, spectral over Euclidean")  # fmt: skip
        axes.legend(loc="upper left")

    return draw


def gaps(found: Mapping[str, Sequence[float]]) -> Draw:
    """f - f* by step."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for ink, (name, path) in zip(inks(), found.items(), strict=False):
            axes.plot(path, label=name, markevery=max(1, len(path) // 12), **ink)
        axes.set(yscale="log", xlabel="step $t$", ylabel=r"$f - f_*$", ylim=(1e-14, None))
        canvas.legend(loc="outside right upper")

    return draw


def rates(lengths: Sequence[int], whole: Mapping[str, Sequence[float]], half: Mapping[str, Sequence[float]]) -> Draw:
    """Averages against the length of the run: over all of it, and over its second half."""

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(1, 2, sharex=True)
        for axes, values, title in zip(panels, (whole, half), ("mean over the run", "mean over its second half"),
                                       strict=True):  # fmt: skip
            for ink, (name, path) in zip(inks(), values.items(), strict=False):
                axes.plot(lengths, path, label=name, **ink)
            axes.set(xscale="log", yscale="log", xlabel="length of the run $T$", title=title)
        for power, dashes in ((1 / 4, (6, 3)), (1 / 3, (2, 2))):
            ends = [lengths[0], lengths[-1]]
            top = 1.15 * max(values[0] for values in whole.values())
            label = rf"$T^{{-1/{round(1 / power)}}}$"
            panels[0].plot(ends, [top, top * (ends[0] / ends[1]) ** power], dashes=dashes, label=label, **GREY)
        panels[0].set_ylabel(r"$\Vert HW_t\Vert_{nuc}$")
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)

    return draw
