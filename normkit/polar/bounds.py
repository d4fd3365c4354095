"""Proved bounds on the nuclear and the spectral norm at the cost of a few products, without an SVD.

Proved means: with every rounding error counted. It is assumed that float64 follows IEEE 754, that BLAS evaluates
products as sums of products in some order (no fast multiplication of Strassen's kind), and that LAPACK's unpivoted
Cholesky factorization is Cholesky's. Triangular solves, eigenvalue estimates and pivoting are not trusted. Errors
follow Higham, Accuracy and Stability of Numerical Algorithms (2002, doi 10.1137/1.9780898718027), section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from normkit.backends.cpu.scaling import exponents, halves
from normkit.errors import DTypeError, NonFiniteError, ShapeError

Array = NDArray[np.float64]

ROUNDOFF = 2.0**-53
STRIP = 128
"""Columns of the long side that are widened, multiplied and summed at a time: rounding errors grow with it."""
FLOOR = 2.0**-300
"""More than everything that underflows where the largest entries are near 1; less than the roundings of a 1."""
LARGEST = 2.0**100
"""Factors with larger entries are discarded: they are noise, and would enlarge what underflows."""
SHIFT = 0.3
"""Shift and least pivot, in multiples of the root mean square eigenvalue of the skew part of G T'."""
CLOSE = 1e-10
"""Relative spread of eigenvalues below which their root mean square deviation bounds the largest well enough."""
LANCZOS = 24
"""Most steps of the estimate of the extreme eigenvalues."""


@dataclass(frozen=True)
class NuclearBounds:
    """lower <= ||G||_* <= upper, the lower bound attained by T / spectral.

    Over a batch every attribute is an array (B,).

    Attributes
    ----------
    pairing : float
        <G, T>, rounded.
    spectral : float
        An upper bound on the largest singular value of T.
    lower, upper : float
        max(0, pairing / spectral), rounded down, and a bound that is second order in the error of T.
    gap : float
        1 - lower / upper, in [0, 1]; 0 for G = 0. T / spectral attains at least 1 - gap of the dual norm.
    orthogonality : float
        As measured, on the short side: ||TT' - I||_F / sqrt(rank) at full rank, below it
        ||TT' - (TT')^2||_F / sqrt(rank), and 0 at rank 0.
    rank : int
        Number of singular values of T above 1/2.

    Examples
    --------
    >>> import numpy as np
    >>> found = nuclear_bounds(np.diag([3.0, 4.0]), np.diag([1.0, 0.5]))
    >>> float(found.pairing), round(float(found.upper), 6), int(found.rank)
    (5.0, 7.0, 1)
    """

    pairing: Any
    spectral: Any
    lower: Any
    upper: Any
    gap: Any
    orthogonality: Any
    rank: Any


def nuclear_bounds(G: NDArray[Any], T: NDArray[Any]) -> NuclearBounds:
    """Return <G,T> / ||T||_2 <= ||G||_* <= sum_j ||L_j|| ||Y_j|| + sum_i ||R_i||, where G = L Y + R.

    The upper bound is the triangle inequality over the columns of L with the rows of Y, and over the rows of R; it
    holds for every L and Y. L is the pivoted Cholesky factor of sym(G T') (short side), near (GG')^(1/2) if T is near
    the polar factor; there the bound has its minimum ||G||_*, so the error of T enters squared. Directions of
    G whose singular values drown in the error of T stay in R, where they are bounded to first order.

    With m <= n: 5 m^2 n + O(m^3) operations in float64, as many as two and a half products with the long side.

    Parameters
    ----------
    G, T : array (m, n) or (B, m, n), float32 or float64
        Matrices and candidates for their polar factors; not changed. Any T gives valid bounds.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError
        If the arrays differ in shape, are no matrices of float32 or float64, or hold a NaN or an infinity.

    Examples
    --------
    >>> import numpy as np
    >>> rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    >>> found = nuclear_bounds(rotation @ np.diag([2.0, 1.0]), rotation)
    >>> bool(found.lower <= 3 <= found.upper), bool(found.gap < 1e-12)
    (True, True)
    """
    if G.shape != T.shape or G.ndim not in (2, 3):
        raise ShapeError(f"expected G and T of one shape, (m, n) or (B, m, n); got {G.shape} and {T.shape}")
    if G.ndim == 2:
        return _bounds(_scaled(G, "G"), _scaled(T, "T"))
    found = [_bounds(_scaled(g, f"G[{i}]"), _scaled(t, f"T[{i}]")) for i, (g, t) in enumerate(zip(G, T, strict=True))]
    names = NuclearBounds.__dataclass_fields__
    return NuclearBounds(
        *(np.array([getattr(one, name) for one in found], dtype=np.int64 if name == "rank" else None) for name in names)
    )


