"""Rules on a pytree: the norm's steepest descent for some leaves, other optimizers for others, and frozen ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import optax

from normkit.errors import ParameterError
from normkit.names import listed
from normkit.pytrees.leaves import leaves

NORM, FROZEN = "norm", "frozen"
"""Labels of the leaves that have a norm, and of those that are left alone."""


def ruled(
    rules: Any,
    of_norm: Callable[[Any], optax.GradientTransformation],
    layout: str,
    pipelines: Mapping[str, optax.GradientTransformation],
) -> optax.GradientTransformationExtraArgs:
    """Return ``optax.multi_transform`` by what rules assign to the leaves that `init` and `update` see.

    ``rules.assign({name: shape})`` has a `norm` of the names that have one, `pipelines` (by name; the first item of a
    pair, or the `name` of an object, says which), the names that are `frozen`, and `aliases`.
    """
    if layout != "out in":
        raise ParameterError("rules name the axes of their arrays themselves; leave layout= out")

    def parted(tree: Any) -> optax.GradientTransformationExtraArgs:
        found = leaves(tree)
        if not found.names:
            return optax.with_extra_args_support(optax.identity())
        made = rules.assign(found.shapes)
        named = _named(made)
        labels = found.back({**dict.fromkeys(made.frozen, FROZEN), **named}.get(name, NORM) for name in found.names)
        parts = {NORM: optax.identity() if made.norm is None else of_norm(made.norm), FROZEN: optax.set_to_zero()}
        return optax.multi_transform({**parts, **_given(named, pipelines)}, labels)

    def init(params: Any) -> Any:
        return parted(params).init(params)

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        return parted(updates).update(updates, state, params, **extra)

    return optax.GradientTransformationExtraArgs(init, update)


def _named(made: Any) -> dict[str, str]:
    """Return which pipeline each name has, or raise for what a pytree cannot have."""
    aliases = getattr(made, "aliases", {})
    if aliases:
        raise ParameterError(f"the rules tie {listed(aliases)} to other leaves; in JAX one leaf is used twice instead")
    return {
        name: str(given[0] if isinstance(given, tuple) else getattr(given, "name", given))
        for name, given in made.pipelines.items()
    }


def _given(
    named: Mapping[str, str], pipelines: Mapping[str, optax.GradientTransformation]
) -> dict[str, optax.GradientTransformation]:
    missing = {which: name for name, which in named.items() if which not in pipelines}
    if missing:
        which, name = next(iter(missing.items()))
        raise ParameterError(
            f"the rules give {name!r} the pipeline {which!r}, and pipelines= has {listed(pipelines)}; "
            f"give an optimizer: pipelines={{{which!r}: optax....}}"
        )
    return {which: pipelines[which] for which in set(named.values())}
