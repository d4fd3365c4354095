r"""Momentum forms: how gradients of several steps become one direction U.

    EMA               B <- beta B + (1 - beta) G          U = B,   Nesterov: (1 - beta) G + beta B
    HeavyBall         B <- beta B + (1 - tau) G           U = B,   Nesterov: G + beta B
    LionMomentum      U = beta1 B + (1 - beta1) G         B <- beta2 B + (1 - beta2) G

EMA is (1 - beta) times the heavy ball: the same direction of an `LMO` step, another length of a `Sharp` one.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.errors import ParameterError
from normkit.optim.stage import At, Room, Slots, Stage, combine, mix, wide


class Momentum(Stage):
    """A stage that a norm's dualize map follows."""

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return that of B, as of most forms."""
        return {"momentum": (shape, wide(dtype))}


@dataclass(frozen=True)
class Mixing:
    """The numbers of B <- keep B + add G and U = of_kept B + of_new G, the B of U being that before if `before`."""

    keep: Any
    add: Any
    of_kept: Any = 1.0
    of_new: Any = 0.0
    before: bool = False


class Linear(Momentum):
    """A form that keeps one array and is linear: stated by its numbers, so that arrays of any library can follow it."""

    @abstractmethod
    def mixing(self, step: Any, first: Any) -> Mixing:
        """Return the numbers of a step, from 1 on; `first` where nothing was kept. Both may be traced by JAX."""

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Mix the direction in."""
        by = self.mixing(at.step, "momentum" not in slots)
        kept = slots.zeros("momentum", u)
        if by.before:
            made = combine(np.empty_like(u, dtype=wide(u.dtype)), by.of_kept, kept, by.of_new, u)
            combine(kept, by.keep, kept, by.add, u)
            return made
        if (by.of_kept, by.of_new) == (1.0, 0.0):
            return combine(kept, by.keep, kept, by.add, u)
        return mix(kept, by.keep, by.add, u, by.of_kept, by.of_new)


@dataclass(frozen=True)
class EMA(Linear):
    """B <- beta B + (1 - beta) G, an exponential moving average that starts at 0; U = B.

    With `nesterov`, U = (1 - beta) G + beta B. With `debias`, B and G are first divided by 1 - beta^t as Adam does, and
    for `nesterov` B by 1 - beta^(t+1), which changes the mix of the two in the first steps.

    Examples
    --------
    >>> from normkit.optim import EMA
    >>> EMA(0.9, nesterov=True)
    EMA(beta=0.9, nesterov=True, debias=False)
    """

    beta: float
    nesterov: bool = False
    debias: bool = False

    def __post_init__(self) -> None:
        share(self.beta, "beta")

    def mixing(self, step: Any, first: Any) -> Mixing:
        """Return the numbers of an average."""
        now = 1.0 - self.beta**step if self.debias else 1.0
        if not self.nesterov:
            return Mixing(self.beta, 1.0 - self.beta, 1.0 / now)
        later = 1.0 - self.beta ** (step + 1) if self.debias else 1.0
        return Mixing(self.beta, 1.0 - self.beta, self.beta / later, (1.0 - self.beta) / now)


@dataclass(frozen=True)
class HeavyBall(Linear):
    """B <- beta B + (1 - dampening) G, B = G at the first step; U = B, or G + beta B with `nesterov`.

    Examples
    --------
    >>> from normkit.optim import HeavyBall
    >>> HeavyBall(0.9)
    HeavyBall(beta=0.9, nesterov=False, dampening=0.0)
    """

    beta: float
    nesterov: bool = False
    dampening: float = 0.0

    def __post_init__(self) -> None:
        share(self.beta, "beta")
        share(self.dampening, "dampening")
        if self.nesterov and self.dampening:
            raise ParameterError("Nesterov's form of the heavy ball takes no dampening; leave one of them out")

    def mixing(self, step: Any, first: Any) -> Mixing:
        """Return the numbers of a sum, which starts with the first direction as it is."""
        later = 1.0 - first
        of_kept, of_new = (self.beta, 1.0) if self.nesterov else (1.0, 0.0)
        return Mixing(self.beta * later, 1.0 - self.dampening * later, of_kept, of_new)

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return that of B, if there is one."""
        return super().keeps(shape, dtype) if self.beta or self.dampening else {}

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Add the direction; where nothing is kept, neither is an array."""
        return super().apply(u, slots, at) if self.beta or self.dampening else u


@dataclass(frozen=True)
class LionMomentum(Linear):
    """U = beta1 B + (1 - beta1) G with the average before this step, then B <- beta2 B + (1 - beta2) G.

    With the norm ``max`` and an LMO step it is Lion (Chen et al. 2023, arXiv:2302.06675).

    Examples
    --------
    >>> from normkit.optim import LionMomentum
    >>> LionMomentum()
    LionMomentum(beta1=0.9, beta2=0.99)
    """

    beta1: float = 0.9
    beta2: float = 0.99

    def __post_init__(self) -> None:
        share(self.beta1, "beta1")
        share(self.beta2, "beta2")

    def mixing(self, step: Any, first: Any) -> Mixing:
        """Return the numbers of two averages."""
        return Mixing(self.beta2, 1.0 - self.beta2, self.beta1, 1.0 - self.beta1, before=True)


def share(number: Any, what: str) -> None:
    """Raise `ParameterError` unless a number is in [0, 1)."""
    if isinstance(number, bool) or not (isinstance(number, int | float | np.number) and 0 <= number < 1):
        raise ParameterError(f"{what} must be in [0, 1); got {number!r}")
