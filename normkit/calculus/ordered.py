"""Norms as ordered weighted l1 norms, their duals, or multiples of lp norms: the forms in which pairs are closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sympy import Expr, Integer, Piecewise, floor, oo, sqrt

from normkit.calculus.sums import InfConv, Plus
from normkit.catalogue.lovasz import Lovasz
from normkit.catalogue.lp import L1, L2, RMS, Linf, Lp, conjugate
from normkit.catalogue.ranked import KP, OWL, KSupport, TopK
from normkit.errors import ParameterError
from normkit.functional import Weights, i, n
from normkit.norm import Dual, Norm, Scaled

ONES = Weights.rule(1)
"""l1 is owl(1, ..., 1)."""
FIRST = Weights.rule(Piecewise((1, i <= 1), (0, True)))
"""linf is owl(1, 0, ..., 0)."""


Join = Callable[[Weights, Weights], Weights]


@dataclass(frozen=True)
class Power:
    """factor * lp(p)."""

    factor: Expr
    p: Expr


def as_power(norm: Norm) -> Power | None:
    """Return a vector norm as a multiple of an lp norm, if it is one."""
    if isinstance(norm, Scaled):
        inner = as_power(norm.of)
        return inner and Power(norm.factor * inner.factor, inner.p)
    if isinstance(norm, Dual):
        inner = as_power(norm.of)
        return inner and Power(1 / inner.factor, conjugate(inner.p))
    p: Expr | None = None
    if isinstance(norm, L1):
        p = Integer(1)
    elif isinstance(norm, L2):
        p = Integer(2)
    elif isinstance(norm, Linf | TopK | KP) and _is_linf(norm):
        p = oo
    elif isinstance(norm, KSupport) and norm.k == 1:
        p = Integer(1)
    elif isinstance(norm, Lp):
        p = norm.p
    elif isinstance(norm, RMS):
        return Power(1 / sqrt(n), Integer(2))
    return None if p is None else Power(Integer(1), p)


def _is_linf(norm: Linf | TopK | KP) -> bool:
    return isinstance(norm, Linf) or norm.k == 1 or (isinstance(norm, KP) and norm.p is oo)


def as_owl(norm: Norm) -> Weights | None:
    """Return w if the norm is owl(w) for every length: a multiple of l1, linf, topk, owl, lovasz, or a sum."""
    power = as_power(norm)
    if power is not None and power.p in (1, oo):
        return (ONES if power.p == 1 else FIRST).scaled(power.factor)
    if isinstance(norm, Scaled):
        inner = as_owl(norm.of)
        return inner and inner.scaled(norm.factor)
    if isinstance(norm, OWL):
        return Weights.values(norm.weights)
    if isinstance(norm, TopK):
        return top(norm.k)
    if isinstance(norm, Lovasz):
        return norm.weights
    if isinstance(norm, KP) and norm.p == 1:
        return top(norm.k)
    if isinstance(norm, Plus):
        return _folded([as_owl(part) for part in norm.parts], Weights.plus)
    if isinstance(norm, InfConv):  # the dual is a maximum of duals of owl, which is one again
        return _folded([as_owl(part) for part in norm.parts], Weights.meet)
    return None


def as_dual_owl(norm: Norm) -> Weights | None:
    """Return w if the norm is dual(owl(w)) for every length."""
    return as_owl(norm.dual)


def top(k: Expr) -> Weights:
    """Return the weights of topk(k): k ones in all, the last one a fraction."""
    whole = floor(k)
    return Weights.rule(Piecewise((1, i <= whole), (k - whole, i <= whole + 1), (0, True)))


def _folded(sequences: list[Weights | None], join: Join) -> Weights | None:
    known = [sequence for sequence in sequences if sequence is not None]
    if len(known) < len(sequences):
        return None
    return fold(known, join)


def fold(sequences: list[Weights], join: Join) -> Weights | None:
    """Return the sequences joined one after the other; None if running sums that are minima would have to be added."""
    made = sequences[0]
    try:
        for sequence in sequences[1:]:
            made = join(made, sequence)
    except ParameterError:
        return None
    return made
