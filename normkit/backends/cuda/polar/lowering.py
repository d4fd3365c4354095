"""From a schedule to operations: Newton-Schulz steps in segments, on the short side, in one workspace.

A step is X <- (a I + Z) X with Z = b R + c R^2 + d R^3 and R = X X' (m, m). A segment of several steps keeps to R and
gathers Q = (a I + Z) Q; R follows by (a I + Z) R (a I + Z). All products of m x m matrices here are polynomials of
one R, hence symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence

from normkit.backends.cuda.polar.ops import AddI, CopyOut, Gemm, Matrix, Norm, Op, ScaleCast, SymGemm
from normkit.backends.cuda.polar.placement import place
from normkit.backends.cuda.polar.plan import Plan
from normkit.backends.cuda.polar.segments import check_segments

Row = Sequence[float]
PARTS = 264
"""Sums over blocks of a matrix: two for each multiprocessor of the largest GPUs."""


def lower(
    shape: tuple[int, int, int],
    rows: Sequence[Row],
    segments: Sequence[int],
    storage: str,
    given: str,
    wanted: str,
    *,
    top: float = 1.0,
    direct: bool = False,
    gained: bool = False,
    paired: bool = False,
    checked: bool = False,
) -> Plan:
    """Return the plan that applies steps to G / ||G||_F for matrices G.

    Parameters
    ----------
    shape : tuple of int
        (batch, M, N). Tall matrices are transposed as they are scaled, and back as they are copied out.
    rows : sequence of rows
        Coefficients (a, b[, c[, d]]) of the steps.
    segments : sequence of int
        Steps between restarts.
    storage, given, wanted : str
        Types of the workspace, of the caller's matrices, and of the results.
    top : float
        Results are divided by this.
    direct : bool
        Let the last product write to the caller's matrix: only if that is wide, of the stored type, with rows whose
        entries are neighbours, and neither `gained` nor `paired` is asked for.
    gained : bool
        Multiply results by numbers that the caller gives.
    paired : bool
        Return <G, T>.
    checked : bool
        Measure ||T T' - I||_F on the short side before anything is copied out. Not together with `direct`.

    Raises
    ------
    ParameterError
        If the segments do not add up to the number of steps.

    Examples
    --------
    >>> rows = [(2.0, -1.5, 0.5)] * 3
    >>> print(lower((1, 64, 256), rows, [2, 1], "float16", "float32", "float32"))
    1x64x256 in float16, segments [2, 1], 73984 bytes
      norms, parts0 = Norm(G)
      X0 = ScaleCast(G, norms)
      R0 = SymGemm(X0, X0)
      Q0 = SymGemm(R0, R0) * 0.5 - 1.5 R0 + 2 I
      P0 = SymGemm(R0, Q0)
      R1 = SymGemm(Q0, P0)
      Z0 = SymGemm(R1, R1) * 0.5 - 1.5 R1
      Q1 = SymGemm(Q0, Z0) + 2 Q0
      X1 = Gemm(Q1, X0)
      R2 = SymGemm(X1, X1)
      Z1 = SymGemm(R2, R2) * 0.5 - 1.5 R2
      X2 = Gemm(Z1, X1) + 2 X1
      T = CopyOut(X2)
    """
    batch, M, N = shape
    rows = [_trimmed(row) for row in rows]
    lengths = check_segments(segments, len(rows))
    maker = _Maker(min(M, N), max(M, N), storage)
    G, T = (Matrix(*each, outside=True) for each in (("G", M, N, given), ("T", M, N, wanted)))
    norms = Matrix("norms", 1, 4, "float64")
    turned = M > N
    maker.ops.append(Norm(norms, G, maker.parts()))
    X = maker.matrix("X", maker.n)
    maker.ops.append(ScaleCast(X, G, norms, turned))
    first = 0
    for length in lengths:
        target = T if direct and first + length == len(rows) else None
        X = maker.segment(X, rows[first : first + length], target)
        first += length
    errors = maker.distance(X) if checked else None
    if not direct:
        gain = Matrix("gain", 1, 1, "float64", outside=True) if gained else None
        pairing = (G, norms, Matrix("sums", 1, 1, "float64", outside=True), maker.parts()) if paired else ()
        maker.ops.append(CopyOut(T, X, turned, 1.0 / top, gain, *pairing))
    kept = [norms] if errors is None else [norms, errors]
    offsets, nbytes = place(maker.ops, batch, kept)
    return Plan(shape, storage, lengths, tuple(maker.ops), offsets, nbytes, norms, errors)


def _trimmed(row: Row) -> Row:
    """Return a row without zeros at its end, which would cost a product each."""
    length = max((count for count, each in enumerate(row, 1) if each), default=0)
    return tuple(row[: max(2, length)])


class _Maker:
    """Gathers operations, and gives their results names."""

    def __init__(self, m: int, n: int, storage: str) -> None:
        self.m, self.n, self.storage = m, n, storage
        self.ops: list[Op] = []
        self._counts: dict[str, int] = {}

    def matrix(self, letter: str, columns: int) -> Matrix:
        count = self._counts.get(letter, 0)
        self._counts[letter] = count + 1
        return Matrix(f"{letter}{count}", self.m, columns, self.storage)

    def parts(self) -> Matrix:
        self._counts["parts"] = count = self._counts.get("parts", -1) + 1
        return Matrix(f"parts{count}", 1, PARTS, "float64")

    def square(
        self,
        name: str,
        A: Matrix,
        B: Matrix,
        alpha: float = 1.0,
        D: Matrix | None = None,
        beta: float = 0.0,
        gamma: float = 0.0,
    ) -> Matrix:
        out = self.matrix(name, self.m)
        self.ops.append(SymGemm(out, A, B, D, alpha, beta, gamma))
        return out

    def factor(self, R: Matrix, row: Row, shift: bool) -> tuple[float, Matrix]:
        """Return (s, Z) with s Z = b R + c R^2 + ... by Horner's rule; with `shift` (1, a I + that)."""
        scale, Z = row[-1], R
        for power in range(len(row) - 2, 0, -1):
            ends = shift and power == 1
            Z = self.square("Q" if ends else "Z", R, Z, scale, R, row[power], row[0] if ends else 0.0)
            scale = 1.0
        if shift and Z is R:
            Z, scale = self.shifted(R, scale, row[0]), 1.0
        return scale, Z

    def shifted(self, Z: Matrix, scale: float, gamma: float) -> Matrix:
        out = self.matrix("Q", self.m)
        self.ops.append(AddI(out, Z, scale, gamma))
        return out

    def segment(self, X: Matrix, rows: Sequence[Row], target: Matrix | None) -> Matrix:
        """Apply steps to X by a product with the long side at each end."""
        R = self.square("R", X, X)
        out = target or self.matrix("X", self.n)
        if len(rows) == 1:  # a X stays out of the rounded matrix
            scale, Z = self.factor(R, rows[0], shift=False)
            self.ops.append(Gemm(out, Z, X, X, scale, rows[0][0]))
            return out
        Q, R = self._first(R, rows[0], len(rows))
        for step, row in enumerate(rows[1:], 2):
            scale, Z = self.factor(R, row, shift=False)
            Q = self.square("Q", Q, Z, scale, Q, row[0])
            R = self._follow(R, Z, scale, row[0]) if step < len(rows) else R
        self.ops.append(Gemm(out, Q, X, None, 1.0, 0.0))
        return out

    def distance(self, X: Matrix) -> Matrix:
        """Return the norms of X X' - I."""
        E = self.square("E", X, X, gamma=-1.0)
        errors = Matrix("errors", 1, 4, "float64")
        self.ops.append(Norm(errors, E, self.parts()))
        return errors

    def _first(self, R: Matrix, row: Row, length: int) -> tuple[Matrix, Matrix]:
        """Return (Q, R) after the first step, where Q = a I + Z.

        In a segment of two steps Q serves for R (a I + Z) as well, which saves a pass and a matrix. In longer ones the
        rounding of its diagonal costs up to twice the error (tests/cuda/test_plan_numpy.py).
        """
        if length == 2:
            Q = self.factor(R, row, shift=True)[1]
            P = self.square("P", R, Q)
            return Q, self.square("R", Q, P)
        scale, Z = self.factor(R, row, shift=False)
        return self.shifted(Z, scale, row[0]), self._follow(R, Z, scale, row[0])

    def _follow(self, R: Matrix, Z: Matrix, scale: float, a: float) -> Matrix:
        """Return (a I + s Z) R (a I + s Z)."""
        P = self.square("P", R, Z, scale, R, a)
        return self.square("R", Z, P, scale, P, a)
