"""The maps where the leaves are: the functions that `normkit.codegen` prints for JAX, compiled with the rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from normkit.blockwise import Measured
from normkit.codegen.plan import Program
from normkit.errors import NoClosedForm, ParameterError
from normkit.named import Named, stacks
from normkit.pytrees.host import Steps, call
from normkit.standalone import function

Via = Literal["auto", "callback", "jax"]
VIAS = get_args(Via)
Map = Callable[[Any], tuple[Any, Any]]


def check_via(via: str) -> None:
    """Raise `ParameterError` for an unknown way."""
    if via not in VIAS:
        raise ParameterError(f"unknown via {via!r}; known: {', '.join(map(repr, VIAS))}")


def moved(
    via: str, steps: Steps, directions: tuple[Any, ...], lr: Any, accuracy: Any = None, weights: Any = None
) -> tuple[Any, ...]:
    """Return the steps of directions, by a callback or in JAX; ``auto`` is JAX on accelerators, where it can be.

    Raises
    ------
    ParameterError, NoClosedForm
        For ``"jax"`` where it cannot be.
    """
    if via == "callback" or (via == "auto" and (jax.default_backend() == "cpu" or _lacks(steps, accuracy) is not None)):
        return call(steps, directions, lr, accuracy, weights)
    if (lack := _lacks(steps, accuracy)) is not None:
        raise lack
    return _in_jax(steps, directions, lr)


def _lacks(steps: Steps, accuracy: Any) -> ParameterError | NoClosedForm | None:
    """Return what is in the way of maps in JAX."""
    how = "or leave it to via='callback'"
    if accuracy is not None:
        return ParameterError(f"via='jax' needs the accuracy as a number: static_args=('accuracy',), {how}")
    if steps.decay is not None:
        return ParameterError(f"{steps.decay!r} has no JAX form; {how}")
    try:
        _functions(steps)
    except NoClosedForm as error:
        return NoClosedForm(f"{error}; {how}", error.cost_class)
    return None


def _functions(steps: Steps) -> tuple[list[Map], Map]:
    """Return the maps of the blocks, one per program, and that of the outer norm."""
    return [_function(each, steps.accuracy) for each in steps.product.programs], _function(steps.product.outer, None)


@lru_cache(maxsize=256)
def _function(program: Program, accuracy: float | None) -> Map:
    return function(program, "jax", exact=True) if accuracy is None else function(program, "jax", accuracy=accuracy)


def _in_jax(steps: Steps, directions: tuple[Any, ...], lr: Any) -> tuple[Any, ...]:
    """Return lr lengths_l / s_l t_l; all NaN if an entry of a direction is not finite."""
    product, (maps, outer) = steps.product, _functions(steps)
    by_name = dict(zip(steps.names, directions, strict=True))
    arrays = [by_name[name] for name in product.names]
    named = Named(product.names, by_name, arrays, arrays, "the gradient")
    found: dict[int, tuple[Any, Any]] = {}
    for places in stacks(product, named):
        t, d = maps[product.kinds[places[0]]](jnp.stack([arrays[place] for place in places]))
        found |= {place: (t[at], d[at]) for at, place in enumerate(places)}
    order = range(len(arrays))
    unscaled = jnp.stack([found[place][1] for place in order])
    scales = jnp.asarray(product.scales, unscaled.dtype)
    dual_norms: Any = unscaled / scales
    shares, dual_norm = outer(dual_norms)
    lengths = steps.lengths(Measured(dual_norm, dual_norms, shares)) * lr
    finite = jnp.stack([jnp.isfinite(x).all() for x in arrays]).all()
    factors = jnp.where(finite, lengths / scales, jnp.nan)
    made = {product.names[place]: (factors[place] * found[place][0]).astype(arrays[place].dtype) for place in order}
    return tuple(made[name] for name in steps.names)
