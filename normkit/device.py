"""Norms meet arrays in device memory: shapes, policies and results as for NumPy's arrays, kernels of the GPU.

Nothing is copied but numbers, one for each item, and what the library of an array copies to lay items side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit.arrays import Batch, Dualized, NanPolicy, batch, check_finite
from normkit.backends.cuda import CUDA, interop
from normkit.codegen.plan import Plan, Program
from normkit.errors import BackendError, DTypeError, ShapeError
from normkit.programs import required

if TYPE_CHECKING:
    from normkit.backends.cuda.device_kernel import DeviceKernel

to_host = interop.to_host
Floats = NDArray[np.float64]
NAMES = ("auto", CUDA.name)
"""Back ends that take arrays in device memory."""


def on_device(x: Any) -> bool:
    """Tell whether x is an array in the memory of a GPU."""
    return not isinstance(x, np.ndarray) and interop.on_device(x)


def values(plan: Plan, made: Program, x: Any, backend: str, nan_policy: NanPolicy, what: str = "the array") -> Any:
    """Return the value of a plan at every item of x, as float64 numbers of NumPy.

    Raises
    ------
    BackendError
        If no GPU can be used, or another back end is asked for.
    ShapeError, DTypeError, NonFiniteError
        If x does not fit.
    """
    _check(backend, what)
    items, view = _items(x, made, what)
    numbers = _kernel(plan, view, None).value(view)
    if nan_policy == "raise":
        check_finite(numbers, items, what, interop.to_host)
    return items.values(numbers)


def dualize(
    made: Program,
    g: Any,
    *,
    out: Any = None,
    backend: str = "auto",
    nan_policy: NanPolicy = "raise",
    accuracy: float | None = None,
    lengths: Callable[[Floats], Floats] | None = None,
    what: str = "the gradient",
) -> Dualized:
    """Return the dualize map of every item of g, times a length that the dual norms decide, in the type of g.

    Parameters
    ----------
    out : array, optional
        Of the library, shape, dtype and device of g; may overlap g.
    lengths : callable, optional
        From the dual norms to a factor for each item; without it 1.
    backend, nan_policy, accuracy
        As in `normkit.dualize`.

    Raises
    ------
    BackendError
        If no GPU can be used, or another back end is asked for.
    ShapeError, DTypeError, NonFiniteError
        If g or `out` does not fit; nothing was written then.
    """
    plan = required(made.dual)

    def run(x: interop.View, target: interop.View) -> Floats:
        return _kernel(plan, x, accuracy).map(x, target)

    return written(g, made, out, nan_policy, run, what, backend, lengths)


def written(
    g: Any,
    made: Program,
    out: Any,
    nan_policy: NanPolicy,
    run: Callable[[interop.View, interop.View], Floats],
    what: str,
    backend: str = "auto",
    lengths: Callable[[Floats], Floats] | None = None,
) -> Dualized:
    """Return what `run` writes for the items of g, and the numbers that it returns, NaN for items that are not finite.

    Parameters are those of `dualize`; ``run(x, target)`` gets the items of g and where the results go, apart from each
    other.
    """
    _check(backend, what)
    items, view = _items(g, made, what)
    if out is not None:
        _check_out(out, g, view)
    # A NaN is found when the map is written already: what must not be half written is written at the end.
    direct = out is not None and nan_policy == "propagate" and _apart(interop.view(out, "out="), view)
    # Items are made as items, and reshaped when they are written: where arrays are immutable, to reshape is to copy.
    made_items = out.reshape(items.items.shape) if direct else interop.empty_like(items.items)
    target = interop.view(made_items, "out=")
    numbers = run(view, target)
    if nan_policy == "raise":
        check_finite(numbers, items, what, interop.to_host)
    bad = np.isnan(numbers)
    if lengths is not None or bad.any():
        factors = np.ones(len(numbers)) if lengths is None else lengths(numbers)
        _scale(target, np.where(bad, np.nan, factors))
    if not interop.asynchronous(g):
        _wait(view)
    if out is None:
        return Dualized(made_items.reshape(tuple(g.shape)), items, numbers)
    if not direct:
        interop.copy(out, made_items.reshape(tuple(g.shape)))
    return Dualized(out, items, numbers)


def pairings(made: Program, g: Any, t: Any, backend: str = "auto") -> tuple[Batch, Batch, Floats]:
    """Return two arrays as items, and <g, t> of each in float64.

    Raises
    ------
    BackendError
        If no GPU can be used, another back end is asked for, or the arrays are on two devices.
    ShapeError, DTypeError
        If the arrays do not fit the norm or each other.
    """
    _check(backend, "the gradient")
    items, view = _items(g, made, "the gradient")
    if not on_device(t):
        raise BackendError("the gradient is in the memory of a GPU and the candidate is not: move one of them")
    candidates, other = _items(t, made, "the candidate")
    if items.items.shape != candidates.items.shape or items.leading != candidates.leading:
        raise ShapeError(f"gradient and candidate differ in shape: {tuple(g.shape)} and {tuple(t.shape)}")
    if view.dtype != other.dtype:
        raise DTypeError(f"gradient and candidate differ in dtype: {view.dtype} and {other.dtype}")
    if view.device != other.device:
        raise BackendError(f"gradient and candidate are on GPUs {view.device} and {other.device}: move one of them")
    from normkit.backends.cuda.device_kernel import paired

    return items, candidates, paired(view, other)


def _check(backend: str, what: str) -> None:
    if backend not in NAMES:
        raise BackendError(
            f"{what} is in the memory of a GPU, which the back end {backend!r} does not read: give an array in CPU "
            "memory, such as x.cpu(), or backend='cuda'"
        )
    if (why := CUDA().why_not()) is not None:
        raise BackendError(
            f"{what} is in the memory of a GPU, and no back end 'cuda' runs here: {why}. Give an array in CPU memory, "
            "such as x.cpu(); see normkit doctor"
        )


def _items(x: Any, made: Program, what: str) -> tuple[Batch, interop.View]:
    interop.view(x, what)  # entry types, gradient graphs and layouts are refused before shapes
    items = batch(x, made.shape, made.spec, what)
    return items, interop.view(items.items, what)


def _kernel(plan: Plan, view: interop.View, accuracy: float | None) -> DeviceKernel:
    from normkit.backends.cuda.device_kernel import device_kernel

    return device_kernel(plan, view.dtype, accuracy)


def _apart(target: interop.View, view: interop.View) -> bool:
    """Tell whether items can be written to `target` at once: reshaping it makes a view, and it is not what is read."""
    return target.contiguous and not interop.overlapping(target, view)


def _scale(view: interop.View, factors: Floats) -> None:
    from normkit.backends.cuda.device_kernel import scale

    scale(view, factors)


def _wait(view: interop.View) -> None:
    from normkit.backends.cuda.device_kernel import wait

    wait(view)


def _check_out(out: Any, g: Any, view: interop.View) -> None:
    wanted = f"out= must be an array like the gradient, {view.dtype} {tuple(g.shape)} on device {view.device}"
    if type(out) is not type(g) or not interop.writeable(out):
        raise DTypeError(f"{wanted}; got a {type(out).__name__} that cannot be written to or is of another library")
    found = interop.view(out, "out=")
    if found.dtype != view.dtype:
        raise DTypeError(f"{wanted}; got dtype {found.dtype}")
    if found.device != view.device:
        raise BackendError(f"{wanted}; got device {found.device}: both must be on one")
    if tuple(out.shape) != tuple(g.shape):
        raise ShapeError(f"{wanted}; got shape {tuple(out.shape)}")
