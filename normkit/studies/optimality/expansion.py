"""The first-order model of a loss, on which the whole problem rests: its error is of second order in the step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import normkit as nk
from normkit.studies.kit.claims import Claim, below, within
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure
from normkit.studies.kit.study import Run
from normkit.studies.optimality.candidates import SHAPES, Matrices

SAMPLES = 64
LENGTHS = np.geomspace(1e-4, 1.0, 13)
SMALL = LENGTHS <= 0.05
"""Where the slope is taken: beyond, higher orders are seen."""


def loss(W: Matrices, x: Matrices, label: NDArray[np.int64]) -> float:
    """Return the mean cross-entropy of softmax(Wx) at given labels."""
    z = x @ W.T
    return float(np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(z)), label]))


def gradient(W: Matrices, x: Matrices, label: NDArray[np.int64]) -> Matrices:
    """Return the gradient of `loss`."""
    p = np.exp(x @ W.T)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), label] -= 1.0
    return np.asarray(p.T @ x / len(x))


def parts(at: Run) -> Iterator[Claim | Figure]:
    """Yield the slope of the error of the model, and a figure."""
    errors, differences = {}, []
    for m, n in SHAPES:
        rng = at.rng("loss", m, n)
        W, x, label = rng.standard_normal((m, n)), rng.standard_normal((SAMPLES, n)), rng.integers(m, size=SAMPLES)
        G = gradient(W, x, label)
        numeric = [
            (loss(W + e, x, label) - loss(W - e, x, label)) / 2e-5 for e in 1e-5 * np.eye(m * n).reshape(-1, m, n)
        ]
        differences.append(float(np.max(np.abs(np.ravel(G) - numeric))))
        D = np.asarray(nk.lmo("rms->rms", G))
        start, slope = loss(W, x, label), float(np.sum(G * D))
        errors[m, n] = [abs(loss(W + t * D, x, label) - start - t * slope) for t in LENGTHS]
    slopes = [
        float(np.polyfit(np.log(LENGTHS[SMALL]), np.log(np.array(each)[SMALL]), 1)[0]) for each in errors.values()
    ]
    yield below("S10.gradient", "the gradient of a softmax regression is that of central differences", differences,
                1e-9, confidence="difference quotients")  # fmt: skip
    yield within("S10.taylor", "the error of the linear model grows with the square of the step: slopes", slopes, 2.0,
                 0.05, confidence="one loss, a shape; steps up to 0.05")  # fmt: skip
    yield Figure("taylor", "The error of the first-order model along Muon's direction, of a softmax regression.",
                 _drawing(errors))  # fmt: skip


def _drawing(errors: dict[tuple[int, int], list[float]]) -> Any:
    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for ink, ((m, n), each) in zip(inks(), errors.items(), strict=False):
            axes.loglog(LENGTHS, each, label=f"{m} x {n}", **ink)
        axes.loglog(LENGTHS, 0.1 * LENGTHS**2, color="0.5", linewidth=0.9, dashes=(6, 3), label=r"$0.1\,\eta^2$")
        axes.set(xlabel=r"step $\eta$ in the RMS operator norm",
                 ylabel=r"$|L(W+\Delta W)-L(W)-\langle G,\Delta W\rangle|$")  # fmt: skip
        axes.legend()

    return draw
