"""What restarts cost in accuracy, by the type of the workspace: the table of docs/cuda.md.

Run: python tests/cuda/numerics.py    (seconds; NumPy carries the plans out, float32 sums and one rounding a result)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from host_arrays import matrix, view

import normkit as nk
from normkit.backends.cuda.polar import polar
from normkit.polar.schedule import Schedule

SHAPES = ((48, 192), (96, 96))
KINDS = ("gaussian", "flat", "1/k", "decay to 1e-2", "decay to 1e-4", "half zero", "rank 1 + 1e-2")
PLANS = {
    "float16": ((1, 1, 1, 1, 1), (3, 2), (2, 3), (2, 2, 1), (5,)),
    "bfloat16": ((1, 1, 1, 1, 1), (2, 2, 1), (3, 2), (2, 3), (5,)),
    "float32": ((1,) * 9, (3, 2, 2, 2), (3, 6), (9,)),
}
"""The standard iteration first, then the default, then what was not chosen."""


class Measured(NamedTuple):
    """Of one input: the error relative to the polynomial of the singular values, and the largest singular value."""

    error: float
    top: float


def schedule(storage: str) -> Schedule:
    if storage == "float32":
        return nk.polar_schedule(steps=9, lower=1e-4, dtype="float32")
    return nk.polar_schedule("pe8", steps=5, safety=1.05, dtype=storage)


def inputs() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for kind in KINDS:
            yield matrix(rng, shape, kind).astype(np.float32)


def measured(storage: str, segments: tuple[int, ...]) -> list[Measured]:
    steps, found = schedule(storage), []
    for G in inputs():
        T = np.full(G.shape, np.nan, np.float32)
        polar(view(G), view(T), schedule=steps, storage=storage, segments=segments)
        U, s, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
        exact = (U * steps(s / np.linalg.norm(G))) @ Vt
        finite = bool(np.isfinite(T).all())
        top = float(np.linalg.norm(T, 2)) if finite else np.inf
        found.append(Measured(float(np.linalg.norm(T - exact) / np.linalg.norm(exact)) if finite else np.inf, top))
    return found


def table(storage: str) -> dict[tuple[int, ...], tuple[float, float]]:
    """For each plan the largest error over that of the standard iteration on the same input, and singular value."""
    runs = {segments: measured(storage, segments) for segments in PLANS[storage]}
    standard, rows = runs[PLANS[storage][0]], {}
    for segments, found in runs.items():
        ratio = max(one.error / base.error for one, base in zip(found, standard, strict=True))
        rows[segments] = (ratio, max(one.top for one in found))
    return rows


if __name__ == "__main__":
    print("| storage | segments | worst error / standard | largest singular value |\n|---|---|---|---|")
    for storage in PLANS:
        for segments, (ratio, top) in table(storage).items():
            print(f"| {storage} | {list(segments)} | {ratio:.2g} | {top:.4g} |", flush=True)
