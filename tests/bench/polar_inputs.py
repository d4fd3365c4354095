"""Inputs of the polar benchmark: Gaussian matrices, and singular values spaced evenly in the logarithm; by seed."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Input:
    """A matrix or a batch; `condition` 0 is Gaussian, otherwise singular values run from 1 down to 1/condition."""

    shape: tuple[int, ...]
    condition: float = 0.0
    dtype: str = "float32"

    def __str__(self):
        *batch, m, n = self.shape
        size = "".join(f"{count}x" for count in batch) + (f"({m}x{n})" if batch else f"{m}x{n}")
        return f"{size} {f'log {self.condition:.0e}' if self.condition else 'Gaussian'}".replace("e+0", "e")

    @property
    def square(self):
        return self.shape[-1] == self.shape[-2]

    def build(self):
        random = np.random.default_rng([*self.shape, round(self.condition)])
        if not self.condition:
            return random.standard_normal(self.shape).astype(self.dtype)
        *batch, m, n = self.shape
        k = min(m, n)
        U = np.linalg.qr(random.standard_normal((*batch, m, k)))[0]
        V = np.linalg.qr(random.standard_normal((*batch, n, k)))[0]
        s = np.geomspace(1.0, 1 / self.condition, k)
        return ((U * s) @ np.swapaxes(V, -2, -1)).astype(self.dtype)


class Store:
    """Input files in a folder, each beside its polar factor by a float64 SVD of what was stored."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def path(self, name):
        path = self.folder / f"{name} {name.dtype}.npy"
        if not path.exists():
            np.save(path, name.build())
        return path

    def factor(self, name):
        path = self.folder / f"{name} {name.dtype} factor.npy"
        if not path.exists():
            U, _, Vt = np.linalg.svd(np.load(self.path(name)).astype(np.float64), full_matrices=False)
            np.save(path, U @ Vt)
        return path


def distances(T, factor):
    """‖T − UVᵀ‖_F / ‖UVᵀ‖_F of the whole array, and of the worst item of a batch; no BLAS, whose threads would wake."""
    squares = ((T.astype(np.float64) - factor) ** 2).sum(axis=(-2, -1))
    norms = (factor**2).sum(axis=(-2, -1))
    return math.sqrt(squares.sum() / norms.sum()), math.sqrt((squares / norms).max())
