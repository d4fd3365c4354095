r"""Two rows of Gaussian W: closed forms of the gap, and the exact law of its norms. Derived for this project.

With row norms a, b, cosine rho and s = sqrt(1 - rho^2), A^{1/2} = (A + ab s I)/t, t^2 = a^2 + b^2 + 2ab s, and
|Delta|_F^2 = 4 - 2 (a + b)(1 + s)/t. a^2 and b^2 are chi-square(n), rho^2 is Beta(1/2, (n-1)/2), all independent.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import special, stats

from normkit.studies.gap.gauss import rule

NODES = 64
"""Of the quadrature over the ratio of the row norms, on which the gap depends little."""


def frobenius_squared(a: NDArray[np.float64], b: NDArray[np.float64], rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |Delta|_F^2 by the closed form, as it is printed above.

    Examples
    --------
    >>> from normkit.studies.gap.pair import frobenius_squared
    >>> round(float(frobenius_squared(1.0, 1.0, 0.6)), 6)
    0.205267
    """
    s = np.sqrt(1 - rho**2)
    return np.asarray(4 - 2 * (a + b) * (1 + s) / np.sqrt(a**2 + b**2 + 2 * a * b * s))


def norms(product: NDArray[np.float64], rho_squared: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return operator and Frobenius norm of the gap from p = ab/(a + b)^2 and rho^2, without cancellation.

    With h = 1 - s and t = sqrt(1 - 2ph), in units of a + b: |Delta|_F^2 = 2q and the product of the two singular values
    is |q - h|, where q = h (1 - 4p/(1 + t))/t is 2 less the trace of D^{-1/2} A^{1/2}.
    """
    h = rho_squared / (1 + np.sqrt(1 - rho_squared))
    t = np.sqrt(1 - 2 * product * h)
    q = h * (1 - 4 * product / (1 + t)) / t
    cross = 2 * np.abs(q - h)
    op = (np.sqrt(2 * q + cross) + np.sqrt(np.maximum(2 * q - cross, 0.0))) / 2
    return op, np.sqrt(2 * q)


@cache
def tail(n: float, threshold: float) -> float:
    """Return P(sqrt(n) |Delta|_op > threshold), m = 2, by quadrature: no sampling.

    The norm grows with rho^2, so at every ratio of the row norms it is a tail of the Beta law, from where bisection
    puts it. It has a kink at equal norms: the quadrature is over one side.

    Examples
    --------
    >>> from normkit.studies.gap.pair import tail
    >>> round(tail(1e3, 1.0), 3)
    0.05
    """
    nodes, weights = rule(NODES)
    share = special.betaincinv(n / 2, n / 2, nodes / 2)  # a^2/(a^2 + b^2), below 1/2
    product = np.sqrt(share * (1 - share)) / (1 + 2 * np.sqrt(share * (1 - share)))
    low, high = np.full(NODES, -60.0), np.zeros(NODES)  # log rho^2
    for _ in range(80):
        middle = (low + high) / 2
        over = np.sqrt(n) * norms(product, np.exp(middle))[0] > threshold
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    return float(weights @ stats.beta.sf(np.exp(high), 0.5, (n - 1) / 2))


def off_diagonal_tail(n: float, threshold: float) -> float:
    """Return P(|E|_op > threshold sqrt(n)), m = 2: E has one entry, the product of the rows, N(0, a^2) given one."""
    nodes, weights = rule(NODES)
    lengths = np.sqrt(stats.chi2.ppf(nodes, n))
    return float(2 * weights @ stats.norm.sf(threshold * np.sqrt(n) / lengths))


@cache
def derivation() -> dict[str, bool]:
    """Derive the closed form by SymPy: that the root is one, that it is the positive one, and the norm."""
    a, b = sp.symbols("a b", positive=True)
    angle = sp.Symbol("theta", positive=True)
    rho, s = sp.cos(angle), sp.sin(angle)  # of an angle in (0, pi), where s > 0
    A = sp.Matrix([[a**2, a * b * rho], [a * b * rho, b**2]])
    t_squared = a**2 + b**2 + 2 * a * b * s
    numerator = A + a * b * s * sp.eye(2)
    t = sp.sqrt(t_squared)
    trace = sp.trace(numerator * sp.diag(1 / a, 1 / b)) / t
    # |Delta|_F^2 = tr (I - D^{-1/2} A^{1/2})(I - A^{1/2} D^{-1/2}), and tr D^{-1/2} A D^{-1/2} = 2.
    squared = 2 - 2 * trace + sp.trace(sp.diag(1 / a, 1 / b) * A * sp.diag(1 / a, 1 / b))
    return {
        "A^{1/2} squared is A": sp.simplify(numerator**2 - t_squared * A) == sp.zeros(2, 2),
        "its determinant is ab s": sp.simplify(numerator.det() - t_squared * a * b * s) == 0,
        "the norm is the closed form": sp.simplify(squared - (4 - 2 * (a + b) * (1 + s) / t)) == 0,
    }
