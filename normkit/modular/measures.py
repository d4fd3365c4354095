"""Norms of the arrays of atoms, in any layout: a spec of the matrix, and the letters of its rows and columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from normkit.norm import Norm


def norm(spec: str) -> Norm:
    """Return the norm of a spec; nothing that is heavy is imported before."""
    from normkit.spec import norm as parse

    return parse(spec)


def pattern(layout: str, held: Mapping[str, str]) -> str:
    """Return a layout with what some axes hold in their place, as in ``(h=4 d) i`` for ``o i``."""
    return " ".join(held.get(axis, axis) for axis in layout.split())


def matrix(spec: str, layout: str, rows: str, cols: str) -> Norm:
    """Return the norm of the matrix with these rows and columns; the plain one where the array is that matrix."""
    from normkit.calculus.axes import Matricize

    plain = norm(spec)
    return plain if layout.split() == [rows, cols] else Matricize(plain, layout, rows=rows, cols=cols)


def largest(spec: str, layout: str, over: str, rows: str, cols: str) -> Norm:
    """Return the largest norm of the matrices that the axes `over` number."""
    from normkit.calculus.axes import Slices

    named = layout.replace("(", " ").replace(")", " ").split()
    left = " ".join(axis for axis in named if axis.partition("=")[0] not in over.split())
    return Slices(matrix(spec, left, rows, cols), layout, over=over, outer="linf")
