"""NumPy arrays as the polar core takes matrices: by address. Half precision that NumPy does not know is uint16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.driver import HOST


@dataclass(frozen=True)
class HostView:
    owner: NDArray[Any]
    dtype: str
    device: int = HOST
    stream: int = 0

    @property
    def address(self) -> int:
        return int(self.owner.ctypes.data)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.owner.shape

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(step // self.owner.itemsize for step in self.owner.strides)


def view(array: NDArray[Any]) -> HostView:
    return HostView(array, "bfloat16" if array.dtype == np.uint16 else array.dtype.name)


def spectrum(m: int, kind: str) -> NDArray[np.float64]:
    """Singular values, by the names of the numerics table of docs/cuda.md."""
    k = np.arange(1, m + 1)
    return {
        "flat": np.ones(m),
        "1/k": 1.0 / k,
        "decay to 1e-2": 10.0 ** (-2 * (k - 1) / max(m - 1, 1)),
        "decay to 1e-4": 10.0 ** (-4 * (k - 1) / max(m - 1, 1)),
        "half zero": 1.0 * (k <= (m + 1) // 2),
        "rank 1 + 1e-2": np.where(k == 1, 1.0, 1e-2),
    }[kind]


def matrix(rng: np.random.Generator, shape: tuple[int, ...], kind: str = "gaussian") -> NDArray[np.float64]:
    """Return matrices with a spectrum, of Frobenius norm 1."""
    G = rng.standard_normal(shape)
    if kind != "gaussian":
        U, s, Vt = np.linalg.svd(G, full_matrices=False)
        G = (U * spectrum(s.shape[-1], kind)) @ Vt
    return G / np.linalg.norm(G, axis=(-2, -1), keepdims=True)
