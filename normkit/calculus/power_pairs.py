"""Sums and maxima of multiples of lp norms: what merges, what drops out, and the pairs with l1 or linf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Expr, Max, oo

from normkit.calculus.euclidean_pairs import (
    max_l1_l2,
    max_linf_l2,
    max_linf_lp,
    sum_l1_l2,
    sum_l1_lp,
    sum_linf_l2,
)
from normkit.calculus.ordered import Power
from normkit.catalogue.lp import Lp
from normkit.functional import Functional, Search, scaled


def merged(powers: list[Power], operation: str) -> list[Power]:
    """Return one multiple for every exponent, without those that another one is never below (lp falls with p)."""
    factors: dict[Expr, Expr] = {}
    for power in powers:
        have = factors.get(power.p)
        factors[power.p] = (
            power.factor if have is None else (have + power.factor if operation == "+" else Max(have, power.factor))
        )
    kept = [Power(factor, p) for p, factor in sorted(factors.items(), key=lambda item: float(item[0]))]
    if operation == "+":
        return kept
    return [power for at, power in enumerate(kept) if not any(_below(power, other) for other in kept[:at])]


def _below(power: Power, other: Power) -> bool:
    """Tell whether factor * lp(p) <= other always, other of a smaller exponent."""
    return bool((other.factor - power.factor).is_nonnegative)


def closed(powers: list[Power], operation: str) -> Functional | None:
    """Return the dual of one lp norm, or of two of which one is l1 or linf."""
    if len(powers) == 1:
        return scaled(1 / powers[0].factor, Lp(powers[0].p).dual_value())
    if len(powers) > 2:
        return None
    corner, smooth = powers if powers[0].p == 1 else powers[::-1]
    if corner.p not in (1, oo) or smooth.p in (1, oo):
        return None
    key = operation, corner.p
    if smooth.p == 2:
        return EUCLIDEAN[key](corner.factor, smooth.factor)
    if key in POWER:
        return POWER[key](corner.factor, smooth.factor, smooth.p)
    name = "max_l1_lp" if operation == "max" else "sum_linf_lp"
    return Search(name, (), (corner.factor, smooth.factor, smooth.p))


EUCLIDEAN: dict[Any, Callable[[Expr, Expr], Functional]] = {
    ("+", 1): sum_l1_l2,
    ("+", oo): sum_linf_l2,
    ("max", 1): max_l1_l2,
    ("max", oo): max_linf_l2,
}
"""The dual of a pair of l1 or linf with l2, by operation and exponent."""
POWER: dict[Any, Callable[[Expr, Expr, Expr], Functional]] = {("+", 1): sum_l1_lp, ("max", oo): max_linf_lp}
"""The dual of a pair of l1 or linf with lp."""
