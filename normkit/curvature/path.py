"""The constant of the descent lemma, measured between points: from values and gradients, without a Hessian."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from normkit.curvature.space import Floats, Space, space
from normkit.errors import NonFiniteError, ParameterError
from normkit.lengths import positive

if TYPE_CHECKING:
    from normkit.norm import Norm

Pairs = Literal["consecutive", "all"]


@dataclass(frozen=True)
class DescentLemma:
    """What pairs of points (x, y) say of the smoothness in a norm N, with d = y - x; one number per pair.

    Attributes
    ----------
    pairs : tuple of (int, int)
        The places of x and y among the points.
    lengths : ndarray
        N(d).
    descent : ndarray
        2 (F(y) - F(x) - <g(x), d>) / N(d)^2: the smallest L with F(y) <= F(x) + <g(x), d> + (L/2) N(d)^2. Negative
        where F bends down; NaN where N(d) = 0.
    resolution : ndarray
        How far rounding may have moved `descent`: the difference cancels all but the curvature, so that of a short step
        nothing is left.
    resolved : ndarray of bool
        Where the resolution is smaller than the number itself.
    lipschitz : ndarray
        N*(g(y) - g(x)) / N(d), at most the Lipschitz constant of the gradient. Its digits last for much shorter steps.
    lipschitz_resolution : ndarray
        How far rounding may have moved `lipschitz`.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> H = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> points = [np.array([1.0, 1.0]), np.array([0.0, 0.0]), np.array([1.0, -1.0])]
    >>> found = nk.descent_lemma(lambda x: x @ H @ x / 2, lambda x: H @ x, "linf", points)
    >>> found.descent, found.lipschitz, found.constant
    (array([6., 2.]), array([6., 2.]), 6.0)
    """

    pairs: tuple[tuple[int, int], ...]
    lengths: Floats
    descent: Floats
    resolution: Floats
    lipschitz: Floats
    lipschitz_resolution: Floats

    @property
    def resolved(self) -> Any:
        """Tell which numbers of `descent` stand out of the rounding."""
        with np.errstate(invalid="ignore"):
            return np.abs(self.descent) > self.resolution

    @property
    def constant(self) -> float:
        """The largest resolved number of `descent`; NaN if none is. For these pairs the descent lemma holds with it."""
        return float(np.max(self.descent[self.resolved], initial=-np.inf)) if self.resolved.any() else float("nan")

    @property
    def safe(self) -> float:
        """The largest of `descent` + `resolution`: for this constant the lemma holds on every pair, rounding or not."""
        return float(np.nanmax(self.descent + self.resolution))

    @property
    def gradient_constant(self) -> float:
        """The largest number of `lipschitz` that is more than its resolution; NaN if none is."""
        clear = self.lipschitz > self.lipschitz_resolution
        return float(np.max(self.lipschitz[clear])) if clear.any() else float("nan")


def descent_lemma(
    F: Callable[[Any], Any],
    gradF: Callable[[Any], Any],
    norm: Norm | str,
    points: Iterable[Any],
    *,
    pairs: Pairs = "consecutive",
    rounding: float | None = None,
) -> DescentLemma:
    """Measure the constant of the descent lemma, and the Lipschitz quotient of the gradient, between points.

    The numbers are lower bounds of the constants of F on any set that holds the points; no finite number of points
    bounds them from above.

    Parameters
    ----------
    F, gradF : callable
        The loss and its gradient, of arrays like the points (mappings for a `Modular` norm).
    norm : Norm or str
        A norm with a closed value and dual norm.
    points : iterable
        Two points or more, of one shape each, such as the iterates of an optimizer.
    pairs : {"consecutive", "all"}
        Every point with the next one, or all ordered pairs. Pairs of equal points say nothing: their numbers are NaN.
    rounding : float, optional
        The relative error of a value of F, and of an entry of the gradient relative to its largest; 8 machine epsilons
        of the points' dtype by default. A long sum, or a loss in less precision than its weights, needs more.

    Raises
    ------
    ParameterError
        For less than two points, or none that differ.
    ShapeError, DTypeError, NonFiniteError
        If points, gradients or values do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> found = nk.descent_lemma(
    ...     lambda x: np.sum(np.cosh(x)), np.sinh, "l2", [np.zeros(2), np.ones(2), np.ones(2) * 1.0]
    ... )
    >>> found.descent.round(6), found.resolved
    (array([1.086161,      nan]), array([ True, False]))
    """
    path = measure(F, gradF, norm, points, rounding)
    if pairs not in get_args(Pairs):
        raise ParameterError(f"unknown pairs {pairs!r}; known: {', '.join(get_args(Pairs))}")
    count = range(len(path.points))
    places = tuple(pairwise(count)) if pairs == "consecutive" else tuple(permutations(count, 2))
    numbers = np.array([path.between(i, j) for i, j in places])
    if np.isnan(numbers[:, 1]).all():
        raise ParameterError(f"all {len(path.points)} points are the same; give points that differ")
    return DescentLemma(places, *numbers.T)


@dataclass(frozen=True)
class Path:
    """Points, values and gradients as vectors of one space, and the relative rounding of the last two."""

    of: Space
    points: list[Floats]
    values: list[float]
    gradients: list[Floats]
    rounding: float

    def between(self, i: int, j: int) -> tuple[float, ...]:
        """Return the numbers of `DescentLemma` for one pair."""
        d, g, h = self.points[j] - self.points[i], self.gradients[i], self.gradients[j]
        length = self.of.value(d)
        if length == 0:
            return (0.0, *[float("nan")] * 4)
        # Divided one by one: N(d)^2 leaves the range of float64 long before the quotient does.
        unit, start, end = d / length, self.values[i] / length, self.values[j] / length
        slope = float(unit @ g)
        bend = 2 * ((end - start) - slope) / length
        noise = self.rounding * (abs(start) + abs(end) + float(np.abs(unit) @ np.abs(g))) / length
        blur = self.rounding * max(self.of.dual_value(np.abs(each)) for each in (g, h)) / length
        return length, bend, 2 * noise, self.of.dual_value(h - g) / length, 2 * blur


def measure(
    F: Callable[[Any], Any] | None, gradF: Callable[[Any], Any], norm: Norm | str, points: Iterable[Any], rounding: Any
) -> Path:
    """Evaluate a loss (if there is one) and its gradient at points, of which there must be two."""
    given = list(points)
    if len(given) < 2:
        raise ParameterError(f"a path needs two points or more; got {len(given)}")
    of = space(norm, given[0])
    width = max(float(_eps(dtype)) for dtype in of.dtypes)
    if rounding is not None:
        positive(rounding, "rounding")
    flat = [of.flat(point, f"point {place}") for place, point in enumerate(given)]
    gradients = [of.flat(gradF(point), f"the gradient at point {place}") for place, point in enumerate(given)]
    values = [0.0 if F is None else _number(F(point), place) for place, point in enumerate(given)]
    return Path(of, flat, values, gradients, 8 * width if rounding is None else float(rounding))


def _eps(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps) if dtype.name.startswith("float") else 2.0**-7


def _number(value: Any, place: int) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"the loss at point {place} is no number: {value!r}") from error
    if not np.isfinite(number):
        raise NonFiniteError(f"the loss at point {place} is {number}; expected a finite number")
    return number
