"""Duals of a*l1 + b*l2, a*linf + b*l2, max(a*l1, b*l2), max(a*linf, b*l2): closed on a piece of the sorted magnitudes.

Differences from the largest magnitude, delta_i = y_1 - y_i, stand where sums of squares of nearly equal numbers would
be subtracted: y_1 drops out of the value, so that its derivative may be left out too.
"""

from __future__ import annotations

from sympy import And, Expr, Integer, Piecewise, Symbol, sqrt

from normkit.functional import Functional, Ranked, Root, Split, Stat, a, j, kappa, top, z

S = Symbol("S", positive=True)
"""Sum over the head."""
Q = Symbol("Q", nonnegative=True)
"""Sum of squares: over the head, the tail or all."""
A = Symbol("A", positive=True)
"""Sum of all magnitudes."""
D = Symbol("Delta", nonnegative=True)
"""Sum of the differences from the largest magnitude, over the head."""
E = Symbol("Delta_2", nonnegative=True)
"""Sum of the squared differences from the largest magnitude, over the head."""

_SUM, _DROP, _SQUARE = (
    Stat(S, "head", a),
    Stat(D, "head", top - a),
    Stat(E, "head", (top - a) ** 2),
)


def _excess(at: Expr) -> Expr:
    """Sum over the head of (y_i - at), by differences."""
    return j * (top - at) - D


def _excess_square(at: Expr) -> Expr:
    """Sum over the head of (y_i - at)^2, by differences."""
    return j * (top - at) ** 2 - 2 * (top - at) * D + E


def sum_l1_l2(x: Expr, b: Expr) -> Functional:
    """(x*l1 + b*l2)*: the nu at which soft thresholding by x nu leaves the l2 norm b nu (Ndiaye et al. 2016)."""
    head = Split("first", x**2 * _excess_square(z) >= b**2 * z**2)
    root = sqrt(b**2 * Q - x**2 * (j * E - D**2))
    return Ranked(head, (_SUM, Stat(Q, "head", a**2), _DROP, _SQUARE), Q / (x * S + root))


def sum_linf_l2(x: Expr, b: Expr) -> Functional:
    """(x*linf + b*l2)*: the nu with |clip of g at tau|_2 = b nu, where the part above tau sums to x nu."""
    head = Split("first", b**2 * _excess(z) ** 2 >= x**2 * (j * z**2 + Q))
    root = sqrt(j * (b**2 * S**2 + (j * b**2 - x**2) * Q))
    return Ranked(head, (_SUM, _DROP, Stat(Q, "tail", a**2)), (S**2 + j * Q) / (x * S + root))


def max_linf_l2(x: Expr, b: Expr) -> Functional:
    """max(x*linf, b*l2)*: the head is clipped at 1/x, the rest is y/mu with the l2 norm that is left."""
    return max_linf_lp(x, b, Integer(2))


def max_linf_lp(x: Expr, b: Expr, p: Expr) -> Functional:
    """max(x*linf, b*lp)*: the head is clipped at 1/x, the rest is along y^(q-1) with the lp norm that is left."""
    q = p / (p - 1)
    head = Split("first", z**q * (x**p - j * b**p) <= b**p * Q, Integer(0))
    left = (1 / b**p - j / x**p) ** (1 / p)
    return Ranked(head, (_SUM, Stat(Q, "tail", a**q)), S / x + left * Q ** (1 / q))


def sum_l1_lp(x: Expr, b: Expr, p: Expr) -> Functional:
    """(x*l1 + b*lp)*: the nu at which soft thresholding by x nu leaves the lq norm b nu, a Luxemburg norm."""
    q = p / (p - 1)
    body = Piecewise((0, a <= x), (((a - x) / b) ** q, True))
    return Root(body, body, 1 / kappa, stationary=False)


def max_l1_l2(x: Expr, b: Expr) -> Functional:
    """max(x*l1, b*l2)*: l2 alone if its maximiser fits; else t is (tau - delta)_+ on a head of (b/x)^2 entries or more.

    On a tied top face the deviation of the head vanishes, and t is uniform over it.
    """
    ratio = b**2 / x**2
    spread = j * E - D**2
    head = Split("first", And(z < top, _excess(z) ** 2 >= ratio * _excess_square(z)))
    alone = x * A <= b * sqrt(Q)
    cases = (sqrt(Q) / b, alone), (S / (j * x), spread <= 0), (S / (j * x) + sqrt(spread * (j - ratio)) / (j * b), True)
    stats = (_SUM, _DROP, _SQUARE, Stat(A, "all", a), Stat(Q, "all", a**2))
    return Ranked(head, stats, Piecewise(*cases))
