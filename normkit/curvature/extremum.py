"""What sharpness is told by: suprema between two bounds, in the three senses of the word."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

Kind = Literal["exact", "certified", "lower"]


@dataclass(frozen=True)
class Extremum:
    """lower <= the supremum <= upper.

    Attributes
    ----------
    lower : float
        Attained by the witness, up to the rounding of float64 and of the Hessian-vector product itself.
    upper : float
        A proven bound; infinity if none is known.
    kind : {"exact", "certified", "lower"}
        ``exact``: both are one number. ``certified``: both are proved. ``lower``: there is no upper bound.
    witness : ndarray or dict of ndarrays
        A point of the unit ball that attains `lower`, in the caller's types.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> nk.sharpness(np.diag([1.0, 3.0]), "linf").operator
    Extremum(lower=4.0, upper=4.0, kind='exact', witness=array([1., 1.]))
    """

    lower: float
    upper: float
    kind: Kind
    witness: Any

    @property
    def is_exact(self) -> bool:
        """Whether the supremum is known."""
        return self.kind == "exact"


@dataclass(frozen=True)
class Sharpness:
    """How strongly a symmetric H bends in a norm N, in the three senses that are easily taken for one another.

    Attributes
    ----------
    sphere : Extremum
        sup of <x, Hx> over N(x) = 1: the smallest L, of any sign, with f(x + d) <= f(x) + <g, d> + (L/2) N(d)^2 for the
        quadratic f with the Hessian H. It is negative for H < 0.
    operator : Extremum
        sup of N*(Hx) over N(x) = 1, which is sup of <y, Hx> over the unit ball: the norm of H from N to N*, that is the
        Lipschitz constant of the gradient. At least the magnitude of any <x, Hx> of the ball; `directional` if H >= 0.
    products : int
        How many Hessian-vector products were made; 0 for a matrix.
    steps : int
        How many points were looked at by the iterations; 0 if they were not needed.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> found = nk.sharpness(np.array([[0.0, 1.0], [1.0, -1.0]]), "linf")
    >>> found.directional.lower, found.operator.lower, found.directional.kind
    (1.0, 3.0, 'exact')
    """

    sphere: Extremum
    operator: Extremum
    products: int
    steps: int

    @property
    def directional(self) -> Extremum:
        """sup of <x, Hx> over N(x) <= 1, at least 0 as x = 0 is in the ball: what the descent lemma needs of L >= 0."""
        found = self.sphere
        if found.lower >= 0:
            return found
        upper = max(0.0, found.upper)
        return replace(found, lower=0.0, upper=upper, kind=kind_of(0.0, upper), witness=_zero(found.witness))


def kind_of(lower: float, upper: float) -> Kind:
    """Return what two bounds amount to."""
    if lower == upper:
        return "exact"
    return "certified" if np.isfinite(upper) else "lower"


def _zero(witness: Any) -> Any:
    if isinstance(witness, dict):
        return {name: _zero(each) for name, each in witness.items()}
    return witness * 0
