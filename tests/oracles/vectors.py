"""Vector norms by their definitions."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import cvxpy as cp
import numpy as np
import sympy
from sympy import oo

from oracles.core import Epigraph, Expression, NoOracle, dual_entry, entry, numbers


def lp(x: Any, p: Any) -> Expression:
    return cp.norm(x, "inf") if p == oo else cp.norm(x, 1) if p == 1 else cp.pnorm(x, float(p))


def largest(x: Any, k: float) -> Expression:
    """Sum of the k largest magnitudes; for real k the linear interpolation between integers."""
    size = x.shape[0]
    whole = int(min(k, size))
    rest = min(k, size) - whole
    total = cp.sum_largest(cp.abs(x), whole) if whole else 0.0
    return total if not rest else (1 - rest) * total + rest * cp.sum_largest(cp.abs(x), whole + 1)


def peaks(expressions: list[Expression]) -> Expression:
    return expressions[0] if len(expressions) == 1 else cp.maximum(*expressions)


@entry("l1")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.norm(x, 1), []


@entry("l2")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.norm(x, 2), []


@entry("linf")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.norm(x, "inf"), []


@entry("lp")
def _(norm: Any, x: Any) -> Epigraph:
    return lp(x, norm.p), []


@dual_entry("lp")
def _(norm: Any, x: Any) -> Epigraph:
    return lp(x, {1: oo, oo: 1}[norm.p]), []


@entry("rms")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.norm(x, 2) / np.sqrt(x.shape[0]), []


@dual_entry("rms")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.norm(x, 2) * np.sqrt(x.shape[0]), []


@entry("wlp")
def _(norm: Any, x: Any) -> Epigraph:
    return lp(cp.multiply(numbers(norm.weights) ** (1 / float(norm.p)), x), norm.p), []


@entry("wlinf")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.max(cp.multiply(numbers(norm.weights), cp.abs(x))), []


@entry("quadratic")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.norm(np.linalg.cholesky(numbers(norm.matrix)).T @ x, 2), []


@entry("topk")
def _(norm: Any, x: Any) -> Epigraph:
    return largest(x, float(norm.k)), []


@dual_entry("topk")
def _(norm: Any, x: Any) -> Epigraph:
    # The polar of a ball cut out by all signed choices of k entries is {abs(x_i) <= 1, sum abs(x_i) <= k}.
    return cp.maximum(cp.norm(x, "inf"), cp.norm(x, 1) / float(norm.k)), []


@entry("owl")
def _(norm: Any, x: Any) -> Epigraph:
    weights = [*numbers(norm.weights), 0.0]
    steps = [(weights[k] - weights[k + 1], k + 1) for k in range(len(weights) - 1)]
    return sum(step * cp.sum_largest(cp.abs(x), k) for step, k in steps if step), []


@dual_entry("owl")
def _(norm: Any, x: Any) -> Epigraph:
    # The signed permutahedron of w: the vectors whose magnitudes are weakly majorised by w.
    sums = np.cumsum(numbers(norm.weights))
    return peaks([cp.sum_largest(cp.abs(x), k + 1) / sums[k] for k in range(len(sums))]), []


def subsets(size: int, k: int) -> list[tuple[int, ...]]:
    return list(combinations(range(size), min(k, size)))


@entry("kp")
def _(norm: Any, x: Any) -> Epigraph:
    return peaks([lp(x[list(some)], norm.p) for some in subsets(x.shape[0], int(norm.k))]), []


def latent(x: Any, k: int, q: Any) -> Epigraph:
    """The gauge of the hull of the k-sparse vectors with lq norm 1: one piece per support."""
    supports = subsets(x.shape[0], k)
    pieces = [cp.Variable(len(some)) for some in supports]
    total = sum(np.eye(x.shape[0])[:, list(some)] @ piece for some, piece in zip(supports, pieces, strict=True))
    return sum(lp(piece, q) for piece in pieces), [total == x]


@dual_entry("kp")
def _(norm: Any, x: Any) -> Epigraph:
    return latent(x, int(norm.k), oo if norm.p == 1 else norm.p / (norm.p - 1))


@entry("ksupport")
def _(norm: Any, x: Any) -> Epigraph:
    return latent(x, int(norm.k), 2)


@entry("box")
def _(norm: Any, x: Any) -> Epigraph:
    """N(x) <= r if sum x_i^2 / eta_i <= r for some eta in r Theta."""
    r, eta = cp.Variable(nonneg=True), cp.Variable(x.shape[0], nonneg=True)
    lo, hi, budget = (float(number) for number in (norm.lo, norm.hi, norm.c))
    spent = sum(cp.quad_over_lin(x[i], eta[i]) for i in range(x.shape[0])) <= r
    return r, [spent, eta >= lo * r, eta <= hi * r, cp.sum(eta) <= max(budget, lo * x.shape[0]) * r]


def kink(base: Any) -> float:
    """Return c of a base max(0, x - c); 0 for x itself."""
    if base.is_Symbol:
        return 0.0
    (variable,) = base.free_symbols
    (line,) = (argument for argument in base.args if argument.has(variable))
    if base != sympy.Max(0, line) or line.diff(variable) != 1:
        raise NoOracle(f"the power of {base}")
    return -float(line.subs(variable, 0))


def perspective(phi: Any, x: Any, r: Any) -> Epigraph:
    """r * sum phi(abs(x) / r), term by term: r (z/r)^p is a power cone, r exp(z/r) an exponential cone."""
    z, ones = cp.Variable(x.shape[0], nonneg=True), np.ones(x.shape[0])
    terms, constraints = [], [z >= cp.abs(x)]

    def exponential(sign: float) -> Any:
        bound = cp.Variable(x.shape[0])
        constraints.append(cp.constraints.ExpCone(sign * z, r * ones, bound))
        return cp.sum(bound)

    for term in sympy.Add.make_args(phi):
        constant, body = term.as_coeff_Mul()
        if body == 1:
            made = r * x.shape[0]
        elif body.is_Symbol:
            made = cp.sum(z)
        elif isinstance(body, sympy.exp):
            made = exponential(1.0)
        elif isinstance(body, sympy.cosh):
            made = (exponential(1.0) + exponential(-1.0)) / 2
        elif body.is_Pow and body.exp.is_number:
            bound, base = cp.Variable(x.shape[0]), cp.Variable(x.shape[0], nonneg=True)
            constraints.append(base >= z - r * kink(body.base))
            constraints.append(cp.constraints.PowCone3D(bound, r * ones, base, ones / float(body.exp)))
            made = cp.sum(bound)
        else:
            raise NoOracle(f"the Young function {phi}")
        terms.append(float(constant) * made)
    return sum(terms), constraints


@entry("orlicz")
def _(norm: Any, x: Any) -> Epigraph:
    r = cp.Variable(nonneg=True)
    total, constraints = perspective(norm.phi, x, r)
    return r, [*constraints, total <= r]


@entry("amemiya")
def _(norm: Any, x: Any) -> Epigraph:
    r = cp.Variable(nonneg=True)
    total, constraints = perspective(norm.psi, x, r)
    return r + total, constraints
