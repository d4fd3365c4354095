"""The figures of the study, each a function that returns what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from normkit.studies.kit.ink import inks

Draw = Callable[[Any], None]


def subsets(means: Mapping[str, Mapping[int, tuple[float, float, float]]], logs: Mapping[str, Any]) -> Draw:
    """log det over the size of subsets, a panel a kind, with the bounds by interlacing and a straight line."""

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(2, 2, sharex=True)
        for axes, (kind, each) in zip(panels.flat, means.items(), strict=True):
            sizes = np.array(list(each))
            mean, least, largest = (np.array([v[i] for v in each.values()]) for i in range(3))
            low, high = np.cumsum(logs[kind]), np.cumsum(logs[kind][::-1])
            axes.fill_between(sizes, low, high, color="0.88", label="interlacing", zorder=0)
            axes.errorbar(
                sizes, mean, (mean - least, largest - mean), capsize=2, label="mean, extremes", **next(inks())
            )
            axes.plot(sizes, sizes * mean[3] / 4, color="0.3", linestyle=":", label="from k = 4, linearly")
            axes.set(title=kind, ylim=(1.1 * min(least.min(), mean[-1]) - 0.5, 2.0))
        for axes in panels[1]:
            axes.set_xlabel("rows $k$")
        for axes in panels[:, 0]:
            axes.set_ylabel(r"$\log\,\det\,G_S$")
        panels[0, 0].legend(loc="lower left")

    return draw


def generations(paths: Mapping[str, tuple[Any, Any]], drift: float) -> Draw:
    """log det and trace over generations."""

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(1, 2)
        for axes, which, label in zip(panels, (0, 1), (r"$\log\,\det\,S_t$", r"$\mathrm{tr}\,S_t$"), strict=True):
            for ink, (name, pair) in zip(inks(), paths.items(), strict=False):
                values = pair[which]
                low, high = np.quantile(values, (0.1, 0.9), axis=1)
                axes.fill_between(range(len(values)), low, high, color=ink["color"], alpha=0.15, linewidth=0)
                axes.plot(values.mean(axis=1), label=name, markevery=6, **ink)
            axes.set(xlabel="generation $t$", ylabel=label)
        count = len(next(iter(paths.values()))[0])
        panels[0].plot(drift * np.arange(count), color="0.2", linestyle=":", linewidth=2.2, label="formula")
        panels[0].legend(loc="lower left")

    return draw
