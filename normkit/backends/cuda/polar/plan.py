"""A plan: the operations that a schedule of Newton-Schulz steps comes to, and where their results lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from normkit.backends.cuda.polar.ops import AddI, Gemm, Matrix, Op, SymGemm


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done for a batch of matrices of one shape; the same as itself alone, as plans are kept.

    Attributes
    ----------
    shape : tuple of int
        (batch, M, N), as the caller has them.
    storage : str
        What matrices of the workspace are stored in.
    segments : tuple of int
    ops : tuple of Op
        In order.
    offsets : dict
        Of the workspace's matrices, by name, in bytes.
    nbytes : int
        Of the workspace.
    norms, errors : Matrix
        What is read afterwards: norms of G, and of T T' - I if that is measured.
    """

    shape: tuple[int, int, int]
    storage: str
    segments: tuple[int, ...]
    ops: tuple[Op, ...]
    offsets: dict[str, int] = field(repr=False)
    nbytes: int
    norms: Matrix
    errors: Matrix | None = None

    @property
    def batch(self) -> int:
        """How many matrices."""
        return self.shape[0]

    def operations(self, price: float = 0.5) -> float:
        """Return the operations of all products of the batch, counted one by one; symmetric results at a price."""
        total = 0.0
        for op in self.ops:
            if isinstance(op, SymGemm | Gemm):
                m, n, k = op.sides
                total += 2.0 * m * n * k * (price if isinstance(op, SymGemm) else 1.0)
        return self.batch * total

    def __str__(self) -> str:
        """Return a line for each operation."""
        head = (
            f"{'x'.join(map(str, self.shape))} in {self.storage}, segments {list(self.segments)}, {self.nbytes} bytes"
        )
        return "\n".join([head, *(f"  {_line(op)}" for op in self.ops)])


def _line(op: Op) -> str:
    results = ", ".join(each.name for each in op.writes)
    match op:
        case SymGemm() | Gemm():
            text = f"{op.kind}({op.A.name}, {op.B.name})" + (f" * {op.alpha:.6g}" if op.alpha != 1 else "")
            text += _term(op.beta, op.D.name) if op.D is not None else ""
            text += _term(op.gamma, "I") if isinstance(op, SymGemm) and op.gamma else ""
        case AddI():
            text = f"{op.alpha:.6g} {op.A.name}{_term(op.gamma, 'I')}"
        case _:
            text = f"{op.kind}({', '.join(each.name for each in op.reads)})"
    return f"{results} = {text}"


def _term(number: float, name: str) -> str:
    sign, size = "-" if number < 0 else "+", abs(number)
    return f" {sign} {name}" if size == 1 else f" {sign} {size:.6g} {name}"
