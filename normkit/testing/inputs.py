"""Inputs on which laws are checked: generic ones, and those where formulas break (ties, zeros, low rank, scales)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.precision import eps_of

EXPONENTS = {"float16": (-14, 15), "bfloat16": (-126, 127), "float32": (-126, 127), "float64": (-1022, 1023)}
"""Exponents of the smallest normal and of the largest power of two of every dtype."""


@dataclass(frozen=True)
class Precision:
    """What a dtype can hold.

    Attributes
    ----------
    eps : float
        Spacing of 1.
    smallest, largest : int
        Exponents of the smallest subnormal and of the largest power of two.
    far : int
        An exponent k with g * 2^k and g * 2^-k normal for every g of moderate size: 300 for float64.
    """

    eps: float
    smallest: int
    largest: int
    far: int

    @classmethod
    def of(cls, dtype: np.dtype[Any]) -> Precision:
        """Return the precision of a float dtype, bfloat16 included."""
        low, high = EXPONENTS[dtype.name]
        eps = eps_of(dtype)
        return cls(eps, low + int(np.log2(eps)), high, min(300, high // 2))


def inputs(shape: tuple[int, ...], seed: int) -> dict[str, NDArray[np.float64]]:
    """Return named arrays of one shape, none of them zero: random, tied, sparse, low rank, integer, heavy-tailed."""
    draw = np.random.default_rng([seed, *shape])
    gaussian = draw.standard_normal(shape)
    signs = np.where(draw.random(shape) < 0.5, -1.0, 1.0)
    onehot = np.zeros(shape)
    onehot.flat[onehot.size // 2] = -3.0
    integers = draw.integers(-2, 3, shape).astype(np.float64)
    integers.flat[0] = 2.0
    heavy = draw.standard_t(1.2, shape) ** 3
    made = {
        "gaussian": gaussian,
        "gaussian 2": draw.standard_normal(shape),
        "heavy-tailed": 100.0 * heavy / np.max(np.abs(heavy)),
        "integers": integers,
        "one-hot": onehot,
        "constant": np.full(shape, 1.5),
        "signs": signs,
        "nearly tied": signs * (1 + 1e-9 * draw.standard_normal(shape)),
    }
    if len(shape) == 1:
        return made | {"half zero": np.where(np.arange(shape[0]) % 2 == 0, gaussian, 0.0)}
    columns = draw.standard_normal((*shape[:-1], 1))
    rows = draw.standard_normal((*shape[:-2], 1, shape[-1]))
    zero_rows = gaussian.copy()
    zero_rows[..., 1::2, :] = 0.0
    return made | {"rank 1": columns * rows, "zero rows": zero_rows}
