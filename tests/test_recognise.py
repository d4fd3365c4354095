"""`from_expression`: values against the expression's own numbers, duals against a conic program made of it."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
import sympy as sp
from sympy import Abs, Max, Min, Rational, exp, log, oo, sqrt

import normkit as nk

x, y, z, u = sp.symbols("x y z u")
HALF, THIRD = Rational(1, 2), Rational(1, 3)

RECOGNISED = [
    # absolute linear forms
    (Abs(x), "l1"),
    (0.1 * Abs(x), "1/10*l1"),
    (Max(x, -x), "l1"),
    (-Min(x, -x), "l1"),
    (sqrt(x**2) + sqrt(y**2), "l1"),
    (Abs(x) + Abs(y), "l1"),
    (2 * Abs(x) + Abs(y), "wlp(1, [2.0, 1.0])"),
    (sqrt(3) * (Abs(x) + Abs(y)), "sqrt(3)*l1"),
    (sp.expand(2 * (Abs(x) + Abs(y)) + Abs(x)), "wlp(1, [3.0, 2.0])"),
    (Abs(x + y) + Abs(x - y), "linmap(l1, [[1.0, 1.0], [1.0, -1.0]])"),
    (Abs(x) + Abs(y) + Abs(x - y), "dual(quotient(linf, [[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]]))"),
    (Max(Abs(x), Abs(y)), "linf"),
    (Max(Abs(x), 2 * Abs(y), Abs(z)), "wlinf([1.0, 2.0, 1.0])"),
    (Max(Abs(x + y), Abs(x - y)), "dual(atoms([[1.0, 1.0], [1.0, -1.0]]))"),
    (Max(x + y, -x - y, x - y, y - x), "dual(atoms([[1.0, 1.0], [1.0, -1.0]]))"),
    (Max(Abs(x), Abs(y), Abs(x + y) / 2), "dual(atoms([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))"),
    # sorted magnitudes
    (Max(Abs(x) + Abs(y), Abs(x) + Abs(z), Abs(y) + Abs(z)), "topk(2)"),
    (Max(2 * Abs(x) + Abs(y), 2 * Abs(y) + Abs(x)), "owl([2.0, 1.0])"),
    # polyhedra
    (Max(Abs(x) + Abs(y), 2 * Abs(x)), "dual(atoms([[2.0, 0.0], [1.0, 1.0], [1.0, -1.0]]))"),
    (Max(Abs(x), Abs(y)) + Abs(x), "dual(atoms([[2.0, 0.0], [1.0, 1.0], [1.0, -1.0]]))"),
    (Max(0, x, -x) + Abs(y), "groups(l1, l1, [[0], [1]])"),
    (Max(x, 0) + Max(-x, 0) + Abs(y), "groups(l1, l1, [[0], [1]])"),
    (Max(0, x + y, -x - y) + Abs(x - y), "dual(atoms([[2.0, 0.0], [1.0, -1.0], [0.0, 2.0]]))"),
    (Max(Abs(x), Abs(y)) - Min(x, -x), "dual(atoms([[2.0, 0.0], [1.0, 1.0], [1.0, -1.0]]))"),
    # quadratic forms
    (sqrt(x**2 + y**2 + z**2) / 3, "1/3*l2"),
    (sqrt(2 * x**2 + y**2), "wlp(2, [2.0, 1.0])"),
    (sqrt(x**2 + x * y + y**2), "quadratic([[1.0, 0.5], [0.5, 1.0]])"),
    (sqrt((x + y) ** 2 + (x - 2 * y) ** 2), "quadratic([[2.0, -1.0], [-1.0, 5.0]])"),
    # lp forms
    ((x**4 + 3 * y**4) ** Rational(1, 4), "wlp(4, [1.0, 3.0])"),
    ((Abs(x) ** 2.5 + Abs(y) ** 2.5) ** 0.4, "lp(5/2)"),
    ((Abs(x) ** 3 + Abs(x + y) ** 3) ** THIRD, "linmap(lp(3), [[1.0, 0.0], [1.0, 1.0]])"),
    (
        (Abs(x) ** 3 + Abs(x - y) ** 3 + Abs(x + y) ** 3) ** THIRD,
        "dual(quotient(lp(3/2), [[1.0, 1.0, 1.0], [0.0, 1.0, -1.0]]))",
    ),
    # blocks
    (sqrt(x**2 + y**2) + 2 * Abs(z), "groups(l1, l2, 2*l1, [[0, 1], [2]])"),
    (Max(sqrt(x**2 + y**2), Abs(z) + Abs(u)), "groups(linf, l1, l2, [[0, 3], [1, 2]])"),
    (sqrt((Abs(x) + Abs(y)) ** 2 + z**2), "groups(l2, l1, [[0, 1], [2]])"),
    (((x**2 + y**2) ** Rational(3, 2) + Abs(z) ** 3) ** THIRD, "groups(lp(3), l2, l1, [[0, 1], [2]])"),
    (((x**2 + y**2) ** 2 + 16 * z**4) ** Rational(1, 4), "groups(lp(4), l2, 2*l1, [[0, 1], [2]])"),
    # sums and maxima on one space
    (Abs(x) + Abs(y) + sqrt(x**2 + y**2) / 2, "l1 + 1/2*l2"),
    (Max(Abs(x), Abs(y), sqrt(x**2 + y**2) / 2), "max(linf, 1/2*l2)"),
    ((Abs(x) ** 3 + Abs(y) ** 3) ** THIRD + sqrt(x**2 + y**2), "l2 + lp(3)"),
    (
        sqrt(x**2 + y**2 + sqrt(x**4 + y**4)),
        "dual(quotient(groups(l2, l2, lp(4/3), [[0, 1], [2, 3]]), [[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]))",
    ),
    # parts that are seminorms alone
    (
        sqrt(x**2 + y**2) + Abs(x),
        "dual(quotient(groups(linf, linf, l2, [[0], [1, 2]]), [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))",
    ),
    (
        sqrt(x**2 + y**2) + sqrt(y**2 + z**2),
        "dual(quotient(groups(linf, l2, [[0, 1], [2, 3]]), "
        "[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))",
    ),
    (
        Max(sqrt(x**2 + y**2), Abs(x + 2 * y)),
        "dual(quotient(groups(l1, l1, l2, [[0], [1, 2]]), [[1.0, 1.0, 0.0], [2.0, 0.0, 1.0]]))",
    ),
    (
        sqrt((Abs(x) + Abs(y)) ** 2 + (x - y) ** 2),
        "dual(quotient(groups(l2, l2, linf, [[0], [1, 2]]), [[1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]))",
    ),
]
"""Expressions and the specs of the norms that they are; their symbols in alphabetical order."""


def symbols_of(expr: sp.Expr) -> list[sp.Symbol]:
    return sorted(expr.free_symbols, key=str)


def at(expr: sp.Expr, point: np.ndarray[Any, Any]) -> float:
    """Evaluate an expression in 30 digits."""
    numbers = [sp.Float(float(entry), 30) for entry in point]
    return float(expr.subs(list(zip(symbols_of(expr), numbers, strict=True))).evalf(30))


def conic(expr: sp.Expr, variables: dict[sp.Symbol, Any]) -> Any:
    """Write an expression in CVXPY, from its definition: sums, maxima, magnitudes and roots of sums of powers."""
    if expr.is_number:
        return float(expr)
    if expr in variables:
        return variables[expr]
    arguments = expr.args
    if isinstance(expr, sp.Add):
        return sum(conic(term, variables) for term in arguments)
    if isinstance(expr, sp.Max):
        return cp.maximum(*(conic(term, variables) for term in arguments))
    if isinstance(expr, sp.Min):
        return cp.minimum(*(conic(term, variables) for term in arguments))
    if isinstance(expr, sp.Abs):
        return cp.abs(conic(arguments[0], variables))
    if isinstance(expr, sp.Mul):
        return reduce(lambda left, right: left * right, (conic(factor, variables) for factor in arguments))
    return root(*expr.as_base_exp(), variables)


def root(base: sp.Expr, exponent: sp.Expr, variables: dict[sp.Symbol, Any]) -> Any:
    """(sum of p-th powers)**(1/p); of a quadratic form by its matrix."""
    held = {symbol: variable for symbol, variable in variables.items() if base.has(symbol)}
    if exponent == HALF and base.is_polynomial(*held):
        form = np.array(sp.hessian(base, list(held)), dtype=float) / 2
        return cp.norm(np.linalg.cholesky(form).T @ cp.hstack(list(held.values())), 2)
    p = 1 / exponent
    parts = []
    for term in sp.Add.make_args(base):
        factor, power = term.as_independent(*variables, as_Add=False)
        first, degree = sp.Mul.make_args(power)[0].as_base_exp()
        inner = Abs(first) if power.is_Mul else first ** (degree / p)  # |x|**3 of a real x is x**2 |x|
        parts.append(float(factor**exponent) * cp.abs(conic(inner, variables)))
    return cp.pnorm(cp.hstack(parts), float(p))


def solved(expr: sp.Expr, g: np.ndarray[Any, Any]) -> float:
    """max <g, t> over expr(t) <= 1."""
    t = cp.Variable(len(g))
    real = {symbol: sp.Symbol(symbol.name, real=True) for symbol in symbols_of(expr)}
    ball = (
        conic(sp.nsimplify(expr, rational=True).subs(real), {symbol: t[k] for k, symbol in enumerate(real.values())})
        <= 1
    )
    return float(cp.Problem(cp.Maximize(g @ t), [ball]).solve(solver=cp.CLARABEL))


@pytest.mark.parametrize(("expr", "spec"), RECOGNISED, ids=str)
def test_recognised_norms_have_the_values_of_the_expression(expr: sp.Expr, spec: str) -> None:
    norm, draw = nk.from_expression(expr, symbols_of(expr)), np.random.default_rng(5)
    assert str(norm) == spec
    assert nk.norm(spec) == norm
    assert nk.norm(str(norm.dual)) == norm.dual
    assert norm.dual.dual == norm
    count = len(symbols_of(expr))
    for point in (*draw.standard_normal((4, count)), *draw.integers(-2, 3, (4, count)).astype(float)):
        assert nk.value(norm, point, backend="reference") == pytest.approx(at(expr, point), rel=1e-13, abs=1e-300)


@pytest.mark.parametrize(("expr", "spec"), RECOGNISED, ids=str)
def test_the_dual_is_that_of_the_expression(expr: sp.Expr, spec: str) -> None:
    """Where a dual is stated its maximiser is certified; a norm that states none has a dual that certifies itself."""
    norm, draw = nk.norm(spec), np.random.default_rng(6)
    for g in (draw.standard_normal(len(symbols_of(expr))), np.ones(len(symbols_of(expr)))):
        try:
            dual = nk.dual_value(norm, g, backend="reference")
        except nk.NoClosedForm:
            t = nk.dualize(norm.dual, g, backend="reference")
            assert nk.certify(norm.dual, g, t, backend="reference").holds(1e-12)
            assert nk.dual_value(norm.dual, g, backend="reference") == pytest.approx(at(expr, g), rel=1e-13)
            continue
        assert dual == pytest.approx(solved(expr, g), rel=1e-6)
        t = nk.dualize(norm, g, backend="reference")
        certificate = nk.certify(norm, g, t, backend="reference")
        assert certificate.kind == "exact"
        assert certificate.holds(1e-12)
        assert at(expr, t) == pytest.approx(1.0, rel=1e-12)
        assert nk.derive(norm).text()


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        # not homogeneous
        (x**2 + y**2, "not homogeneous"),
        (Abs(x) + y**2, "not homogeneous"),
        (Abs(x) + Abs(y) + 1, "not homogeneous"),
        (log(1 + Abs(x)) + Abs(y), "not homogeneous"),
        (exp(Abs(x) + Abs(y)), "nk.Orlicz"),
        ((x**2 + y**2) ** THIRD, "not homogeneous"),
        # not even
        (x + y, "f(-x) differs from f(x)"),
        (Max(x, y), "gauge"),
        (Abs(x) + Max(y, 0), "f(-x) differs from f(x)"),
        (Max(Abs(x), Abs(y), 0.75 * (x + y)), "the negative of this form is missing"),
        (Max(Abs(x), Abs(y)) + Max(x - 3 * y, 2 * y - x, 0), "f(-x) differs from f(x)"),
        # not convex
        (Min(Abs(x), Abs(y)), "cannot read"),
        ((sqrt(Abs(x)) + sqrt(Abs(y))) ** 2, "Recognised: sums and maxima"),
        (2 * Max(Abs(x), Abs(y)) - Abs(x), "its factor -1 is not positive"),
        (Abs(Abs(x) - Abs(y)) + Max(Abs(x), Abs(y)), "cannot read Abs(Abs(x) - Abs(y))"),
        (sqrt(x**2 + y**2 + Abs(x * y) / 2), "cannot read"),
        (Abs(x) + Abs(y) + sqrt(Abs(x * y)), "cannot read sqrt(Abs(x*y))"),
        (sp.sign(x) * Abs(x) + Abs(y), "f(-x) differs from f(x)"),
        (Abs(x) ** 2 / Abs(y) + Abs(y), "cannot read"),
        # seminorms
        (Abs(x), "does not grow with y"),
        (Abs(x + y), "seminorm"),
        (Abs(x + y) + Max(x + y, -x - y), "seminorm"),
        (Max(2 * x + 2 * y, -x - y, x + y, -2 * x - 2 * y), "seminorm"),
        (sqrt(x**2 + 2 * x * y + y**2), "seminorm"),
        (sqrt(4 * x**2), "does not grow with y"),
        ((Abs(x + y) ** 3 + Abs(2 * x + 2 * y) ** 3) ** THIRD, "seminorm"),
        # indefinite, complex, infinite, zero
        (sqrt(x**2 - y**2), "not a real number"),
        (sqrt(x**2 + 3 * x * y + y**2), "not a real number"),
        (sp.I * Abs(x) + Abs(y), "not a real number"),
        (oo * Abs(x) + Abs(y), "not"),
        (-Abs(x) - Abs(y), "at a point other than 0"),
        (0 * x, "at a point other than 0"),
        (sp.Integer(3), "not homogeneous"),
        # other symbols, other functions
        (Abs(x) + Abs(z), "uses z"),
        (Abs(x) + z * Abs(y), "uses z"),
        (sp.Function("f")(x) + Abs(y), "not a real number"),
        (sp.Piecewise((x, x >= 0), (-x, True)) + Abs(y), "cannot read"),
        (sqrt(x**2 * sp.cos(x) ** 2 + x**2 * sp.sin(x) ** 2) + Abs(y), "cannot read"),
        (sqrt(x**2 + y**2 + (x**4 + y**4) ** THIRD), "not homogeneous"),
        (sp.Integer(10) ** -400 * Abs(x) + Abs(y), "positive weights"),
        (10**400 * Abs(x) + Abs(y), "finite"),
    ],
    ids=str,
)
def test_other_expressions_are_refused_by_name(expr: sp.Expr, message: str) -> None:
    with pytest.raises(nk.NormkitError) as caught:
        nk.from_expression(expr, (x, y))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("expr", "given", "message"),
    [
        ("Abs(x)", (x,), "SymPy expression"),
        (Abs(x) > 1, (x,), "SymPy expression"),
        (sp.Matrix([x]), (x,), "SymPy expression"),
        (3.0, (x,), "SymPy expression"),
        (Abs(x), (x, x), "distinct"),
        (Abs(x), (), "distinct"),
        (Abs(x), ("x",), "distinct"),
        (Abs(x + y), x + y, "distinct"),
        (Abs(x), (x + y,), "distinct"),
        (Abs(x), (x, sp.Symbol("x", real=True)), "distinct"),
        (sp.Symbol("p", positive=True) + Abs(y), (sp.Symbol("p", positive=True), y), "real=True"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(expr: Any, given: Any, message: str) -> None:
    with pytest.raises(nk.NormkitError, match=message) as caught:
        nk.from_expression(expr, given)
    assert "\n" not in str(caught.value)


def test_symbols_of_any_assumption_stand_for_real_entries() -> None:
    for assumed in ({}, {"real": True}, {"complex": True}, {"integer": True}):
        p, q = sp.symbols("p q", **assumed)
        assert nk.from_expression(Abs(p) + 2 * Abs(q), (p, q)) == nk.norm("wlp(1, [1, 2])")
        assert nk.from_expression(Abs(p) + 2 * Abs(q), (q, p)) == nk.norm("wlp(1, [2, 1])")


def test_a_sum_with_too_many_facets_is_read_by_its_parts() -> None:
    """The value needs the forms only, not the 3**8 corners of the dual ball."""
    entries = sp.symbols("e0:9")
    expr = sp.Add(*(Max(Abs(first), Abs(second)) for first, second in pairwise(entries)))
    norm, point = nk.from_expression(expr, entries), np.random.default_rng(0).standard_normal(9)
    pairs = np.maximum(np.abs(point[1:]), np.abs(point[:-1]))
    assert nk.value(norm, point, backend="reference") == pytest.approx(pairs.sum(), rel=1e-14)
