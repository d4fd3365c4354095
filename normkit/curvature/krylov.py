"""The ends of the spectrum of a symmetric operator, as good as a few products make them: starting points, no claims."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from normkit.curvature.space import Floats

ITERATIONS = 30
"""Most products."""


def ritz_vectors(apply: Callable[[Floats], Floats], size: int, draw: np.random.Generator) -> list[Floats]:
    """Return Ritz vectors of the largest and the smallest eigenvalue by Lanczos with full reorthogonalisation."""
    v = draw.standard_normal(size)
    basis, images = [v / np.linalg.norm(v)], []
    for _ in range(min(size, ITERATIONS)):
        image = apply(basis[-1])
        top = float(np.abs(image).max())
        images.append(image)
        if top == 0:
            break
        rest = image / top
        for _ in range(2):
            rest = rest - np.array(basis).T @ (np.array(basis) @ rest)
        length = float(np.linalg.norm(rest))
        if length <= 1e-10 * float(np.linalg.norm(image / top)):
            break
        basis.append(rest / length)
    V, W = np.array(basis[: len(images)]), np.array(images)
    top = float(np.abs(W).max())
    if top == 0:
        return []
    T = V @ (W / top).T
    _, vectors = np.linalg.eigh(T / 2 + T.T / 2)
    return [vectors[:, place] @ V for place in dict.fromkeys((len(V) - 1, 0))]
