"""How the nodes that SymPy lacks become numbers; numbers that agree to TIE tie where a first maximiser is sought."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from sympy import Expr, Float, Integer, Matrix, Tuple, oo

from normkit.errors import ParameterError, ShapeError
from normkit.formulas.evaluate import Binding, Evaluation, evaluate
from normkit.formulas.nodes import (
    AtMost,
    Count,
    FirstArgmax,
    Inside,
    InverseEntry,
    Largest,
    Listed,
    Maximiser,
    MaxOver,
    RankOf,
    RootOf,
    Singular,
    SplitIndex,
    Vanishing,
)
from normkit.formulas.search import maximiser
from normkit.formulas.solve import DIGITS, mpf, root

TIE = Float("1e-30", DIGITS)


@evaluate.register
def _(expr: MaxOver, run: Evaluation, binding: Binding) -> Any:
    body, *limits = expr.args
    return max((run(body, inner) for inner in run.ranges(limits, binding)), default=Integer(0))


@evaluate.register
def _(expr: FirstArgmax, run: Evaluation, binding: Binding) -> Any:
    place, body, *limits = expr.args
    inner = first_largest(list(run.ranges(limits, binding)), lambda each: run(body, each))
    return inner[limits[int(place)][0]]


@evaluate.register
def _(expr: Largest, run: Evaluation, binding: Binding) -> Any:
    k, body, *limits = expr.args
    k = int(run(k, binding))
    values = sorted((run(body, inner) for inner in run.ranges(limits, binding)), reverse=True)
    return oo if k == 0 else values[k - 1] if k <= len(values) else Integer(0)


@evaluate.register
def _(expr: RankOf, run: Evaluation, binding: Binding) -> Any:
    position, body, *limits = expr.args
    own = tuple(run(index, binding) for index in position)
    places = list(run.ranges(limits, binding))
    values = [run(body, inner) for inner in places]
    ranked = sorted(range(len(places)), key=lambda at: -values[at])
    here = [tuple(inner[limit[0]] for limit in limits) for inner in places].index(own)
    return Integer(ranked.index(here) + 1)


@evaluate.register
def _(expr: SplitIndex, run: Evaluation, binding: Binding) -> Any:
    kind, rule, limit, count = expr.args
    low = max(0, int(run(limit[1], binding)))
    high = max(low, min(int(run(count, binding)), int(run(limit[2], binding))))
    places = [binding | {limit[0]: Integer(at)} for at in range(low, high + 1)]
    if str(kind) == "argmax":
        return first_largest(places, lambda inner: run(rule, inner))[limit[0]]
    forward = str(kind) == "first"
    for inner in places if forward else reversed(places):
        if run(rule, inner) == True:  # noqa: E712
            return inner[limit[0]]
    return places[-1 if forward else 0][limit[0]]


@evaluate.register
def _(expr: Count, run: Evaluation, binding: Binding) -> Any:
    condition, *limits = expr.args
    return Integer(sum(run(condition, inner) == True for inner in run.ranges(limits, binding)))  # noqa: E712


@evaluate.register
def _(expr: Listed, run: Evaluation, binding: Binding) -> Any:
    value, *indices = expr.args
    for index in indices:
        at = int(run(index, binding))
        if not 1 <= at <= len(value):
            raise ShapeError(f"the norm has {len(value)} numbers and the array asks for number {at}")
        value = value[at - 1]
    return run(value, binding)


@evaluate.register
def _(expr: InverseEntry, run: Evaluation, binding: Binding) -> Any:
    rows, i, j = expr.args
    if rows not in run.inverses:
        matrix = Matrix([[run(entry, binding) for entry in row] for row in rows])
        if matrix.det() == 0:
            raise ParameterError("the matrix of the norm is singular; it must be invertible")
        run.inverses[rows] = matrix.inv()
    return run.inverses[rows][int(run(i, binding)) - 1, int(run(j, binding)) - 1]


@evaluate.register
def _(expr: Singular, run: Evaluation, binding: Binding) -> Any:
    place, row, k, body, rows, columns = expr.args
    left, values, right = decomposition(run, body, rows, columns, binding)
    k = int(run(k, binding))
    if place == 0:
        return oo if k == 0 else values[k - 1] if k <= len(values) else Integer(0)
    if values[0] == 0:
        # Any vectors would do; the map of a stage whose array is zero is zero.
        return Integer(0)
    vectors = left if place == 1 else right
    return vectors[int(run(row, binding)) - 1][k - 1]


@evaluate.register
def _(expr: Maximiser, run: Evaluation, binding: Binding) -> Any:
    algorithm, k, *bodies, scalars, limit = expr.args
    outer = [(name, binding[name]) for name in sorted(expr.free_symbols & set(binding), key=str) if name != k]
    key = (algorithm, *bodies, scalars, *outer)
    if key not in run.known:
        places = list(run.ranges([limit], binding))
        with mpmath.workdps(DIGITS):
            y, w, v = ([mpf(run(body, inner)) for inner in places] for body in bodies)
            numbers = [mpf(run(number, binding)) for number in scalars]
            found = maximiser(str(algorithm), y, w, v, numbers) if y[0] > 0 else y
        run.known[key] = [_float(each) for each in found]
    return run.known[key][int(run(k, binding)) - 1]


@evaluate.register
def _(expr: RootOf, run: Evaluation, binding: Binding) -> Any:
    unknown, left, cap, side = expr.args
    outer = tuple(binding[name] for name in sorted(expr.free_symbols & set(binding), key=str))
    key = ("root", left, *outer)
    if key not in run.known:
        run.known[key] = root(lambda at: run(left, binding | {unknown: at}), run(cap, binding))
    return run.known[key][int(side)]


@evaluate.register
def _(expr: AtMost, run: Evaluation, binding: Binding) -> Any:
    value, bound = (run(arg, binding) for arg in expr.args)
    return min(value, bound)


@evaluate.register
def _(expr: Inside, run: Evaluation, binding: Binding) -> Any:
    entry, projected = (run(arg, binding) for arg in expr.args)
    if abs(entry - projected) > TIE * (1 + abs(entry)):
        raise ShapeError(f"the norm is one of a subspace; the entry {entry} lies outside it. Project the array first")
    return entry


@evaluate.register
def _(expr: Vanishing, run: Evaluation, binding: Binding) -> Any:
    value, size = expr.args
    return Integer(0) if run(size, binding) == 0 else run(value, binding)


def decomposition(run: Evaluation, body: Expr, rows: Tuple, columns: Tuple, binding: Binding) -> Any:
    """Return (left vectors by row, singular values, right vectors by row) with DIGITS digits."""
    outer = [(name, binding[name]) for name in sorted(body.free_symbols & set(binding), key=str)]
    key = ("svd", body, rows, columns, *(at for _, at in outer))  # a transpose is the same body, its indices exchanged
    if key not in run.known:
        row_count, column_count = int(run(rows[2], binding)), int(run(columns[2], binding))
        entries = [run(body, inner) for inner in run.ranges([rows, columns], binding)]
        with mpmath.workdps(DIGITS):
            grid = mpmath.matrix(row_count, column_count)
            for at, entry in enumerate(entries):
                grid[at // column_count, at % column_count] = mpf(entry)
            left, values, right = mpmath.svd_r(grid, full_matrices=False)
        run.known[key] = (_floats(left), [_float(value) for value in values], _floats(right.T))
    return run.known[key]


def first_largest(places: list[Binding], score: Callable[[Binding], Any]) -> Binding:
    """Return the first place whose score comes within TIE of the largest."""
    scores = [score(place) for place in places]
    largest = max(scores)
    slack = abs(largest) * TIE if largest.is_finite else 0
    return next(place for place, value in zip(places, scores, strict=True) if value >= largest - slack)


def _float(value: Any) -> Float:
    return Float(value, DIGITS)


def _floats(matrix: Any) -> list[list[Float]]:
    return [[_float(matrix[r, c]) for c in range(matrix.cols)] for r in range(matrix.rows)]
