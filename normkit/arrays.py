"""Arrays at the door: what comes in as any array-like becomes a batch of items, and goes back as it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from normkit.errors import DTypeError, NonFiniteError, ParameterError, ShapeError
from normkit.foreign import Elsewhere, from_foreign, is_foreign, to_foreign

Array = NDArray[Any]
NanPolicy = Literal["raise", "propagate"]
POLICIES = get_args(NanPolicy)


@dataclass(frozen=True)
class Batch:
    """Items stacked along one leading axis: `items` has shape (count, *item); `leading` are the batch axes."""

    items: Array
    leading: tuple[int, ...]

    def values(self, numbers: NDArray[np.float64]) -> Any:
        """Return one number per item as a float64 scalar, or as an array over the batch axes."""
        return np.float64(numbers[0]) if self.leading == () else numbers.reshape(self.leading)


@dataclass(frozen=True)
class Dualized:
    """What one pass gives: the map, or a multiple of it, and the dual norm of every item."""

    array: Any
    items: Batch
    numbers: NDArray[np.float64]

    @property
    def dual_norm(self) -> Any:
        """N*(g): a scalar for one item, an array over the batch otherwise."""
        return self.items.values(self.numbers)


def as_array(x: Any, what: str = "the array") -> Array:
    """Return x as a NumPy array of floats in this machine's byte order, without a copy where possible.

    Raises
    ------
    DTypeError
        For integers, booleans, complex numbers and objects, with what to do.
    """
    array: Any
    if isinstance(x, np.ndarray | Elsewhere):
        array = x
    elif is_foreign(x):
        array = from_foreign(x, what)
    else:
        try:
            array = np.asarray(x)
        except ValueError as error:
            raise ShapeError(f"{what} is ragged; give rows of one length") from error
        except (RuntimeError, TypeError) as error:
            raise DTypeError(f"{what} is no array of numbers: {' '.join(str(error).split())}") from error
    if is_float(array.dtype):
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))  # type: ignore[no-any-return]
    if array.dtype.kind in "iub":
        raise DTypeError(f"{what} has dtype {array.dtype}; a norm needs floats: convert with x.astype('float64')")
    if array.dtype.kind == "c":
        raise DTypeError(f"{what} has dtype {array.dtype}; complex entries have no rule: take their two parts")
    raise DTypeError(f"{what} has dtype {array.dtype}; expected float16, bfloat16, float32 or float64")


def is_float(dtype: np.dtype[Any]) -> bool:
    """Tell whether entries of this dtype are taken: float16, float32, float64, and bfloat16 by its name."""
    return dtype.name in ("float16", "bfloat16", "float32", "float64")


def batch(array: Array, shape: tuple[int | None, ...], spec: str, what: str = "the array") -> Batch:
    """Cut an array into items of a norm's shape; leading axes are batch axes.

    Raises
    ------
    ShapeError
        If the array has too few axes, an empty item, or a length that the norm does not take.
    """
    ndim = len(shape)
    kind = {1: "a vector (n,)", 2: "a matrix (m, n)"}.get(ndim, f"{ndim} axes")
    if array.ndim < ndim:
        hint = " For a vector use rms." if spec == "rms->rms" else ""
        raise ShapeError(f"{spec} needs {kind}; got {what} of shape {array.shape}.{hint}")
    item = array.shape[array.ndim - ndim :]
    if 0 in item:
        raise ShapeError(f"{spec} needs {kind} with entries; got {what} of shape {array.shape}")
    if any(want is not None and want != have for want, have in zip(shape, item, strict=True)):
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        wanted = f"({wanted},)" if ndim == 1 else f"({wanted})"
        raise ShapeError(f"{spec} takes items of shape {wanted}; got {what} of shape {array.shape}")
    leading = array.shape[: array.ndim - ndim]
    count = int(np.prod(leading))
    return Batch(array.reshape(count, *item), leading)


def own_type(array: Array, like: Any) -> Any:
    """Return a result in the type of the array that the caller gave: that of its library, or NumPy's."""
    return to_foreign(array, like) if isinstance(array, np.ndarray) and is_foreign(like) else array


def result_array(array: Array, dtype: np.dtype[Any], out: Array | None, what: str) -> Array:
    """Return `out` if it can take a result of the shape of an array in a dtype, or a new array without it.

    Raises
    ------
    DTypeError, ShapeError
        If `out` is of another kind, dtype or shape, or read-only.
    """
    if out is None:
        return np.empty(array.shape, dtype)
    wanted = f"out= must be a NumPy array like {what}, {dtype} {array.shape}"
    if not isinstance(out, np.ndarray):
        raise DTypeError(f"{wanted}; got a {type(out).__name__}")
    if out.dtype != dtype:
        raise DTypeError(f"{wanted}; got dtype {out.dtype}")
    if out.shape != array.shape:
        raise ShapeError(f"{wanted}; got shape {out.shape}")
    if not out.flags.writeable:
        raise ShapeError("out= is read-only; give a writeable array")
    return out


def check_policy(nan_policy: str) -> None:
    """Raise `ParameterError` for an unknown policy."""
    if nan_policy not in POLICIES:
        raise ParameterError(f"unknown nan_policy {nan_policy!r}; known: {', '.join(POLICIES)}")


def _as_float64(item: Array) -> NDArray[np.float64]:
    return item.astype(np.float64, copy=False)


def check_finite(
    numbers: NDArray[np.float64],
    items: Batch,
    what: str = "the array",
    read: Callable[[Any], NDArray[np.float64]] = _as_float64,
) -> None:
    """Raise if a kernel reported NaN for an item that holds a NaN or an infinity, naming the first bad index.

    `read` brings an item to NumPy.
    """
    for place in np.flatnonzero(~np.isfinite(numbers)).tolist():
        item = read(items.items[place])
        bad = np.argwhere(~np.isfinite(item))
        if len(bad):
            where = (*np.unravel_index(place, items.leading), *bad[0]) if items.leading else tuple(bad[0])
            value = item[tuple(bad[0])]
            index = ", ".join(str(int(axis)) for axis in where)
            raise NonFiniteError(
                f"{what} holds {value} at index [{index}]; a norm needs finite entries (in Python, "
                "nan_policy='propagate' lets them through)"
            )