def spectral_bound(X: NDArray[Any]) -> float:
    """Return a proved upper bound on the largest singular value of X, about 1 % above it or closer.

    beta I - XX' (short side) has a Cholesky factorization only if beta bounds its eigenvalues, up to rounding, which is
    added; beta starts from a Lanczos estimate. With m <= n: m^2 n operations in float64, and m^3/3 for each
    factorization, of which there are few.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError
        If X is no finite matrix of float32 or float64.

    Examples
    --------
    >>> import numpy as np
    >>> 3.0 <= spectral_bound(np.diag([1.0, 3.0, 2.0])) <= 3.03
    True
    """
    if X.ndim != 2:
        raise ShapeError(f"expected a matrix (m, n); got an array of shape {X.shape}")
    scaled = _scaled(X, "X")
    return _up(_spectral(scaled, _gram(scaled)), scaled.exponent)


def largest_eigenvalue_bound(A: Array) -> float:
    """Return a proved upper bound on every eigenvalue of a symmetric matrix A, both triangles given, entries near 1.

    The smaller of c + ||A - c I||_F at the mean eigenvalue c, and of beta + |error| where the Cholesky factorization of
    beta I - A succeeds. The factorization's error is at most g/(1-g) times the trace, g = (m+1)u / (1 - (m+1)u):
    Demmel, LAPACK Working Note 14 (1989); Higham 2002, theorem 10.5.
    """
    size = len(A)
    diagonal = A.diagonal()
    mean = math.fsum(diagonal) / size
    shifted = np.negative(A, order="F")
    np.fill_diagonal(shifted, mean - diagonal)
    away = _frobenius(shifted) * (1 + gamma(size + 8))
    bound = _more(mean + away) if mean > 0 else away
    if away <= CLOSE * mean:
        return bound
    least, most, residual = _lanczos(np.asfortranarray(A))
    spread = most - least
    for margin in sorted({min(residual, spread / 64), spread / 64, spread / 8, spread}):
        beta = most + margin + 16 * size * ROUNDOFF * abs(most)
        np.fill_diagonal(shifted, beta - diagonal)
        if lapack.dpotrf(shifted, lower=1)[1] == 0:
            error = gamma(size + 4) * math.fsum(shifted.diagonal()) + gamma(1) * float(np.max(beta + np.abs(diagonal)))
            return min(bound, _more(beta + error))
    return bound


def gamma(count: int) -> float:
    """Return more than Higham's gamma_k = k u / (1 - k u), which bounds k roundings; for k u <= 0.01.

    Every use counts some roundings more than there are; next to them what underflows is nothing.
    """
    return 1.02 * count * ROUNDOFF


def _more(x: float) -> float:
    return x * (1 + 8 * ROUNDOFF)


@dataclass(frozen=True)
class _Scaled:
    """A matrix, no longer in its first axis, times 2**-exponent so that its largest entry is in [1/2, 1)."""

    matrix: NDArray[Any]
    exponent: int
    norms: Array
    """Lengths of its rows, scaled."""

    @property
    def roundings(self) -> int:
        """Roundings in an entry of a sum over the long side: within a strip, then over the strips."""
        return STRIP + len(range(0, self.matrix.shape[1], STRIP))

    def strips(self, rows: Any = slice(None)) -> Iterator[Array]:
        return _strips(self.matrix, self.exponent, rows)


def _strips(matrix: NDArray[Any], exponent: int, rows: Any) -> Iterator[Array]:
    first, second = halves(np.asarray(exponent))
    for start in range(0, matrix.shape[1] if matrix.size else 0, STRIP):
        part = np.multiply(matrix[rows, start : start + STRIP], first, dtype=np.float64, order="C")
        part *= second
        yield part


def _scaled(X: NDArray[Any], name: str) -> _Scaled:
    if X.dtype not in (np.float32, np.float64):
        raise DTypeError(f"{name} has entries of type {X.dtype}; expected float32 or float64: convert it")
    top = float(np.max(np.abs(X), initial=0.0))
    if not math.isfinite(top):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(X))[0])
        raise NonFiniteError(f"{name} holds {X[where]} at index {where}")
    matrix = X if X.shape[0] <= X.shape[1] else X.T
    exponent = int(exponents(np.asarray(top)))
    return _Scaled(matrix, exponent, _row_norms(_strips(matrix, exponent, slice(None)), len(matrix)))


