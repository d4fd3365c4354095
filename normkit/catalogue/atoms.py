"""Atomic norms: the gauge of the symmetric hull of a list of atoms."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from normkit.catalogue.lp import L1
from normkit.elimination import rank
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Atomic, Functional, Map
from normkit.linear import Compose, Flatten, Linear, Matrix
from normkit.norm import Decomposition, Norm, Theorem
from normkit.parameter import Parameter


class Atoms(Norm, name="atoms"):
    r"""inf of sum |c_k| over x = sum c_k a_k, the atoms a_k along the leading index; dualize is the first best atom.

    The atoms must span the space: outside their span no multiple of the ball holds x. With as many vector atoms as
    entries the coefficients are unique and the value is explicit; otherwise it is a linear program.

    Parameters
    ----------
    atoms : array_like
        One atom per leading index, of any number of axes.
    """

    atoms: Parameter
    theorem = Theorem("atomic norm", r"N^*(g)=\max_k|\langle a_k,g\rangle|", "chandrasekaran2012convex")

    def __post_init__(self) -> None:
        atoms = Parameter.of(self.atoms)
        object.__setattr__(self, "atoms", atoms)
        if len(atoms.shape) < 2:
            raise ParameterError(f"atoms needs a list of atoms, one per leading index; got shape {atoms.shape}")
        spanned = rank(atoms)
        if spanned < prod(self.shape):
            raise ParameterError(
                f"the {atoms.shape[0]} atoms span {spanned} of {prod(self.shape)} dimensions; they must span all. "
                "Add small multiples of the missing directions"
            )

    @property
    def ndim(self) -> int:
        return len(self.atoms.shape) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        return self.atoms.shape[1:]

    @property
    def length(self) -> int | None:
        return self.shape[0] if self.ndim == 1 else None

    @property
    def _coefficients(self) -> Matrix:
        """The map from coefficients to the sum of atoms, flattened."""
        flat = Parameter((self.atoms.shape[0], prod(self.shape)), self.atoms.data)
        return Matrix(flat, transpose=True)

    def value(self) -> Functional:
        if self.ndim > 1 or self.atoms.shape[0] > prod(self.shape):
            raise NoClosedForm(
                "an atomic norm is the value of a linear program. Its dual norm and dualize map are explicit; the "
                "value is for as many vector atoms as entries",
                "solver",
            )
        return Map(self._coefficients.inverted, L1().value())

    def dual_value(self) -> Functional:
        return Atomic(self.atoms)

    def synthesis(self) -> Decomposition:
        linear: Linear = self._coefficients
        return L1(), ((linear if self.ndim == 1 else Compose(Flatten(True), linear), L1()),)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Parameter.of([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5], [1, -1, 0]]))
        rows = [[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, -1], [0, 1, 1, 0], [1, 0, 0, 0]]
        yield cls(Parameter.of([[row[:2], row[2:]] for row in rows]))
