"""Two-sided bounds where a norm has no closed form: operator norms that are NP-hard, and synthesis norms.

Every number is proved: the lower bound by a vector (or a gradient) that attains it, the upper bound by an inequality.
Rounding of float64 is not bounded; it is below 1e-12 relative on the sizes that this is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit.arrays import Batch, as_array, batch, check_finite
from normkit.codegen.plan import Missing, Product, Program
from normkit.descent import value
from normkit.errors import NoClosedForm, ShapeError
from normkit.generation import generate
from normkit.named import take
from normkit.operator_bounds import operator_bounds, projective_bounds
from normkit.programs import product, program
from normkit.witness import upper_bound

if TYPE_CHECKING:
    from normkit.norm import Norm

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """lower <= N(x) <= upper.

    Attributes
    ----------
    lower, upper : float
        Proven bounds.
    kind : {"exact", "certified"}
        ``exact`` if they are one number.
    witness : ndarray or None
        What attains the lower bound: for an operator norm the vector v with beta(x v) / alpha(v) = lower, for a
        synthesis norm the gradient g with <g, x> / N*(g) = lower. Of named arrays a dict with that of each block.

    Examples
    --------
    >>> import normkit as nk
    >>> found = nk.bounds("linf->l1", [[1.0, 2.0], [-3.0, 4.0]])
    >>> float(found.lower), found.kind, found.witness
    (8.0, 'exact', array([ 1., -1.]))
    """

    lower: float
    upper: float
    kind: Literal["exact", "certified"]
    witness: Array | dict[str, Any] | None


def bounds(norm: Norm | str | Program, x: Any, *, backend: str = "reference") -> Bounds:
    """Return proven bounds on N(x) for one item, also where N has no closed form.

    Of a `Modular` norm x is a mapping; the bounds of its blocks pass through the outer norm, which is monotone.

    Raises
    ------
    NoClosedForm
        If nothing is known about the norm at all (the dual of a hard operator norm).
    ShapeError, DTypeError, NonFiniteError
        If x does not fit.

    Examples
    --------
    >>> import normkit as nk
    >>> b = nk.bounds("linf->l1", [[1.0, 1.0], [1.0, -1.0]])
    >>> float(b.lower), float(b.upper), b.kind
    (2.0, 2.0, 'exact')
    """
    if (blocks := product(norm)) is not None:
        return _bound_blocks(blocks, x, backend)
    made = program(norm)
    array = as_array(x)
    items = batch(array, made.shape, made.spec)
    if items.leading:
        raise ShapeError(f"bounds takes one item of {made.spec}; got an array of shape {array.shape}")
    check_finite(np.full(1, np.nan), items)
    item = items.items[0].astype(np.float64)
    if not isinstance(made.value, Missing):
        size = float(value(made, item, backend=backend))
        return Bounds(size, size, "exact", None)
    if made.operator is not None:
        find = projective_bounds if made.operator.projective else operator_bounds
        return Bounds(*find(made.operator, item, backend))
    if not isinstance(made.dual, Missing):
        return synthesis_bounds(made, item, backend)
    raise NoClosedForm(made.value.message, made.value.cost_class)


def synthesis_bounds(made: Program, x: Array, backend: str) -> Bounds:
    """Bounds on an infimum over decompositions, by column generation and by the witness of the gradient it ends at."""
    found = generate(made, x, backend)
    upper = min(found.upper, upper_bound(made, found.gradient, x, backend))
    return Bounds(found.lower, max(found.lower, upper), "certified", found.gradient)


def _bound_blocks(blocks: Product, x: Any, backend: str) -> Bounds:
    """Return [outer(lower_l), outer(upper_l)] of bounds s_l [lower_l, upper_l] of the blocks."""
    named = take(blocks, x, "the array")
    each = []
    for place, (kind, array) in enumerate(zip(blocks.kinds, named.arrays, strict=True)):
        check_finite(np.full(1, np.nan), Batch(array[None], ()), named.called(place))
        each.append(bounds(blocks.programs[kind], array, backend=backend))
    ends = (np.array(blocks.scales) * [getattr(part, end) for part in each] for end in ("lower", "upper"))
    low, high = (bounds(blocks.outer, end, backend=backend) for end in ends)
    witnesses = {name: part.witness for name, part in zip(blocks.names, each, strict=True)}
    exact = low.lower == high.upper
    return Bounds(low.lower, high.upper, "exact" if exact else "certified", None if exact else witnesses)