def _row_norms(parts: Iterable[Array], rows: int) -> Array:
    total = np.zeros(rows)
    for part in parts:
        total += np.einsum("ij,ij->i", part, part)
    return np.sqrt(total)


def _frobenius(A: Array) -> float:
    """Return ||A||_F; the square of a row is rounded as often as it is long, the sum over rows once."""
    return math.sqrt(math.fsum(np.einsum("ij,ij->i", A, A)))


def _gram(X: _Scaled) -> Array:
    """Return X X', computed, with both triangles."""
    size = len(X.matrix)
    total, work = np.zeros((size, size), order="F"), np.zeros((size, size), order="F")
    for part in X.strips():
        # an array in C order is its transpose in Fortran's: no copies
        total += blas.dsyrk(1.0, part.T, trans=1, lower=1, c=work, overwrite_c=1)
    total += np.tril(total, -1).T
    return total


def _spectral(X: _Scaled, gram: Array) -> float:
    """Bound ||X||_2 of the scaled X; the computed X X' is off by at most gamma |X||X|', of norm gamma ||X||_F^2."""
    if not X.norms.any():
        return 0.0
    error = gamma(X.roundings + 8) * math.fsum(X.norms**2)
    return _more(math.sqrt(_more(largest_eigenvalue_bound(gram) + error)))


def _lanczos(A: Array) -> tuple[float, float, float]:
    """Estimate the least and the largest eigenvalue, and the error of the latter; no reorthogonalization."""
    v = np.random.default_rng(0).standard_normal(len(A))
    v /= math.sqrt(np.sum(v * v))
    before = np.zeros_like(v)
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(LANCZOS, len(A))):
        w = blas.dsymv(1.0, A, v)
        diagonal.append(float(np.sum(w * v)))
        w -= diagonal[-1] * v + (beside[-1] * before if beside else 0.0)
        beside.append(math.sqrt(np.sum(w * w)))
        if beside[-1] <= 1e-12 * abs(diagonal[0]):
            break
        before, v = v, w / beside[-1]
    found, vectors, _ = lapack.dstev(np.array(diagonal), np.array(beside[: max(1, len(beside) - 1)]))
    return float(found[0]), float(found[-1]), beside[-1] * abs(float(vectors[-1, -1]))


def _bounds(G: _Scaled, T: _Scaled) -> NuclearBounds:
    """Return the bounds of one pair, from scaled ones."""
    gram = _gram(T)
    spectral = _spectral(T, gram)
    rank, orthogonality = _rank(gram, spectral, T.exponent)
    pairing, error = _pairing(G, T)
    lower = max(0.0, (pairing - error) / spectral * (1 - 8 * ROUNDOFF)) if spectral > 0 else 0.0
    upper = max(lower, _nuclear_upper(G, T))
    return NuclearBounds(
        pairing=_ldexp(pairing, G.exponent + T.exponent),
        spectral=_up(spectral, T.exponent),
        lower=_down(lower, G.exponent),
        upper=_up(upper, G.exponent),
        gap=(upper - lower) / upper if upper > 0 else 0.0,
        orthogonality=orthogonality,
        rank=rank,
    )


def _pairing(G: _Scaled, T: _Scaled) -> tuple[float, float]:
    """Return <G, T>, and a bound on its error by Cauchy's inequality in every row; the rows' lengths may underflow."""
    rows = [row for g, t in zip(G.strips(), T.strips(), strict=True) for row in np.einsum("ij,ij->i", g, t)]
    return math.fsum(rows), gamma(STRIP + 8) * math.fsum(G.norms * T.norms) + FLOOR


def _nuclear_upper(G: _Scaled, T: _Scaled) -> float:
    """Bound ||G||_* of the scaled G: the least of three sums, over its rows, its columns, and a factorization by T."""
    if not G.norms.any():
        return 0.0
    columns = [np.sqrt(np.einsum("ij,ij->j", part, part)) for part in G.strips()]
    found = [math.fsum(G.norms), math.fsum(np.concatenate(columns))]
    with np.errstate(over="ignore", invalid="ignore"):
        L, order = pivoted_factor(_product(G, T))
        if L.shape[1] and np.max(np.abs(L)) <= LARGEST:
            found.append(_factored(G, L, order))
    return min(x for x in found if math.isfinite(x)) * (1 + gamma(G.roundings + len(L) + 16))


def _product(G: _Scaled, T: _Scaled) -> Array:
    size = len(G.matrix)
    total, work = np.zeros((size, size), order="F"), np.zeros((size, size), order="F")
    for g, t in zip(G.strips(), T.strips(), strict=True):
        total += blas.dgemm(1.0, g.T, t.T, trans_a=1, c=work, overwrite_c=1)
    return total


