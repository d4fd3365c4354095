r"""S05: the source's lemmas 3.1, 3.2, 3.6 and 3.7: integrals by SymPy, identities on random positive definite matrices.

With t = s^2 the integrals over t run over s, and s = c tan(theta) makes them integrals of smooth functions over an
interval.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from numpy.random import Generator
from numpy.typing import NDArray

from normkit.studies.gap.gauss import rule
from normkit.studies.kit.claims import Claim, below, check, largest
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

NODES = 400
Matrix = NDArray[np.float64]


def integrals() -> dict[str, bool]:
    """Check the scalar integrals, and that 3.7 is sharp, by SymPy: whether each difference simplifies to 0."""
    s, a, b, x = sp.symbols("s a b x", positive=True)

    def over(integrand: sp.Expr) -> sp.Expr:
        return sp.integrate(integrand, (s, 0, sp.oo))

    apart = over(sp.apart(2 / ((a**2 + s**2) * (b**2 + s**2)), s))
    return {
        "3.1, scalar": sp.simplify(over(2 / (x**2 + s**2)) - sp.pi / x) == 0,
        "3.2, a and b differ": sp.simplify(apart - sp.pi / (a * b * (a + b))) == 0,
        "3.2, a = b": sp.simplify(over(2 / (a**2 + s**2) ** 2) - sp.pi / (2 * a**3)) == 0,
        "3.7, equal for 1 x 1": sp.simplify(1 / a - 1 / b - (b**2 - a**2) / (a * b * (a + b))) == 0,
    }


def root(X: Matrix, power: float) -> Matrix:
    """Return X^power of a symmetric positive definite X, by its eigendecomposition."""
    values, vectors = np.linalg.eigh(X)
    return np.asarray((vectors * values**power) @ vectors.T)


def identities(rng: Generator, draws: int) -> dict[str, float]:
    """Return the largest relative error of every identity, and of 3.7 the largest share of its bound.

    Half the draws have D = diag A, as in the source; the lemmas hold for any two positive definite matrices.
    """
    worst = dict.fromkeys(("3.1", "3.6", "3.6, algebra", "3.7, share of the bound"), 0.0)
    for draw in range(draws):
        m = 2 + draw % 6
        A = _positive(rng, m)
        D = np.diag(np.diag(A)) if draw % 2 else _positive(rng, m)
        for name, error in zip(worst, _errors(A, D), strict=True):
            worst[name] = largest(worst[name], error)
    return worst


def _positive(rng: Generator, m: int) -> Matrix:
    B = rng.standard_normal((m, m + 2))
    return np.asarray(B @ B.T)


def _errors(A: Matrix, D: Matrix) -> tuple[float, float, float, float]:
    exact, root_a, root_d = root(A, -0.5) - root(D, -0.5), root(A, 0.5), root(D, 0.5)
    E, scale = A - D, np.linalg.norm(root(A, -0.5), 2)
    shift, weights = _shifts(float(np.sqrt(np.trace(A) / len(A))))
    inverse_a, inverse_d = (np.linalg.inv(X + shift[:, None, None] * np.eye(len(X))) for X in (A, D))
    first = np.einsum("k,kij->ij", weights, inverse_a) - root(A, -0.5)
    identity = -np.einsum("k,kij->ij", weights, inverse_a @ E @ inverse_d) - exact
    # S = A^{1/2} - D^{1/2} solves A^{1/2} S + S D^{1/2} = E, and A^{1/2} (A^{-1/2} - D^{-1/2}) D^{1/2} = -S.
    S = root_a - root_d
    algebra = largest(np.abs(root_a @ S + S @ root_d - E) / np.abs(E).max(),
                      np.abs(root_a @ exact @ root_d + S) / np.abs(S).max())  # fmt: skip
    least_a, least_d = (np.linalg.eigvalsh(X)[0] for X in (A, D))
    bound = np.linalg.norm(E, 2) / (np.sqrt(least_a * least_d) * (np.sqrt(least_a) + np.sqrt(least_d)))
    share = np.linalg.norm(exact, 2) / bound
    return float(np.abs(first).max() / scale), float(np.abs(identity).max() / scale), algebra, float(share)


def _shifts(c: float) -> tuple[Matrix, Matrix]:
    """Return t = s^2 and the weights of (1/pi) t^{-1/2} dt = (2/pi) ds, s = c tan(theta)."""
    points, weights = rule(NODES)
    theta = np.pi / 2 * points
    return (c * np.tan(theta)) ** 2, weights * c / np.cos(theta) ** 2


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the claims of the lemmas, and a table of errors."""
    symbolic = integrals()
    yield check("S05.integrals", "the scalar integrals of 3.1 and 3.2 are what is printed, and 3.7 is sharp",
                all(symbolic.values()), symbolic, confidence="SymPy")  # fmt: skip
    (found,) = at.cells.map("lemmas", identities, [(at.pick(30, 100),)])
    yield Table("lemmas", "Lemmas on random positive definite matrices, m = 2 to 7", ("lemma", "worst"),
                list(found.items()))  # fmt: skip
    yield below("S05.quadrature", "3.1 and 3.6 hold by quadrature", [found["3.1"], found["3.6"]], 1e-11,
                confidence="relative error")  # fmt: skip
    yield below("S05.algebra", "3.6 holds in its algebraic form", found["3.6, algebra"], 1e-12,
                confidence="relative error")  # fmt: skip
    yield below("S05.bound", "3.7 bounds the norm, never exceeded", found["3.7, share of the bound"], 1 + 1e-12,
                confidence="share of the bound")  # fmt: skip
