"""Duals of a sum and of a maximum of norms on one space, where a one-dimensional search gives them.

Parts are brought to three forms, which fold: O = owl(w), D = dual(owl(w)), Q = b*l2. Sums of O are O, maxima of D are
D; what is left must be one or two parts. Norms of matrices go to their gauges, norms of the entries to the vector of
entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sympy import Expr, Integer, Max, Min, oo

from normkit.calculus.induced import Induced
from normkit.calculus.mixed import Entries
from normkit.calculus.mixed import Max as Largest
from normkit.calculus.mixed import Sum as SumOfEntries
from normkit.calculus.ordered import Power, as_dual_owl, as_owl, as_power, fold
from normkit.calculus.power_pairs import closed, merged
from normkit.calculus.sums import Maximum, Plus, unknown_pair
from normkit.calculus.transpose import Transposed
from normkit.catalogue.lp import L1, L2, Linf
from normkit.catalogue.ranked import prefix_ratio, weighted
from normkit.catalogue.spectral import Frobenius
from normkit.errors import ParameterError
from normkit.functional import Functional, Lift, Map, Search, Weights, columns, m, n, rows, scaled
from normkit.linear import Flatten
from normkit.norm import Dual, Norm, Scaled, scale

Operation = Literal["+", "max"]


def sum_dual(parts: tuple[Norm, ...]) -> Functional:
    """Return the dual of N_1 + N_2 + ... as a functional, or raise `NoClosedForm`."""
    return _dual(_flat(parts, Plus), "+")


def max_dual(parts: tuple[Norm, ...]) -> Functional:
    """Return the dual of max(N_1, N_2, ...) as a functional, or raise `NoClosedForm`."""
    return _dual(_flat(parts, Maximum), "max")


def _flat(parts: Sequence[Norm], kind: type[Plus] | type[Maximum]) -> tuple[Norm, ...]:
    """Return the parts with nested sums (maxima), also multiples of them, taken apart."""
    flat: list[Norm] = []
    for part in parts:
        factor, inner = (part.factor, part.of) if isinstance(part, Scaled) else (None, part)
        if isinstance(inner, kind):
            flat += _flat([one if factor is None else scale(factor, one) for one in inner.parts], kind)
        else:
            flat.append(part)
    return tuple(flat)


def _dual(parts: tuple[Norm, ...], operation: Operation) -> Functional:
    parts = _collected(parts, operation)
    if len(parts) == 1:
        return parts[0].dual_value()
    common = _common_factor(parts)
    if common is not None:
        rest = tuple(scale(1 / common, part) for part in parts)
        return scaled(1 / common, _dual(rest, operation))
    gauges = [_gauge(part) for part in parts]
    if parts[0].ndim > 1 and all(gauges):
        return Lift(_vectors(tuple(gauge for gauge in gauges if gauge), operation, parts))
    entries = [of_entries(part) for part in parts]
    if all(entries):
        return Map(Flatten(), _vectors(tuple(inner for inner in entries if inner), operation, parts))
    if all(part.ndim == 1 for part in parts):
        return _vectors(parts, operation, parts)
    raise unknown_pair(parts, operation)


def _collected(parts: tuple[Norm, ...], operation: Operation) -> tuple[Norm, ...]:
    """Return the parts with multiples of one norm made one multiple."""
    factors: dict[Norm, Expr] = {}
    for part in parts:
        factor, inner = (part.factor, part.of) if isinstance(part, Scaled) else (Integer(1), part)
        have = factors.get(inner)
        factors[inner] = factor if have is None else have + factor if operation == "+" else Max(have, factor)
    return tuple(scale(factor, inner) for inner, factor in factors.items())


def _common_factor(parts: tuple[Norm, ...]) -> Expr | None:
    """Return the factor that depends on the shape of the array, if all parts have it up to numbers."""
    factors = [part.factor if isinstance(part, Scaled) else None for part in parts]
    first = factors[0]
    if first is None or first.is_number or parts[0].ndim == 1:
        return None
    same = all(factor is not None and (factor / first).is_number for factor in factors)
    return first if same else None


def _gauge(norm: Norm) -> Norm | None:
    """Return the gauge of a unitarily invariant norm, its coefficient in the rows and columns of the matrix."""
    if norm.gauge is not None:
        return norm.gauge
    factor, gauge = _multiple(norm)
    return gauge and scale(factor.xreplace({m: rows, n: columns}), gauge)


def _multiple(norm: Norm) -> tuple[Expr, Norm | None]:
    """Return the coefficient in m and n, and the gauge, of a multiple of a unitarily invariant norm."""
    if norm.gauge is not None:
        return Integer(1), norm.gauge
    if isinstance(norm, Induced) and norm.operator() is None:
        return _multiple(norm.lowered())
    if isinstance(norm, Scaled | Dual | Transposed):
        factor, gauge = _multiple(norm.of)
        if isinstance(norm, Scaled):
            return norm.factor * factor, gauge
        if isinstance(norm, Dual):
            return 1 / factor, gauge and gauge.dual
        return factor.xreplace({m: n, n: m}), gauge
    return Integer(1), None


def of_entries(norm: Norm) -> Norm | None:
    """Return the vector norm of all entries that a norm of matrices is, if it is one."""
    if isinstance(norm, Scaled):
        inner = of_entries(norm.of) if norm.factor.is_number else None
        return inner and scale(norm.factor, inner)
    if isinstance(norm, Entries):
        return norm.of
    known: dict[type[Norm], Norm] = {Frobenius: L2(), Largest: Linf(), SumOfEntries: L1()}
    return known.get(type(norm))


FAR, LARGE = Integer(10) ** 60, Integer(10) ** 30
"""Largest ratio of the coefficients of a pair, and coefficients that are divided out first: formulas square both."""


# --- vectors ---------------------------------------------------------------------------------------------------


@dataclass
class Forms:
    """The parts of a pair by form: weights of O and of D, the factor of Q, the multiples of other lp norms."""

    owls: list[Weights] = field(default_factory=list)
    duals: list[Weights] = field(default_factory=list)
    euclid: list[Expr] = field(default_factory=list)
    powers: list[Power] = field(default_factory=list)

    def counts(self) -> str:
        """Return the forms that occur, such as ``OQ``."""
        return "O" * len(self.owls) + "D" * len(self.duals) + "Q" * len(self.euclid) + "P" * len(self.powers)


def _vectors(vectors: tuple[Norm, ...], operation: Operation, named: tuple[Norm, ...]) -> Functional:
    basic = [as_power(vector) for vector in vectors]
    powers = merged([power for power in basic if power], operation)
    others = [vector for vector, power in zip(vectors, basic, strict=True) if not power]
    largest = _largest([*(power.factor for power in powers), *map(_factor, others)])
    if not 1 / LARGE <= largest <= LARGE:
        near = tuple(scale(1 / largest, vector) for vector in vectors)
        return scaled(1 / largest, _vectors(near, operation, named))
    if all(basic) and (found := closed(powers, operation)) is not None:
        return found
    forms = _forms(powers, others, operation)
    rule = None if forms is None else RULES[operation].get(forms.counts())
    if forms is None or rule is None:
        raise unknown_pair(named, operation)
    return rule(forms)


def _factor(norm: Norm) -> Expr:
    return norm.factor if isinstance(norm, Scaled) else Integer(1)


def _largest(factors: list[Expr]) -> Expr:
    """Return the largest coefficient of a pair, 1 if some depend on the length; refuse those that lie far apart."""
    if len(factors) < 2 or not all(factor.is_number for factor in factors):
        return Integer(1)
    least, largest = Min(*factors), Max(*factors)
    if largest > FAR * least:
        raise ParameterError(
            f"coefficients of {least.evalf(3)} and {largest.evalf(3)} in a sum or maximum lie more than 10**60 apart: "
            "powers of them leave the range of float64. Leave one part out, or bring them nearer to each other"
        )
    return largest


def _forms(powers: list[Power], others: list[Norm], operation: Operation) -> Forms | None:
    """Sort the parts into forms; l1 and linf are both O and D, and count as what folds under the operation."""
    forms = Forms()
    for power in powers:
        if power.p == 2:
            forms.euclid.append(power.factor)
        elif power.p in (1, oo):
            norm = scale(power.factor, L1() if power.p == 1 else Linf())
            owl, dual = as_owl(norm), as_dual_owl(norm)
            assert owl is not None and dual is not None
            forms.owls += [owl] if operation == "+" else []
            forms.duals += [dual] if operation == "max" else []
        else:
            forms.powers.append(power)
    for norm in others:
        owl = as_owl(norm)
        dual = as_dual_owl(norm) if owl is None else None
        if owl is not None:
            forms.owls.append(owl)
        elif dual is not None:
            forms.duals.append(dual)
        else:
            return None
    side, join = (forms.owls, Weights.plus) if operation == "+" else (forms.duals, Weights.meet)
    if len(side) > 1:
        joined = fold(side, join)
        if joined is None:
            return None
        side[:] = [joined]
    return forms


Rule = Callable[[Forms], Functional]


def _search(algorithm: str) -> Rule:
    """Return the rule that leaves a pair to an algorithm."""

    def rule(forms: Forms) -> Functional:
        scalars = list(forms.euclid)
        if forms.powers:
            scalars = [number for power in forms.powers for number in (power.factor, power.p)]
        return Search(algorithm, (*forms.owls, *forms.duals), tuple(scalars))

    return rule


def _powers(algorithm: str) -> Rule:
    """Return the rule of two lp norms, one of which may be l2."""

    def rule(forms: Forms) -> Functional:
        every = [*forms.powers, *(Power(factor, Integer(2)) for factor in forms.euclid)]
        return Search(algorithm, (), tuple(number for power in every for number in (power.factor, power.p)))

    return rule


RULES: dict[Operation, dict[str, Rule]] = {
    "+": {
        "O": lambda forms: prefix_ratio(forms.owls[0]),
        "D": lambda forms: weighted(forms.duals[0]),
        "OQ": _search("sum_owl_l2"),
        "DQ": _search("sum_dual_l2"),
        "OD": _search("sum_owl_dual"),
        "DD": _search("sum_duals"),
        "PP": _powers("sum_lps"),
        "QP": _powers("sum_lps"),
    },
    "max": {
        "O": lambda forms: prefix_ratio(forms.owls[0]),
        "D": lambda forms: weighted(forms.duals[0]),
        "OQ": _search("max_owl_l2"),
        "DQ": _search("max_dual_l2"),
        "OD": _search("max_owl_dual"),
        "OO": _search("max_owls"),
        "PP": _powers("max_lps"),
        "QP": _powers("max_lps"),
    },
}
"""The dual of a pair by the forms of its parts."""
