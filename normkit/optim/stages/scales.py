"""Directions scaled to a size: of the whole array, or of its rows and columns in turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from normkit.arrays import Array
from normkit.errors import ParameterError, ShapeError
from normkit.lengths import positive
from normkit.optim.stage import At, Slots, Stage, wide
from normkit.optim.stages.moments import length


@dataclass(frozen=True)
class MatchRMS(Stage):
    """U times rms / sqrt(mean of U^2), over all entries of the array; 0 stays 0.

    The step of AdamW has a root mean square of about 0.2 (arXiv:2502.16982), so learning rates carry over. The length
    is that of no dual norm: a direction's steepest descent is lost but for LMO steps of full rank under ``spectral``.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import MatchRMS, Pipeline, SteepestDescent
    >>> SteepestDescent(Pipeline(MatchRMS(0.2)), lr=1.0).step({"b": np.zeros(2)}, {"b": np.array([7.0, -1.0])})
    {'b': array([-0.28,  0.04])}
    """

    rms: float = 0.2

    def __post_init__(self) -> None:
        positive(self.rms, "rms")

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return the direction at its new size."""
        size = length(u)
        factor = self.rms * math.sqrt(u.size) / size if size else 0.0
        made: Array = np.multiply(u, factor, dtype=wide(u.dtype))
        return made


@dataclass(frozen=True)
class Standardize(Stage):
    """Every row less its mean, over its standard deviation; constant rows become 0. SWAN's first map.

    SWAN (Ma, Gong, Scetbon, Meeds 2024, arXiv:2412.13148) orthogonalizes what comes out. Taking means away is linear,
    dividing is not, and no norm has the two as its map.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Pipeline, Standardize, SteepestDescent
    >>> opt = SteepestDescent(Pipeline(Standardize()), lr=1.0)
    >>> opt.step({"w": np.zeros((2, 2))}, {"w": np.array([[1.0, 3.0], [5.0, 5.0]])})["w"].tolist()
    [[1.0, -1.0], [0.0, 0.0]]
    """

    def check(self, at: At) -> None:
        """Raise `ShapeError` for an array without rows."""
        if at.weights.ndim == 0:
            raise ShapeError(f"{at.name!r} has no axis, so it has no rows to standardize")

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return the standardized rows."""
        rows = u.astype(np.float64)
        rows -= rows.mean(axis=-1, keepdims=True)
        sizes = np.sqrt(np.square(rows).mean(axis=-1, keepdims=True))
        return _divided(rows, sizes).astype(wide(u.dtype))


@dataclass(frozen=True)
class Sinkhorn(Stage):
    """Rows to Euclidean length sqrt(n), then columns to sqrt(m), `steps` times; zero rows and columns stay.

    SinkGD (Scetbon, Ma, Gong, Meeds 2025, arXiv:2502.06742). Its fixed points have all rows and all columns of these
    lengths; each half step is the map of one norm, their composition of none.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Pipeline, Sinkhorn, SteepestDescent
    >>> opt = SteepestDescent(Pipeline(Sinkhorn(20)), lr=1.0)
    >>> opt.step({"w": np.zeros((2, 2))}, {"w": -np.array([[1.0, 2.0], [3.0, 4.0]])})["w"].round(4).tolist()
    [[0.8944, 1.0954], [1.0954, 0.8944]]
    """

    steps: int = 5

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise ParameterError(f"steps is a whole number from 1 on; got {self.steps!r}")

    def check(self, at: At) -> None:
        """Raise `ShapeError` for an array without columns."""
        if at.weights.ndim < 2:
            raise ShapeError(f"Sinkhorn scales rows and columns; {at.name!r} has shape {at.weights.shape}")

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return the direction with its rows and columns scaled."""
        made = u.astype(np.float64)
        for _ in range(self.steps):
            for axis in (-1, -2):
                sizes = np.linalg.norm(made, axis=axis, keepdims=True) / math.sqrt(u.shape[axis])
                made = _divided(made, sizes)
        return made.astype(wide(u.dtype))


def _divided(u: Array, sizes: Array) -> Array:
    return np.divide(u, sizes, out=np.zeros_like(u), where=sizes > 0)
