"""States of torch optimizers: out as plain data, and back in, where what is kept still fits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from normkit.names import listed
from normkit.optim.engine import MASTER
from normkit.torch_groups import names

OBJECTS = ("norm", "convention", "momentum", "weight_decay", "outer", "pipeline")
"""Options that may be objects; a state holds their texts."""
KEPT_BY = "kept_by"


def saved(packed: dict[str, Any], groups: list[dict[str, Any]], stages: list[list[str]]) -> dict[str, Any]:
    """Return a packed state with texts in place of objects, and with the stages that keep something."""
    for entry, group, kept_by in zip(packed["param_groups"], groups, stages, strict=True):
        entry |= {key: plain(group[key]) for key in OBJECTS} | {KEPT_BY: kept_by}
    return packed


def plain(value: Any) -> Any:
    """Return numbers and texts as they are, anything else as a text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return {str(key): plain(each) for key, each in value.items()} if isinstance(value, Mapping) else str(value)


def restored(optimizer: Any, state: Mapping[str, Any], own: list[dict[str, Any]], stages: Callable[[], Any]) -> None:
    """Put right what torch has loaded: own objects, kept arrays in their dtypes, and only those that still fit."""
    for group, mine, theirs in zip(optimizer.param_groups, own, state["param_groups"], strict=True):
        numbers = {key: theirs[key] for key in OBJECTS if _number(theirs.get(key)) and _number(mine[key])}
        kept = {key: value for key, value in theirs.items() if key not in (*OBJECTS, KEPT_BY, "params", "param_names")}
        group.clear()
        group.update(mine | kept | numbers)
    dropped = []
    for place, (theirs, kept_by) in enumerate(zip(state["param_groups"], stages(), strict=True)):
        group = optimizer.param_groups[place]
        were = theirs.get(KEPT_BY, [None] * len(kept_by))
        each = zip(theirs["params"], group["params"], names(group, place), were, kept_by, strict=True)
        for index, p, name, before, now in each:
            found = state["state"].get(index, {})
            fitting = {slot: _own(x, p) for slot, x in found.items() if _fits(slot, x, p, before == now)}
            optimizer.state.pop(p, None)
            if fitting:
                optimizer.state[p] = fitting
            if len(fitting) < len(found):
                dropped.append(f"{name} ({', '.join(slot for slot in found if slot not in fitting)})")
    if dropped:
        warnings.warn(
            f"what the state keeps for {len(dropped)} parameters does not fit the stages or shapes that they have now, "
            f"and is dropped; they go on as at a first step: {listed(dropped)}",
            stacklevel=3,
        )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _own(value: Any, p: torch.Tensor) -> Any:
    return value.detach().clone().to(p.device) if isinstance(value, torch.Tensor) else value


def _fits(slot: str, value: Any, p: torch.Tensor, same_stages: bool) -> bool:
    """Tell whether something that was kept can be kept: an array with as many axes as the parameter has its shape."""
    shaped = not isinstance(value, torch.Tensor) or value.ndim != p.ndim or value.shape == p.shape
    if slot == MASTER:
        return shaped and p.dtype in (torch.float16, torch.bfloat16)
    return shaped and same_stages
