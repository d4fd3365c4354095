"""Plans: what a duality map lowers to. SymPy-free, picklable, the only thing that a back end reads.

A plan is the tree of a functional's stages with every scalar body, and its derivative, as Python source. All scalars
take the rows and columns `m`, `n` of the array that their stage sees, so one plan serves all shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from normkit.linear import Linear
from normkit.parameter import Parameter


@dataclass(frozen=True)
class Scalar:
    """A function of floats: argument names and one Python expression over them.

    The expression uses + - * / **, comparisons, and the functions of `FUNCTIONS`; a back end supplies those. It
    defines the `helpers` first: Python functions of one float to a float, in order, that call FUNCTIONS and earlier
    helpers.
    """

    arguments: tuple[str, ...]
    source: str
    helpers: tuple[str, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether the expression is a plain number."""
        try:
            float(self.source)
        except ValueError:
            return False
        return True


FUNCTIONS = (
    *("sqrt", "exp", "log", "expm1", "log1p", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "floor", "ceil", "absolute", "sign"),
    *("minimum", "maximum", "where", "logical_and", "logical_or", "logical_not", "erf", "isfinite"),
)
"""Names that scalar sources may call, with NumPy's meaning."""


@dataclass(frozen=True)
class Plan:
    """A node; see the subclasses."""

    def children(self) -> tuple[Plan, ...]:
        """Return the plans that this one is built on."""
        return ()

    def walk(self) -> Iterator[Plan]:
        """Yield this node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True)
class ReducePlan(Plan):
    """post(sum or max of body(a)); map: sign * slope(a, s), for a maximum at its first entry only."""

    op: str
    body: Scalar
    post: Scalar
    slope: Scalar


@dataclass(frozen=True)
class WeightsPlan:
    """Weights by rank: sum over (factor, values or rule); with `minimum`, increments of the smaller running sum."""

    terms: tuple[tuple[Scalar, Parameter | Scalar], ...]
    minimum: WeightsPlan | None


@dataclass(frozen=True)
class StatPlan:
    """Sum of body(a, w, y_1) over the ``head``, the ``tail`` or ``all`` of the sorted magnitudes."""

    name: str
    region: str
    body: Scalar


@dataclass(frozen=True)
class RankedPlan(Plan):
    """A formula on the sorted magnitudes; map: sign * head(a, w, ...) or sign * tail(a, ...) by rank.

    `rule`, `value`, `head` and `tail` share the arguments (a, w, j, y, z, W, y_1, stats..., m, n).
    """

    split: str
    rule: Scalar
    low: Scalar
    high: Scalar
    stats: tuple[StatPlan, ...]
    value: Scalar
    head: Scalar
    tail: Scalar
    weights: WeightsPlan | None


@dataclass(frozen=True)
class RootPlan(Plan):
    """kappa solves sum of equation(kappa a) = 1; value(kappa, s), s = sum of body; map: sign * entry(kappa a, ...).

    The a are the magnitudes, scaled so that the largest, y, is in [1/2, 1); sums run over the nonzero ones.

    1. `saturation` = (c, R) and count * c <= 1: value R * sum of a, map R.
    2. `limit` given and the sum at kappa = limit / y is a number <= 1 (arguments rounded above the limit count as the
       limit): kappa is that, and the root is *at the limit*.
    3. Else kappa is the largest float at which the sum is <= 1 (NaN counts as more than 1), found by doubling or
       halving from 1, capped by limit / y, then by any safeguarded search. `equation` is increasing from 0; `rate` is
       its derivative where there is one, a hint for Newton steps and nothing else.

    The value is value(kappa, s). The map's s is the sum of mass(kappa a) if `mass` is given, else s. At the limit,
    spill(kappa, sum of equation) goes to the first largest entry: on top of `entry` without `mass`, alone with it.
    If `jumps`, not at the limit, the map is (1 - share) * map(kappa) + share * map(next float above kappa), with
    share = (1 - E) / (E' - E), E and E' the sums of the equation at the two.
    """

    equation: Scalar
    rate: Scalar
    body: Scalar
    value: Scalar
    entry: Scalar
    mass: Scalar | None
    limit: Scalar | None
    spill: Scalar | None = None
    saturation: tuple[Scalar, Scalar] | None = None
    jumps: bool = False


@dataclass(frozen=True)
class MixedPlan(Plan):
    """outer(inner of every row or column)."""

    outer: Plan
    inner: Plan
    axis: str

    def children(self) -> tuple[Plan, ...]:
        """Return outer and inner."""
        return (self.outer, self.inner)


@dataclass(frozen=True)
class CombinePlan(Plan):
    """outer(part_1(x), ..., part_k(x))."""

    outer: Plan
    parts: tuple[Plan, ...]

    def children(self) -> tuple[Plan, ...]:
        """Return outer and the parts."""
        return (self.outer, *self.parts)


@dataclass(frozen=True)
class MapPlan(Plan):
    """inner(linear(x)); the power of a `Diagonal` is a float here."""

    linear: Linear
    inner: Plan

    def children(self) -> tuple[Plan, ...]:
        """Return inner."""
        return (self.inner,)


@dataclass(frozen=True)
class LiftPlan(Plan):
    """inner(singular values)."""

    inner: Plan

    def children(self) -> tuple[Plan, ...]:
        """Return inner."""
        return (self.inner,)


@dataclass(frozen=True)
class ScalePlan(Plan):
    """factor(m, n) * inner."""

    factor: Scalar
    inner: Plan

    def children(self) -> tuple[Plan, ...]:
        """Return inner."""
        return (self.inner,)


@dataclass(frozen=True)
class AtomicPlan(Plan):
    """max over atoms of abs(<atom, x>); one atom per leading index."""

    atoms: Parameter


@dataclass(frozen=True)
class SearchPlan(Plan):
    """value <y, t>, map sign * t by rank, where the named algorithm of `normkit.backends.search` finds t.

    y are the sorted magnitudes; the algorithm takes (y, weights 1, weights 2, scalars, t), empty arrays for none.
    """

    algorithm: str
    weights: tuple[WeightsPlan, ...]
    scalars: tuple[Scalar, ...]


def lifts(plan: Plan) -> bool:
    """Tell whether a plan takes singular values somewhere."""
    return any(isinstance(node, LiftPlan) for node in plan.walk())


@dataclass(frozen=True)
class Missing:
    """A value that has no closed form: what to raise when it is asked for."""

    message: str
    cost_class: str


@dataclass(frozen=True)
class Program:
    """Everything that numbers need to know of a norm, without SymPy: the plans of its value and of its dual's value.

    `dualize` runs the map of `dual`. `shape` is the item shape, None where any length will do. `synthesis` holds the
    parts of a norm that is defined as an infimum over decompositions: they bound it from above.
    """

    spec: str
    shape: tuple[int | None, ...]
    value: Plan | Missing
    dual: Plan | Missing
    synthesis: Synthesis | None = None
    operator: Operator | None = None
    dual_spec: str = ""


@dataclass(frozen=True)
class Product:
    """Everything that numbers need to know of a norm of named arrays: outer(s_1 N_1(x_1), ..., s_k N_k(x_k)).

    Equal norms share one program: `kinds[l]` is the place of N_l in `programs`, `scales[l]` is s_l.
    """

    spec: str
    names: tuple[str, ...]
    kinds: tuple[int, ...]
    scales: tuple[float, ...]
    programs: tuple[Program, ...]
    outer: Program

    def only(self, places: Sequence[int], outer: Program | None = None) -> Product:
        """Return the norm of some of the blocks, with the same outer norm or another one."""
        return replace(
            self,
            names=tuple(self.names[place] for place in places),
            kinds=tuple(self.kinds[place] for place in places),
            scales=tuple(self.scales[place] for place in places),
            outer=outer or self.outer,
        )


@dataclass(frozen=True)
class Synthesis:
    """N(x) = inf of outer(part_1(x_1), ..., part_k(x_k)) over x = sum of linear_i(x_i); None is the identity."""

    outer: Program
    parts: tuple[tuple[Linear | None, Program], ...]


@dataclass(frozen=True)
class Operator:
    """An operator norm domain->codomain without a closed form, or its dual (`projective`).

    `p`, `q` are given if domain and codomain are multiples of lp and lq; `absolute` if both depend on magnitudes only.
    """

    domain: Program
    codomain: Program
    p: float | None
    q: float | None
    absolute: bool
    projective: bool
