"""The Frank-Wolfe step: weights averaged with the point of a ball that goes furthest downhill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit import blockwise
from normkit.arrays import Array, as_array, own_type
from normkit.certificate import pairing
from normkit.conventions import Convention
from normkit.descent import dual_value, dualize_with_value, value
from normkit.errors import ParameterError, ShapeError
from normkit.lengths import positive, times
from normkit.named import take
from normkit.programs import product

if TYPE_CHECKING:
    from sympy import Expr, Symbol

    from normkit.codegen.plan import Product
    from normkit.norm import Norm


@dataclass(frozen=True)
class FrankWolfe(Convention):
    """W <- (1 - rate) W - rate * radius * t: an average of W and the `lmo` of the ball, so it never leaves the ball.

    N(W + step) <= (1 - rate) N(W) + rate * radius. It is weight decay and an LMO step in one. The decrease is in h =
    <G, W> + radius N*(G), the Frank-Wolfe gap, and w = N(W).

    Examples
    --------
    >>> import normkit as nk
    >>> nk.FrankWolfe(2.0, rate=0.5).step("linf", [1.0, 1.0], [3.0, -4.0])
    array([-1.5,  0.5])
    """

    radius: float
    rate: float = 1.0

    def __post_init__(self) -> None:
        positive(self.radius, "radius")
        positive(self.rate, "rate")
        if self.rate > 1:
            raise ParameterError(f"rate must be in (0, 1], or W leaves the ball; got {self.rate!r}")

    @property
    def decrease(self) -> Expr:
        """gamma h - (L/2) gamma^2 (w + eta)^2."""
        from normkit.guarantees import averaged_decrease

        return averaged_decrease()

    def step(self, norm: Norm | str, W: Any, G: Any, **options: Any) -> Any:
        """Return -rate * (W + radius * t)."""
        if (blocks := product(norm)) is not None:
            return self._blocks(blocks, W, G, options)
        t = dualize_with_value(norm, G, **options).array
        return own_type(self._averaged(t, as_array(W, "the weights"), "the weights", -self.rate * self.radius), G)

    def _blocks(self, blocks: Product, W: Any, G: Any, options: dict[str, Any]) -> dict[str, Any]:
        weights = take(blocks, W, "the weights")
        made, _ = blockwise.run(blocks, G, lambda of: self.lengths(of, blocks.names), **options)
        steps = take(blocks, made, "the step")
        for place, (t, w) in enumerate(zip(steps.arrays, weights.arrays, strict=True)):
            self._averaged(t, w, weights.called(place), 1.0)
        return made

    def lengths(self, of: blockwise.Measured, names: tuple[str, ...]) -> Any:
        """Return -rate * radius * c_l."""
        return -self.rate * self.radius * of.shares

    @property
    def shrink(self) -> float:
        """The rate."""
        return self.rate

    def apart(self, outer: str) -> bool:
        """Tell whether the outer norm is linf, whose shares are 1."""
        return outer == "linf"

    def _averaged(self, t: Array, w: Array, what: str, length: float) -> Array:
        """Write length * t - rate * w to t."""
        if t.shape != w.shape:
            raise ShapeError(f"{what} and the gradient differ in shape: {w.shape} and {t.shape}")
        return np.subtract(
            times(t, np.float64(length), t), np.multiply(w, np.float64(self.rate)), out=t, casting="unsafe"
        )

    def guaranteed(self, norm: Norm | str, W: Any, G: Any, *, smoothness: float) -> Any:
        """Return `decrease` as a number."""
        positive(smoothness, "smoothness")
        gap = pairing(norm, G, W) + self.radius * dual_value(norm, G)
        return self._number(self.decrease, gap=gap, size=value(norm, W), smoothness=float(smoothness))

    def _symbols(self) -> dict[Symbol, float]:
        from normkit import guarantees as of

        return {of.radius: self.radius, of.rate: self.rate}
