"""One step of a pytree: momentum and decay in JAX, around the maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from normkit.blockwise import Measured
from normkit.codegen.plan import Product
from normkit.conventions import Convention
from normkit.errors import ParameterError
from normkit.norm import Norm
from normkit.optim.decay import Decay
from normkit.optim.momentum import Linear
from normkit.optim.stage import wide
from normkit.programs import product
from normkit.pytrees.host import Steps
from normkit.pytrees.layouts import whole
from normkit.pytrees.leaves import Leaves, check, leaves, same
from normkit.pytrees.printed import moved

Arrays = tuple[Any, ...]


class SteepestDescentState(NamedTuple):
    """The state of `normkit.optax.steepest_descent`.

    Attributes
    ----------
    count : array
        The number of steps, int32.
    momentum : pytree or None
        What the momentum form keeps, like the parameters; float32 for leaves of half precision.
    """

    count: Any
    momentum: Any


@dataclass(frozen=True)
class Descent:
    """Everything of a step but leaves and state.

    Attributes
    ----------
    rate : callable
        The learning rate as a function of the count.
    accuracy : (float or None, array or None)
        What orthogonalization may miss, in one of the two.
    via : {"auto", "callback", "jax"}
        Where the maps are computed.
    """

    norm: Norm | str
    layout: str
    rate: Callable[[Any], Any]
    convention: Convention
    momentum: Linear | None
    decay: Decay | None
    accuracy: tuple[float | None, Any]
    via: str

    # --- what optax calls -------------------------------------------------------------------------------------------

    def init(self, params: Any) -> SteepestDescentState:
        """Return the state of the first step."""
        found = leaves(params)
        blocks = fitting(self.norm, self.layout, found)
        if blocks is not None:
            ones = np.ones(len(blocks.names))
            self.convention.lengths(Measured(np.float64(1.0), ones, ones), blocks.names)  # it may refuse the names
        kept = found.back(jnp.zeros(x.shape, wide(x.dtype)) for x in found.arrays)
        return SteepestDescentState(jnp.zeros((), jnp.int32), None if self.momentum is None else kept)

    def update(
        self, updates: Any, state: SteepestDescentState, params: Any = None, **_: Any
    ) -> tuple[Any, SteepestDescentState]:
        """Return what is added to the parameters, and the state of the next step."""
        found = leaves(updates)
        blocks = fitting(self.norm, self.layout, found)
        weights = self._weights(found, params)
        count, lr = state.count + 1, self.rate(state.count)
        directions, kept = self._directions(found, weights, state, count)
        steps = directions if blocks is None else self._steps(blocks, found, directions, lr, weights)
        if weights is not None:
            lost = self.convention.shrink * lr + (0.0 if self.decay is None else self.decay.shrink(lr))
            steps = tuple(step - lost * w for step, w in zip(steps, weights, strict=True))
        back = (step.astype(g.dtype) for step, g in zip(steps, found.arrays, strict=True))
        return found.back(back), SteepestDescentState(count, kept)

    # --- its parts --------------------------------------------------------------------------------------------------

    @property
    def _capped(self) -> Decay | None:
        """The decay, if it adds more than a share of the weights."""
        return None if self.decay is None or type(self.decay).extra is Decay.extra else self.decay

    def _weights(self, found: Leaves, params: Any) -> Arrays | None:
        """Return the weights in working precision, or None where no step looks at them."""
        if self.decay is None and not self.convention.shrink:
            return None
        if params is None:
            what = "this convention" if self.decay is None else "weight decay"
            raise ParameterError(f"{what} needs the parameters, and got none; call update(updates, state, params)")
        given = leaves(params)
        same(found, given, "the updates", "params")
        return tuple(map(widened, given.arrays))

    def _directions(
        self, found: Leaves, weights: Arrays | None, state: SteepestDescentState, count: Any
    ) -> tuple[Arrays, Any]:
        """Return U of every leaf, and what momentum keeps."""
        gradients = tuple(map(widened, found.arrays))
        if self.decay is not None and self.decay.pull and weights is not None:
            gradients = tuple(g + self.decay.pull * w for g, w in zip(gradients, weights, strict=True))
        if self.momentum is None:
            return gradients, None
        held = leaves(state.momentum)
        same(found, held, "the updates", "the parameters that init was given")
        by = self.momentum.mixing(count, state.count == 0)
        kept = _mixed(by.keep, held.arrays, by.add, gradients)
        made = _mixed(by.of_kept, held.arrays if by.before else kept, by.of_new, gradients)
        return made, held.back(kept)

    def _steps(self, blocks: Product, found: Leaves, directions: Arrays, lr: Any, weights: Arrays | None) -> Arrays:
        exact, traced = self.accuracy
        steps = Steps(blocks, found.names, exact, self.convention, self._capped)
        return moved(self.via, steps, directions, lr, traced, weights if self._capped else None)


def fitting(norm: Norm | str, layout: str, found: Leaves) -> Product | None:
    """Return the norm of leaves as a program, or raise if they do not fit it; None if there are no leaves."""
    if not found.names:
        return None
    blocks = product(norm_of(norm, layout, found))
    assert blocks is not None
    check(blocks, found)
    return blocks


def norm_of(norm: Norm | str, layout: str, found: Leaves) -> Norm:
    """Return the norm of leaves."""
    return whole(norm, found.names, tuple(len(x.shape) for x in found.arrays), layout)


def widened(x: Any) -> Any:
    """Return a leaf in the precision that it is stepped in: float32 for those of half precision."""
    return jnp.asarray(x).astype(wide(np.dtype(x.dtype)))


def _mixed(a: Any, first: Arrays, b: Any, second: Arrays) -> Arrays:
    """Return a x + b y, leaf by leaf, in the dtypes of the first."""
    return tuple((a * x + b * y).astype(x.dtype) for x, y in zip(first, second, strict=True))
