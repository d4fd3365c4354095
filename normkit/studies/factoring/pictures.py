"""The figures of the study, each a function that returns what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from normkit.studies.factoring.problems import Matrix
from normkit.studies.kit.ink import inks

Draw = Callable[[Any], None]
Path = Mapping[str, Any]
GREY = {"color": "0.55", "linewidth": 0.9, "zorder": 0}


def residuals(found: Mapping[tuple[str, float, int], Sequence[Path]], down: Mapping[int, Path]) -> Draw:
    """The relative residual against t: Muon by decay for two kappas, gradient descent by kappa."""

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2, sharey=True)
        ratios = sorted({ratio for _, ratio, _ in found})
        for ink, (ratio, kappa) in zip(inks(markers=False), [(r, k) for k in (10, 1000) for r in ratios], strict=False):
            path = found["orthogonal", ratio, kappa][0]
            left.plot(path["t"], path["rel"], label=rf"decay {ratio}, $\kappa$ = {kappa}", **ink)
        for ink, (kappa, path) in zip(inks(markers=False), down.items(), strict=False):
            right.plot(np.array(path["t"]) + 1, path["rel"], label=rf"$\kappa$ = {kappa}", **ink)
        left.set(yscale="log", ylim=(3e-7, 2), xlabel="step $t$", ylabel=r"$\|XX^\top-M\|_F\,/\,\|M\|_F$",
                 title="Muon, orthogonal start")  # fmt: skip
        right.set(xscale="log", xlabel="step $t+1$", title="gradient descent, learning rate 1/2")
        for axes in (left, right):
            axes.axhline(1e-6, **GREY)
            axes.legend(loc="best")

    return draw


def modes(muon: Path, down: Path, spectrum: Matrix) -> Draw:
    """Some modes against t: the scalar recursions as lines, the matrix as marks, where they go in grey."""

    def draw(canvas: Any) -> None:
        left, right = canvas.subplots(1, 2, sharey=True)
        for axes, path, shift in ((left, muon, 0), (right, down, 1)):
            times = np.arange(len(path["seen"])) + shift
            marks = np.unique(np.geomspace(1, len(times), 28).round().astype(int) - 1) if shift else times
            for ink, seen, alone, value in zip(
                inks(), np.transpose(path["seen"]), np.transpose(path["alone"]), spectrum, strict=False
            ):
                marker = {"marker": ink.pop("marker"), "color": ink["color"], "markersize": 4, "linestyle": "none"}
                ink.pop("markersize")
                axes.plot(times, alone, label=rf"$\lambda$ = {value:.2g}", **ink)
                axes.plot(times[marks], seen[marks], mfc="none", **marker)
                axes.axhline(value**0.5, **GREY)
        left.set(xlabel="step $t$", ylabel=r"mode $x_i$ of $X$", title="Muon, decay 0.7")
        right.set(xscale="log", xlabel="step $t+1$", title="gradient descent, learning rate 1/2")
        left.legend(loc="center right", bbox_to_anchor=(1, 0.72), title=r"grey: $\sqrt{\lambda}$")

    return draw


def conserved(times: Sequence[int], medians: Mapping[tuple[str, str], Matrix]) -> Draw:
    """Overlaps against t, one panel a method."""
    names = {"roots": r"$(P^\top P)^{1/2}-(Q^\top Q)^{1/2}$", "squares": r"$P^\top P-Q^\top Q$"}

    def draw(canvas: Any) -> None:
        for axes, method in zip(canvas.subplots(1, 2), ("Muon", "gradient descent"), strict=True):
            for ink, name in zip(inks(markers=False), names, strict=False):
                axes.plot(times, medians[method, name], label=names[name], **ink)
            axes.axhline(1.0, **GREY)
            axes.set(xlabel="step $t$", title=method, ylim=(0, None))
            axes.legend(loc="best")
        canvas.axes[0].set_ylabel("overlap with the matrix at $t$ = 80")

    return draw


def starts(
    found: Mapping[tuple[float, int, int], Sequence[Path]], ratios: Sequence[float], kappas: Sequence[int]
) -> Draw:
    """Where runs end, a panel for either orientation, decays beside each other."""

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, side, name in zip(panels, (1, -1), ("same orientation as $M$", "other orientation"), strict=True):
            for ink, kappa in zip(inks(), kappas, strict=False):
                points = [(place + 0.16 * (kappas.index(kappa) - 1.5), max(each["end"], 1e-6))
                          for place, ratio in enumerate(ratios) for each in found[ratio, kappa, side]]  # fmt: skip
                dots = ink | {"linestyle": "none", "markersize": 4.5, "mfc": "none"}
                axes.plot(*zip(*points, strict=True), label=rf"$\kappa$ = {kappa}", **dots)
            axes.set_xticks(range(len(ratios)), [str(ratio) for ratio in ratios])
            axes.axhline(1e-6, **GREY)
            axes.set(yscale="log", xlabel="decay ratio of the learning rate", title=name)
        panels[0].set_ylabel("residual at the end, or $10^{-6}$ (grey)")
        panels[0].legend(loc="lower left", bbox_to_anchor=(0, 0.08))

    return draw


def kappa(kappas: Sequence[int], counts: Mapping[str, Sequence[float]]) -> Draw:
    """Counts against the condition number; runs that do not arrive are missing."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for ink, (name, row) in zip(inks(), counts.items(), strict=False):
            line = np.where(np.isfinite(row), row, np.nan)
            if np.isfinite(line).any():
                axes.plot(kappas, line, label=name, **ink)
        axes.set(xscale="log", yscale="log", xlabel=r"condition number $\kappa$ of $M$", ylabel="steps $T$")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return draw


def halvings(found: Mapping[str, Sequence[Sequence[float]]], expected: Mapping[int, float]) -> Draw:
    """Squared residuals against t, by start, and a factor of 4 a step."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for ink, (start, runs) in zip(inks(markers=False), found.items(), strict=False):
            for place, run in enumerate(runs):
                axes.plot(run, label=None if place else f"{start} (draws)", **(ink | {"linewidth": 1.1}))
        axes.plot(*zip(*expected.items(), strict=True), "o", mfc="none", mec="0.2", ms=7, label="expected")
        times = np.arange(4, 17)
        axes.plot(times, 0.4 * 4.0 ** (4 - times), dashes=(1, 2), label=r"$4^{-t}$", **GREY)
        axes.set(yscale="log", xlabel="step $t$", ylabel=r"$\|W_2W_1-M\|_F^2\,/\,\|M\|_F^2$")
        axes.legend(loc="lower left")

    return draw


def staircase(muon: Path, down: Path, modes: Sequence[int]) -> Draw:
    """Singular values against t for both methods."""

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, path, name in zip(panels, (muon, down), ("Muon", "gradient descent"), strict=True):
            for ink, k, values in zip(inks(markers=False), modes, np.transpose(path["sigma"]), strict=False):
                axes.plot(path["t"], values, label=f"k = {k}", **ink)
                axes.axhline((10 / k) ** 0.5, **GREY)
            axes.set(xlabel="step $t$", title=name)
        panels[0].set(ylabel=r"singular value $\sigma_k(W_2)$", ylim=(-0.1, 4.1))
        panels[0].legend(loc="upper left", ncols=2)

    return draw
