"""Proved bounds of nuclear and spectral norms of matrices in device memory: `normkit.polar.bounds`, its products there.

Everything with the long side is a product or a sum on the device, in float32 or, for float64 matrices, in float64; the
CPU factors m x m matrices in float64. Proved as there, with every rounding counted, under the assumptions made there
and one more: products in float32 accumulate in IEEE arithmetic, in some order, which cuBLASLt's do without TF32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.lowering import PARTS
from normkit.backends.cuda.polar.memory import Place, View, at
from normkit.backends.cuda.polar.ops import ITEMSIZE, Gemm, Matrix, Norm, ScaleCast, SymGemm
from normkit.backends.cuda.polar.stretch import Stretch
from normkit.errors import BackendError, NonFiniteError, ShapeError
from normkit.polar.bounds import largest_eigenvalue_bound, pivoted_factor

Floats = NDArray[np.float64]
UNIT = {"float32": 2.0**-24, "float64": 2.0**-53}
TINY = {"float32": 2.0**-120, "float64": 2.0**-900}
"""More than what underflows in all products of a matrix whose norm is below 1."""


@dataclass(frozen=True)
class Bounds:
    """lower <= ||G||_* <= upper of every matrix, the lower bound attained by T / spectral; arrays (batch,).

    Attributes
    ----------
    pairing : array
        <G, T>, rounded.
    spectral : array
        Upper bounds on the largest singular values of T.
    lower, upper, gap : array
        Bounds, and 1 - lower / upper; 0 for G = 0.
    orthogonality : array
        ||T T' - I||_F / sqrt(m) on the short side, measured.
    """

    pairing: Floats
    spectral: Floats
    lower: Floats
    upper: Floats
    gap: Floats
    orthogonality: Floats


def nuclear_bounds(G: View, T: View, stream: int | None = None) -> Bounds:
    """Return bounds of the nuclear norms of matrices from candidates T for their polar factors; any T gives bounds.

    Five products' worth of m^2 n on the device, 2 m^2 numbers brought to the CPU, as many back, and O(m^3) there.

    Raises
    ------
    ShapeError, BackendError
        If G and T differ in shape or device.
    NonFiniteError
        If a matrix holds a NaN or an infinity.
    """
    if tuple(G.shape) != tuple(T.shape):
        raise ShapeError(f"expected G and T of one shape; got {tuple(G.shape)} and {tuple(T.shape)}")
    if G.device != T.device:
        raise BackendError(f"G is on GPU {G.device} and T on GPU {T.device}: move one of them")
    handle, gpu = G.stream if stream is None else stream, device(G.device)
    with gpu.current():
        return _Pass(gpu, handle, at(G), at(T), G.owner).bounds()


class _Pass:
    """The matrices of a certificate, and what is done with them."""

    def __init__(self, gpu: Any, handle: int, G: Place, T: Place, like: Any) -> None:
        kind = "float64" if "float64" in (G.dtype, T.dtype) else "float32"
        self.gpu, self.handle, self.kind, self.unit = gpu, handle, kind, UNIT[kind]
        self.m, self.n, self.batch = min(G.shape[1:]), max(G.shape[1:]), G.shape[0]
        turned, (rows, columns) = G.shape[1] > G.shape[2], G.shape[1:]
        given, candidate = (
            Matrix(name, rows, columns, each.dtype, outside=True) for name, each in (("G", G), ("T", T))
        )
        self.X, self.Y, self.V, self.R = (Matrix(name, self.m, self.n, kind) for name in ("X", "Y", "V", "R"))
        self.A, self.M, self.W, self.L = (Matrix(name, self.m, self.m, kind) for name in ("A", "M", "W", "L"))
        self.of_G, self.of_T = (Matrix(name, 1, 4, "float64") for name in ("of_G", "of_T"))
        parts = Matrix("parts", 1, PARTS, "float64")
        self.before = [
            Norm(self.of_G, given, parts, exact=True),
            ScaleCast(self.X, given, self.of_G, turned),
            Norm(self.of_T, candidate, parts, exact=True),
            ScaleCast(self.Y, candidate, self.of_T, turned),
            SymGemm(self.A, self.Y, self.Y, None, 1.0, 0.0, 0.0),
            Gemm(self.M, self.X, self.Y, None, 1.0, 0.0, turned=True),
        ]
        self.after = [
            Gemm(self.V, self.W, self.X, None, 1.0, 0.0),
            Gemm(self.R, self.L, self.V, self.X, -1.0, 1.0),
        ]
        outside = {"G": G, "T": T}
        self.rows, self.row_parts = (
            Matrix(name, self.m, size, "float64") for name, size in (("rows", 4), ("sums", PARTS))
        )
        self.work = Stretch(
            gpu, handle, self.batch, [*self.before, *self.after], outside, like, (self.rows, self.row_parts)
        )

    def gamma(self, count: int) -> float:
        """Return more than Higham's gamma_k, which bounds k roundings."""
        return 1.02 * count * self.unit

    def bounds(self) -> Bounds:
        work = self.work
        work.run(*self.before)
        of_G, of_T = work[self.of_G][:, 0], work[self.of_T][:, 0]
        if not (np.isfinite(of_G[:, 0]).all() and np.isfinite(of_T[:, 0]).all()):
            raise NonFiniteError("a matrix holds a NaN or an infinity; no bounds hold")
        A, M, made = work[self.A], work[self.M], np.dtype(self.kind)
        factors = [_factors(each) for each in M]
        L = np.stack([each[0] for each in factors]).astype(made)
        work[self.L], work[self.W] = L, np.stack([each[1] for each in factors]).astype(made)
        work.run(*self.after)
        rows = [(self._lengths(self.V, b), self._lengths(self.R, b)) for b in range(self.batch)]
        # numbers of the scaled matrices; a scale is a power of two
        g, t = of_G[:, 1] * of_G[:, 3], of_T[:, 1] * of_T[:, 3]
        x, y = (each[:, 0] / each[:, 3] * s for each, s in ((of_G, g), (of_T, t)))
        found = [self._one(*each) for each in zip(A, M, L, rows, x, y, t, strict=True)]
        pairing, spectral, lower, upper, orthogonality = np.array(found).T.reshape(5, self.batch)
        g, t = (np.where(each > 0, each, 1.0) for each in (g, t))
        gap = np.where(upper > 0, 1 - lower / np.where(upper > 0, upper, 1.0), 0.0)
        return Bounds(pairing / g / t, spectral / t, lower / g, upper / g, gap, orthogonality)

    def _lengths(self, matrix: Matrix, b: int) -> Floats:
        """Return the lengths of the rows of one matrix of the batch: norms of m matrices of one row."""
        places = {}
        for name, each in (("x", matrix), ("norms", self.rows), ("parts", self.row_parts)):
            whole = self.work.place(each)
            step = whole.strides[1]
            start = whole.address + b * whole.strides[0] * ITEMSIZE[whole.dtype]
            places[name] = Place(start, (self.m, 1, each.columns), (step, step, 1), whole.dtype)
        x, norms, parts = (Matrix(name, 1, place.shape[2], place.dtype, outside=True) for name, place in places.items())
        self.work.aside(Norm(norms, x, parts), self.m, places)
        found = self.work[self.rows][b]
        return np.asarray(found[:, 0] / found[:, 3])

    def _one(
        self, A: Floats, M: Floats, L: NDArray[Any], rows: tuple[Floats, Floats], x: float, y: float, t: float
    ) -> tuple[float, float, float, float, float]:
        """Return pairing, spectral norm, bounds and orthogonality of a scaled pair with Frobenius norms x and y."""
        more, tiny = 1 + 1e-12, TINY[self.kind]
        summed = self.gamma(self.n + 8)
        top = largest_eigenvalue_bound(np.asfortranarray(A)) if y > 0 else 0.0
        spectral = math.sqrt((top + summed * y * y) * more + tiny) if y > 0 else 0.0
        pairing = math.fsum(M.diagonal())
        lower = max(0.0, (pairing - summed * x * y - tiny) / spectral / more) if spectral > 0 else 0.0
        rounded = self.gamma(self.m + 8)
        wide = np.abs(L.astype(np.float64))
        lengths = np.sqrt(np.square(wide).sum(axis=0)) + rounded * wide.sum(axis=0)
        solved, rest = rows
        factored = math.fsum(lengths * solved) + math.fsum(rest) + rounded * math.sqrt(self.m) * x
        upper = min(factored, math.sqrt(self.m) * x) if math.isfinite(factored) else math.sqrt(self.m) * x
        away = np.linalg.norm(A / (t * t if t > 0 else 1.0) - np.eye(self.m)) / math.sqrt(self.m)
        return pairing, spectral, lower, max(lower, upper * more + (tiny if x > 0 else 0.0)), float(away)


def _factors(product: Floats) -> tuple[Floats, Floats]:
    """Return (L, W) of side m, L near (G G')^(1/2)'s pivoted Cholesky factor and W L = I on its columns; zeros beyond.

    Neither has to be accurate: what L W G misses of G stays in the residual.
    """
    m = len(product)
    found, order = pivoted_factor(np.asfortranarray(product))
    rank = found.shape[1]
    L, W = np.zeros((m, m)), np.zeros((m, m))
    L[order, :rank] = found
    if rank:
        W[:rank, order[:rank]] = lapack.dtrtri(np.asfortranarray(found[:rank]), lower=1)[0]
    limit = np.finfo(np.float32).max / 2
    return (L, W) if np.max(np.abs(W), initial=0.0) < limit else (np.zeros((m, m)), np.zeros((m, m)))
