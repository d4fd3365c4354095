"""The figures of learning rates over width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from normkit.studies.kit.ink import inks
from normkit.studies.width.judging import ARRIVED, Judged
from normkit.studies.width.network import RATES, Floats


def curves(canvas: Any, losses: Mapping[tuple[str, int], Floats]) -> None:
    """Draw losses at the end by learning rate, a panel for every norm."""
    names = list(dict.fromkeys(name for name, _ in losses))
    panels = np.ravel(canvas.subplots(2, 2, sharex=True, sharey=True))
    for axes, norm in zip(panels, names, strict=True):
        for ink, width in zip(inks(markers=False), sorted({width for _, width in losses}), strict=False):
            mean = np.exp(np.mean(np.log(losses[norm, width]), axis=(0, 1)))
            axes.plot(RATES, mean, label=f"D = {width}", **ink)
        axes.axhline(ARRIVED, color="0.5", linewidth=0.8)
        axes.set(xscale="log", yscale="log", title=norm, ylim=(2e-6, 3))
    panels[0].legend(loc="lower right")
    canvas.supxlabel("learning rate", fontsize="medium")
    canvas.supylabel("squared error at the end, geometric mean over starts", fontsize="medium")


def places(canvas: Any, found: Mapping[tuple[str, int], Judged]) -> None:
    """Draw the best learning rate and the least that arrives by width."""
    left, right = canvas.subplots(1, 2, sharey=True)
    for place, (ink, norm) in enumerate(zip(inks(), dict.fromkeys(norm for norm, _ in found), strict=False)):
        widths = sorted(width for name, width in found if name == norm)
        middles = np.array([found[norm, width].middle for width in widths])
        spread = [np.quantile(found[norm, width].best, (0.0, 1.0)) for width in widths]
        ends = np.abs(2.0 ** np.array(spread).T - 2.0 ** middles[:, 0])
        aside = np.array(widths) * 1.05 ** (place - 1.5)  # ranges would hide each other
        left.errorbar(aside, 2.0 ** middles[:, 0], ends, capsize=2, label=norm, **ink)
        right.plot(widths, 2.0 ** middles[:, 1], label=norm, **ink)
    left.set(ylabel="learning rate", title="best: median and range of groups of five")
    right.set(title=f"least that ends below {ARRIVED:g}")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="width D")
        axes.set_xticks(widths, [f"{width}" for width in widths])
        axes.minorticks_off()
    right.legend()
