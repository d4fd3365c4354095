"""Norms of named arrays meet their arrays: the product rule in numbers.

    N(W) = outer(s_l N_l(W_l)),    N*(G) = outer*(d),    T_l = (c_l / s_l) t_l(G_l),

    d_l = N_l*(G_l) / s_l,    c = dualize of the outer norm at d.

Arrays of one shape, dtype and norm run as one batch. The numbers of the blocks are kept as fractions and exponents of
two, so that the outer norm sees them at a common scale whatever their range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.arrays import Array, Batch, NanPolicy, check_finite, check_policy, result_array
from normkit.codegen.plan import Missing, Plan, Product
from normkit.errors import NoClosedForm
from normkit.foreign import Elsewhere
from normkit.lengths import positive, times
from normkit.named import Named, by_name, stacked, stacks, take
from normkit.programs import kernel, required

Floats = NDArray[np.float64]
FAR = 600
"""A block whose number overflows is measured again, 2**FAR times smaller."""


@dataclass(frozen=True)
class Measured:
    """What the product rule gives beside the maps of the blocks.

    Attributes
    ----------
    dual_norm : float
        N*(G).
    dual_norms : ndarray
        d_l = N_l*(G_l) / s_l, block by block.
    shares : ndarray
        c_l, the dualize map of the outer norm at d.
    """

    dual_norm: np.float64
    dual_norms: Floats
    shares: Floats


Rule = Callable[[Measured], Floats]
"""From what is measured to the length of every block's step in the norm s_l N_l, with its sign."""


# --- values ---------------------------------------------------------------------------------------------------------


def value(product: Product, mapping: Any, backend: str, nan_policy: NanPolicy) -> np.float64:
    """N(W), a scalar."""
    outer = required(product.outer.value)
    sizes, top = _sizes(product, mapping, "the array", False, backend, nan_policy)
    return np.float64(_raised(kernel(outer, sizes.dtype, backend).value(sizes[None])[0], top))


def dual_value(product: Product, mapping: Any, backend: str, nan_policy: NanPolicy) -> np.float64:
    """N*(G), a scalar."""
    outer = required(product.outer.dual)
    sizes, top = _sizes(product, mapping, "the gradient", True, backend, nan_policy)
    return np.float64(_raised(kernel(outer, sizes.dtype, backend).value(sizes[None])[0], top))


def dual_values(product: Product, mapping: Any, backend: str = "auto") -> Floats:
    """N_l*(G_l) / s_l of every block, in the order of the names."""
    sizes, top = _sizes(product, mapping, "the gradient", True, backend, "raise")
    return np.asarray(_raised(sizes, top))


def values(product: Product, mapping: Any, backend: str = "auto") -> Floats:
    """s_l N_l(W_l) of every block, in the order of the names."""
    sizes, top = _sizes(product, mapping, "the array", False, backend, "raise")
    return np.asarray(_raised(sizes, top))


def whole(product: Product, numbers: Any, backend: str = "auto") -> np.float64:
    """N(W) from N_l(W_l) of every block, which may have been measured one after the other."""
    sizes, top = _aligned(*_bare(numbers), np.array(product.scales), False)
    return np.float64(_raised(kernel(required(product.outer.value), sizes.dtype, backend).value(sizes[None])[0], top))


def measured(product: Product, numbers: Any, backend: str = "auto") -> Measured:
    """What the product rule gives from N_l*(G_l) of every block, which may have been measured one after the other."""
    return _shared(required(product.outer.dual), *_aligned(*_bare(numbers), np.array(product.scales), True), backend)


def _bare(numbers: Any) -> tuple[Floats, Any]:
    found = np.asarray(numbers, np.float64)
    return found, np.zeros(len(found), np.int64)


def _sizes(
    product: Product, mapping: Any, what: str, dual: bool, backend: str, nan_policy: NanPolicy
) -> tuple[Floats, int]:
    """Return (v, e): v * 2**e are the numbers of the blocks."""
    check_policy(nan_policy)
    named = take(product, mapping, what)
    numbers, exponents = np.empty(len(product.names)), np.zeros(len(product.names), np.int64)
    for places in stacks(product, named):
        items, plan = stacked(named, places), _plan(product, places[0], dual)
        numbers[places] = kernel(plan, items.dtype, backend).value(items)
        _settle(numbers, exponents, places, items, plan, backend)
    if nan_policy == "raise":
        _check(numbers, named)
    return _aligned(numbers, exponents, np.array(product.scales), dual)


def check_duals(product: Product) -> None:
    """Raise `NoClosedForm` if the dual norm of a block, or of the outer norm, has no closed form."""
    required(product.outer.dual)
    for place in range(len(product.names)):
        _plan(product, place, True)


def _plan(product: Product, place: int, dual: bool) -> Plan:
    program = product.programs[product.kinds[place]]
    plan = program.dual if dual else program.value
    if isinstance(plan, Missing):
        raise NoClosedForm(f"{product.names[place]!r}: {plan.message}", plan.cost_class)
    return plan


def _settle(numbers: Floats, exponents: Any, places: list[int], items: Array, plan: Plan, backend: str) -> None:
    """Measure blocks again whose number overflowed, although their entries are finite."""
    for at in np.flatnonzero(np.isinf(numbers[places])):
        smaller = np.ldexp(items[at : at + 1], -FAR)
        numbers[places[at]] = kernel(plan, items.dtype, backend).value(smaller)[0]
        exponents[places[at]] = FAR