def pivoted_factor(product: Array) -> tuple[Array, NDArray[np.intp]]:
    """Return L (m, r) with L L' near the symmetric part of a product, its rows in the order of the pivots.

    The skew part, 0 for the polar factor, tells how large the error of T is: a shift keeps pivots out of it, and
    the factorization ends where they would be noise. Nothing here has to be accurate.
    """
    size = len(product)
    symmetric = np.asfortranarray((product + product.T) / 2)
    noise = SHIFT * _frobenius(product - symmetric) / math.sqrt(size)
    symmetric[np.diag_indices(size)] += noise
    most = float(symmetric.diagonal().max())
    least = max(noise, 4 * size * ROUNDOFF * most, 1 / LARGEST)
    if most <= least:
        return np.zeros((size, 0), order="F"), np.arange(size)
    factor, order, rank, _ = lapack.dpstrf(symmetric, tol=least, lower=1)
    return np.asfortranarray(np.tril(factor)[:, :rank]), order.astype(np.intp) - 1


def _factored(G: _Scaled, L: Array, order: NDArray[np.intp]) -> float:
    """Return sum_j ||L_j|| ||Y_j|| + sum_i ||R_i||, with G = L Y + R and Y by forward substitution.

    The computed product P of L and Y is off by at most gamma_r |L||Y|, whose row i is no longer than gamma_r times
    sum_j |l_ij| ||Y_j||. So R = (G - P) + (P - L Y) is bounded whatever Y is.
    """
    size, rank = L.shape
    leading, trailing = np.asfortranarray(L[:rank]), np.asfortranarray(L[rank:])
    solved, rest = np.zeros(rank), np.zeros(size)
    for part in G.strips(order):
        Y = blas.dtrsm(1.0, leading, part[:rank].T, side=1, lower=1, trans_a=1)
        part[:rank] -= blas.dtrmm(1.0, leading, Y, side=1, lower=1, trans_a=1).T
        if rank < size:
            part[rank:] -= blas.dgemm(1.0, Y, trailing, trans_b=1).T
        solved += np.einsum("ij,ij->j", Y, Y)
        rest += np.einsum("ij,ij->i", part, part)
    lengths = np.sqrt(np.einsum("ij,ij->j", L, L)) + gamma(rank + 8) * np.abs(L).sum(axis=0)
    return math.fsum(lengths * np.sqrt(solved)) + math.fsum(np.sqrt(rest))


def _rank(gram: Array, spectral: float, exponent: int) -> tuple[int, float]:
    """Return the number of singular values of T above 1/2, and how far they are from 1 and the others from 0."""
    unit = _ldexp(1.0, -2 * exponent)
    away = np.array(gram, order="F")
    away[np.diag_indices(len(gram))] -= unit
    distance = _ldexp(_frobenius(away), 2 * exponent) if math.isfinite(unit) else math.inf
    rank = len(gram) if distance < 0.5 else _eigenvalues_above(gram, unit / 4, spectral)
    if rank == 0:
        return 0, 0.0
    if rank < len(gram):
        square = blas.dsyrk(1.0, np.asfortranarray(gram), lower=1)
        square += np.tril(square, -1).T
        with np.errstate(over="ignore"):
            distance = _ldexp(_frobenius(gram - square / unit), 2 * exponent) if unit > 0 else math.inf
    return rank, distance / math.sqrt(rank)


def _eigenvalues_above(A: Array, level: float, spectral: float) -> int:
    """Count the eigenvalues of A above a level, by Sylvester's law of inertia; not proved."""
    if level >= spectral**2:
        return 0
    shifted = np.array(A, order="F")
    shifted[np.diag_indices(len(A))] -= max(level, len(A) * ROUNDOFF * spectral**2)
    factor, pivots, _ = lapack.dsytrf(shifted, lower=1)
    # a block of two has a negative determinant: one eigenvalue of each sign
    return int(np.sum((pivots > 0) & (factor.diagonal() > 0)) + np.sum(pivots < 0) // 2)


def _ldexp(x: float, exponent: int) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(x, exponent))


def _up(x: float, exponent: int) -> float:
    """Return x * 2**exponent rounded up; infinity above the range of float64, and 0 for 0."""
    return math.nextafter(_ldexp(x, exponent), math.inf) if x > 0 else 0.0


def _down(x: float, exponent: int) -> float:
    return math.nextafter(_ldexp(x, exponent), 0.0)
