"""Lists of coefficients that go wrong: turned signs, cycling, a basin that rounding leaves, lifted noise (S45)."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.polar.schedule import Schedule, polar_schedule
from normkit.studies.cores.halves import gaussian
from normkit.studies.cores.stored import Array, iterate
from normkit.studies.kit.claims import check, refuted, within
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Run

PAIRINGS = {
    ("speedrun5", 5): 0.997,
    ("speedrun5", 6): 0.126,
    ("speedrun5", 7): 0.482,
    ("speedrun5", 10): 0.995,
    ("aol4-a", 5): -0.569,
    ("muon5", 5): 0.848,
}
"""<Y, G> / |G|_* of lists, cycled past their end, from G / |G|_F of a Gaussian 64 x 128 matrix."""
ROOM, MATRICES = 0.02, 20
TURNED = -0.9935
DRAWN = {"muon5": 5, "cubic5": 5, "aol4-a": 4, "speedrun5": 6, "pe8": 8}
NOISY = ("muon5", "speedrun5", "pe8", "ds10")
SHAPE = (128, 256)


def listed(name: str, steps: int | None = None, safety: float | None = None) -> Schedule:
    """Return a published list, checks waived; past its end it is cycled where its last step may not repeat."""
    return polar_schedule(name, steps=steps, safety=safety, allow_unsafe=True)


def turned(at: Run, made: Outcome) -> None:
    """A list whose first polynomial is negative at 1 turns an orthogonal matrix into its negative."""
    Q = np.linalg.qr(at.rng("orthogonal").standard_normal((8, 8)))[0]
    Y = iterate(Q, listed("aol4-a").coefficients, "float64")
    factor = float(np.sum(Q * Y)) / 8
    left = float(np.max(np.abs(Y - factor * Q)))
    made.add(
        within("S45.turned", "aol4-a takes an orthogonal 8 x 8 matrix Q to a multiple of Q", [factor, left],
               [TURNED, 0.0], [1e-4, 1e-12], confidence="exact"),
        refuted("S45.descent", "after a list that is in use the update is a descent direction", factor < 0, factor,
                confidence="exact"),
    )  # fmt: skip


def cycled(at: Run, made: Outcome) -> None:
    """Pairings of lists with their own number of steps, and past it."""
    rng = at.rng("pairings")
    sigma = np.linalg.svd([gaussian(rng, 64, 128) for _ in range(MATRICES)], compute_uv=False)
    total = np.sum(sigma, axis=-1)
    found = {key: float(np.mean(np.sum(listed(*key)(sigma) * sigma, axis=-1) / total)) for key in PAIRINGS}
    made.add(
        Table("pairings", "Pairing with the gradient over its nuclear norm", ("list", "steps", "pairing", "expected"),
              [[*key, found[key], want] for key, want in PAIRINGS.items()]),
        within("S45.pairings", "pairings of lists at and past their length", list(found.values()),
               list(PAIRINGS.values()), ROOM, confidence=f"means of {MATRICES} matrices, expected of one"),
        refuted("S45.more", "more steps of a list are more exact", found["speedrun5", 6] < found["speedrun5", 5],
                [found["speedrun5", count] for count in (5, 6, 7, 10)], confidence=f"means of {MATRICES} matrices"),
    )  # fmt: skip


def noise(at: Run, made: Outcome) -> None:
    """Rank one in bfloat16: a basin that rounding leaves, and rounding noise that becomes directions."""
    draws = at.pick(20, 60)
    rng = at.rng("rank one")
    X = rng.standard_normal((draws, SHAPE[0], 1)) * rng.standard_normal((draws, 1, SHAPE[1]))
    X /= np.linalg.norm(X, axis=(-2, -1), keepdims=True)
    rows = listed("cans5").coefficients
    tops = {storage: _singular_values(iterate(X, rows, storage))[:, 0] for storage in ("bfloat16", "float32")}
    blown = int(np.sum(tops["bfloat16"] > 1.5))
    made.add(
        check("S45.basin", "cans5 on matrices of rank one: some blow up in bfloat16, none passes 1.01 in float32",
              blown > draws // 10 and bool(np.max(tops["float32"]) <= 1.01),
              {"above 1.5 in bfloat16": f"{blown} of {draws}", "largest": float(np.max(tops["bfloat16"])),
               "largest in float32": float(np.max(tops["float32"]))}, confidence=f"{draws} draws"),
    )  # fmt: skip
    counts = {name: {storage: _directions(X[:5], name, storage) for storage in tops} for name in NOISY}
    half, single = ({name: counts[name][storage] for name in NOISY} for storage in tops)
    made.add(
        Table("noise", "Singular values above 0.3 after lists of steps, rank one", ("list", "bfloat16", "float32"),
              [[name, half[name], single[name]] for name in NOISY], note="medians of five draws, of 128"),
        check("S45.noise", "in bfloat16 pe8 and ds10 make many directions of one, in float32 none does",
              half["pe8"] > 20 and half["ds10"] > 100 and set(single.values()) == {1.0}, half,
              {"pe8": "> 20", "ds10": "> 100", "float32": 1}, confidence="5 draws"),
        Figure("composites", "What lists do to singular values, in exact arithmetic; past 5 steps speedrun5 is cycled.",
               _draw),
    )  # fmt: skip


def _singular_values(Y: Array) -> Array:
    """Singular values of wide matrices, decreasing; below 1e-7 of the largest they are noise."""
    Y = Y.astype(np.float64)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(Y @ Y.mT)[..., ::-1], 0.0))


def _directions(X: Array, name: str, storage: str) -> float:
    Y = iterate(X, listed(name, safety=1.01 if name == "pe8" else None).coefficients, storage)
    return float(np.median(np.sum(_singular_values(Y) > 0.3, axis=-1)))


def _draw(canvas: Any) -> None:
    axes, sigma = canvas.subplots(), np.geomspace(1e-4, 1.0, 2000)
    for (name, steps), ink in zip(DRAWN.items(), inks(markers=False), strict=False):
        safety = 1.01 if name == "pe8" else None
        axes.semilogx(
            sigma, listed(name, steps, safety)(sigma), label=f"{name}, {steps} steps", **(ink | {"linewidth": 1.2})
        )
    axes.axhline(1.0, color="0.5", linewidth=0.8)
    axes.set(xlabel=r"singular value $\sigma$ of $X_0$", ylabel=r"composite $p(\sigma)$", ylim=(-1.3, 1.5))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.05))
