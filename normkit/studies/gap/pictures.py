"""The figures of the study, each a function that returns what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from normkit.studies.gap import pair
from normkit.studies.gap.reference import COLUMNS, NORMS, ROWS, SAMPLES, known
from normkit.studies.kit.ink import inks

Draw = Callable[[Any], None]
NAMES = {"op": r"$\|\Delta\|_{op}$", "F": r"$\|\Delta\|_F$"}
GREY = {"color": "0.45", "linewidth": 0.9}


def gap(means: Mapping[tuple[int, int], Mapping[str, Any]]) -> Draw:
    """Mean norms against n, log-log, one panel a norm."""

    def draw(canvas: Any) -> None:
        for axes, norm in zip(canvas.subplots(1, 2, sharey=True), NORMS, strict=True):
            for ink, m in zip(inks(), sorted({m for m, _ in means}), strict=False):
                columns = sorted(n for each, n in means if each == m)
                axes.plot(columns, [means[m, n][norm] for n in columns], label=f"m = {m}", **ink)
                shared = [n for n in columns if (m, n, norm) in known()]
                axes.plot(shared, [known()[m, n, norm].source for n in shared], "o", mfc="none", mec="0.2", ms=9)
            ends = np.array(sorted({n for _, n in means}), dtype=float)[[0, -1]]
            axes.plot(ends, 1 / np.sqrt(ends), dashes=(6, 3), label=r"$1/\sqrt{n}$", **GREY)
            axes.plot([], [], "o", mfc="none", mec="0.2", ms=9, label="source")
            axes.set(xscale="log", yscale="log", xlabel="columns $n$", title=f"mean {NAMES[norm]}")
        canvas.axes[0].set_ylabel("mean norm of the gap")
        canvas.axes[0].legend(loc="lower left")

    return draw


def source() -> Draw:
    """How far the source's means are from the long run's, in standard errors, and what rounding alone does."""

    def draw(canvas: Any) -> None:
        for axes, norm in zip(canvas.subplots(1, 2, sharey=True), NORMS, strict=True):
            for ink, m in zip(inks(), ROWS, strict=False):
                values = [known()[m, n, norm] for n in COLUMNS]
                z = [(v.source - v.mean) / (v.sd / SAMPLES**0.5) for v in values]
                rounding = [0.0005 / (v.sd / SAMPLES**0.5) for v in values]
                places = np.arange(len(COLUMNS)) + 0.17 * (ROWS.index(m) - 1.5)
                axes.errorbar(places, z, rounding, label=f"m = {m}", **(ink | {"linestyle": "none", "linewidth": 0.9}))
            axes.axhline(0.0, **GREY)
            axes.set_xticks(range(len(COLUMNS)), [f"{n:,}" for n in COLUMNS], rotation=45)
            axes.set(xlabel="columns $n$", title=f"mean {NAMES[norm]}; bars: rounding to 0.001")
        canvas.axes[0].set_ylabel("source less long run\n(standard errors of 500 samples)")
        canvas.axes[1].legend(loc="lower left")

    return draw


def constants(limits: Mapping[int, tuple[float, float]]) -> Draw:
    """sqrt(n) times the long run's means, and their limits."""

    def draw(canvas: Any) -> None:
        for place, (axes, norm) in enumerate(zip(canvas.subplots(1, 2, sharey=True), NORMS, strict=True)):
            for ink, (m, limit) in zip(inks(), limits.items(), strict=False):
                scaled = [known()[m, n, norm].mean * n**0.5 for n in COLUMNS]
                axes.plot(COLUMNS, scaled, label=f"m = {m}", **(ink | {"linestyle": "none"}))
                axes.axhline(limit[place], **(ink | {"marker": "", "linewidth": 1.0}))
            axes.set(xscale="log", yscale="log", xlabel="columns $n$", title=rf"$\sqrt{{n}}$ mean {NAMES[norm]}")
            axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
            axes.minorticks_off()
        canvas.axes[0].set_ylabel(r"$\sqrt{n}\,\times$ mean norm; lines: limits")
        canvas.axes[0].legend(loc="upper left", ncols=4, columnspacing=0.8, handletextpad=0.2)
        canvas.axes[0].set_ylim(0.7, 14)

    return draw


