"""Gaussian elimination in plain Python: how the mathematics checks a matrix parameter without NumPy.

Matrices are checked once, when a norm is made; the arrays themselves are multiplied and solved by the back ends.
The cost is n^3 / 3 multiplications for an n x n matrix, about a second for n = 400.
"""

from __future__ import annotations

from functools import lru_cache
from math import frexp, ldexp, sqrt
from operator import mul

from normkit.errors import ParameterError
from normkit.parameter import Parameter

EPS = 2.0**-52


def as_matrix(values: object, what: str) -> Parameter:
    """Return a matrix parameter, or raise `ParameterError` if the values are not rows and columns."""
    matrix = Parameter.of(values)
    if len(matrix.shape) != 2:
        raise ParameterError(f"{what} must be a matrix, rows of numbers; got shape {matrix.shape}")
    return matrix


def as_invertible(values: object, what: str) -> Parameter:
    """Return a square matrix parameter of full rank, or raise `ParameterError`."""
    matrix = as_matrix(values, what)
    rows, columns = matrix.shape
    if rows != columns:
        raise ParameterError(f"{what} must be square; got {rows}x{columns}")
    if rank(matrix) < rows:
        raise ParameterError(
            f"{what} must be invertible; this {rows}x{columns} matrix is singular to working precision"
        )
    return matrix


@lru_cache(maxsize=256)
def rank(matrix: Parameter) -> int:
    """Return the rank of the rows, entries below 16 max(shape) eps of their row counting as zero.

    Rows are eliminated one after the other, each with its largest entry as the pivot; columns are scaled first, so
    that a badly scaled diagonal matrix has full rank. A stack of arrays counts as the matrix of its flattened items.
    """
    rows = [list(row) for row in matrix.rows()]
    width = len(rows[0])
    scales = [frexp(max(abs(row[c]) for row in rows))[1] for c in range(width)]
    threshold = 16 * max(len(rows), width) * EPS
    found: list[tuple[int, list[float]]] = []
    for given in rows:
        row = _unit([ldexp(entry, -scale) for entry, scale in zip(given, scales, strict=True)])
        for pivot, reduced in found:
            if factor := row[pivot]:
                row = [u - factor * v for u, v in zip(row, reduced, strict=True)]
                row[pivot] = 0.0
        place = max(range(width), key=lambda c, row=row: abs(row[c]))  # type: ignore[misc]
        if abs(row[place]) > threshold:
            lead = row[place]
            found.append((place, [entry / lead for entry in row]))
            if len(found) == width:
                break
    return len(found)


def _unit(row: list[float]) -> list[float]:
    largest = max(map(abs, row))
    return [entry / largest for entry in row] if largest else row


@lru_cache(maxsize=256)
def cholesky(matrix: Parameter, what: str) -> Parameter:
    """Return the lower triangular C with C C' = (P + P') / 2 for a symmetric positive definite P.

    Raises
    ------
    ParameterError
        If P is not square, not symmetric to 1e-10 of its diagonal, or not positive definite to working precision.
    """
    size = matrix.shape[0]
    if len(matrix.shape) != 2 or matrix.shape[1] != size:
        raise ParameterError(f"{what} must be a square matrix; got shape {matrix.shape}")
    rows = matrix.rows()
    _require_symmetric(rows, what)
    factor: list[list[float]] = []
    for r in range(size):
        row: list[float] = []
        for c in range(r):
            inner = (rows[r][c] + rows[c][r]) / 2 - sum(map(mul, row, factor[c]))
            row.append(inner / factor[c][c])
        pivot = rows[r][r] - sum(map(mul, row, row))
        if not pivot > 16 * size * EPS * rows[r][r]:
            raise ParameterError(
                f"{what} must be positive definite; pivot {r + 1} of {size} is {pivot:.3g}. A semidefinite form is a "
                "seminorm, not a norm: add a positive multiple of the identity"
            )
        factor.append([*row, sqrt(pivot)])
    return Parameter.of([[*row, *[0.0] * (size - len(row))] for row in factor])


def _require_symmetric(rows: list[tuple[float, ...]], what: str) -> None:
    for r, row in enumerate(rows):
        for c in range(r):
            if abs(row[c] - rows[c][r]) > 1e-10 * (abs(row[r]) + abs(rows[c][c])):
                raise ParameterError(
                    f"{what} must be symmetric; entries [{r}, {c}] and [{c}, {r}] are {row[c]:.6g}, {rows[c][r]:.6g}. "
                    "Pass (P + P')/2"
                )
