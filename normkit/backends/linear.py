"""Linear maps on arrays."""

from __future__ import annotations

from functools import cache, singledispatch
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.errors import ParameterError, ShapeError
from normkit.linear import (
    Band,
    Compose,
    Diagonal,
    Flatten,
    Linear,
    Matrix,
    Project,
    Regroup,
    Select,
    Transpose,
    TwoSided,
)
from normkit.parameter import Parameter

Array = NDArray[np.float64]

MEMBER = 1e-6
"""How far, relative to its largest entry, an array may be from a subspace to count as one of its elements."""


@singledispatch
def apply(linear: Linear, x: Array, shape: tuple[int, ...]) -> Array:
    """Return linear(x); `shape` is the shape of the result where x does not fix it (the adjoint of `Flatten`)."""
    raise TypeError(f"no array rule for the linear map {type(linear).__name__}; add one to backends/linear.py")


@cache
def _factor(matrix: Parameter) -> tuple[Array, tuple[Any, ...]]:
    # SciPy's linear algebra takes a tenth of a second to import; most norms hold no matrix
    import scipy.linalg

    dense = np.frombuffer(matrix.data).reshape(matrix.shape)
    lu = scipy.linalg.lu_factor(dense, check_finite=False)
    return dense, lu


def _multiply(side: Matrix, x: Array) -> Array:
    """Return P x along the first axis, P possibly transposed or inverted (by its LU factors)."""
    rows = side.matrix.shape[0 if side.transpose or side.inverse else -1]
    if x.shape[0] != rows:
        held = "x".join(map(str, side.matrix.shape))
        raise ShapeError(f"the norm holds a {held} matrix; got {x.shape[0]} entries for it")
    if side.inverse:
        _, lu = _factor(side.matrix)
        if np.any(np.diag(lu[0]) == 0):
            raise ParameterError("the matrix of the norm is singular; it must be invertible")
        import scipy.linalg

        trans: Any = int(side.transpose)
        factors: Any = lu
        solved: Array = scipy.linalg.lu_solve(factors, x, trans=trans, check_finite=False)
        return solved
    dense = np.frombuffer(side.matrix.data).reshape(side.matrix.shape)
    return (dense.T if side.transpose else dense) @ x


@apply.register
def _(linear: Matrix, x: Array, shape: tuple[int, ...]) -> Array:
    return _multiply(linear, x)


@apply.register
def _(linear: TwoSided, x: Array, shape: tuple[int, ...]) -> Array:
    if linear.left is not None:
        x = _multiply(linear.left, x)
    return x if linear.right is None else _multiply(linear.right.adjoint, x.T).T


@apply.register
def _(linear: Diagonal, x: Array, shape: tuple[int, ...]) -> Array:
    weights = np.frombuffer(linear.weights.data)
    if x.shape != weights.shape:
        raise ShapeError(f"the norm has {len(weights)} weights and the vector {x.size} entries; give one per entry")
    return weights ** float(linear.power) * x


@apply.register
def _(linear: Select, x: Array, shape: tuple[int, ...]) -> Array:
    indices = np.array(linear.indices)
    if linear.scatter:
        out = np.zeros(linear.size)
        out[indices] = x
        return out.reshape(shape)
    if x.size != linear.size:
        raise ShapeError(f"the groups of the norm cover {linear.size} entries; got an array of {x.size}")
    entries: Array = x.reshape(-1)[indices]
    return entries


@apply.register
def _(linear: Band, x: Array, shape: tuple[int, ...]) -> Array:
    if linear.put:
        out = np.zeros(shape)
        out[linear.start : linear.stop] = x
        return out
    return x[linear.start : linear.stop]


@apply.register
def _(linear: Transpose, x: Array, shape: tuple[int, ...]) -> Array:
    return x.T


@apply.register
def _(linear: Flatten, x: Array, shape: tuple[int, ...]) -> Array:
    return x.reshape(shape) if linear.restore else x.reshape(-1)


@apply.register
def _(linear: Regroup, x: Array, shape: tuple[int, ...]) -> Array:
    return regrouped(linear, x, shape)


def regrouped(linear: Regroup, x: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return x, whose last axes are the item's, with these in other groups; `shape` is that of the item as it came."""
    lead = x.ndim - (len(linear.groups) if linear.restore else len(shape))
    leading, sizes = x.shape[:lead], linear.pattern.sizes(shape)
    order = [place for group in linear.groups for place in group]
    if not linear.restore:
        cut = x.reshape(*leading, *sizes).transpose(*range(lead), *(lead + place for place in order))
        return cut.reshape(*leading, *(prod(sizes[place] for place in group) for group in linear.groups))
    cut = x.reshape(*leading, *(sizes[place] for place in order))
    back = sorted(range(len(order)), key=order.__getitem__)
    return cut.transpose(*range(lead), *(lead + place for place in back)).reshape(*leading, *shape)


@apply.register
def _(linear: Project, x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape[0] != x.shape[1]:
        raise ShapeError(f"a norm on {linear.kind} matrices needs a square matrix; got shape {x.shape}")
    projected = _project(linear, x)
    if linear.strict and np.any(np.abs(x - projected) > MEMBER * np.max(np.abs(x))):
        away, largest = np.max(np.abs(x - projected)), np.max(np.abs(x))
        raise ShapeError(
            f"the norm takes {linear.kind} matrices only; an entry of this one is {away:.3g} off (largest entry "
            f"{largest:.3g}). Project it first"
        )
    return projected


def _project(linear: Project, x: Array) -> Array:
    if linear.kind == "blockdiag":
        if sum(linear.sizes) != x.shape[0]:
            raise ShapeError(f"the blocks of the norm have {sum(linear.sizes)} rows; got {x.shape[0]}")
        blocks = np.repeat(np.arange(len(linear.sizes)), linear.sizes)
        return np.where(blocks[:, None] == blocks[None, :], x, 0.0)
    return (x + x.T) / 2 if linear.kind == "sym" else (x - x.T) / 2


@apply.register
def _(linear: Compose, x: Array, shape: tuple[int, ...]) -> Array:
    return apply(linear.outer, apply(linear.inner, x, shape), shape)
