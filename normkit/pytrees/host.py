"""The maps on the CPU of this machine, between two pieces of a JAX program: one callback for all leaves.

Nothing is raised there, where JAX would turn it into an error without a name: what the NumPy optimizer refuses, a NaN,
an infinity or a step that overflows, makes all results NaN, as other transformations of optax have it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import jax
import numpy as np

from normkit import blockwise
from normkit.arrays import Array
from normkit.codegen.plan import Product
from normkit.conventions import Convention
from normkit.errors import NonFiniteError
from normkit.norm import Norm
from normkit.optim.decay import Decay
from normkit.points import project

_TURN = Lock()
"""XLA may run two callbacks at once, and each wants all cores."""
Work = Callable[..., tuple[Array, ...]]


def call(work: Work, like: tuple[Any, ...], *operands: Any) -> tuple[Any, ...]:
    """Return what work makes of `like` and operands, as arrays like these; `work` is hashable, so that JAX knows it."""
    shapes = jax.eval_shape(lambda given: given, like)
    made: tuple[Any, ...] = jax.pure_callback(Quiet(work), shapes, like, *operands, vmap_method="sequential")
    return made


@dataclass(frozen=True)
class Quiet:
    """Work on NumPy arrays, one at a time in this process, whose refusals are NaN."""

    work: Work

    def __call__(self, like: Any, *operands: Any) -> tuple[Array, ...]:
        """Return the results, in the dtypes of `like`."""
        given, *others = jax.tree_util.tree_map(np.asarray, (like, *operands))
        with _TURN:
            try:
                made = self.work(given, *others)
            except NonFiniteError:
                return tuple(np.full(x.shape, np.nan, x.dtype) for x in given)
        return tuple(x.astype(like.dtype, copy=False) for x, like in zip(made, given, strict=True))


@dataclass(frozen=True)
class Steps:
    """lr lengths_l / s_l t_l for directions, in the order of names; without a convention c_l / s_l t_l, the maximiser.

    The learning rate is a number here, and so is an accuracy that came as an array. With `decay`, what it adds besides.
    """

    product: Product
    names: tuple[str, ...]
    accuracy: float | None
    convention: Convention | None = None
    decay: Decay | None = None

    def __call__(self, given: tuple[Array, ...], lr: Any, accuracy: Any, weights: Any) -> tuple[Array, ...]:
        """Return the steps."""
        number = float(lr)
        enough = self.accuracy if accuracy is None else float(accuracy)
        directions = dict(zip(self.names, given, strict=True))
        made, _ = blockwise.run(self.product, directions, lambda of: self.lengths(of) * number, accuracy=enough)
        if self.decay is not None:
            for name, w in zip(self.names, weights, strict=True):
                extra = self.decay.extra(w, number)
                made[name] = made[name] if extra is None else made[name] + extra
        return tuple(made[name] for name in self.names)

    def lengths(self, of: blockwise.Measured) -> Any:
        """Return the lengths of the blocks by the convention, or their shares."""
        return of.shares if self.convention is None else self.convention.lengths(of, self.product.names)


@dataclass(frozen=True)
class Projection:
    """The points of the ball N <= radius that are nearest to named arrays in the norm itself."""

    norm: Norm
    names: tuple[str, ...]
    radius: float

    def __call__(self, given: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the points."""
        made = project(self.norm, dict(zip(self.names, given, strict=True)), radius=self.radius)
        return tuple(made[name] for name in self.names)