def _check(numbers: Floats, named: Named) -> None:
    """Raise for the first array that holds a NaN or an infinity, with the index."""
    for place in np.flatnonzero(np.isnan(numbers)).tolist():
        check_finite(np.array([np.nan]), Batch(np.asarray(named.arrays[place])[None], ()), named.called(place))


def _aligned(numbers: Floats, exponents: Any, scales: Floats, dual: bool) -> tuple[Floats, int]:
    """Return (v, e) with v * 2**e = numbers * scales, or numbers / scales of dual norms; the largest v is near 1."""
    fractions, twos = np.frexp(numbers)
    parts, more = np.frexp(scales)
    fractions = fractions / parts if dual else fractions * parts
    twos = twos + exponents + (-more if dual else more)
    top = int(np.max(twos, where=fractions != 0, initial=-(1 << 20)))
    if not np.any(fractions):
        return np.zeros_like(numbers), 0
    return np.ldexp(fractions, twos - top), top


def _raised(number: Any, top: int) -> Any:
    with np.errstate(over="ignore"):
        return np.ldexp(number, top)


# --- maps -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stack:
    """Blocks that run as one batch, and their maps; `direct` if the maps are written where they are wanted."""

    places: list[int]
    maps: Array
    direct: bool


def run(
    product: Product,
    mapping: Any,
    rule: Rule,
    *,
    out: Any = None,
    backend: str = "auto",
    nan_policy: NanPolicy = "raise",
    accuracy: float | None = None,
) -> tuple[dict[str, Any], Measured]:
    """Return the maps of the blocks, each times the length that a rule gives it, and what was measured.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError
        If the gradients, or `out`, do not fit; the message names the array. NonFiniteError also if a step overflows.
    NoClosedForm
        If the dual norm of a block, or of the outer norm, has no closed form.
    """
    if accuracy is not None:
        positive(accuracy, "accuracy")
    check_policy(nan_policy)
    outer = required(product.outer.dual)
    named = take(product, mapping, "the gradient")
    targets = _targets(product, named, out)
    numbers, exponents = np.empty(len(product.names)), np.zeros(len(product.names), np.int64)
    done = []
    for places in stacks(product, named):
        items, plan = stacked(named, places), _plan(product, places[0], True)
        stack = _stack(named, targets, places, items)
        enough = None if accuracy is None else float(accuracy)
        if isinstance(items, Elsewhere):
            numbers[places] = items.dualize(product.programs[product.kinds[places[0]]], enough, stack.maps)
        else:
            numbers[places] = kernel(plan, items.dtype, backend, enough).map(items, stack.maps)
            _settle(numbers, exponents, places, items, plan, backend)
        done.append(stack)
    if nan_policy == "raise":
        _check(numbers, named)
    measured = _shared(outer, *_aligned(numbers, exponents, np.array(product.scales), True), backend)
    lengths = rule(measured) / np.array(product.scales)
    for stack in done:
        _finish(stack, lengths[stack.places], targets)
    results = [target for target in targets if target is not None]
    return named.back(results), measured


def _targets(product: Product, named: Named, out: Any) -> list[Array | None]:
    """Return the arrays of `out` by place, or None where a new one is wanted in the dtype of this machine."""
    wanted = [x.dtype if isinstance(x, np.ndarray) else None for x in named.originals]
    if out is None:
        return [
            None if dtype is None or dtype.isnative else np.empty(array.shape, dtype)
            for array, dtype in zip(named.arrays, wanted, strict=True)
        ]
    given = by_name(product, out, "out=")
    return [
        result_array(array, dtype or array.dtype, given[name], f"the gradient {name!r}")
        for name, array, dtype in zip(named.names, named.arrays, wanted, strict=True)
    ]


def _stack(named: Named, targets: list[Array | None], places: list[int], items: Array) -> _Stack:
    """Return room for the maps of a stack: the wanted array itself if there is one that kernels can write to."""
    target = targets[places[0]]
    if len(places) == 1 and target is not None:
        apart = not np.may_share_memory(target, named.arrays[places[0]])
        if target.flags.c_contiguous and target.dtype.isnative and apart:
            return _Stack(places, target[None], True)
    return _Stack(places, np.empty_like(items, order="C"), False)


def _shared(outer: Plan, aligned: Floats, top: int, backend: str) -> Measured:
    """Measure the vector of dual norms by the outer norm."""
    shares = np.empty((1, len(aligned)))
    number = kernel(outer, aligned.dtype, backend).map(aligned[None], shares)[0]
    if np.isnan(number):
        shares[:] = np.nan
    return Measured(_raised(number, top), _raised(aligned, top), shares[0])


def _finish(stack: _Stack, lengths: Floats, targets: list[Array | None]) -> None:
    """Multiply the maps of a stack by their lengths, and put them where they are wanted."""
    if not np.all(lengths == 1.0):
        times(stack.maps, lengths.reshape(-1, *[1] * (stack.maps.ndim - 1)), stack.maps)
        stack.maps[lengths == 0.0] = 0.0  # no negative zeros where a block does not move
    for place, made in zip(stack.places, stack.maps, strict=True):
        target = targets[place]
        if target is None:
            targets[place] = made
        elif not stack.direct:
            target[...] = made
