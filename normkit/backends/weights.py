"""Weights by rank as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from normkit.backends.scalar import function
from normkit.codegen.plan import Scalar, WeightsPlan
from normkit.errors import ShapeError

PIECE = 1 << 14
"""Weights that are worked out at a time."""


def weights(plan: WeightsPlan, n: int) -> NDArray[np.float64]:
    """Return w_1..w_n as float64.

    Raises
    ------
    ShapeError
        If explicit weights have another length.
    """
    total = np.zeros(n)
    for factor, sequence in plan.terms:
        if not isinstance(sequence, Scalar) and len(sequence) != n:
            raise ShapeError(f"the norm has {len(sequence)} weights and the vector {n} entries; give one per entry")
        multiple = function(factor)(1.0, float(n))
        for start in range(0, n, PIECE):  # so that no second array of this length is made
            piece = total[start : start + PIECE]
            if isinstance(sequence, Scalar):
                ranks = np.arange(start + 1.0, start + len(piece) + 1.0)
                piece += multiple * function(sequence)(ranks, 1.0, float(n))
            else:
                piece += multiple * np.frombuffer(sequence.data)[start : start + PIECE]
    if plan.minimum is None:
        return total
    lower = np.minimum(np.cumsum(total), np.cumsum(weights(plan.minimum, n)))
    return np.diff(lower, prepend=0.0)
