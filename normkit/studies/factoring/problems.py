"""Two factorizations as functions of named arrays: M = X X' with M positive semidefinite, and M = P Q'.

A problem is looked at once a step: what is left of M gives both the relative residual and the gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Weights = dict[str, Matrix]


class Problem(Protocol):
    """What a run minimizes."""

    def look(self, weights: Weights) -> tuple[float, Weights]:
        """Return the relative residual and the gradients."""
        ...


@dataclass(frozen=True)
class Symmetric:
    """1/4 |X X' - M|_F^2 for M = U diag(spectrum) U'; the weights are called X.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.factoring.problems import Symmetric
    >>> rel, gradients = Symmetric(np.eye(2), np.array([4.0, 1.0])).look({"X": np.diag([2.0, 0.0])})
    >>> round(rel, 4), gradients["X"].tolist()
    (0.2425, [[0.0, 0.0], [0.0, 0.0]])
    """

    U: Matrix
    spectrum: Matrix

    @cached_property
    def M(self) -> Matrix:
        """The matrix that is to be factored."""
        made: Matrix = (self.U * self.spectrum) @ self.U.T
        return made

    def look(self, weights: Weights) -> tuple[float, Weights]:
        """Return |X X' - M|_F / |M|_F and the gradient (X X' - M) X."""
        X = weights["X"]
        rest = X @ X.T - self.M
        return length(rest) / length(self.spectrum), {"X": rest @ X}


@dataclass(frozen=True)
class Asymmetric:
    """1/2 |P Q' - M|_F^2 for M = U diag(spectrum) V' with thin factors; the weights are called P and Q.

    A product W2 W1 is this with P = W2 and Q = W1'.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.factoring.problems import Asymmetric
    >>> one = np.ones((1, 1))
    >>> rel, gradients = Asymmetric(one, np.array([2.0]), one).look({"P": one, "Q": 3 * one})
    >>> rel, gradients["P"].item(), gradients["Q"].item()
    (0.5, 3.0, 1.0)
    """

    U: Matrix
    spectrum: Matrix
    V: Matrix

    @cached_property
    def M(self) -> Matrix:
        """The matrix that is to be factored."""
        made: Matrix = (self.U * self.spectrum) @ self.V.T
        return made

    def look(self, weights: Weights) -> tuple[float, Weights]:
        """Return |P Q' - M|_F / |M|_F and the gradients (P Q' - M) Q and (P Q' - M)' P."""
        P, Q = weights["P"], weights["Q"]
        rest = P @ Q.T - self.M
        return length(rest) / length(self.spectrum), {"P": rest @ Q, "Q": rest.T @ P}

    def orientation(self, weights: Weights) -> int:
        """Return the sign of det(U'P) det(Q'V): +1 where the core of P Q' agrees in it with that of M, else -1."""
        signs = [np.linalg.slogdet(basis.T @ weights[name])[0] for basis, name in ((self.U, "P"), (self.V, "Q"))]
        return int(np.prod(signs))


def length(array: Matrix) -> float:
    """Return the Frobenius norm."""
    return float(np.sqrt(np.vdot(array, array)))


def logarithmic(kappa: float, count: int) -> Matrix:
    """Return numbers from 1 down to 1/kappa, equally far apart in their logarithms."""
    return np.geomspace(1.0, 1.0 / kappa, count)


def orthogonal(rng: Generator, rows: int, columns: int | None = None) -> Matrix:
    """Return orthonormal columns, uniformly distributed."""
    Q, R = np.linalg.qr(rng.standard_normal((rows, columns or rows)))
    made: Matrix = Q * np.sign(np.diag(R))
    return made
