"""Step conventions as values: how far to go along the dualize map, and by how much the loss then falls at least."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit import blockwise
from normkit.arrays import own_type
from normkit.backends.scalar import function
from normkit.descent import dual_value, dualize_with_value
from normkit.errors import ParameterError
from normkit.foreign import library
from normkit.lengths import positive, times
from normkit.programs import product

if TYPE_CHECKING:
    from sympy import Expr, Symbol

    from normkit.norm import Norm


class Convention(ABC):
    """From a norm, weights W and a gradient G to a step; frozen, hashable, free of state.

    A plain norm takes arrays, and batches of them item by item; a `Modular` norm takes mappings.

    Examples
    --------
    >>> import normkit as nk
    >>> isinstance(nk.Sharp(2.0), nk.Convention)
    True
    """

    @property
    @abstractmethod
    def decrease(self) -> Expr:
        """The guaranteed decrease of the loss, in N*(g) = d, the smoothness L and the letters of the convention."""

    @abstractmethod
    def step(self, norm: Norm | str, W: Any, G: Any, **options: Any) -> Any:
        """Return what is added to W; options as in `normkit.dualize`."""

    @abstractmethod
    def lengths(self, of: blockwise.Measured, names: tuple[str, ...]) -> Any:
        """Return the length of every block's step along its dualize map, in its own scaled norm; negative is downhill.

        What `step` adds to the block l of a norm of named arrays is lengths_l / s_l times t_l, less `shrink` times W_l.
        """

    @property
    def shrink(self) -> float:
        """The share of the weights that a step takes away: 0, except for averaged steps."""
        return 0.0

    def apart(self, outer: str) -> bool:
        """Tell whether under an outer norm, given as its spec, the length of a block depends on that block alone.

        Such steps need no look at the other blocks: a model can be stepped array by array.
        """
        return False

    @abstractmethod
    def guaranteed(self, norm: Norm | str, W: Any, G: Any, *, smoothness: float) -> Any:
        """Return `decrease` as a number: a lower bound of f(W) - f(W + step) if the smoothness is at least that of f.

        It is negative where the step is too long to promise anything.
        """

    def _symbols(self) -> dict[Symbol, float]:
        """Return the numbers of the letters."""
        return {}

    def _number(self, expr: Expr, **given: Any) -> Any:
        """Evaluate an expression of `normkit.guarantees` at this convention's numbers and those given by name."""
        from normkit import guarantees

        numbers = self._symbols() | {getattr(guarantees, name): number for name, number in given.items()}
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return _compiled(expr, tuple(numbers), library(*given.values()))(*numbers.values(), 1.0, 1.0)


@lru_cache(maxsize=256)
def _compiled(expr: Expr, letters: tuple[Symbol, ...], library: Any) -> Callable[..., Any]:
    """Return an expression as a function of arrays: of the letters in their order, then of two unused sizes."""
    from sympy import symbols

    from normkit.codegen.scalars import scalar

    # Not every letter is a name in Python: lambda is none.
    names = symbols(f"x_:{len(letters)}")
    return function(scalar(expr.xreplace(dict(zip(letters, names, strict=True))), names), library)


def along(
    norm: Norm | str, G: Any, radius: Callable[[Any], Any], convention: Convention, options: dict[str, Any]
) -> Any:
    """Return -r t: r = radius(N*(G)), item by item, or the lengths that a convention gives the blocks of a model."""
    if (blocks := product(norm)) is not None:
        return blockwise.run(blocks, G, lambda of: convention.lengths(of, blocks.names), **options)[0]
    made = dualize_with_value(norm, G, **options)
    item = made.items.items.ndim - 1
    lengths = np.broadcast_to(-radius(made.dual_norm), made.items.leading).reshape(made.items.leading + (1,) * item)
    return own_type(times(made.array, lengths, made.array), G)


class Radial(Convention):
    """Conventions whose step is -r t, t the dualize map and r a function of the dual norm."""

    @property
    @abstractmethod
    def length(self) -> Expr:
        """N(step), in N*(g) = d and the letters of the convention."""

    @property
    def decrease(self) -> Expr:
        """r d - (L/2) r^2: by the descent lemma."""
        from normkit.guarantees import decrease

        return decrease(self.length)

    def step(self, norm: Norm | str, W: Any, G: Any, **options: Any) -> Any:
        """Return -r t; W is not looked at, and may be None."""
        return along(norm, G, self._radius, self, options)

    def lengths(self, of: blockwise.Measured, names: tuple[str, ...]) -> Any:
        """Return -r c_l: one radius r, shared out by the dualize map c of the outer norm."""
        return -self._radius(of.dual_norm) * of.shares

    def guaranteed(self, norm: Norm | str, W: Any, G: Any, *, smoothness: float) -> Any:
        """Return `decrease` as a number."""
        positive(smoothness, "smoothness")
        return self._number(self.decrease, dual_norm=dual_value(norm, G), smoothness=float(smoothness))

    def _radius(self, dual_norm: Any) -> Any:
        return self._number(self.length, dual_norm=dual_norm)


