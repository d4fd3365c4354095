"""Points of the unit sphere and of the ball: where weights start, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from normkit import blockwise
from normkit.arrays import Array, as_array, batch, own_type
from normkit.codegen.plan import Missing, Product, Program
from normkit.descent import dualize, value
from normkit.errors import ParameterError, ShapeError
from normkit.lengths import positive, times
from normkit.named import by_name, take
from normkit.names import nested
from normkit.programs import product, program

if TYPE_CHECKING:
    from normkit.norm import Norm

Law = Literal["auto", "extreme", "gaussian"]
LAWS = ("auto", "extreme", "gaussian")


# --- initialize -----------------------------------------------------------------------------------------------------


def initialize(norm: Norm | str, shape: Any, *, seed: Any = None, dtype: Any = np.float64, law: Law = "auto") -> Any:
    """Return a random point W on the unit sphere, N(W) = 1.

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.
    shape : tuple of int, or mapping of str to tuple
        The shape of an item with leading batch axes; for a `Modular` norm the shape of every name, nested or not.
    seed : int, numpy.random.Generator or anything that `numpy.random.default_rng` takes
        The source of randomness.
    dtype : dtype
        Of the arrays: float16, bfloat16, float32 or float64.
    law : {"auto", "extreme", "gaussian"}
        ``extreme``: the dualize map of a Gaussian array, an extreme point of the ball in general (a semi-orthogonal
        matrix for ``spectral``, signs for ``linf``, one entry for ``l1``). ``gaussian``: a Gaussian array divided by
        its norm. ``auto``: the first where N* has a closed form, else the second.

    Returns
    -------
    ndarray, or dict of ndarrays
        Of a `Modular` norm, every block has the same number s_l N_l(W_l), so that no block is left at zero whatever the
        outer norm is.

    Raises
    ------
    NoClosedForm
        If the law needs a value, or a dual, that has no closed form.
    ShapeError, DTypeError, ParameterError
        If shape, dtype or law is not one of these.

    Examples
    --------
    >>> import normkit as nk
    >>> W = nk.initialize("rms->rms", (4, 3), seed=0)
    >>> abs(W.T @ W).round(9).tolist()
    [[1.333333333, 0.0, 0.0], [0.0, 1.333333333, 0.0], [0.0, 0.0, 1.333333333]]
    """
    if law not in LAWS:
        raise ParameterError(f"unknown law {law!r}; known: {', '.join(LAWS)}")
    draw = np.random.default_rng(seed)
    if (blocks := product(norm)) is None:
        return _point(program(norm), shape, draw, dtype, law)
    shapes = by_name(blocks, shape, "the mapping of shapes")
    level = 1.0 / float(value(blocks.outer, np.ones(len(blocks.names))))
    made = {}
    for name, kind, scale in zip(blocks.names, blocks.kinds, blocks.scales, strict=True):
        point = _point(blocks.programs[kind], shapes[name], draw, dtype, law)
        made[name] = times(point, np.float64(level / scale), point, f"the initial {name!r}")
    return nested(shape, made)


def _point(made: Program, shape: Any, draw: np.random.Generator, dtype: Any, law: Law) -> Array:
    if isinstance(shape, Mapping) or not all(isinstance(length, int | np.integer) for length in shape):
        raise ShapeError(f"the shape of an array of {made.spec} is a tuple of lengths; got {shape!r}")
    # A negative length is no shape either, and batch tells whether the norm takes it.
    if any(length < 0 for length in shape):
        raise ShapeError(f"a shape has no negative lengths; got {tuple(shape)}")
    g = as_array(draw.standard_normal(tuple(shape)).astype(dtype))
    items = batch(g, made.shape, made.spec)
    if law == "extreme" or (law == "auto" and not isinstance(made.dual, Missing)):
        return np.asarray(dualize(made, g))
    factors = 1.0 / np.asarray(value(made, g))
    return times(g, factors.reshape(items.leading + (1,) * (items.items.ndim - 1)), g)


# --- project --------------------------------------------------------------------------------------------------------


def project(norm: Norm | str, W: Any, *, radius: float = 1.0) -> Any:
    """Return a point of the ball N <= radius that is nearest to W in the norm N itself: W min(1, radius / N(W)).

    No point of the ball is nearer: N(W - V) >= N(W) - N(V) >= N(W) - radius, and this one attains it. Of a `Modular`
    norm whose outer norm is a multiple of ``linf`` every block is shortened by itself, which attains it too and leaves
    alone the blocks that are inside; for any other outer norm all blocks are shortened by one factor. It is in general
    not the nearest point in the Euclidean norm.

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.
    W : array_like, or mapping of arrays
        As for `normkit.value`; never mutated.
    radius : float
        Positive and finite.

    Returns
    -------
    ndarray, or dict of ndarrays
        Shapes, dtypes and types of W; what is inside comes back as it is, in a new array.

    Raises
    ------
    NoClosedForm
        If N has no explicit value.
    ParameterError, ShapeError, DTypeError, NonFiniteError
        If the radius or the arrays do not fit.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.project("linf", [[3.0, -4.0], [0.5, 0.1]])
    array([[ 0.75, -1.  ],
           [ 0.5 ,  0.1 ]])
    """
    positive(radius, "radius")
    if (blocks := product(norm)) is not None:
        return _project_blocks(norm, blocks, W, radius)
    made, array = program(norm), as_array(W)
    items = batch(array, made.shape, made.spec)
    factors = _shorter(np.asarray(value(made, array)), radius)
    shape = items.leading + (1,) * (items.items.ndim - 1)
    return own_type(times(array, factors.reshape(shape), np.empty_like(array)), W)


def _shorter(sizes: Any, radius: float) -> Any:
    """Return min(1, radius / size)."""
    factors = np.ones(np.shape(sizes))
    np.divide(radius, sizes, out=factors, where=np.asarray(sizes) > radius)
    return factors


def _project_blocks(norm: Any, blocks: Product, W: Any, radius: float) -> dict[str, Any]:
    from normkit.catalogue.lp import Linf
    from normkit.norm import Scaled

    named, each = take(blocks, W, "the array"), blockwise.values(blocks, W)
    outer, _ = norm.named_blocks()
    if isinstance(outer.of if isinstance(outer, Scaled) else outer, Linf):
        factors = _shorter(each * float(value(blocks.outer, np.ones(1))), radius)
    else:
        factors = np.full(len(each), _shorter(value(blocks.outer, each), radius))
    pairs = zip(named.arrays, factors, strict=True)
    return named.back([times(array, np.float64(factor), np.empty_like(array)) for array, factor in pairs])
