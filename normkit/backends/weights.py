"""Weights by rank as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from normkit.backends.scalar import function
from normkit.codegen.plan import Scalar, WeightsPlan
from normkit.errors import ShapeError


def weights(plan: WeightsPlan, n: int) -> NDArray[np.float64]:
    """Return w_1..w_n as float64.

    Raises
    ------
    ShapeError
        If explicit weights have another length.
    """
    ranks, total = np.arange(1.0, n + 1.0), np.zeros(n)
    for factor, sequence in plan.terms:
        if isinstance(sequence, Scalar):
            values = np.broadcast_to(function(sequence)(ranks, 1.0, float(n)), (n,))
        else:
            values = np.frombuffer(sequence.data)
        if len(values) != n:
            raise ShapeError(f"the norm has {len(values)} weights and the vector {n} entries; give one per entry")
        total = total + function(factor)(1.0, float(n)) * values
    if plan.minimum is None:
        return total
    lower = np.minimum(np.cumsum(total), np.cumsum(weights(plan.minimum, n)))
    return np.diff(lower, prepend=0.0)
