"""Rules on a pytree: the norm's steepest descent for some leaves, other optimizers for others, and frozen ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optax

from normkit.errors import ParameterError
from normkit.names import listed
from normkit.pytrees.leaves import leaves
from normkit.pytrees.optimizers import named

NORM, FROZEN = "norm", "frozen"
"""Labels of the leaves that have a norm, and of those that are left alone."""


@dataclass(frozen=True)
class Ruled:
    """``optax.multi_transform`` by what rules assign to the leaves that `init` and `update` see.

    Attributes
    ----------
    rules : object
        ``rules.assign({name: shape})`` has the `norm` of the names that have one, `pipelines` (name to update and
        options), the names that are `frozen`, and `aliases`.
    of_norm : callable
        From a norm to its transformation.
    pipelines : mapping of str to GradientTransformation or callable
        Updates by name, in place of those of `normkit.pytrees.optimizers`; a callable takes the options of the rule.
    lr, weight_decay
        For updates that have none of their own.
    """

    rules: Any
    of_norm: Callable[[Any], optax.GradientTransformation]
    pipelines: Mapping[str, Any]
    lr: Any
    weight_decay: Any

    def init(self, params: Any) -> Any:
        """Return the state of the first step."""
        return self._parted(params).init(params)

    def update(self, updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        """Return what is added to the parameters, and the state of the next step."""
        return self._parted(updates).update(updates, state, params, **extra)

    def _parted(self, tree: Any) -> optax.GradientTransformationExtraArgs:
        found = leaves(tree)
        if not found.names:
            return optax.with_extra_args_support(optax.identity())
        made = self.rules.assign(found.shapes)
        if getattr(made, "aliases", None):
            raise ParameterError(f"the rules tie {listed(made.aliases)} to other leaves; in JAX use one leaf twice")
        parts = {NORM: optax.identity() if made.norm is None else self.of_norm(made.norm), FROZEN: optax.set_to_zero()}
        labels = dict.fromkeys(made.frozen, FROZEN)
        for name, (which, options) in made.pipelines.items():
            labels[name] = f"{which} {sorted(options.items())}" if options else str(which)
            if labels[name] not in parts:
                parts[labels[name]] = self._updating(which, options)
        return optax.multi_transform(parts, found.back(labels.get(name, NORM) for name in found.names))

    def _updating(self, which: str, options: Mapping[str, Any]) -> optax.GradientTransformation:
        if which not in self.pipelines:
            return named(which, options, self.lr, self.weight_decay)
        given = self.pipelines[which]
        return given(**options) if callable(given) else given
