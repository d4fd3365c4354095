"""Transformations of a pytree that keep nothing: the dualize map, and the projection to a ball."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import optax

from normkit.errors import ParameterError
from normkit.norm import Norm
from normkit.pytrees.descent import fitting, norm_of, widened
from normkit.pytrees.host import Projection, Steps, call
from normkit.pytrees.leaves import leaves, same
from normkit.pytrees.printed import moved


@dataclass(frozen=True)
class Stateless(ABC):
    """A norm of pytrees, which `init` checks them against."""

    norm: Norm | str
    layout: str

    def init(self, params: Any) -> optax.EmptyState:
        """Return nothing, or raise if the leaves do not fit the norm."""
        fitting(self.norm, self.layout, leaves(params))
        return optax.EmptyState()

    def update(self, updates: Any, state: Any, params: Any = None, **_: Any) -> tuple[Any, Any]:
        """Return other updates."""
        return self.step(updates, params), state

    @abstractmethod
    def step(self, updates: Any, params: Any) -> Any:
        """Return other updates."""


@dataclass(frozen=True)
class Dualizing(Stateless):
    """T in place of G; `accuracy` as in `Descent`."""

    accuracy: tuple[float | None, Any]
    via: str

    def step(self, updates: Any, params: Any) -> Any:
        """Return the dualize map."""
        found = leaves(updates)
        blocks = fitting(self.norm, self.layout, found)
        if blocks is None:
            return updates
        exact, traced = self.accuracy
        made = moved(self.via, Steps(blocks, found.names, exact), tuple(map(widened, found.arrays)), 1.0, traced)
        return found.back(t.astype(g.dtype) for t, g in zip(made, found.arrays, strict=True))


@dataclass(frozen=True)
class Projecting(Stateless):
    """Updates after which W + U is in the ball N <= radius."""

    radius: float

    def step(self, updates: Any, params: Any) -> Any:
        """Return the way to the point of the ball that is nearest to W + U."""
        found = leaves(updates)
        if fitting(self.norm, self.layout, found) is None:
            return updates
        if params is None:
            raise ParameterError("project needs the parameters, and got none; call update(updates, state, params)")
        given = leaves(params)
        same(found, given, "the updates", "params")
        weights = tuple(map(widened, given.arrays))
        goals = tuple(w + widened(u) for w, u in zip(weights, found.arrays, strict=True))
        points = call(Projection(norm_of(self.norm, self.layout, found), found.names, self.radius), goals)
        return found.back((p - w).astype(u.dtype) for p, w, u in zip(points, weights, found.arrays, strict=True))
