"""The figures of the study: losses and factors on the quadratic, and the same of the heat equation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from normkit.studies.energies.follow import Track
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure

Tracks = Mapping[str, tuple[list[float], Track]]


def all_of(quadratic: Tracks, heat: Tracks, runs: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    """Yield the figures."""
    yield Figure(
        "quadratic",
        "The quadratic, six modes: losses, and factors over the root of the loss. In A all six are one line.",
        partial(_factors, found=quadratic), size=(9.4, 3.6),
    )  # fmt: skip
    yield Figure(
        "heat",
        "The 16 x 17 matrix of the network for the heat equation, lr 0.003: losses, and factors over the root of the "
        "loss. Where a factor of B jumps up, rounding made the root of its relaxation complex.",
        partial(_factors, found=heat), size=(9.4, 3.6),
    )  # fmt: skip
    yield Figure("fits", "The heat equation, first start, every method at its best learning rate.",
                 partial(_fits, runs=[each for each in runs if each["best"]]))  # fmt: skip


def _factors(canvas: Any, found: Tracks) -> None:
    axes = canvas.subplots(1, 3)
    for ink, (name, (losses, _)) in zip(inks(markers=False), found.items(), strict=False):
        axes[0].semilogy(losses, label=f"SpecMuon {name}", **ink)
    axes[0].set(xlabel="step", ylabel="loss", title="losses")
    axes[0].legend()
    for pane, (name, (_, track)) in zip(axes[1:], found.items(), strict=True):
        shares = np.maximum(track.after / track.level[:, None], 1e-10)
        for place, ink in zip(range(shares.shape[1]), inks(markers=False), strict=False):
            pane.semilogy(shares[:, place], label=f"{place + 1}", **(ink | {"linewidth": 1.1}))
        pane.set(xlabel="step", ylabel=r"$r_j/\sqrt{f}$", title=f"factors of SpecMuon {name}", ylim=(1e-14, 1e2))
        pane.legend(title="mode", ncols=2, loc="lower left")


def _fits(canvas: Any, runs: Sequence[Mapping[str, Any]]) -> None:
    axes = canvas.subplots()
    for ink, each in zip(inks(markers=False), runs, strict=False):
        axes.semilogy(each["losses"], label=f"{each['method']}, lr {each['lr']:g}", **(ink | {"linewidth": 1.2}))
    axes.set(xlabel="step", ylabel="loss of the heat equation")
    axes.legend()
