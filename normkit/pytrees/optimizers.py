"""The optimizers of optax that rules name: ``update = "adamw"`` with its options, as `normkit.optim` has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import optax

from normkit.errors import ParameterError
from normkit.names import listed
from normkit.optim.decay import Decay, Decoupled
from normkit.pytrees.numbers import is_array, rate


def _adam(betas: Sequence[float] = (0.9, 0.999), eps: float = 1e-8) -> Any:
    return optax.scale_by_adam(*betas, eps=eps)


def _sgd(momentum: float = 0.0, nesterov: bool = False) -> Any:
    return optax.trace(momentum, nesterov) if momentum else optax.identity()


def _lion(betas: Sequence[float] = (0.9, 0.99)) -> Any:
    return optax.scale_by_lion(*betas)


@dataclass(frozen=True)
class Named:
    """A direction, from its options, and whether weight decay is added to the gradient before it."""

    direction: Callable[..., Any]
    coupled: bool = False


NAMED = {"adamw": Named(_adam), "adam": Named(_adam, True), "sgd": Named(_sgd, True), "lion": Named(_lion)}


def named(
    name: str, options: Mapping[str, Any], lr: Any, weight_decay: float | Decay | Any
) -> optax.GradientTransformation:
    """Return an optimizer of optax by the name and options of a rule; lr and weight decay where it has none of its own.

    Raises
    ------
    ParameterError
        For a name or an option that has no counterpart here; give an optimizer of one's own by ``pipelines=``.
    """
    how = f"give one: steepest_descent(..., pipelines={{{name!r}: ...}})"
    if name not in NAMED:
        raise ParameterError(f"{name!r} is no optimizer of optax that rules know ({listed(NAMED)}); {how}")
    own = dict(options)
    kept = own.pop("weight_decay", weight_decay)
    scale, follows = own.pop("lr_scale", 1.0), rate(own.pop("lr", lr))
    known = list(signature(NAMED[name].direction).parameters)
    if unknown := [option for option in own if option not in known]:
        raise ParameterError(f"{name!r} has no option {listed(unknown)} in optax, it takes {listed(known)}; {how}")
    decay = optax.add_decayed_weights(_number(kept, how))
    direction = NAMED[name].direction(**own)
    both = (decay, direction) if NAMED[name].coupled else (direction, decay)
    return optax.chain(*both, optax.scale_by_learning_rate(lambda count: scale * follows(count)))


def _number(decay: Any, how: str) -> Any:
    if isinstance(decay, Decoupled):
        return decay.rate
    if isinstance(decay, Decay):
        raise ParameterError(f"{decay!r} has no counterpart in the optimizers of optax; {how}")
    return decay if is_array(decay) else float(decay or 0.0)
