"""Second moments: directions divided by the root of an average of their squares, entry by entry or row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from normkit.arrays import Array
from normkit.errors import ParameterError
from normkit.lengths import positive
from normkit.optim.momentum import share
from normkit.optim.stage import At, Room, Slots, Stage, chunks, wide


@dataclass(frozen=True)
class Adam(Stage):
    r"""M / (1 - beta1^t) over sqrt(V / (1 - beta2^t)) + eps, M and V averages of U and of U^2, entry by entry.

    Adam (Kingma and Ba 2015, arXiv:1412.6980, Algorithm 1); with a `Decoupled` decay AdamW (Loshchilov and Hutter
    2019, arXiv:1711.05101). With averages it is no norm's steepest descent: V weighs the entries by what was, so the
    metric changes in time. Without (both betas 0, eps 0) it is the sign. Where V is 0 the direction is 0/eps = 0.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Adam, Pipeline, SteepestDescent
    >>> opt = SteepestDescent(Pipeline(Adam(0.9, 0.99), name="Adam"), lr=0.1)
    >>> W = opt.step({"b": np.zeros(2)}, {"b": np.array([4.0, -0.5])})
    >>> W["b"].round(6).tolist()
    [-0.1, 0.1]
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        share(self.beta1, "beta1")
        share(self.beta2, "beta2")
        positive(self.eps, "eps")

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return those of M and V."""
        return {"mean": (shape, wide(dtype)), "square": (shape, wide(dtype))}

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Average in, and divide."""
        mean, square = slots.zeros("mean", u), slots.zeros("square", u)
        made = u if at.spare and u.dtype == mean.dtype else np.empty_like(mean)
        first, second = 1.0 - self.beta1**at.step, math.sqrt(1.0 - self.beta2**at.step)
        for into, m, v, of in chunks(made, mean, square, u):
            of = of.astype(mean.dtype, copy=False)
            m *= self.beta1
            m += (1.0 - self.beta1) * of
            v *= self.beta2
            v += (1.0 - self.beta2) * np.square(of)
            np.sqrt(v, out=into)
            into /= second
            into += self.eps
            np.divide(m, into, out=into)
            into /= first
        return made


@dataclass(frozen=True)
class SecondMoment(Stage):
    r"""U / (sqrt(V) + eps), V <- beta V + (1 - beta) U^2; for ``over="rows"`` V averages the mean of U^2 of each row.

    After `Dualize` of the spectral norm it is what NorMuon (rows, arXiv:2510.05491) and AdaMuon (entries,
    arXiv:2507.11005) do, which by that are no norm's steepest descent. Rows run along the last axis.

    Parameters
    ----------
    beta, eps : float
        As above.
    over : {"entries", "rows"}
        What has a second moment of its own.
    debias : bool
        Divide V by 1 - beta^t.
    keep_length : bool
        Scale the result to the Frobenius norm of U.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Dualize, Pipeline, SecondMoment, SteepestDescent
    >>> opt = SteepestDescent(Pipeline(Dualize("fro"), SecondMoment(0.5, over="rows", keep_length=True)), lr=1.0)
    >>> opt.step({"w": np.zeros((2, 2))}, {"w": np.array([[30.0, 0.0], [0.0, 0.1]])})["w"].round(4).tolist()
    [[-0.7071, 0.0], [0.0, -0.7071]]
    """

    beta: float = 0.95
    eps: float = 1e-8
    over: Literal["entries", "rows"] = "entries"
    debias: bool = False
    keep_length: bool = False

    def __post_init__(self) -> None:
        share(self.beta, "beta")
        positive(self.eps, "eps")
        if self.over not in ("entries", "rows"):
            raise ParameterError(f"over must be 'entries' or 'rows'; got {self.over!r}")

    def check(self, at: At) -> None:
        """Raise `ParameterError` for rows of an array that has no axis."""
        if self.over == "rows" and at.weights.ndim == 0:
            raise ParameterError(f"{at.name!r} has no axis, so it has no rows; use over='entries'")

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return that of V."""
        return {"square": (shape[:-1] if self.over == "rows" else shape, wide(dtype))}

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Average the squares in, and divide by their root."""
        u = u.astype(wide(u.dtype), copy=False)
        squares = np.square(u)
        if self.over == "rows":
            squares = np.asarray(squares.mean(axis=-1, dtype=np.float64).astype(u.dtype))
        kept = slots.zeros("square", squares)
        kept *= self.beta
        kept += (1.0 - self.beta) * squares
        root = np.sqrt(kept)
        if self.debias:
            root /= math.sqrt(1.0 - self.beta**at.step)
        made: Array = u / ((root[..., None] if self.over == "rows" else root) + u.dtype.type(self.eps))
        return made * u.dtype.type(_ratio(u, made)) if self.keep_length else made


def length(u: Array) -> float:
    """Return the Frobenius norm, summed in float64."""
    return math.sqrt(float(np.sum(np.square(u, dtype=np.float64))))


def _ratio(before: Array, after: Array) -> float:
    return length(before) / found if (found := length(after)) else 0.0
