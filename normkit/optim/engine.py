"""One step of a model: W <- decay(W) + lr * step, array by array where the convention allows it.

Everything is checked before anything is written: names, shapes, dtypes, and that all gradients are finite. What is in
memory beside weights, gradients and state is the step of one stack of equal arrays, or of all arrays where the
convention couples them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit import blockwise
from normkit.arrays import Array, Batch, as_array, check_finite
from normkit.codegen.plan import Product
from normkit.errors import ParameterError, ShapeError
from normkit.named import stacks, take
from normkit.names import listed
from normkit.optim.decay import Decay
from normkit.optim.method import Method
from normkit.optim.stage import HALF, At, Room, Slots, combine

Held = MutableMapping[str, dict[str, Array]]
"""The arrays that are kept from step to step: by the name of the weights, then by slot."""
MASTER = "master"
"""The slot of the float32 weights that stand behind weights of half precision."""


@dataclass(frozen=True)
class Moved:
    """What a watcher sees of a stack of arrays before their weights change.

    `maps` are the dualize maps t_l of the directions. What is added to decayed weights is lengths_l / s_l times
    t_l: the lengths are signed, in the scaled norms, and times the learning rate. `dual_norms` are d_l. An array with a
    pipeline has no norm: the map is its direction U, the product None, d_l NaN, and the length minus its learning rate.
    """

    names: tuple[str, ...]
    directions: Sequence[Array]
    maps: Sequence[Array]
    lengths: NDArray[np.float64]
    dual_norms: NDArray[np.float64]
    product: Product | None


@dataclass(frozen=True)
class Clock:
    """Where a run is, and what is given beside the gradients.

    Attributes
    ----------
    step : int
        1 at the first step.
    lr : float
        The learning rate of this step.
    previous : mapping, optional
        For `MVR2`, gradients at the weights before the last step on the present batch.
    loss : float, optional
        The loss before the step.
    loss_at : callable, optional
        (name, weights) to the loss with these weights in place of that array.
    watch : callable, optional
        Called with every `Moved`.
    ages : mapping, optional
        The step of single arrays, where some have been left out of earlier ones.
    directed : callable, optional
        Called with names when all that is kept for them has changed, but for the float32 weights behind half precision.
    """

    step: int
    lr: float
    previous: Mapping[str, Any] | None = None
    loss: float | None = None
    loss_at: Callable[[str, Array], float] | None = None
    watch: Callable[[Moved], None] | None = None
    ages: Mapping[str, int] | None = None
    directed: Callable[[Sequence[str]], None] | None = None

    def age(self, name: str) -> int:
        """Return the step of an array: 1 when it is stepped for the first time."""
        return self.step if self.ages is None else self.ages.get(name, self.step)


@dataclass(frozen=True)
class Arrays:
    """Weights, gradients, kept arrays, and where new weights go, by name.

    With `passing`, gradients are made anew whenever they are looked at, and nobody else needs their memory.
    """

    weights: Mapping[str, Array]
    gradients: Mapping[str, Array]
    held: Held
    targets: Mapping[str, Array] = field(default_factory=dict)
    passing: bool = False


def advance(method: Method, clock: Clock, arrays: Arrays) -> None:
    """Carry out one step: write new weights to the targets, and change the kept arrays in place.

    Raises
    ------
    ParameterError
        For a learning rate that is negative or not finite.
    ShapeError, DTypeError, NonFiniteError
        If arrays are missing, unknown, of other shapes than each other or than their norms take, or not finite; then
        nothing was changed.
    """
    check(method, clock, arrays)
    carry_out(method, clock, arrays)


def carry_out(method: Method, clock: Clock, arrays: Arrays) -> None:
    """Carry out one step that `check` has passed."""
    if method.product is not None:
        named = take(method.product, {name: arrays.gradients[name] for name in method.product.names}, "the gradient")
        everything = [list(range(len(method.product.names)))]
        for places in stacks(method.product, named) if method.apart else everything:
            move(method, clock, arrays, method.product.only(places))
    for name in method.pipelines:
        pipe(method, clock, arrays, name)


def check_rate_of(clock: Clock) -> None:
    """Raise `ParameterError` unless the learning rate is finite and not negative."""
    if not 0 <= clock.lr < np.inf:
        raise ParameterError(f"the learning rate must be finite and not negative; got {clock.lr!r}")


def check(method: Method, clock: Clock, arrays: Arrays) -> None:
    """Raise for what `advance` refuses; several methods can be checked before one of them is carried out."""
    check_rate_of(clock)
    check_arrays(method, arrays)
    check_parts(method, clock, arrays)
    if method.product is not None:
        blockwise.check_duals(method.product)


def check_arrays(method: Method, arrays: Arrays) -> None:
    """Raise unless weights and gradients of all arrays that move are there, fit each other and are finite."""
    for what, given in (("the weights", arrays.weights), ("the gradients", arrays.gradients)):
        missing = [name for name in method.names if name not in given]
        if missing:
            raise ShapeError(f"{what} lack {listed(missing)}; a step needs both for every array that moves")
    for name in method.names:
        weight, gradient = arrays.weights[name], arrays.gradients[name]
        if weight.shape != gradient.shape:
            raise ShapeError(f"{name!r} has weights of shape {weight.shape} and a gradient of shape {gradient.shape}")
        finite(gradient, f"the gradient {name!r}")


def check_parts(method: Method, clock: Clock, arrays: Arrays) -> None:
    """Raise for what would else be refused half-way: rates, what stages need, entries that a decay looks at."""
    for name in method.names:
        pipeline = method.pipelines.get(name)
        stages = (method.momentum,) if pipeline is None else pipeline.stages
        decay, own = _decay_and_clock(method, clock, name)
        if decay is not None:
            decay.keep(own.lr)
            if decay.looks:
                finite(arrays.weights[name], f"the weights {name!r}")
        for stage in stages:
            if stage is not None and (stage.needs or pipeline is not None):
                stage.check(_at(method, own, arrays, name))


def finite(array: Array, what: str) -> None:
    """Raise `NonFiniteError` with the index of the first entry that is NaN or infinite."""
    flat = array.reshape(-1) if array.flags.c_contiguous else array
    step = 1 << 20 if isinstance(array, np.ndarray) else max(array.size, 1)
    bad = (not np.isfinite(flat[start : start + step]).all() for start in range(0, len(flat) if flat.ndim else 0, step))
    if any(bad) or (flat.ndim == 0 and not np.isfinite(flat)):
        check_finite(np.array([np.nan]), Batch(np.asarray(array)[None], ()), what)


# --- arrays with a norm -----------------------------------------------------------------------------------------------


def move(
    method: Method, clock: Clock, arrays: Arrays, part: Product, lengths: NDArray[np.float64] | None = None
) -> None:
    """Step the arrays of a part of the norm, by the convention or by given lengths of the dualize maps."""
    directions = directed(method, clock, arrays, part)
    maps, measured = mapped(method, part, directions)
    asked = method.convention.lengths(measured, part.names) if lengths is None else lengths
    used = np.asarray(asked * clock.lr)
    if clock.watch is not None:
        made = [maps[name] for name in part.names]
        clock.watch(Moved(part.names, list(directions.values()), made, used, measured.dual_norms, part))
    directions.clear()  # there may be no room for them beside the weights
    shrink = method.convention.shrink * clock.lr
    for name, factor in zip(part.names, (used / np.array(part.scales)).tolist(), strict=True):
        put(method.decay, clock, arrays, name, factor, maps.pop(name), shrink)


def directed(method: Method, clock: Clock, arrays: Arrays, part: Product) -> dict[str, Array]:
    """Return U of the arrays of a part of the norm, and keep what their momentum keeps."""
    made = {name: direction(method, clock, arrays, name) for name in part.names}
    if clock.directed is not None:
        clock.directed(part.names)
    return made


def mapped(
    method: Method, part: Product, directions: Mapping[str, Array]
) -> tuple[dict[str, Array], blockwise.Measured]:
    """Return the dualize maps, of length 1, and what was measured on the way.

    Their lengths are multiplied in where they are added to the weights.
    """
    scales = np.array(part.scales)
    return blockwise.run(part, directions, lambda of: scales, accuracy=method.accuracy, backend=method.backend)


def direction(method: Method, clock: Clock, arrays: Arrays, name: str) -> Array:
    """Return U of one array with a norm, and keep what its momentum keeps."""
    u = gradient(method, arrays, name, method.decay)
    if method.momentum is None:
        return u
    return method.momentum.apply(u, Slots(arrays.held.setdefault(name, {})), _at(method, clock, arrays, name))


def gradient(method: Method, arrays: Arrays, name: str, decay: Decay | None) -> Array:
    """Return the gradient of one array to go down along: negated for a maximum, with the pull of coupled decay."""
    g = arrays.gradients[name]
    if method.maximize:
        g = np.negative(g)
    if decay is not None and decay.pull:
        g = combine(np.empty_like(g), 1.0, g, decay.pull, arrays.weights[name])
    return g


def _at(method: Method, clock: Clock, arrays: Arrays, name: str) -> At:
    previous = None
    if clock.previous is not None:
        if name not in clock.previous:
            raise ShapeError(f"the previous gradients lack {name!r}")
        previous = as_array(clock.previous[name], f"the previous gradient {name!r}")
        if previous.shape != arrays.weights[name].shape:
            shapes = f"{previous.shape}, its weights {arrays.weights[name].shape}"
            raise ShapeError(f"the previous gradient {name!r} has shape {shapes}")
        finite(previous, f"the previous gradient {name!r}")
    loss_at = clock.loss_at
    return At(
        name,
        clock.age(name),
        clock.lr,
        lambda: arrays.weights[name],
        np.negative(previous) if method.maximize and previous is not None else previous,
        clock.loss,
        None if loss_at is None else lambda weights: loss_at(name, weights),
        method.accuracy,
        arrays.passing,
    )


# --- arrays without -----------------------------------------------------------------------------------------------


def pipe(method: Method, clock: Clock, arrays: Arrays, name: str) -> None:
    """Step an array by its pipeline."""
    decay, own = _decay_and_clock(method, clock, name)
    u = gradient(method, arrays, name, decay)
    held = arrays.held.setdefault(name, {})
    u = method.pipelines[name].direction(u, held, _at(method, own, arrays, name))
    if clock.watch is not None:
        lengths, unknown = np.array([-own.lr]), np.full(1, np.nan)
        clock.watch(Moved((name,), [arrays.gradients[name]], [u], lengths, unknown, None))
    if clock.directed is not None:
        clock.directed((name,))
    put(decay, own, arrays, name, -own.lr, u)


def _decay_and_clock(method: Method, clock: Clock, name: str) -> tuple[Decay | None, Clock]:
    """Return the decay of an array, and the clock with its learning rate."""
    pipeline = method.pipelines.get(name)
    if pipeline is None:
        return method.decay, clock
    own = replace(clock, lr=pipeline.rate(clock.age(name), clock.lr))
    return method.decay if pipeline.decay is None else pipeline.decay, own


# --- new weights ----------------------------------------------------------------------------------------------------


def put(
    decay: Decay | None, clock: Clock, arrays: Arrays, name: str, factor: float, step: Array, shrink: float = 0.0
) -> None:
    """Write decay(W) - shrink W + factor * step; weights of half precision are kept in float32 behind it."""
    weights = arrays.weights[name]
    target = arrays.targets[name]
    into = target
    if weights.dtype.name in HALF:
        slots = arrays.held.setdefault(name, {})
        if MASTER not in slots:
            slots[MASTER] = weights.astype(np.float32)
        # Weights that were changed outside since the last step count, not what was kept of them.
        changed = slots[MASTER].astype(weights.dtype) != weights
        np.copyto(slots[MASTER], weights.astype(np.float32), where=changed)
        into = weights = slots[MASTER]
    keep = (1.0 if decay is None else decay.keep(clock.lr)) - shrink
    extra = None if decay is None else decay.extra(weights, clock.lr)
    combine(into, keep, weights, factor, step)
    if extra is not None:
        combine(into, 1.0, into, 1.0, extra)
    if into is not target:
        target[...] = into


def keeps(method: Method, name: str, weights: np.dtype[Any], gradient: Array) -> dict[str, Room]:
    """Return what is kept for an array after a step; of its gradient, shape and dtype count."""
    part = method.pipelines.get(name) or method.momentum
    rooms = {} if part is None else part.keeps(gradient.shape, gradient.dtype)
    return {**rooms, MASTER: (gradient.shape, np.dtype(np.float32))} if weights.name in HALF else rooms


def entries(held: Held) -> Iterator[tuple[str, str, Array]]:
    """Yield the name, the slot and the array of everything that is kept."""
    for name, slots in held.items():
        for slot, array in slots.items():
            yield name, slot, array
