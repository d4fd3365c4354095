"""Parameter groups: what each of their parameters is called, and which norm or pipeline it has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from normkit.blockwise import check_duals
from normkit.codegen.plan import Product
from normkit.errors import DTypeError, ParameterError, ShapeError
from normkit.named import take
from normkit.names import listed
from normkit.optim.pipeline import Pipeline
from normkit.programs import product
from normkit.torch_tensors import numpy_dtype

Shapes = dict[str, tuple[int, ...]]
COMPILED = "_orig_mod."
"""What `torch.compile` puts into the names of a module's parameters."""


@dataclass(frozen=True)
class Assigned:
    """What the parameters of a group have: a norm, a pipeline, or neither if they are frozen."""

    product: Product | None
    pipelines: Mapping[str, Pipeline]
    frozen: frozenset[str] = frozenset()

    def kept_by(self, name: str, momentum: Any) -> str:
        """Return the classes of the stages that keep something for a parameter, in their order."""
        stages = self.pipelines[name].stages if name in self.pipelines else (momentum,) if momentum is not None else ()
        return ", ".join(type(stage).__name__ for stage in stages)


def named(params: Any) -> Any:
    """Return what torch takes as parameters: of a module, and inside groups, its named parameters; tied ones once."""
    if isinstance(params, torch.nn.Module):
        return [(name.replace(COMPILED, ""), p) for name, p in params.named_parameters()]
    if isinstance(params, torch.Tensor | set):
        return params  # for torch to refuse
    given = [_named_group(each) if isinstance(each, dict) else each for each in params]
    pairs = all(isinstance(each, tuple) for each in given)
    return list({id(p): (name, p) for name, p in reversed(given)}.values())[::-1] if pairs else given


def _named_group(group: dict[str, Any]) -> dict[str, Any]:
    if "params" not in group:
        raise ParameterError(f"a parameter group is a dict with 'params'; got one with {listed(group)}")
    return {**group, "params": named(group["params"])}


def names(group: Mapping[str, Any], place: int) -> list[str]:
    """Return what the parameters of a group are called.

    Raises
    ------
    ParameterError
        If two have one name.
    """
    found = group.get("param_names") or [f"param {at} of group {place}" for at in range(len(group["params"]))]
    twice = sorted({name for name in found if found.count(name) > 1}) if len(set(found)) < len(found) else []
    if twice:
        raise ParameterError(f"group {place} has several parameters named {listed(twice)}; give each a name of its own")
    return list(found)


def check_lr(lr: Any) -> None:
    """Raise `ParameterError` unless a learning rate is a number, or a tensor of one, finite and not negative."""
    if callable(lr) and not isinstance(lr, torch.Tensor):
        raise ParameterError("lr is a number; for one that changes use a scheduler of torch.optim.lr_scheduler")
    if not isinstance(lr, int | float | np.number | torch.Tensor) or not 0 <= float(lr) < float("inf"):
        raise ParameterError(f"the learning rate must be a finite number that is not negative; got {lr!r}")


def check_parameters(parameters: Mapping[str, torch.Tensor]) -> None:
    """Raise for parameters that cannot be stepped as whole real arrays; the message lists them."""
    sharded = [name for name, p in parameters.items() if _sharded(p)]
    if sharded:
        raise ParameterError(
            f"{listed(sharded)}: sharded parameters (DTensor, FSDP) hold a part of an array here, and a norm needs the "
            "whole. Step on full arrays: p.full_tensor() of the gradients on one rank, or replicate with DDP"
        )
    for name, p in parameters.items():
        if p.is_complex():
            raise DTypeError(
                f"{name!r} is complex ({p.dtype}), which has no rule; take the two parts, torch.view_as_real"
            )
        if p.device.type == "meta":
            raise ParameterError(f"{name!r} is on the meta device: it has no entries; materialize the model first")
        if p.layout != torch.strided:
            raise ParameterError(f"{name!r} has the layout {p.layout}; a norm needs a dense array")
        numpy_dtype(p.dtype)


