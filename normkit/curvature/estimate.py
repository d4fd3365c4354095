"""Sharpness: the largest curvature of a Hessian in a norm, bracketed from both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.curvature.brackets import Effort, closed_brackets, open_brackets
from normkit.curvature.extremum import Sharpness
from normkit.curvature.hessian import Hessian, as_matrix, symmetric
from normkit.curvature.space import Space, space
from normkit.errors import ParameterError
from normkit.lengths import positive

if TYPE_CHECKING:
    from normkit.norm import Norm


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
    effort = Effort(starts, steps, rtol, np.random.default_rng(seed))
    if not callable(hvp):
        return closed_brackets(of, symmetric(as_matrix(hvp, of), tolerance), effort, 0)
    made = Hessian(of, hvp)
    if of.size <= dense:
        return closed_brackets(of, symmetric(made.matrix(), tolerance), effort, made.products)
    made.check_symmetric(effort.draw, tolerance)
    return open_brackets(of, made, effort)


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