def tails() -> Draw:
    """The exact tail of two rows for some n, its limit, and n^-2."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        c = np.linspace(0.0, 4.0, 81)
        for ink, n in zip(inks(markers=False), (100, 1_000, 10_000), strict=False):
            axes.plot(c, [pair.tail(n, each) for each in c], label=f"n = {n:,}", **ink)
            axes.axhline(float(n) ** -2, **(ink | {"linewidth": 0.9, "alpha": 0.7}))
            axes.annotate(rf"$n^{{-2}}$ for n = {n:,}", (0.03, float(n) ** -2 * 1.25), fontsize=8)
        axes.plot(c, 2 * stats.norm.sf(2 * c), color="0.3", linewidth=0.9, marker="x", markevery=8, ms=4,
                  label=r"limit $2\Phi(-2c)$")  # fmt: skip
        axes.set(yscale="log", xlabel="c", ylabel=r"$P(\sqrt{n}\,\|\Delta\|_{op} > c)$, two rows", ylim=(1e-15, 3))
        axes.legend(loc="upper right")

    return draw


def aspect(
    columns: Sequence[int], found: Sequence[Sequence[float]], rows: int, limits: Callable[[float], tuple[float, float]]
) -> Draw:
    """Both norms against m/n, and their limits."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        g = np.linspace(0.005, 1.0, 100)
        names = (r"$\|\Delta\|_F/\sqrt{m}$", r"$\|\Delta\|_{op}$")
        lines = np.array([limits(each) for each in g])
        for place, (ink, name) in enumerate(zip(inks(), names, strict=False)):
            axes.plot(g, lines[:, place], **(ink | {"marker": ""}))
            axes.plot([rows / n for n in columns], [each[place] for each in found], label=f"{name}, measured",
                      **(ink | {"linestyle": "none", "markersize": 6}))  # fmt: skip
        axes.set(xlabel="aspect ratio $m/n$", ylabel="norm of the gap; lines: limits", xlim=(0, 1.03), ylim=(0, 1.08))
        axes.legend(loc="upper left")

    return draw


def dominance(found: Mapping[tuple[int, int], Mapping[str, float]]) -> Draw:
    """Mean dominance of noise against n, with its range in one matrix."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        n = np.array([50.0, 1400.0])
        axes.plot(n, np.sqrt(np.pi * n / 2), label=r"$\sqrt{\pi n/2}$", **GREY)
        for ink, ((m, columns), r) in zip(inks(), found.items(), strict=False):
            place = columns * (1.06 if m == columns else 1.0)
            bars = [[r["mean"] - r["least"]], [r["largest"] - r["mean"]]]
            axes.errorbar([place], [r["mean"]], bars, label=f"{m} x {columns}", capsize=3,
                          **(ink | {"linestyle": "none", "markersize": 6}))  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="columns $n$", ylabel="$r$: mean, and range in one matrix")
        axes.set_xticks([64, 256, 1024], ["64", "256", "1024"])
        axes.set_yticks([5, 10, 20, 40, 80], ["5", "10", "20", "40", "80"])
        axes.minorticks_off()
        axes.legend(loc="upper left")

    return draw


def cost(ratios: Mapping[int, float]) -> Draw:
    """The measured ratio against m."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot(list(ratios), list(ratios.values()), label="measured, one thread, float32", **next(inks()))
        axes.set(xscale="log", yscale="log", xlabel="rows and columns $m$", ylabel="five quintic steps / rows (time)")
        axes.set_xticks(list(ratios), [str(m) for m in ratios])
        axes.minorticks_off()
        axes.legend(loc="upper left")

    return draw
