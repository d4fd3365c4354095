"""The figures of the study: errors along runs, counts over condition numbers, and starts that do not commute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from normkit.studies.incontext.descent import excess
from normkit.studies.incontext.muon import COUNTS, Path
from normkit.studies.incontext.problem import KAPPAS, Spectrum
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure

UNIT = "error (largest entry of the minimizer is 1)"
Counts = Mapping[tuple[int, int], Any]


def all_of(
    alone: Mapping[tuple[int, int, float], Path], starts: Mapping[float, Path], slow: Counts, fast: Mapping[str, Counts]
) -> Iterator[Figure]:
    """Yield the figures."""
    yield Figure(
        "counts",
        "Left: errors of Muon from 0 for three ratios of its steps, N = 20; the lines of the four condition numbers "
        "coincide. Right: steps to 1e-6 of the error against the condition number; of Adam the best of the grid.",
        partial(_counts, alone=alone, slow=slow, fast=fast), size=(8.4, 3.8),
    )  # fmt: skip
    yield Figure(
        "starts",
        "Left: excess loss of gradient descent, N = 20. Right: errors of Muon with rho = 1/2 from Gaussian starts of "
        "five sizes at condition number 100, N = 20.",
        partial(_starts, starts=starts), size=(8.4, 3.8),
    )  # fmt: skip


def _counts(canvas: Any, alone: Mapping[tuple[int, int, float], Path], slow: Counts, fast: Mapping[str, Counts]) -> Any:
    left, right = canvas.subplots(1, 2)
    for ink, rho in zip(inks(markers=False), COUNTS, strict=False):
        for kappa in KAPPAS:
            label = rf"$\rho$ = {rho}" if kappa == 1 else None
            left.semilogy(alone[kappa, 20, rho].errors, label=label, **(ink | {"linewidth": 1.0}))
    left.axhline(1e-6, color="0.5", linewidth=0.8)
    left.set(xlabel="step", ylabel=UNIT, title="Muon from 0")
    left.legend()
    lines = {f"GD, N = {length}": [slow[kappa, length][1] for kappa in KAPPAS] for length in (20, 200)}
    lines |= {f"Adam, {name}": [each[kappa, 20] for kappa in KAPPAS] for name, each in fast.items()}
    lines |= {rf"Muon, $\rho$ = {rho}": [alone[kappa, 20, rho].count for kappa in KAPPAS] for rho in (0.9, 0.5)}
    for ink, (name, counts) in zip(inks(), lines.items(), strict=False):
        known = [(kappa, count) for kappa, count in zip(KAPPAS, counts, strict=True) if count]
        right.loglog(*zip(*known, strict=True), label=name, **ink)
    right.set(xlabel=r"condition number $\kappa$ of $\Lambda$", ylabel="steps", title="steps to an error of 1e-6")
    right.legend()


def _starts(canvas: Any, starts: Mapping[float, Path]) -> None:
    left, right = canvas.subplots(1, 2)
    for ink, kappa in zip(inks(markers=False), KAPPAS[1:], strict=False):  # with kappa = 1 it arrives in one step
        times = [0, *(round(10 ** (power / 8)) for power in range(60))]
        points = [(t, excess(Spectrum(kappa, 20), t)) for t in dict.fromkeys(times)]
        shown = [(max(t, 0.7), value) for t, value in points if value > 1e-8]
        left.loglog(*zip(*shown, strict=True), label=rf"$\kappa$ = {kappa}", **ink)
    left.axhline(1e-6, color="0.5", linewidth=0.8)
    left.set(xlabel="step (0 drawn at 0.7)", ylabel="excess loss (1 at the start)", title="gradient descent from 0")
    left.legend(loc="upper right")
    for ink, (size, path) in zip(inks(markers=False), starts.items(), strict=False):
        right.semilogy(path.errors[:60], label=f"{size:g}", **ink)
    right.axhline(1e-6, color="0.5", linewidth=0.8)
    right.set(xlabel="step", ylabel=UNIT, title=r"Muon, $\rho=1/2$, $\kappa=100$")
    right.legend(title="size of the start", loc="lower left", bbox_to_anchor=(0.0, 0.1))
