"""Hessians at the door: a function x -> Hx on the caller's arrays, or a symmetric matrix, becomes one on vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from normkit.arrays import as_array
from normkit.curvature.space import Floats, Space
from normkit.errors import NonFiniteError, ParameterError, ShapeError


class Hessian:
    """x -> Hx on the vectors of a space, counted.

    Attributes
    ----------
    products : int
        How many products have been made.
    """

    def __init__(self, of: Space, function: Callable[[Any], Any]) -> None:
        self.of, self.function, self.products = of, function, 0

    def __call__(self, x: Floats) -> Floats:
        """Return Hx."""
        self.products += 1
        return self.of.flat(self.function(self.of.given(x)), "the Hessian-vector product")

    def matrix(self) -> Floats:
        """Return H, column by column."""
        return np.stack([self(unit) for unit in np.eye(self.of.size)], axis=1)

    def check_symmetric(self, draw: np.random.Generator, tolerance: float) -> None:
        """Raise unless <u, Hv> = <v, Hu> for a random pair, relative to the size of H."""
        u, v = draw.standard_normal((2, self.of.size))
        u, v = self.of.rounded(u), self.of.rounded(v)
        Hu, Hv = self(u), self(v)
        top = max(float(np.abs(Hu).max()), float(np.abs(Hv).max()))
        if top == 0:
            return
        off = abs(float(u @ (Hv / top) - v @ (Hu / top)))
        size = float(np.linalg.norm(Hu / top) + np.linalg.norm(Hv / top))
        _refuse(off / size, tolerance, "<u, Hv> and <v, Hu> differ")


def as_matrix(given: Any, of: Space) -> Floats:
    """Return a matrix as float64, checked to be square, of the space's size, and finite."""
    H = as_array(given, "the Hessian")
    if H.ndim != 2 or H.shape != (of.size, of.size):
        raise ShapeError(
            f"the Hessian of {of.size} entries is a symmetric matrix {(of.size, of.size)} on the flat entries, or a "
            f"function x -> Hx; got an array of shape {H.shape}"
        )
    bad = np.argwhere(~np.isfinite(H.astype(np.float64)))
    if len(bad):
        i, j = bad[0].tolist()
        raise NonFiniteError(f"the Hessian holds {H[i, j]} at index [{i}, {j}]; expected finite entries")
    return H.astype(np.float64)


def symmetric(H: Floats, tolerance: float) -> Floats:
    """Return the symmetric part; a matrix that is further from it, relative to its largest entry, is refused."""
    top = float(np.abs(H).max())
    if top == 0:
        return H
    off = np.abs(H / top - H.T / top)
    i, j = np.unravel_index(int(np.argmax(off)), off.shape)
    _refuse(float(off[i, j]), tolerance, f"its entries [{i}, {j}] and [{j}, {i}] differ")
    return H / 2 + H.T / 2


def _refuse(off: float, tolerance: float, what: str) -> None:
    if off > tolerance:
        raise ParameterError(
            f"the Hessian is not symmetric: {what} by {off:.3g} of its size, more than symmetry={tolerance:.3g}. Give "
            "(H + H')/2, or a larger symmetry= if that is rounding"
        )