@dataclass(frozen=True)
class Sharp(Radial):
    """argmin of <G, D> + (sharpness/2) N(D)^2, that is -(N*(G)/sharpness) t: the step of `steepest_descent`.

    For a smoothness of at most `sharpness` the loss falls by N*(G)^2 / (2 sharpness) or more.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.Sharp(2.0).step("linf", None, [3.0, -4.0])
    array([-3.5,  3.5])
    >>> nk.Sharp(2.0).decrease
    d**2*(-L/2 + lambda)/lambda**2
    >>> float(nk.Sharp(2.0).guaranteed("linf", None, [3.0, -4.0], smoothness=2.0))
    12.25
    """

    sharpness: float

    def __post_init__(self) -> None:
        positive(self.sharpness, "sharpness")

    @property
    def length(self) -> Expr:
        """N*(g) / sharpness."""
        from normkit import guarantees as of

        return of.dual_norm / of.sharpness

    def apart(self, outer: str) -> bool:
        """Tell whether the outer norm is l2, whose shares are d_l / N*(G)."""
        return outer == "l2"

    def _symbols(self) -> dict[Symbol, float]:
        from normkit import guarantees as of

        return {of.sharpness: self.sharpness}


@dataclass(frozen=True)
class LMO(Radial):
    """argmin of <G, D> over N(D) <= radius, that is -radius * t: the step of `lmo`. A gradient of zero gives zero.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.LMO(0.5).step("linf", None, [3.0, -4.0])
    array([-0.5,  0.5])
    >>> nk.LMO(0.5).decrease
    eta*(-L*eta + 2*d)/2
    """

    radius: float

    def __post_init__(self) -> None:
        positive(self.radius, "radius")

    @property
    def length(self) -> Expr:
        """The radius."""
        from normkit import guarantees as of

        return of.radius

    def apart(self, outer: str) -> bool:
        """Tell whether the outer norm is linf, whose shares are 1."""
        return outer == "linf"

    def _symbols(self) -> dict[Symbol, float]:
        from normkit import guarantees as of

        return {of.radius: self.radius}


@dataclass(frozen=True)
class TrustRegion(Radial):
    """argmin of <G, D> + (sharpness/2) N(D)^2 over N(D) <= radius: a sharp step that is cut at the radius.

    On the ray -r t the model is -r d + (sharpness/2) r^2, least at r = min(d / sharpness, radius), and no other
    direction does better. Without a model (sharpness 0) it is `LMO`.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.TrustRegion(0.5, sharpness=2.0).step("linf", None, [[3.0, -4.0], [0.1, 0.3]])
    array([[-0.5,  0.5],
           [-0.2, -0.2]])
    """

    radius: float
    sharpness: float = 0.0

    def __post_init__(self) -> None:
        positive(self.radius, "radius")
        if self.sharpness != 0:
            positive(self.sharpness, "sharpness")

    @property
    def length(self) -> Expr:
        """min(N*(g) / sharpness, radius)."""
        from sympy import Min

        from normkit import guarantees as of

        return Min(of.dual_norm / of.sharpness, of.radius) if self.sharpness else of.radius

    def apart(self, outer: str) -> bool:
        """Tell whether this is `LMO` under linf."""
        return outer == "linf" and not self.sharpness

    def _symbols(self) -> dict[Symbol, float]:
        from normkit import guarantees as of

        return {of.radius: self.radius} | ({of.sharpness: self.sharpness} if self.sharpness else {})


@dataclass(frozen=True)
class PowerStep(Radial):
    """argmin of <G, D> + (sharpness/p) N(D)^p, that is -(N*(G)/sharpness)^(1/(p-1)) t, for a power p > 1.

    The guarantee is for losses with f(W + D) <= f(W) + <G, D> + (L/p) N(D)^p, which for p = 2 is smoothness.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.PowerStep(2.0, power=3).step("linf", None, [5.0, -3.0])
    array([-2.,  2.])
    """

    sharpness: float
    power: float = 2.0

    def __post_init__(self) -> None:
        positive(self.sharpness, "sharpness")
        positive(self.power, "power")
        if self.power <= 1:
            raise ParameterError(f"power must be more than 1; got {self.power!r}")

    @property
    def length(self) -> Expr:
        """(N*(g) / sharpness)^(1/(p-1))."""
        from normkit import guarantees as of

        return (of.dual_norm / of.sharpness) ** (1 / (of.power - 1))

    @property
    def decrease(self) -> Expr:
        """r d - (L/p) r^p."""
        from normkit import guarantees as of

        return of.decrease(self.length, exponent=of.power)

    def _symbols(self) -> dict[Symbol, float]:
        from normkit import guarantees as of

        return {of.sharpness: self.sharpness, of.power: float(self.power)}
