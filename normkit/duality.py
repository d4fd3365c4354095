"""The one theorem: the dualize map of N is the (sub)gradient of its dual norm, so it is differentiated, not typed.

    argmax { <g, t> : N(t) <= 1 }  =  subdifferential of N* at g          (Rockafellar 1970, Theorem 23.5)

`gradient` runs the chain rule through the stages of a functional. Each kind of stage states its own rule once,
below; SymPy differentiates the scalar bodies. Loops, ties and zeros belong to the back ends.
"""

from __future__ import annotations

from functools import lru_cache, singledispatch

from sympy import Expr, Function, Piecewise, diff, factor_terms, floor, powdenest, powsimp, simplify

from normkit.functional import (
    Atomic,
    Combine,
    DualityMap,
    Functional,
    Lift,
    Map,
    Mixed,
    Ranked,
    Reduce,
    Root,
    Scale,
    Search,
    a,
    kappa,
    s,
)


@singledispatch
def gradient(functional: Functional) -> DualityMap:
    """Return the duality map of a functional: the gradient of its value, with the tie policy of its stages.

    Parameters
    ----------
    functional : Functional
        The value of a *dual* norm N*; the result is then the dualize map of N.

    Returns
    -------
    DualityMap
        The stages of the map. At an entry that is zero the sign is 0 and so is the map.
    """
    raise TypeError(f"no differentiation rule for the stage {type(functional).__name__}; add one to duality.py")


@gradient.register
def _(stage: Reduce) -> DualityMap:
    """post'(s) * body'(a): at every entry of a sum, at the first largest entry of a maximum."""
    return DualityMap(stage, (("entry", tidy(diff(stage.post, s) * diff(stage.body, a))),))


@gradient.register
def _(stage: Ranked) -> DualityMap:
    """Sum over the stats of d formula / d stat * body'(a), over those stats whose region holds the entry."""
    return DualityMap(stage, tuple((region, _slope(stage, stage.formula, region)) for region in ("head", "tail")))


def _slope(stage: Ranked, formula: Expr, region: str) -> Expr:
    """Return the derivative of a formula in the stats by an entry of the region, case by case."""
    if isinstance(formula, Piecewise):
        return Piecewise(*((_slope(stage, case, region), when) for case, when in formula.args))
    stats = [stat for stat in stage.stats if stat.region in (region, "all")]
    return tidy(sum((diff(formula, stat.symbol) * diff(stat.body, a) for stat in stats), start=0 * a))


@gradient.register
def _(stage: Root) -> DualityMap:
    """Envelope theorem if stationary, else the implicit function theorem; `a` stands for kappa * magnitude.

    Implicitly, d kappa / d a_i = -kappa^2 e'(r_i) / sum_j r_j e'(r_j) with r = kappa a; the slope's `s` is that sum,
    whose body is the slope named ``mass``. Where kappa stops at limit / y_1, it moves with the largest entry alone: the
    slope ``spill`` there, in kappa and s = sum of the equation, is added (stationary) or is all there is.
    """
    if stage.stationary:
        slope = diff(stage.body, a) if stage.slope is None else stage.slope
        entry = diff(stage.value, s) * kappa * slope
        spill = () if stage.limit is None else (("spill", (1 - s) / stage.limit),)
        return DualityMap(stage, (("entry", entry if stage.slope is not None else tidy(entry)), *spill))
    rate = diff(stage.equation, a) if stage.slope is None else stage.slope
    along = -diff(stage.value, kappa) * kappa**2
    spill = () if stage.limit is None else (("spill", along / stage.limit),)
    return DualityMap(stage, (("entry", tidy(along) * rate / s), ("mass", a * rate), *spill))


@gradient.register
def _(stage: Atomic) -> DualityMap:
    """The first atom of largest pairing, with the sign of the pairing."""
    return DualityMap(stage)


@gradient.register
def _(stage: Search) -> DualityMap:
    """The maximiser that the search finds."""
    return DualityMap(stage)


@gradient.register(Mixed)
@gradient.register(Combine)
@gradient.register(Map)
@gradient.register(Lift)
@gradient.register(Scale)
def _(stage: Functional) -> DualityMap:
    """Chain rule: the outer map at the inner values times the inner maps, pulled back by the adjoint."""
    return DualityMap(stage, (), tuple(gradient(child) for child in stage.children()))


@lru_cache(maxsize=1024)
def tidy(expr: Expr) -> Expr:
    """Bring a derivative to its shortest form; `simplify`, which is slow, only where functions beyond powers occur."""
    short = powdenest(powsimp(expr))
    tried = [expr, short, factor_terms(short)]
    if any(not isinstance(function, Piecewise | floor) for function in short.atoms(Function)):
        tried.append(simplify(short))
    return min(tried, key=lambda candidate: candidate.count_ops())