def check_gradient(name: str, gradient: torch.Tensor) -> None:
    """Raise `ParameterError` for a gradient that is no dense array."""
    if gradient.layout != torch.strided:
        raise ParameterError(
            f"the gradient of {name!r} is sparse ({gradient.layout}); make its module with sparse=False, or give it "
            "to an optimizer of its own"
        )


def _sharded(p: torch.Tensor) -> bool:
    kinds = {kind.__name__ for kind in type(p).__mro__}
    return bool(kinds & {"DTensor", "ShardedTensor", "FlatParameter"} or getattr(p, "_is_flat_param", False))


def as_rules(given: Any) -> Any:
    """Return rules: themselves, those of a ``.toml`` file, or the ready ones of a name."""
    if hasattr(given, "assign"):
        return given
    import normkit

    rules: Any = normkit.Rules
    text = os.fspath(given)
    return rules.load(text) if text.endswith(".toml") else rules.ready(text)


def assigned(group: Mapping[str, Any], shapes: Shapes, trained: Iterable[str]) -> Assigned:
    """Return what the parameters of a group have.

    Raises
    ------
    ShapeError
        If norms cannot take the shapes of parameters; the message lists all of them.
    ParameterError
        If a norm of named arrays has other names.
    NoClosedForm
        If a norm has no dualize map in closed form.
    """
    trained = list(trained)
    norm, pipeline = group["norm"], group["pipeline"]
    if pipeline is not None and not isinstance(pipeline, Mapping):
        return Assigned(None, dict.fromkeys(trained, _pipeline(pipeline)))
    piped = {name: _pipeline(value) for name, value in (pipeline or {}).items()}
    unknown = [name for name in piped if name not in shapes]
    if unknown:
        raise ParameterError(f"pipeline= names {listed(unknown)}; the parameters are {listed(shapes)}")
    if hasattr(norm, "assign"):
        made = norm.assign(shapes)
        piped = {name: _pipeline(value) for name, value in made.pipelines.items()} | piped
        found = Assigned(None if made.norm is None else product(made.norm), piped, frozenset(made.frozen))
    else:
        ruled = [name for name in trained if name not in piped]
        found = Assigned(_product(norm, group["outer"], ruled, shapes), piped)
    _check_shapes(found, {name: shapes[name] for name in trained})
    if found.product is not None:
        check_duals(found.product)
    return found


def _product(norm: Any, outer: Any, ruled: list[str], shapes: Shapes) -> Product | None:
    from normkit.calculus.modular import Modular
    from normkit.norm import as_norm

    whole = None if isinstance(norm, str) else product(norm)
    if whole is None:
        return product(Modular(dict.fromkeys(ruled, as_norm(norm)), as_norm(outer))) if ruled else None
    missing = [name for name in ruled if name not in whole.names]
    extra = [name for name in whole.names if name not in shapes]
    if missing or extra:
        parts = [f"lacks {listed(missing)}"] * bool(missing) + [f"has {listed(extra)}"] * bool(extra)
        raise ParameterError(f"the norm {' and '.join(parts)}; the parameters are {listed(shapes)}")
    return whole


def _pipeline(given: Any) -> Pipeline:
    """Return a pipeline: itself, or the one of (name, options) that rules name."""
    if isinstance(given, Pipeline):
        return given
    from normkit import optim

    pair = (given, {}) if isinstance(given, str) else given
    if not (isinstance(pair, tuple) and len(pair) == 2):
        raise ParameterError(f"a pipeline is an object, a name, or (name, options); got {given!r}")
    name, options = pair
    made: Pipeline = optim.pipeline_named(name, **options)
    return made


def _check_shapes(found: Assigned, shapes: Shapes) -> None:
    """Raise a `ShapeError` that lists all parameters that their norms cannot take."""
    if found.product is None:
        return
    wrong = []
    for place, name in enumerate(found.product.names):
        if name in shapes and name not in found.pipelines:
            try:
                take(found.product.only([place]), {name: np.broadcast_to(np.float32(0), shapes[name])}, "the parameter")
            except ShapeError as error:
                wrong.append(str(error))
    if wrong:
        raise ShapeError(
            f"{len(wrong)} parameters do not fit their norms. Give them a group of their own, or rules: "
            + "; ".join(wrong)
        )
