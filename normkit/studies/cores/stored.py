"""Newton-Schulz in which every product is rounded once to a storage dtype: a model of fused kernels of half precision.

Products of rounded matrices are summed in float32 (in float64 for storage in float64), so that the only roundings that
count are those of the results, as in kernels that keep their sums in wide registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
WIDE = {"bfloat16": np.float32, "float16": np.float32, "float32": np.float32, "float64": np.float64}


def rounding(storage: str) -> Callable[[Array], Array]:
    """Return the map to the nearest numbers of a storage dtype, kept in the dtype that sums.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.cores.stored import rounding
    >>> rounding("bfloat16")(np.array([1.001, 1.006])), rounding("float16")(np.array([1.0004]))
    (array([1.       , 1.0078125], dtype=float32), array([1.], dtype=float32))
    """
    wide = WIDE[storage]
    if storage == "bfloat16":
        return _to_bfloat16
    return _to_float16 if storage == "float16" else lambda x: x.astype(wide)


def _to_float16(x: Array) -> Array:
    with np.errstate(over="ignore"):  # to infinity, as the dtype has it
        return x.astype(np.float16).astype(np.float32)


def _to_bfloat16(x: Array) -> Array:
    """Round the upper half of the bits of float32, ties to even; NaN and infinities stay what they are."""
    y = np.ascontiguousarray(x, np.float32)
    bits = y.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(y), rounded.view(np.float32), y)


def iterate(X: Array, rows: Sequence[Sequence[float]], storage: str, restarts: Sequence[int] | None = None) -> Array:
    """Take steps X <- (a I + b R + c R^2) X, R = X X', of wide matrices X (..., m, n), every product rounded.

    Parameters
    ----------
    X : array (..., m, n), m <= n
        With singular values up to 1.
    rows : sequence of (a, b, c)
        The steps.
    storage : str
        float64, float32, float16 or bfloat16.
    restarts : sequence of int, optional
        With it the Gram form: R follows its steps on the short side, R <- (a I + Z) R (a I + Z), Z = b R + c R^2, while
        Q gathers the factors a I + Z; before these steps, counted from 0, X <- Q X is formed and R anew. Without it the
        standard form, which forms R of every X.

    Returns
    -------
    array (..., m, n)
        In the dtype that sums.
    """
    store = rounding(storage)
    X = store(X.astype(WIDE[storage]))
    ends = range(len(rows) + 1) if restarts is None else sorted({0, *restarts, len(rows)})
    with np.errstate(all="ignore"):
        for first, end in pairwise(ends):
            X = _segment(X, rows[first:end], store)
    return X


def _segment(X: Array, rows: Sequence[Sequence[float]], store: Callable[[Array], Array]) -> Array:
    """Steps on the short side between two restarts; one alone keeps a X out of the rounded matrix: X <- a X + Z X."""
    eye = np.eye(X.shape[-2], dtype=X.dtype)
    R, Q = store(X @ X.mT), None
    for place, (a, b, c) in enumerate(rows):
        a, b, c = (X.dtype.type(each) for each in (a, b, c))
        Z = store(b * R + c * (R @ R))
        if len(rows) == 1:
            return store(a * X + Z @ X)
        Q = store(Z + a * eye) if Q is None else store(Q @ Z + a * Q)
        if place + 1 < len(rows):
            P = store(R @ Z + a * R)
            R = store(Z @ P + a * P)
    return store(Q @ X)
