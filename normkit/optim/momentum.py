r"""Momentum forms: how gradients of several steps become one direction U.

    EMA               B <- beta B + (1 - beta) G          U = B,   Nesterov: (1 - beta) G + beta B
    HeavyBall         B <- beta B + (1 - tau) G           U = B,   Nesterov: G + beta B
    LionMomentum      U = beta1 B + (1 - beta1) G         B <- beta2 B + (1 - beta2) G

EMA is (1 - beta) times the heavy ball: the same direction of an `LMO` step, another length of a `Sharp` one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.errors import ParameterError
from normkit.optim.stage import At, Slots, Stage, combine, wide


class Momentum(Stage):
    """A stage that a norm's dualize map follows."""


@dataclass(frozen=True)
class EMA(Momentum):
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

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Average the direction in."""
        kept = slots.zeros("momentum", u)
        combine(kept, self.beta, kept, 1.0 - self.beta, u)
        rest = 1.0 - self.beta
        if not self.debias:
            return combine(np.empty_like(kept), self.beta, kept, rest, u) if self.nesterov else kept
        if not self.nesterov:
            return np.divide(kept, 1.0 - self.beta**at.step, dtype=kept.dtype)
        now, later = 1.0 - self.beta**at.step, 1.0 - self.beta ** (at.step + 1)
        return combine(np.empty_like(kept), self.beta / later, kept, rest / now, u)


@dataclass(frozen=True)
class HeavyBall(Momentum):
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

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Add the direction."""
        if not self.beta and not self.dampening:
            return u
        first = "momentum" not in slots
        kept = slots.zeros("momentum", u)
        combine(kept, 0.0 if first else self.beta, kept, 1.0 if first else 1.0 - self.dampening, u)
        return combine(np.empty_like(kept), self.beta, kept, 1.0, u) if self.nesterov else kept


@dataclass(frozen=True)
class LionMomentum(Momentum):
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

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Mix the direction in, and average it in."""
        kept = slots.zeros("momentum", u)
        made = combine(np.empty_like(u, dtype=wide(u.dtype)), self.beta1, kept, 1.0 - self.beta1, u)
        combine(kept, self.beta2, kept, 1.0 - self.beta2, u)
        return made


def share(number: Any, what: str) -> None:
    """Raise `ParameterError` unless a number is in [0, 1)."""
    if isinstance(number, bool) or not (isinstance(number, int | float | np.number) and 0 <= number < 1):
        raise ParameterError(f"{what} must be in [0, 1); got {number!r}")
