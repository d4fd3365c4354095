"""Variance reduction: gradients corrected by the difference to an earlier one, then averaged (arXiv:2509.15816)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.errors import ParameterError
from normkit.optim.momentum import Momentum, share
from normkit.optim.stage import At, Room, Slots, combine, wide


@dataclass(frozen=True)
class MVR1(Momentum):
    """C = G + gamma beta/(1 - beta) (G - G'), cut to Frobenius norm `clip`; B <- beta B + (1 - beta) C; U = B.

    G' is the gradient of the last step, at the weights and on the batch of that step, 0 at first. gamma = 0 is `EMA` of
    clipped gradients; ``clip=None`` does not cut. MARS (Yuan et al. 2024, arXiv:2411.10438) has the same C.

    Examples
    --------
    >>> from normkit.optim import MVR1
    >>> MVR1(0.95)
    MVR1(beta=0.95, gamma=0.025, clip=1.0)
    """

    beta: float = 0.95
    gamma: float = 0.025
    clip: float | None = 1.0

    def __post_init__(self) -> None:
        share(self.beta, "beta")
        if not 0 <= self.gamma <= 1:
            raise ParameterError(f"gamma must be in [0, 1]; got {self.gamma!r}")
        if self.clip is not None and not self.clip > 0:
            raise ParameterError(f"clip must be positive, or None; got {self.clip!r}")

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return those of B and G'."""
        return {**super().keeps(shape, dtype), "gradient": (shape, wide(dtype))}

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Correct by the gradient that was kept, and keep this one."""
        kept = slots.zeros("gradient", u)
        made = self._averaged(u, kept, slots)
        kept[...] = u
        return made

    def _averaged(self, u: Array, before: Array, slots: Slots) -> Array:
        weight = self.gamma * self.beta / (1.0 - self.beta)
        corrected = combine(np.empty_like(slots.zeros("momentum", u)), 1.0 + weight, u, -weight, before)
        size = float(np.linalg.norm(corrected.astype(np.float64)))
        factor = 1.0 if self.clip is None or size <= self.clip else self.clip / size
        kept = slots["momentum"]
        return combine(kept, self.beta, kept, (1.0 - self.beta) * factor, corrected)


@dataclass(frozen=True)
class MVR2(MVR1):
    """As `MVR1`, but G' is the gradient at the weights before the last step on the *present* batch: ``previous=``.

    gamma = 1 without clipping is STORM: B <- G + beta (B - G').

    Examples
    --------
    >>> from normkit.optim import MVR2
    >>> MVR2(0.95, gamma=1, clip=None)
    MVR2(beta=0.95, gamma=1, clip=None)
    """

    needs = ("previous",)

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return that of B."""
        return Momentum.keeps(self, shape, dtype)

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Correct by the gradient that is given."""
        assert at.previous is not None
        return self._averaged(u, at.previous, slots)
