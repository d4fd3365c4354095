"""A stage of an update: from a direction to a direction, with arrays that it keeps from step to step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.errors import NonFiniteError, ParameterError

HALF = ("float16", "bfloat16")
CHUNK = 1 << 16
"""Entries that are combined at a time, so that what is in between stays in the cache."""
LARGE = 1 << 18
"""Entries from which on threads share an array."""


class Slots:
    """The arrays that a stage keeps for one array of weights, by name; `prefix` tells stages apart."""

    def __init__(self, held: MutableMapping[str, Array], prefix: str = "") -> None:
        self._held, self._prefix = held, prefix

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._held

    def __getitem__(self, name: str) -> Array:
        return self._held[self._prefix + name]

    def __setitem__(self, name: str, array: Array) -> None:
        self._held[self._prefix + name] = array

    def zeros(self, name: str, like: Array) -> Array:
        """Return a kept array, at first zeros in the shape of another; float32 where that one is of half precision."""
        if name not in self:
            self[name] = np.zeros_like(like, dtype=wide(like.dtype), order="C")
        return self[name]


Room = tuple[tuple[int, ...], np.dtype[Any]]
"""The shape and the dtype of an array that is kept."""


@dataclass(frozen=True)
class At:
    """What a stage may look at beside the direction.

    Attributes
    ----------
    name : str
        The name of the array.
    step : int
        1 at the first step.
    lr : float
        The learning rate of this step.
    given : ndarray or callable
        The weights before the step, or what returns them: they are not looked at by most stages.
    previous : ndarray or None
        For `MVR2`, the gradient at the weights before the last step on the present batch.
    loss : float or None
        The loss before the step.
    loss_at : callable or None
        The loss with other weights in place of these.
    accuracy : float or None
        What orthogonalization may miss, as in `normkit.dualize`.
    spare : bool
        Whether nobody needs the direction that comes in any more: a stage may make its own in that memory.
    """

    name: str
    step: int
    lr: float
    given: Array | Callable[[], Array]
    previous: Array | None = None
    loss: float | None = None
    loss_at: Callable[[Array], float] | None = None
    accuracy: float | None = None
    spare: bool = False

    @property
    def weights(self) -> Array:
        """The weights before the step."""
        return self.given() if callable(self.given) else self.given


class Stage(ABC):
    """A frozen value; all its state is in slots. The direction that comes in is not written to, unless it is spare."""

    needs: tuple[str, ...] = ()
    """Fields of `At` that must be given."""

    @abstractmethod
    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return the next direction: a new array, or a slot, which the next stage does not write to either."""

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return what is in the slots after a step of a direction of a shape and dtype; nothing, unless said here."""
        return {}

    def check(self, at: Any) -> None:
        """Raise `ParameterError` for what an `At`, or the clock that it will be made of, lacks of `needs`."""
        for field in self.needs:
            if getattr(at, field) is None:
                how = {"loss_at": "loss= as a function of the weights"}.get(field, f"{field}=")
                raise ParameterError(f"{type(self).__name__} needs {how} at every step; give it to step()")


def wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which something is kept: float32 for those of half precision."""
    return np.dtype(np.float32) if dtype.name in HALF else dtype


def combine(out: Array, a: float, x: Array, b: float, y: Array) -> Array:
    """Write a x + b y to `out`, which may be x or y, in the wider of the dtypes of x and y, and return it.

    Where a is 0, x is not looked at.

    Raises
    ------
    NonFiniteError
        If a result overflows that dtype.
    """
    if looped(out, x, y):
        from normkit.backends.cpu.blends import blend

        if not blend(out.reshape(-1), a, x.reshape(-1), b, y.reshape(-1)):
            raise NonFiniteError(f"a step overflows {out.dtype}; give a smaller learning rate")
        return out
    dtype = wide(np.result_type(x.dtype, y.dtype) if x.dtype != y.dtype else x.dtype)
    try:
        with np.errstate(over="raise"):
            for into, of_x, of_y in chunks(out, x, y):
                first = np.multiply(of_y, b, dtype=dtype)
                if a == 1.0:
                    first += of_x
                elif a != 0.0:
                    first += np.multiply(of_x, a, dtype=dtype)
                into[...] = first
    except (FloatingPointError, OverflowError) as error:
        raise NonFiniteError(f"a step overflows {dtype}; give a smaller learning rate") from error
    return out


def mix(kept: Array, keep: float, add: float, y: Array, of_kept: float, of_new: float) -> Array:
    """Write keep kept + add y to `kept`, and return of_kept kept + of_new y as a new array; errors as in `combine`."""
    out = np.empty_like(kept)
    if not looped(kept, y, out):
        combine(kept, keep, kept, add, y)
        return combine(out, of_kept, kept, of_new, y)
    from normkit.backends.cpu.blends import mix as mixed

    if not mixed(kept.reshape(-1), keep, add, y.reshape(-1), out.reshape(-1), of_kept, of_new):
        raise NonFiniteError(f"momentum overflows {kept.dtype}; give smaller gradients")
    return out


def looped(*arrays: Array) -> bool:
    """Tell whether arrays are large enough for threads, and of a kind that compiled loops take."""
    first = arrays[0]
    return first.size >= LARGE and all(
        isinstance(array, np.ndarray)
        and array.dtype == first.dtype
        and array.dtype.char in "fd"
        and array.flags.c_contiguous
        for array in arrays
    )


def chunks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield views of the same entries of arrays of one shape, of a size that stays in the cache.

    Arrays elsewhere come whole: what costs there is the number of calls.
    """
    if not all(isinstance(array, np.ndarray) and array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, CHUNK):
        yield tuple(array[start : start + CHUNK] for array in flat)
