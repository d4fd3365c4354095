"""Sharpness: the largest curvature of a Hessian in a norm, bracketed from both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from normkit.curvature import exact
from normkit.curvature.ascent import Best, ascend
from normkit.curvature.forms import gauge_power, weighted_power
from normkit.curvature.hessian import Hessian, as_matrix, symmetric
from normkit.curvature.krylov import ritz_vectors
from normkit.curvature.space import Floats, Space, space
from normkit.curvature.upper import upper_bounds
from normkit.errors import NonFiniteError, ParameterError
from normkit.lengths import positive

if TYPE_CHECKING:
    from normkit.norm import Norm

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
        return replace(found, lower=0.0, upper=upper, kind=_kind(0.0, upper), witness=_zero(found.witness))


def sharpness(
    hvp: Callable[[Any], Any] | Any,
    norm: Norm | str,
    like: Any = None,
    *,
    starts: int = 8,
    steps: int = 100,
    rtol: float = 1e-9,
    dense: int = 64,
    symmetry: float | None = None,
    seed: Any = 0,
) -> Sharpness:
    """Bracket sup <x, Hx> and sup N*(Hx) over N(x) <= 1 for a symmetric H, from Hessian-vector products or a matrix.

    The lower bounds are attained: by the extremal points where those are known, else by the best of the iterations of
    `normkit.curvature.ascent` (power iteration of the duality map, shifted, and conditional gradients) from several
    starts, evaluated once more by a product of its own. The upper bounds need the matrix, which is formed of one
    product per entry if there are at most `dense` of them.

    Exact, up to rounding, of matrices and of what is formed into one: ``l2`` (eigenvalues); ``l1`` (the operator norm;
    the largest H_ii if H >= 0, and in general while the faces on which H falls are few); ``linf`` of up to 20 entries,
    fewer where H_ii < 0 (faces of the cube); weighted forms of these, entrywise norms of matrices, and `Modular` norms
    whose parts and outer norm share one of them; multiples of ``spectral`` and ``nuclear`` for H X = A X or X A. Else
    the upper bounds are those of `normkit.curvature.upper`.

    Parameters
    ----------
    hvp : callable or ndarray
        x -> Hx; it gets and gives arrays (mappings for a `Modular` norm) like `like`. Or H itself, a symmetric matrix
        on the flat entries: those of all arrays in the order of the norm's names, each in C order.
    norm : Norm or str
        A norm with a closed value and dual norm.
    like : array_like, tuple of int, or mapping of such
        Arrays, or shapes of float64 arrays, that x looks like; may be left out for a matrix and a norm of vectors.
    starts, steps : int
        Random starts of the iterations, and most steps of each.
    rtol : float
        An iteration ends where a step gains less than this.
    dense : int
        Up to how many entries H is formed from products; 0 never.
    symmetry : float, optional
        Asymmetry of H that is put down to rounding, relative to its size: of the largest entry of a matrix, or of
        <u, Hv> - <v, Hu> at a random pair. By default the root of the machine epsilon of the arrays. Products by finite
        differences need more.
    seed : int, numpy.random.Generator or anything that `numpy.random.default_rng` takes
        The source of starts; the same seed gives the same numbers.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError
        If a product does not look like x, or holds a NaN or an infinity.
    ParameterError
        If H is not symmetric; the message says by how much.
    NoClosedForm
        If the norm, or its dual, has no closed form.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> H = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> [round(nk.sharpness(H, spec).directional.lower, 9) for spec in ("l1", "l2", "linf")]
    [2.0, 3.0, 6.0]
    >>> found = nk.sharpness(lambda X: H @ X, "spectral", like=(2, 3))
    >>> round(found.directional.lower, 9), found.directional.kind  # the two largest eigenvalues of H
    (4.0, 'exact')
    """
    _check_counts(starts=starts, steps=steps, dense=dense)
    positive(rtol, "rtol")
    of = space(norm, _like(hvp, like))
    tolerance = _tolerance(of) if symmetry is None else symmetry
    draw = np.random.default_rng(seed)
    made = None
    if callable(hvp):
        made = Hessian(of, hvp)
        if of.size > dense:
            made.check_symmetric(draw, tolerance)
            best = ascend(of, made, _starts(of, draw, starts, made), steps, rtol)
            return _open(of, made, best)
        H = made.matrix()
    else:
        H = as_matrix(hvp, of)
    return _closed(of, symmetric(H, tolerance), draw, starts, steps, rtol, 0 if made is None else made.products)


def _check_counts(**counts: Any) -> None:
    for name, count in counts.items():
        least = 0 if name == "dense" else 1
        if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < least:
            raise ParameterError(f"{name} must be a whole number of at least {least}; got {count!r}")


def _like(hvp: Any, like: Any) -> Any:
    if like is not None:
        return like
    if callable(hvp):
        raise ParameterError("a Hessian-vector product needs like=: arrays, or shapes, that x looks like")
    return (len(hvp),) if np.ndim(hvp) else ()


def _tolerance(of: Space) -> float:
    widths = [np.dtype(np.float32) if dtype.itemsize == 4 else dtype for dtype in of.dtypes]
    return max(float(2.0**-4 if dtype.itemsize == 2 else np.sqrt(np.finfo(dtype).eps)) for dtype in widths)


def _starts(of: Space, draw: np.random.Generator, count: int, apply: Callable[[Floats], Floats]) -> list[Floats]:
    """Return extreme points of the ball at random, and those that the ends of the spectrum point to."""
    vectors = [*draw.standard_normal((count, of.size)), *ritz_vectors(apply, of.size, draw)]
    return [of.dualize(vector)[0] for vector in vectors]


# --- by products alone ----------------------------------------------------------------------------------------------


def _open(of: Space, apply: Hessian, best: Best) -> Sharpness:
    """Evaluate the best points once more, each by a product of its own."""
    sphere, operator = _attained(of, apply, best.x)[0], _attained(of, apply, best.z)[1]
    made = [
        Extremum(_finite(number), np.inf, "lower", of.given(point))
        for number, point in ((sphere, best.x), (operator, best.z))
    ]
    return Sharpness(made[0], made[1], apply.products, best.steps)


def _attained(of: Space, apply: Callable[[Floats], Floats], x: Floats) -> tuple[float, float]:
    """Return <x, Hx> / N(x)^2 and N*(Hx) / N(x) at a point as the caller sees it."""
    x = of.rounded(x)
    size, Hx = of.value(x), apply(x)
    return float((x / size) @ Hx) / size, of.dual_value(Hx) / size


# --- with the matrix ------------------------------------------------------------------------------------------------


def _closed(
    of: Space, H: Floats, draw: np.random.Generator, starts: int, steps: int, rtol: float, products: int
) -> Sharpness:
    top = float(np.abs(H).max())
    power = int(np.frexp(top)[1]) if top else 0
    H = np.ldexp(H, -power)  # exactly: entries up to 1, whatever the scale of the loss
    sphere, operator = _known(of, H)
    best, above, wide = None, np.inf, np.inf
    if sphere is None or operator is None:
        best = ascend(of, lambda x: H @ x, _starts(of, draw, starts, lambda x: H @ x), steps, rtol)
        above, wide = upper_bounds(of, H)
    ends = []
    for known, point, upper, at in ((sphere, "x", above, 0), (operator, "z", wide, 1)):
        x = getattr(best, point) if known is None else known
        x = x / of.value(x)
        lower = _attained(of, lambda v: H @ v, x)[at]
        upper = lower if known is not None else max(lower, upper)
        low, high = (_raised(number, power) for number in (lower, upper))
        ends.append(Extremum(low, high, _kind(lower, upper), of.given(x)))
    return Sharpness(ends[0], ends[1], products, 0 if best is None else best.steps)


def _known(of: Space, H: Floats) -> tuple[Floats | None, Floats | None]:
    """Return the maximisers of <x, Hx> and of N*(Hx) where they can be told exactly."""
    if (weighted := weighted_power(of)) is not None:
        w = weighted.weights
        found = [find(H / w / w[:, None], weighted.p) for find in (exact.largest, exact.largest_operator)]
        return tuple(None if each is None else each[1] / w for each in found)  # type: ignore[return-value]
    if of.product is None and (p := gauge_power(of.norm)) is not None:
        return _known_factor(of, H, p)
    return None, None


def _known_factor(of: Space, H: Floats, p: float) -> tuple[Floats | None, Floats | None]:
    m, n = of.shapes[0]
    split = exact.factor(H, (m, n))
    if split is None:
        return None, None
    A, left = split
    points = []
    for find in (exact.largest_of_factor, exact.largest_operator_of_factor):
        long = np.zeros((m, n) if left else (n, m))
        long[:, : min(m, n)] = find(A, min(m, n), p)[1]
        points.append((long if left else long.T).ravel())
    return points[0], points[1]


def _kind(lower: float, upper: float) -> Kind:
    if lower == upper:
        return "exact"
    return "certified" if np.isfinite(upper) else "lower"


def _raised(number: float, power: int) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return _finite(float(np.ldexp(number, power)))


def _finite(number: float) -> float:
    if not np.isfinite(number):
        raise NonFiniteError("the sharpness is beyond the range of float64; scale the loss down")
    return number


def _zero(witness: Any) -> Any:
    if isinstance(witness, dict):
        return {name: _zero(each) for name, each in witness.items()}
    return witness * 0
