"""The bridge: norms meet arrays. Values, dual values, dualize, lmo and steepest descent.

Sign convention, once: `dualize` is the *maximiser* of <g, t> over N(t) <= 1. `lmo` and `steepest_descent` point
downhill: ``lmo = -radius * dualize``, ``steepest_descent = -(N*(g) / sharpness) * dualize``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit import blockwise, device
from normkit.arrays import (
    Array,
    Dualized,
    NanPolicy,
    as_array,
    batch,
    check_finite,
    check_policy,
    own_type,
    result_array,
)
from normkit.codegen.plan import Plan, Program
from normkit.lengths import positive, times
from normkit.programs import kernel, product, program, required

if TYPE_CHECKING:
    from normkit.norm import Norm


# --- what one does with a norm -----------------------------------------------------------------------------------


def value(norm: Norm | str | Program, x: Any, *, backend: str = "auto", nan_policy: NanPolicy = "raise") -> Any:
    """N(x) of every item of x.

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.
    x : array_like
        Items of the norm's shape on the trailing axes; leading axes are batch axes. Never mutated. For a `Modular`
        norm a mapping of its names to arrays, each one item.
    backend : str
        ``"auto"``, ``"cpu"``, ``"reference"``, or a third party's.
    nan_policy : {"raise", "propagate"}
        What a NaN or an infinity does: raise `NonFiniteError`, or make that item's value, and its map, NaN.

    Returns
    -------
    numpy.float64 or ndarray of float64
        One number per item.

    Raises
    ------
    NoClosedForm
        If N has no explicit value.
    ShapeError, DTypeError, NonFiniteError
        If x does not fit.

    Examples
    --------
    >>> import normkit as nk
    >>> float(nk.value("rms->rms", [[3.0, 0.0], [0.0, 4.0]]))
    4.0
    """
    if (blocks := product(norm)) is not None:
        return blockwise.value(blocks, x, backend, nan_policy)
    made = program(norm)
    return _value(required(made.value), made, x, backend, nan_policy)


def dual_value(norm: Norm | str | Program, g: Any, *, backend: str = "auto", nan_policy: NanPolicy = "raise") -> Any:
    """N*(g) = max of <g, t> over N(t) <= 1, for every item of g; parameters as in `value`.

    Examples
    --------
    >>> import normkit as nk
    >>> float(nk.dual_value("linf", [3.0, -4.0]))
    7.0
    """
    if (blocks := product(norm)) is not None:
        return blockwise.dual_value(blocks, g, backend, nan_policy)
    made = program(norm)
    return _value(required(made.dual), made, g, backend, nan_policy)


def _value(plan: Plan, made: Program, x: Any, backend_name: str, nan_policy: NanPolicy) -> Any:
    check_policy(nan_policy)
    if device.on_device(x):
        return device.values(plan, made, x, backend_name, nan_policy)
    array = as_array(x)
    items = batch(array, made.shape, made.spec)
    numbers = kernel(plan, array.dtype, backend_name).value(items.items)
    if nan_policy == "raise":
        check_finite(numbers, items)
    return items.values(numbers)


def dualize_with_value(
    norm: Norm | str | Program,
    g: Any,
    *,
    out: Array | None = None,
    backend: str = "auto",
    nan_policy: NanPolicy = "raise",
    accuracy: float | None = None,
) -> Dualized:
    """Return t and N*(g) from one pass; see `dualize`."""
    if accuracy is not None:
        positive(accuracy, "accuracy")
    check_policy(nan_policy)
    made = program(norm)
    if device.on_device(g):
        return device.dualize(made, g, out=out, backend=backend, nan_policy=nan_policy, accuracy=accuracy)
    plan = required(made.dual)
    array = as_array(g, "the gradient")
    items = batch(array, made.shape, made.spec, "the gradient")
    target = result_array(array, g.dtype if isinstance(g, np.ndarray) else array.dtype, out, "the gradient")
    # A result in the caller's own layout is written in place; any other goes through one contiguous array.
    direct = target.flags.c_contiguous and target.dtype.isnative and not np.may_share_memory(target, array)
    work = target if direct else np.empty(array.shape, array.dtype)
    maps = work.reshape(items.items.shape)
    numbers = kernel(plan, array.dtype, backend, None if accuracy is None else float(accuracy)).map(items.items, maps)
    if nan_policy == "raise":
        check_finite(numbers, items, "the gradient")
    else:
        maps[np.isnan(numbers)] = np.nan
    if not direct:
        target[...] = work
    return Dualized(target, items, numbers)


def dualize(
    norm: Norm | str | Program,
    g: Any,
    *,
    out: Array | None = None,
    backend: str = "auto",
    nan_policy: NanPolicy = "raise",
    accuracy: float | None = None,
) -> Any:
    """argmax of <g, t> over N(t) <= 1: the dualize map, an element of the subdifferential of N* at g.

    The steepest-descent direction is minus this. For g = 0 the result is 0; sign(0) = 0; ties of a maximum take the
    first index; singular values below ``sqrt(max(m, n)) * eps * s_max``, at most ``s_max / 32``, count as zero.
    ``dualize(c g) = dualize(g)`` for every c > 0 in range.

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.
    g : array_like
        The gradient: items of the norm's shape on the trailing axes, leading axes are batch axes. Never mutated. For a
        `Modular` norm a mapping of its names to arrays, each one item; so are the results of all functions here.
    out : ndarray, optional
        Where to write; same shape and dtype as g. May overlap g. For a `Modular` norm a mapping of such arrays, each
        of which may overlap the gradient of its own name only.
    backend, nan_policy
        As in `value`.
    accuracy : float, optional
        The relative accuracy that is enough; without it, working precision. It shortens the maps that are an orthogonal
        polar factor U V' (of ``spectral``, ``rms->rms``, ...): their error in the Frobenius norm is at most accuracy *
        sqrt(rank), see `normkit.polar`. Such a map is divided by a bound of its largest singular value, so that it
        stays in the unit ball, and the dual norm is as much too small as the map falls short. All others are exact
        anyway.

    Returns
    -------
    ndarray
        Shape and dtype of g, N(result) = 1 to working precision for g != 0. An array of another library that speaks
        DLPack (torch, JAX, ...) in CPU memory gives one of its own type.

    Raises
    ------
    NoClosedForm
        If N* has no closed form; the message says what would work.
    ShapeError, DTypeError, NonFiniteError
        If g does not fit.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.dualize("linf", [3.0, -4.0, 0.0])
    array([ 1., -1.,  0.])
    """
    if (blocks := product(norm)) is not None:
        return blockwise.run(
            blocks, g, lambda of: of.shares, out=out, backend=backend, nan_policy=nan_policy, accuracy=accuracy
        )[0]
    made = dualize_with_value(norm, g, out=out, backend=backend, nan_policy=nan_policy, accuracy=accuracy)
    return own_type(made.array, g)


def lmo(norm: Norm | str | Program, g: Any, *, radius: float = 1.0, **options: Any) -> Any:
    """argmin of <g, x> over N(x) <= radius, that is -radius * dualize(g); options as in `dualize`.

    Raises
    ------
    ParameterError
        If the radius is not positive and finite.
    NonFiniteError
        If the step overflows the dtype.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.lmo("linf", [3.0, -4.0], radius=0.5)
    array([-0.5,  0.5])
    """
    positive(radius, "radius")
    if (blocks := product(norm)) is not None:
        return blockwise.run(blocks, g, lambda of: -radius * of.shares, **options)[0]
    if device.on_device(g):
        return _step_on_device(norm, g, lambda dual_norms: np.full_like(dual_norms, -radius), **options)
    t = dualize_with_value(norm, g, **options).array
    return own_type(times(t, np.float64(-radius), t), g)


def steepest_descent(norm: Norm | str | Program, g: Any, *, sharpness: float = 1.0, **options: Any) -> Any:
    """argmin of <g, x> + (sharpness / 2) N(x)^2, that is -(N*(g) / sharpness) * dualize(g); options as in `dualize`.

    The minimum is -N*(g)^2 / (2 sharpness).

    Raises
    ------
    ParameterError
        If the sharpness is not positive and finite.
    NonFiniteError
        If the step overflows the dtype.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.steepest_descent("linf", [3.0, -4.0], sharpness=2.0)
    array([-3.5,  3.5])
    """
    positive(sharpness, "sharpness")
    if (blocks := product(norm)) is not None:
        return blockwise.run(blocks, g, lambda of: -of.dual_norm / sharpness * of.shares, **options)[0]
    if device.on_device(g):
        return _step_on_device(norm, g, lambda dual_norms: -dual_norms / sharpness, **options)
    made = dualize_with_value(norm, g, **options)
    item_axes = made.items.items.ndim - 1
    lengths = np.asarray(-made.dual_norm / sharpness).reshape(made.items.leading + (1,) * item_axes)
    return own_type(times(made.array, lengths, made.array), g)


def _step_on_device(
    norm: Norm | str | Program,
    g: Any,
    lengths: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    nan_policy: NanPolicy = "raise",
    accuracy: float | None = None,
    **options: Any,
) -> Any:
    """Return the dualize map of an array in device memory, times a length that the dual norms decide."""
    if accuracy is not None:
        positive(accuracy, "accuracy")
    check_policy(nan_policy)
    made = program(norm)
    return device.dualize(made, g, nan_policy=nan_policy, accuracy=accuracy, lengths=lengths, **options).array


def evaluate(norm: Norm, x: Any) -> Any:
    """N(x), for ``N(x)`` on a norm."""
    return value(norm, x)
