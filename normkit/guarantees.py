r"""How long a step is and by how much the loss falls at least, as expressions.

Along a step of length r in the norm, Delta = -r t with N(t) = 1 and <g, t> = N*(g) = d, a loss whose gradient has the
Lipschitz constant L, N*(grad f(x) - grad f(y)) <= L N(x - y), falls by at least r d - (L/2) r^2: this is the descent
lemma (Nesterov 2018, Lemma 1.2.3, in any norm). If f(x + D) <= f(x) + <g, D> + (L/p) N(D)^p holds instead, it falls by
r d - (L/p) r^p. The two functions below are these statements; the conventions say what r is.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, simplify

dual_norm = Symbol("d", nonnegative=True)
"""N*(g)."""
smoothness = Symbol("L", positive=True)
"""The Lipschitz constant of the gradient, from the norm to its dual."""
sharpness = Symbol("lambda", positive=True)
radius = Symbol("eta", positive=True)
power = Symbol("p", positive=True)
rate = Symbol("gamma", positive=True)
L0 = Symbol("L_0", nonnegative=True)
L1 = Symbol("L_1", nonnegative=True)
gap = Symbol("h", nonnegative=True)
"""<g, W> + radius * N*(g): nonnegative if N(W) <= radius."""
size = Symbol("w", nonnegative=True)
"""N(W)."""


def decrease(length: Expr, constant: Expr = smoothness, exponent: Expr | int = 2) -> Expr:
    """Return the least decrease of a step of a length, r d - (L/p) r^p."""
    falls: Expr = simplify(length * dual_norm - constant / exponent * length**exponent)
    return falls


def averaged_decrease() -> Expr:
    """Return the least decrease of W <- (1 - gamma) W - gamma eta t, a step that is no longer than gamma (w + eta)."""
    return rate * gap - smoothness / Integer(2) * (rate * (size + radius)) ** 2
