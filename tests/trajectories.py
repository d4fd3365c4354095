"""Runs of optimizers on the same gradients, for tests that compare them."""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]
SHAPES: dict[str, tuple[int, ...]] = {"tall": (7, 4), "wide": (4, 7)}
STEPS = 20


def draw(shapes: Any = SHAPES, seed: int = 0, dtype: Any = np.float32, scale: float = 1.0) -> Arrays:
    """Return normal arrays."""
    rng = np.random.default_rng(seed)
    return {name: (scale * rng.standard_normal(shape)).astype(dtype) for name, shape in shapes.items()}


def gradients(shapes: Any = SHAPES, steps: int = STEPS, dtype: Any = np.float32, seed: int = 1) -> list[Arrays]:
    """Return the gradients of a run, of sizes that change from step to step."""
    return [draw(shapes, seed * 1000 + step, dtype, 1.0 + step % 3) for step in range(steps)]


def run(opt: Any, weights: Arrays, grads: list[Arrays], **besides: Any) -> Arrays:
    """Return the weights after a step for each of the gradients."""
    for g in grads:
        weights = opt.step(weights, g, **besides)
    return weights


def distance(a: Arrays, b: Arrays) -> float:
    """Return the largest distance of two arrays of one name, relative in the Frobenius norm."""
    assert a.keys() == b.keys()
    far = [np.linalg.norm(np.float64(a[k]) - np.float64(b[k])) / np.linalg.norm(np.float64(b[k])) for k in a]
    return float(max(far))


def msign(G: Any) -> np.ndarray[Any, Any]:
    """Return the orthogonal polar factor by an SVD in float64, without directions of rounding alone."""
    left, s, right = np.linalg.svd(np.asarray(G, np.float64), full_matrices=False)
    factor: np.ndarray[Any, Any] = (left * (s > 1e-6 * s[0])) @ right
    return factor
