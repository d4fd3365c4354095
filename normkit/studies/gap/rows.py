"""S06: the closed form of the gap for two rows, by SymPy and against an SVD."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from normkit.studies.gap import pair
from normkit.studies.kit.claims import Claim, below, check, largest
from normkit.studies.kit.study import Run


def errors(rng: Generator, draws: int) -> dict[str, float]:
    """Return the largest differences between the closed forms and an SVD of the gap, over random a, b, rho.

    W = [[a, 0], [b rho, b s]] has these row norms and this cosine; its polar factor U V' is from its own SVD.
    """
    a, b = np.exp(rng.uniform(-2, 2, (2, draws)))
    rho = rng.uniform(-0.999, 0.999, draws)
    W = np.zeros((draws, 2, 2))
    W[:, 0, 0], W[:, 1, 0], W[:, 1, 1] = a, b * rho, b * np.sqrt(1 - rho**2)
    left, _, right = np.linalg.svd(W)
    sigma = np.linalg.svd(left @ right - W / np.stack([a, b], axis=1)[..., None], compute_uv=False)
    op, fro = pair.norms(a * b / (a + b) ** 2, rho**2)
    squared = (sigma**2).sum(axis=1)
    found = {
        "as printed": np.abs(pair.frobenius_squared(a, b, rho) - squared).max(),
        "without cancellation": largest(np.abs(op - sigma[:, 0]), np.abs(fro - np.sqrt(squared))),
    }
    return {name: float(value) for name, value in found.items()}


def parts(at: Run) -> Iterator[Claim]:
    """Yield the claims of the closed form."""
    (found,) = at.cells.map("pair", errors, [(at.pick(10_000, 100_000),)])
    yield below("S06.closed", "the closed forms for two rows agree with an SVD", list(found.values()), 1e-12,
                confidence="largest difference over random a, b, rho")  # fmt: skip
    steps = pair.derivation()
    yield check("S06.derivation", "the closed form follows from the square root of a 2 x 2 matrix",
                all(steps.values()), steps, confidence="SymPy")  # fmt: skip
