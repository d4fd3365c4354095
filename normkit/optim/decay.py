r"""Weight decay: what becomes of W before the step is added.

Decoupled          (1 - lr lambda) W
Independent        (1 - lambda) W, or (1 - lambda lr/base) W
Coupled            W, but the gradient is G + lambda W
SpectralClipped    (1 - lr lambda) W + lr lambda cap(W)
FrankWolfeDecay    (1 - lr) W
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from normkit.arrays import Array
from normkit.errors import ParameterError
from normkit.lengths import positive


class Decay(ABC):
    """A frozen value, without state."""

    looks: ClassVar[bool] = False
    """Whether `extra` computes with the entries of W, which must then be finite."""
    largest = float("inf")
    """The largest learning rate that it takes."""

    @abstractmethod
    def shrink(self, lr: Any) -> Any:
        """Return the share of W that is taken away; `lr` may be traced by JAX."""

    def keep(self, lr: Any) -> Any:
        """Return what W is multiplied with, 1 less `shrink`, of a learning rate that it takes."""
        self.check(lr)
        return 1.0 - self.shrink(lr)

    def check(self, lr: float) -> None:
        """Raise `ParameterError` for a learning rate that it does not take."""
        if lr > self.largest:
            raise ParameterError(f"{type(self).__name__} has lr in [0, {self.largest:g}]; got {lr!r}")

    @property
    def pull(self) -> float:
        """What multiplies W where it is added to the gradient."""
        return 0.0

    def extra(self, W: Array, lr: float) -> Array | None:
        """Return what is added besides, or None."""
        return None


def check_rate(number: Any, what: str) -> float:
    """Return a rate of decay as a float, or raise `ParameterError` if it is negative or infinite."""
    if isinstance(number, bool) or not (isinstance(number, int | float | np.number) and 0 <= number < np.inf):
        raise ParameterError(f"{what} must be a number that is not negative; got {number!r}")
    return float(number)


@dataclass(frozen=True)
class Decoupled(Decay):
    """W <- (1 - lr * rate) W + step, as AdamW has it (Loshchilov and Hutter 2019).

    With an `LMO` step of radius lr it keeps N(W) <= 1/rate once it is: N(W_t) <= (1 - lr rate)^t max(0, N(W_0) -
    1/rate) + 1/rate.

    Examples
    --------
    >>> from normkit.optim import Decoupled
    >>> Decoupled(0.1).keep(lr=0.5)
    0.95
    """

    rate: float

    def __post_init__(self) -> None:
        check_rate(self.rate, "weight decay")

    def shrink(self, lr: Any) -> Any:
        """Share lr * rate."""
        return lr * self.rate


@dataclass(frozen=True)
class Independent(Decay):
    """W <- (1 - rate) W + step, whatever the learning rate; with `base`, rate * lr / base: it follows the schedule.

    Examples
    --------
    >>> from normkit.optim import Independent
    >>> Independent(0.25).keep(lr=0.5), Independent(0.25, base=1.0).keep(lr=0.5)
    (0.75, 0.875)
    """

    rate: float
    base: float | None = None

    def __post_init__(self) -> None:
        check_rate(self.rate, "weight decay")
        if self.base is not None:
            positive(self.base, "base")

    def shrink(self, lr: Any) -> Any:
        """Share rate, or rate * lr / base."""
        return self.rate * (1.0 if self.base is None else lr / self.base)


@dataclass(frozen=True)
class Coupled(Decay):
    """G + rate * W in place of the gradient, before momentum: the gradient of a ridge penalty, as in SGD.

    Under a scale-free map it is no shrinkage of the weights but another direction.

    Examples
    --------
    >>> from normkit.optim import Coupled
    >>> Coupled(0.1).pull
    0.1
    """

    rate: float

    def __post_init__(self) -> None:
        check_rate(self.rate, "weight decay")

    def shrink(self, lr: Any) -> Any:
        """Share 0."""
        return 0.0

    @property
    def pull(self) -> float:
        """The rate."""
        return float(self.rate)


@dataclass(frozen=True)
class SpectralClipped(Decay):
    """W <- (1 - a) W + a cap(W), a = lr * rate, cap(W) with singular values min(s, bound): only s > bound shrink.

    Of a stack, each matrix by itself. Where every step adds r to a singular value, it settles at bound + r/a.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import SpectralClipped
    >>> decay = SpectralClipped(0.5, bound=1.0)
    >>> W = np.diag([3.0, 0.5])
    >>> (decay.keep(lr=1.0) * W + decay.extra(W, lr=1.0)).round(9).tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """

    rate: float
    bound: float = 1.0
    looks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_rate(self.rate, "weight decay")
        positive(self.bound, "bound")

    def shrink(self, lr: Any) -> Any:
        """Share lr * rate."""
        return lr * self.rate

    def extra(self, W: Array, lr: float) -> Array | None:
        """Return a cap(W); arrays of fewer than two axes are capped entry by entry."""
        from normkit.relatives import spectral_hardcap

        amount = lr * self.rate
        if amount == 0.0:
            return None
        capped = spectral_hardcap(W, self.bound) if W.ndim > 1 else np.clip(W, -self.bound, self.bound)
        return np.asarray(np.multiply(capped, amount, dtype=W.dtype))


@dataclass(frozen=True)
class FrankWolfeDecay(Decay):
    """W <- (1 - lr) W + lr * step: with an `LMO` step an average of W and a point of the ball (Scion's constraint).

    The same as the convention `normkit.FrankWolfe`; lr must be in [0, 1], or W leaves the ball.

    Examples
    --------
    >>> from normkit.optim import FrankWolfeDecay
    >>> FrankWolfeDecay().keep(lr=0.25)
    0.75
    """

    largest = 1.0

    def shrink(self, lr: Any) -> Any:
        """Share lr."""
        return lr
