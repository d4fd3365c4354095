"""An update and its proof: the dualize map in one of three conventions, certified as it will be stored."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from normkit.arrays import Array, as_array
from normkit.backends.precision import eps_of
from normkit.certificate import Certificate, certify
from normkit.codegen.plan import lifts
from normkit.descent import dualize_with_value
from normkit.errors import NonFiniteError, ParameterError
from normkit.programs import program, required

if TYPE_CHECKING:
    from normkit.codegen.plan import Program
    from normkit.norm import Norm

Convention = Literal["dualize", "lmo", "sharp"]


@dataclass(frozen=True)
class Update:
    """An array and the certificate of its direction.

    Attributes
    ----------
    array : ndarray
        ``factor * t``; dtype and shape of the gradient.
    factor : float
        1 (dualize), -radius (lmo), or -N*(g) / sharpness (sharp; an array over a batch).
    certificate : Certificate
        Of t as the stored array gives it, array / factor: rounding and underflow of the array show.
    tolerance : float
        What `holds` allows: the accuracy asked for, or what rounding in this dtype explains, if that is more.
    """

    array: Array
    factor: Any
    certificate: Certificate
    tolerance: float

    @property
    def norm(self) -> Any:
        """N(array), or the certificate's bound on it."""
        return abs(self.factor) * self.certificate.norm

    @property
    def pairing(self) -> Any:
        """<g, array>."""
        with np.errstate(over="ignore"):
            return self.factor * self.certificate.pairing

    @property
    def holds(self) -> bool:
        """Whether the certificate proves the direction optimal to the tolerance."""
        return self.certificate.holds(self.tolerance)


def certified_update(
    norm: Norm | str | Program,
    g: Any,
    *,
    convention: Convention = "dualize",
    radius: float = 1.0,
    sharpness: float = 1.0,
    accuracy: float = 0.0,
    backend: str = "auto",
) -> Update:
    """Return the dualize map, -radius * it (lmo) or -(N*(g) / sharpness) * it (sharp), with its certificate.

    Raises
    ------
    NoClosedForm, ShapeError, DTypeError, NonFiniteError
        As in `dualize`; NonFiniteError also if the step overflows the dtype of the gradient.
    ParameterError
        For an unknown convention, or a radius or sharpness that is not positive.
    """
    made, gradient = program(norm), as_array(g, "the gradient")
    enough = accuracy / SHORT if accuracy >= COARSEST else None
    found = _update(made, gradient, convention, radius, sharpness, accuracy, backend, enough)
    if enough is None or found.holds:
        return found
    return _update(made, gradient, convention, radius, sharpness, accuracy, backend, None)


SHORT, COARSEST = 4.0, 1e-4
"""A factor with an error of a in each direction may have a gap of 3 a: the share of a gap that its map may be off by,
and the gap from which a shorter computation is tried."""


def _update(
    made: Program,
    gradient: Array,
    convention: Convention,
    radius: float,
    sharpness: float,
    accuracy: float,
    backend: str,
    enough: float | None,
) -> Update:
    run = dualize_with_value(made, gradient, backend=backend, accuracy=enough)
    factor = _factor(convention, radius, sharpness, run.dual_norm)
    item = run.items.items.shape[1:]
    array = direction = run.array
    if convention != "dualize":
        factors = np.asarray(factor).reshape(np.shape(factor) + (1,) * len(item))
        with np.errstate(over="ignore", invalid="ignore"):
            array = np.multiply(run.array, factors, out=np.empty_like(run.array), casting="unsafe")
        if not np.isfinite(array).all():
            raise NonFiniteError(f"the step overflows {array.dtype}; give a smaller radius or a larger sharpness")
        direction = np.divide(array, factors, out=np.zeros(array.shape), where=factors < 0)
    # The value beside a map from singular vectors may rest on that map: then the proof computes the dual norm by
    # itself.
    known = None if lifts(required(made.dual)) else run.dual_norm
    proof = certify(made, gradient, direction, dual_norm=known, backend=backend)
    return Update(array, factor, proof, max(accuracy, rounding(item, gradient.dtype)))


def _factor(convention: str, radius: float, sharpness: float, dual_norm: Any) -> Any:
    """Return what the dualize map is multiplied with."""
    for name, number in (("radius", radius), ("sharpness", sharpness)):
        if not 0 < number < float("inf"):
            raise ParameterError(f"{name} must be a positive finite number; got {number}")
    with np.errstate(over="ignore"):
        factors = {"dualize": 1.0, "lmo": -radius, "sharp": -dual_norm / sharpness}
    if convention not in factors:
        raise ParameterError(f"unknown convention {convention!r}; known: {', '.join(factors)}")
    return factors[convention]


def rounding(item: tuple[int, ...], dtype: np.dtype[Any]) -> float:
    """Return 8 sqrt(size) eps, the gap that rounding an item in a dtype explains; never more than 1/16."""
    return min(8 * sqrt(prod(item)) * eps_of(dtype), 1 / 16)
