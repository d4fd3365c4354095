"""Products to try kernels on: operands with NaN in all padding, a poisoned result, and the answer in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.backends.cuda.kernels import symgemm_wgmma
from normkit.backends.cuda.kernels.interface import DeviceKernel
from normkit.testing import simt

ROUNDING = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-20}
"""Relative error of rounding an entry, at most; of float32 that of its sums. Many entries together have half of it."""


def bits(values: Any, dtype: str) -> Any:
    return values.astype(np.float32) if dtype == "float32" else simt.to_bits(values, dtype)


def floats(words: Any, dtype: str) -> Any:
    return words.astype(float) if dtype == "float32" else simt.to_float(words, dtype).astype(float)


def padded(values: Any, leading: int, dtype: str) -> Any:
    """Rows of `leading` elements, NaN behind the values."""
    out = np.full((*values.shape[:-1], leading), np.nan, np.float32)
    out[..., : values.shape[-1]] = values
    return bits(out, dtype)


def address(array: Any) -> int:
    return int(array.ctypes.data)


@dataclass
class Product:
    """C = alpha A B^T + beta D + gamma I, of which the lower triangle counts, if symmetric; else alpha A B + beta D.

    `other` gives a symmetric kernel a B that is not A, so that the two triangles of A B^T differ.
    """

    kernel: DeviceKernel
    rows: int
    inner: int
    batch: int = 1
    alpha: float = 1.0
    beta: float = 0.0
    gamma: float = 0.0
    dtype: str = "bfloat16"
    columns: int = 0
    in_place: bool = False
    blocks: int = 0
    other: bool = False
    boxes: Callable[..., Any] = symgemm_wgmma.boxes

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.rows + self.inner)
        size = 4 if self.dtype == "float32" else 2
        symmetric = self.kernel.symmetric
        self.columns = self.rows if symmetric else self.columns or self.rows
        self.ld_in, self.ld_b, self.ld_out = (
            self.kernel.leading(n, size) + extra
            for n, extra in ((self.inner, 0), (self.columns, 8), (self.columns, 8 * (self.rows % 2)))
        )
        scale = self.inner ** (-0.25 if symmetric else -0.5)  # entries of the product are then about 1
        self.a = padded(rng.standard_normal((self.batch, self.rows, self.inner)) * scale, self.ld_in, self.dtype)
        if not symmetric:
            self.b = padded(rng.standard_normal((self.batch, self.inner, self.columns)), self.ld_b, self.dtype)
        elif self.other:
            self.b = padded(rng.standard_normal((self.batch, self.rows, self.inner)) * scale, self.ld_in, self.dtype)
        else:
            self.b = self.a
        d = rng.standard_normal((self.batch, self.rows, self.columns))
        self.d = padded(d + d.swapaxes(1, 2) if symmetric else d, self.ld_out, self.dtype)
        if self.beta == 0:
            self.d[...] = bits(np.array(np.nan), self.dtype)
        self.before = self.d.copy()
        self.c = self.d if self.in_place else padded(np.zeros((self.batch, self.rows, 0)), self.ld_out, self.dtype)

    def arguments(self, a: Any = None, b: Any = None) -> tuple[Any, ...]:
        sizes = {"rows": self.rows, "inner": self.inner, "ld_out": self.ld_out}
        if self.kernel.symmetric:
            sizes |= {"ld_in": self.ld_in, "batch": self.batch, "gamma": self.gamma}
        else:
            sizes |= {"columns": self.columns, "ld_a": self.ld_in, "ld_b": self.ld_b}
        return self.kernel.arguments(
            a=address(self.a if a is None else a),
            b=address(self.b if b is None else b),
            d=address(self.d),
            c=address(self.c),
            alpha=self.alpha,
            beta=self.beta,
            **sizes,
        )

    def emulate(self, function: Any = None, **options: Any) -> dict[str, int]:
        """Run the kernel in the emulator, over `blocks` blocks if it is persistent."""
        memory = [self.a, self.b, self.d, self.c]
        if self.kernel.maps:
            maps = np.zeros(16, np.uint64), np.zeros(16, np.uint64)
            told = zip(maps, (self.a, self.b), self.boxes(*self._sizes()), strict=True)
            options |= {"maps": {address(m): simt.TensorMap.encoded(source, *box) for m, source, box in told}}
            arguments = self.arguments(*maps)
        else:
            arguments = self.arguments()
        grid = self.kernel.grid(self.rows, self.columns, self.batch, self.blocks or 132)
        return simt.launch(
            function or self.kernel.build(self.dtype),
            grid,
            self.kernel.threads,
            arguments,
            memory,
            shared_bytes=self.kernel.shared_bytes,
            **options,
        )

    def _sizes(self) -> tuple[Any, ...]:
        return self.kernel, self.rows, self.inner, self.ld_in, self.batch

    def result(self) -> Any:
        return floats(self.c[..., : self.columns], self.dtype)

    def error(self) -> float:
        """Relative distance to the product in float64."""
        a = floats(self.a[..., : self.inner], self.dtype)
        b = floats(self.b[..., : self.inner if self.kernel.symmetric else self.columns], self.dtype)
        exact = self.alpha * a @ (b.swapaxes(1, 2) if self.kernel.symmetric else b)
        if self.beta:
            exact += self.beta * floats(self.before[..., : self.columns], self.dtype)
        if self.gamma:
            exact += self.gamma * np.eye(self.rows)
        if self.kernel.symmetric:
            exact = np.tril(exact) + np.tril(exact, -1).swapaxes(1, 2)
        return float(np.linalg.norm(self.result() - exact) / np.linalg.norm(exact))

    def asymmetry(self) -> float:
        c = self.result()
        return float(np.abs(c - c.swapaxes(1, 2)).max()) if self.kernel.symmetric else 0.0

    def right(self) -> bool:
        few = self.rows * self.columns < 100
        return self.error() < ROUNDING[self.dtype] * (1.0 if few else 0.5) and self.asymmetry() == 0
