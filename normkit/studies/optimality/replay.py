"""The source's contradiction argument, replayed: whoever is better than the optimum is out of the ball, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import normkit as nk
from normkit.studies.kit.claims import Claim, below, check, within
from normkit.studies.kit.ink import COLOURS
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run
from normkit.studies.optimality.candidates import RADIUS, SHAPES, Matrices, anywhere, inside
from normkit.studies.optimality.problem import bound, posed

STEPS = ("some B_ii beyond eta sqrt(m/n)", "column i of B as long as B_ii", "norm beyond eta")
MARGIN = 1e-12
"""Better by less is rounding."""
DRAWN = 500
"""Points of the figure of each kind and shape; the last of `inside` are in the open ball."""


def replayed(G: Matrices, best: Matrices, A: Matrices) -> tuple[int, list[int]]:
    """Return how many candidates are better than the optimum, and for how many of these each step fails."""
    m, n = G.shape
    value = -np.einsum("bij,ij->b", A, G)
    A = A[value > -np.sum(G * best) * (1 + MARGIN)]
    U, _, right = np.linalg.svd(G)
    B = -U.T @ A @ right.T
    diagonal = np.einsum("bii->bi", B[:, : min(m, n), : min(m, n)])
    i = np.argmax(diagonal, axis=1)
    entry = np.take_along_axis(diagonal, i[:, None], axis=1)[:, 0]
    column = np.take_along_axis(B, i[:, None, None], axis=2)[:, :, 0]
    failed = (
        entry <= bound(m, n),
        np.sqrt(np.sum(column**2, axis=1)) < entry,
        nk.value("rms->rms", A) <= RADIUS,
    )
    return len(A), [int(np.sum(each)) for each in failed]


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the replay, the short proof by duality, and a figure of both."""
    rows: list[list[Any]] = []
    points, ratios, tight = {}, [], []
    for m, n in SHAPES:
        rng = at.rng("replay", m, n)
        G, best = posed(at, m, n)
        A = anywhere(rng, at.pick(5_000, 100_000), best)
        better, failed = replayed(G, best, A)
        rows.append([f"{m} x {n}", len(A), better, *failed])
        X = np.concatenate([A, inside(rng, len(A), m, n, bound(m, n))])
        share = np.column_stack([nk.value("rms->rms", X) / RADIUS, np.einsum("bij,ij->b", X, G) / np.sum(G * best)])
        points[m, n] = np.concatenate([share[:DRAWN], share[-DRAWN:]])
        ratios.append(float(np.max(share[:, 1] / share[:, 0])))
        tight.append(float(-np.sum(G * best) / (nk.dual_value("rms->rms", G) * RADIUS)))
    yield Table("replay", "Candidates with a better value, and for how many of them a step of the argument fails",
                ("shape", "candidates", "better", *STEPS), rows)  # fmt: skip
    yield check("S10.replay", "whoever is better has some B_ii > eta sqrt(m/n), hence a norm beyond eta",
                all(row[2] > 0 and not any(row[3:]) for row in rows),
                {row[0]: f"{sum(row[3:])} failures of {row[2]}" for row in rows}, "0 failures",
                confidence="random candidates")  # fmt: skip
    yield below("S10.duality", "the short proof: <-G, A> / (N*(G) N(A)) is at most 1", ratios, 1 + 1e-14,
                confidence="random A")  # fmt: skip
    yield within("S10.equality", "with equality at the optimum", tight, 1.0, 1e-14, confidence="exact")
    yield Figure("replay", "Candidates of three shapes: better than the optimum (above 1) only out of the ball (right "
                 "of 1), and never above the line of duality.", _drawing(points), (7.0, 4.6))  # fmt: skip


def _drawing(points: dict[tuple[int, int], Matrices]) -> Any:
    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for colour, mark, ((m, n), each) in zip(COLOURS, "o^s", points.items(), strict=False):
            axes.plot(each[:, 0], each[:, 1], mark, color=colour, ms=2.5, mew=0.4, mfc="none", label=f"{m} x {n}")
        axes.plot([0, 2], [0, 2], color="0.2", linewidth=1.2, label="$N^*(G)N(X)$, the bound of duality")
        axes.fill_between([0, 1], 1, 2, color="0.85", zorder=0)
        axes.annotate("feasible and better:\nempty", (0.07, 1.25))
        axes.axvline(1.0, color="0.5", linewidth=0.8, linestyle="--")
        axes.axhline(1.0, color="0.5", linewidth=0.8, linestyle="--")
        axes.plot([1], [1], "*", color="k", ms=11, label="the optimum")
        axes.set(xlim=(0, 2), ylim=(-0.9, 1.6), xlabel=r"norm $\|X\|_{RMS}\,/\,\eta$",
                 ylabel=r"value $\langle -G,X\rangle\,/\,(\eta\sqrt{m/n}\,\|G\|_{nuc})$")  # fmt: skip
        axes.legend(loc="lower right", frameon=True, framealpha=1.0)

    return draw
