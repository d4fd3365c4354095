"""The constants (L0, L1) of a loss that is smooth layer by layer, fitted to the gradients along a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import scipy.optimize

from normkit import blockwise
from normkit.curvature.path import Path, measure
from normkit.curvature.space import Floats
from normkit.errors import ParameterError
from normkit.layerwise import LayerwiseSmooth

if TYPE_CHECKING:
    from normkit.norm import Norm

Method = Literal["envelope", "regression"]


def fit_layerwise(
    gradF: Callable[[Any], Any], norm: Norm | str, points: Iterable[Any], *, method: Method = "envelope"
) -> LayerwiseSmooth:
    """Fit N_l*(grad_l F(y) - grad_l F(x)) <= (L0_l + L1_l N_l*(grad_l F(x))) N_l(y_l - x_l) to consecutive points.

    With q = N_l*(g_l(y) - g_l(x)) / N_l(y_l - x_l) and d = N_l*(g_l(x)), layer by layer, in the scaled norms s_l N_l of
    a `Modular` norm: ``envelope`` is the line L0 + L1 d, L0, L1 >= 0, on or above all pairs (d, q) that is nearest to
    them on average, so that the assumption of `LayerwiseSmooth` holds for these pairs; ``regression`` is the least
    squares line, which about half of the pairs exceed (such fits are in Riabinin et al. 2025, arXiv:2505.13416). All
    layers move between the points, so q also holds what the other layers do to the gradient of this one.

    Parameters
    ----------
    gradF : callable
        The gradient, of arrays like the points.
    norm : Norm or str
        A norm; for a `Modular` norm every name gets constants of its own, which are mappings then.
    points : iterable
        Two points or more.
    method : {"envelope", "regression"}
        See above.

    Raises
    ------
    ParameterError
        If a layer does not move between any two points, or its gradient never changes, so that nothing can be fitted.
    ShapeError, DTypeError, NonFiniteError
        If points or gradients do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> points = [np.array([t]) for t in np.linspace(0, 3, 200)]
    >>> fit = nk.fit_layerwise(np.sinh, "l2", points)  # cosh'' = sqrt(1 + sinh^2) <= 1 + sinh
    >>> round(fit.L0, 2), round(fit.L1, 2)
    (1.0, 0.91)
    """
    if method not in get_args(Method):
        raise ParameterError(f"unknown method {method!r}; known: {', '.join(get_args(Method))}")
    path = measure(None, gradF, norm, points, None)
    names = ("",) if path.of.product is None else path.of.product.names
    sizes, quotients = _pairs(path)
    made = [_line(d, q, method, name) for d, q, name in zip(sizes.T, quotients.T, names, strict=True)]
    if path.of.product is None:
        return LayerwiseSmooth(*made[0])
    low, high = ({name: line[place] for name, line in zip(names, made, strict=True)} for place in (0, 1))
    return LayerwiseSmooth(low, high)


def _pairs(path: Path) -> tuple[Floats, Floats]:
    """Return N_l*(g_l(x)) and the quotients, a row per pair and a column per layer; NaN where a layer stands still."""
    steps = [y - x for x, y in pairwise(path.points)]
    turns = [y - x for x, y in pairwise(path.gradients)]
    lengths = np.array([_each(path, step, False) for step in steps])
    changes = np.array([_each(path, turn, True) for turn in turns])
    quotients = np.full(lengths.shape, np.nan)
    np.divide(changes, lengths, out=quotients, where=lengths > 0)
    return np.array([_each(path, g, True) for g in path.gradients[:-1]]), quotients


def _each(path: Path, x: Floats, dual: bool) -> Floats:
    """Return the norm, or the dual norm, of every layer."""
    of = path.of
    if of.product is None:
        return np.array([of.dual_value(x) if dual else of.value(x)])
    mapping = dict(zip(of.product.names, of.blocks(x), strict=True))
    return (blockwise.dual_values if dual else blockwise.values)(of.product, mapping, of.backend)


def _line(sizes: Floats, quotients: Floats, method: Method, name: str) -> tuple[float, float]:
    """Return (L0, L1) of one layer; numbers are divided by their largest, as losses come in all scales."""
    known = np.isfinite(quotients)
    called = f"the layer {name!r}" if name else "the array"
    if not known.any():
        raise ParameterError(f"{called} does not move between the points; give a path on which it does")
    sizes, quotients = sizes[known], quotients[known]
    top, width = float(quotients.max()), float(sizes.max()) or 1.0
    if top == 0:
        raise ParameterError(f"the gradient of {called} is the same at all points: it has no constants to fit")
    rows, heights = np.stack([np.ones(len(sizes)), sizes / width], axis=1), quotients / top
    if method == "regression":
        found = np.asarray(scipy.optimize.nnls(rows, heights)[0])
    else:
        solved = scipy.optimize.linprog(rows.mean(axis=0), A_ub=-rows, b_ub=-heights, method="highs")
        # The solver is feasible to 1e-7 of its own; the line goes up by what is missing.
        found = np.maximum(np.asarray(solved.x, dtype=np.float64), 0.0)
        found = found + np.array([max(0.0, float((heights - rows @ found).max())), 0.0])
    return float(found[0]) * top, float(found[1]) * top / width
