"""What a plan of the polar core consists of: operations on matrices that lie in one workspace or belong to the caller.

Every matrix stands for a batch of them. A result is a matrix of its own, never written twice: which of them share
memory is decided afterwards, by `normkit.backends.cuda.polar.placement`.
"""

from __future__ import annotations

from dataclasses import dataclass

ITEMSIZE = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Bytes of an entry of the types that matrices are stored in."""
ROW_ALIGNMENT = 16
"""Bytes at whose multiples rows start in the workspace: tensor-core kernels move so many at a time."""
WIDE = {"float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}
"""What sums of products are accumulated in, by the type that results are stored in."""


@dataclass(frozen=True)
class Matrix:
    """A batch of matrices (rows, columns).

    Attributes
    ----------
    name : str
        One for each: ``X0``, ``R1``, ...
    rows, columns : int
        Rows start at multiples of `ROW_ALIGNMENT` in the workspace; what is between is never read.
    dtype : str
        A key of `ITEMSIZE`.
    outside : bool
        Whether it belongs to the caller, with strides of its own, and takes no room in the workspace.
    """

    name: str
    rows: int
    columns: int
    dtype: str
    outside: bool = False

    @property
    def leading(self) -> int:
        """Entries from one row to the next, in the workspace."""
        step = ROW_ALIGNMENT // ITEMSIZE[self.dtype]
        return -(-self.columns // step) * step

    @property
    def nbytes(self) -> int:
        """Bytes of one."""
        return self.rows * self.leading * ITEMSIZE[self.dtype]


@dataclass(frozen=True)
class Op:
    """An operation. `out` is what it writes; `reads` what it reads."""

    out: Matrix

    @property
    def kind(self) -> str:
        """Its name, as in the table of providers."""
        return type(self).__name__

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """The matrices that it reads."""
        return ()

    @property
    def writes(self) -> tuple[Matrix, ...]:
        """The matrices that it writes."""
        return (self.out,)


@dataclass(frozen=True)
class Norm(Op):
    """out[b] = (norm, scale, 0, lift): of lift x_b the Frobenius norm and 1 over it, which is 0 for a zero matrix.

    Squares are summed in float64, where those of narrower entries neither overflow nor vanish; float64 entries are
    lifted by a power of two first. A NaN or an infinity in x_b makes the scale NaN, so that everything computed from it
    is NaN. `parts` receives sums over blocks of entries, which are added in a fixed order. With `exact` the scale is a
    power of two, which brings the norm into [1/2, 1).
    """

    x: Matrix
    parts: Matrix
    exact: bool = False

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """x."""
        return (self.x,)

    @property
    def writes(self) -> tuple[Matrix, ...]:
        """Norms, and the sums over blocks."""
        return (self.out, self.parts)


@dataclass(frozen=True)
class ScaleCast(Op):
    """out = scale lift x, or the transpose of it, rounded once to the stored type."""

    x: Matrix
    norms: Matrix
    turned: bool

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """x and its scale."""
        return (self.x, self.norms)


@dataclass(frozen=True)
class SymGemm(Op):
    """out = alpha A B' + beta D + gamma I of which it is known that it is symmetric: half of it need be computed."""

    A: Matrix
    B: Matrix
    D: Matrix | None
    alpha: float
    beta: float
    gamma: float

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """The factors, and D where it is read."""
        return (self.A, self.B) if self.D is None else (self.A, self.B, self.D)

    @property
    def sides(self) -> tuple[int, int, int]:
        """(m, n, k) of the product."""
        return self.out.rows, self.out.rows, self.A.columns


@dataclass(frozen=True)
class Gemm(Op):
    """out = alpha A B + beta D, or alpha A B' + beta D if `turned`."""

    A: Matrix
    B: Matrix
    D: Matrix | None
    alpha: float
    beta: float
    turned: bool = False

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """The factors, and D where it is read."""
        return (self.A, self.B) if self.D is None else (self.A, self.B, self.D)

    @property
    def sides(self) -> tuple[int, int, int]:
        """(m, n, k) of the product."""
        return self.out.rows, self.out.columns, self.A.columns


@dataclass(frozen=True)
class AddI(Op):
    """out = alpha A + gamma I."""

    A: Matrix
    alpha: float
    gamma: float

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """A."""
        return (self.A,)


@dataclass(frozen=True)
class CopyOut(Op):
    """out = scale gain_b X, or its transpose, cast to the caller's type; sums[b] = scale <x, X> where x is given.

    Without a gain it is 1. The sums, of float64, take two stages in a fixed order, as in `Norm`, whose lift they need.
    """

    X: Matrix
    turned: bool
    scale: float = 1.0
    gain: Matrix | None = None
    x: Matrix | None = None
    norms: Matrix | None = None
    sums: Matrix | None = None
    parts: Matrix | None = None

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """X, and what else is given."""
        return tuple(each for each in (self.X, self.gain, self.x, self.norms) if each is not None)

    @property
    def writes(self) -> tuple[Matrix, ...]:
        """The caller's matrix, and sums."""
        return tuple(each for each in (self.out, self.sums, self.parts) if each is not None)
