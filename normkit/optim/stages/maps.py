"""The dualize map of a norm as a stage, so that other stages can come after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.arrays import Array, Dualized, batch
from normkit.descent import dual_value, dualize_with_value
from normkit.lengths import times as multiplied
from normkit.optim.momentum import share
from normkit.optim.stage import At, Room, Slots, Stage, combine, wide
from normkit.programs import program

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True)
class Dualize(Stage):
    r"""t = dualize_N(U): the maximiser of <U, t> over N(t) <= 1; or N'*(U) t, N' another norm.

    With N' = N, it is the sharp step of N. Alone it is a norm's steepest descent; what comes before and after decides
    whether the pipeline is. Leading axes beyond those of the norm are a stack, item by item. dualize(0) = 0, and ties
    are those of `normkit.dualize`.

    Parameters
    ----------
    norm : Norm or str
        N.
    length : Norm or str, optional
        N'.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Dualize, HeavyBall, Pipeline, SteepestDescent
    >>> post = Pipeline(Dualize("spectral"), HeavyBall(0.5), name="momentum after the map")
    >>> opt = SteepestDescent(post, lr=1.0)
    >>> W = {"w": np.zeros((2, 2))}
    >>> for G in (np.diag([5.0, -3.0]), np.diag([5.0, 3.0])):
    ...     W = opt.step(W, {"w": G})
    >>> W["w"].round(9).tolist()
    [[-2.5, 0.0], [0.0, 0.5]]
    """

    norm: Norm | str
    length: Norm | str | None = None

    def __post_init__(self) -> None:
        from normkit.norm import as_norm

        object.__setattr__(self, "norm", as_norm(self.norm))
        if self.length is not None:
            object.__setattr__(self, "length", as_norm(self.length))

    def check(self, at: At) -> None:
        """Raise `ShapeError` if the norm does not take the array."""
        for norm in (self.norm,) if self.length is None else (self.norm, self.length):
            made = program(norm)
            batch(at.weights, made.shape, made.spec, f"the array {at.name!r}")

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return t, or N'*(U) t."""
        made = dualize_with_value(self.norm, u, accuracy=at.accuracy)
        if self.length is None:
            whole: Array = made.array
            return whole
        return along(made, made.dual_norm if self.length == self.norm else dual_value(self.length, u), made.array)


def along(made: Dualized, lengths: Any, t: Array) -> Array:
    """Return arrays in the shape of a map times the lengths of its items."""
    ones = (1,) * (made.items.items.ndim - 1)
    return multiplied(t, np.broadcast_to(lengths, made.items.leading).reshape(made.items.leading + ones), t)


@dataclass(frozen=True)
class Sign(Stage):
    """sign(U), entry by entry, sign(0) = 0: the dualize map of the largest entry, for arrays of any shape.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Pipeline, Sign, SteepestDescent
    >>> SteepestDescent(Pipeline(Sign()), lr=0.5).step({"b": np.zeros(3)}, {"b": np.array([3.0, 0.0, -1.0])})
    {'b': array([-0.5,  0. ,  0.5])}
    """

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return the signs."""
        made: Array = np.sign(u)
        return made


@dataclass(frozen=True)
class PolarFirst(Dualize):
    """M <- beta M + (1 - beta) t, t = dualize_N(U); N*(U) M: an average of maps, as long as the present dual norm.

    The polar-first momentum of PolarGrad (Lau, Long, Su 2025, arXiv:2505.21799). M is no dualize map of anything, so no
    norm's steepest descent is left; momentum first is the `Sharp` step of an `EMA`.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Pipeline, PolarFirst, SteepestDescent
    >>> opt = SteepestDescent(Pipeline(PolarFirst("spectral", beta=0.5)), lr=1.0)
    >>> opt.step({"w": np.zeros((2, 2))}, {"w": np.diag([3.0, -1.0])})["w"].round(9).tolist()
    [[-2.0, 0.0], [0.0, 2.0]]
    """

    norm: Norm | str = "spectral"
    length: None = None
    beta: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        share(self.beta, "beta")

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return that of M."""
        return {"momentum": (shape, wide(dtype))}

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Average the map in, and return the average times the dual norm."""
        made = dualize_with_value(self.norm, u, accuracy=at.accuracy)
        kept = slots.zeros("momentum", u)
        combine(kept, self.beta, kept, 1.0 - self.beta, made.array)
        return along(made, made.dual_norm, kept.copy())
