"""Matrices at addresses: what every provider works on, whether the memory is a device's or, for NumPy, the CPU's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Protocol

from normkit.backends.cuda.polar.ops import Matrix
from normkit.backends.cuda.polar.plan import Plan
from normkit.errors import DTypeError, ShapeError


class View(Protocol):
    """A batch of the caller's matrices: see `normkit.backends.cuda.interop.View`."""

    @property
    def address(self) -> int:
        """Of the first entry."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., M, N)."""

    @property
    def strides(self) -> tuple[int, ...]:
        """In entries."""

    @property
    def dtype(self) -> str:
        """float16, bfloat16, float32 or float64."""

    @property
    def device(self) -> int:
        """The number of the GPU, or `HOST`."""

    @property
    def stream(self) -> int:
        """Handle of the stream in whose order the entries are written."""

    @property
    def owner(self) -> Any:
        """Keeps the memory."""


@dataclass(frozen=True)
class Place:
    """Where a batch of matrices lies: address, (batch, rows, columns), strides in entries, and entry type."""

    address: int
    shape: tuple[int, int, int]
    strides: tuple[int, int, int]
    dtype: str

    @property
    def stacked(self) -> bool:
        """Whether entries of a row are neighbours, and matrices lie below each other at one distance of rows."""
        batch, rows, columns = self.shape
        between, down, across = self.strides
        return (across == 1 or columns == 1) and down >= columns and (between == rows * down or batch == 1)


def at(view: View, what: str = "the matrix") -> Place:
    """Return where matrices (..., M, N) lie, all leading axes taken as one.

    Raises
    ------
    ShapeError
        If these are no matrices, or leading axes that no single stride runs through.
    """
    if len(view.shape) < 2:
        raise ShapeError(f"{what} needs the shape (..., m, n) of matrices; got {tuple(view.shape)}")
    *leading, M, N = view.shape
    steps = [(length, step) for length, step in zip(leading, view.strides, strict=False) if length != 1]
    for (_, outer), (length, step) in pairwise(steps):
        if outer != length * step:
            raise ShapeError(f"{what} has leading axes with gaps between them: give a contiguous array")
    between = steps[-1][1] if steps else M * N
    return Place(view.address, (prod(leading), M, N), (between, view.strides[-2], view.strides[-1]), view.dtype)


def along(view: View, batch: int, what: str) -> Place:
    """Return where one float64 number for each matrix lies.

    Raises
    ------
    ShapeError, DTypeError
        If it is not one for each, of float64, and neighbours.
    """
    if prod(view.shape) != batch or any(step != 1 for step in view.strides[-1:] if batch > 1):
        raise ShapeError(f"{what} needs {batch} numbers that are neighbours; got the shape {tuple(view.shape)}")
    if view.dtype != "float64":
        raise DTypeError(f"{what} has dtype {view.dtype}; expected float64")
    return Place(view.address, (batch, 1, 1), (1, 1, 1), view.dtype)


class Places:
    """Where every matrix of a plan lies: in a workspace at an address, or with the caller.

    Attributes
    ----------
    scratch : int
        The address of what libraries may use beside their operands: it follows the matrices of the workspace.
    """

    def __init__(self, plan: Plan, workspace: int, outside: Mapping[str, Place]) -> None:
        self.batch, self._offsets, self._workspace, self._outside = plan.batch, plan.offsets, workspace, outside
        self.scratch = workspace + plan.nbytes

    def __getitem__(self, matrix: Matrix) -> Place:
        if matrix.outside:
            return self._outside[matrix.name]
        start, step = self._workspace + self._offsets[matrix.name], matrix.leading
        shape = (self.batch, matrix.rows, matrix.columns)
        return Place(start, shape, (matrix.rows * step, step, 1), matrix.dtype)
