"""Matrix norms by their definitions."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np

import normkit as nk
from oracles.core import Epigraph, NoOracle, dual_entry, entry, express, numbers
from oracles.vectors import peaks


def lifted(gauge: Any, x: Any) -> Epigraph:
    """Bound gauge(singular values) by a sorted s that weakly majorises them (Ben-Tal and Nemirovski 2001, 4.2)."""
    count = min(x.shape)
    s = cp.Variable(count, nonneg=True)
    rows, columns = x.shape
    dilation = cp.bmat([[np.zeros((rows, rows)), x], [x.T, np.zeros((columns, columns))]])
    below = [cp.lambda_sum_largest(dilation, k + 1) <= cp.sum(s[: k + 1]) for k in range(count)]
    expression, constraints = express(gauge, s)
    return expression, [*constraints, *below, cp.diff(s) <= 0] if count > 1 else [*constraints, *below]


@entry("spectral")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.sigma_max(x), []


@entry("nuclear")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.normNuc(x), []


@entry("fro")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.norm(cp.vec(x, order="C"), 2), []


@entry("schatten", "kyfan", "lift")
def _(norm: Any, x: Any) -> Epigraph:
    gauge = {"schatten": lambda: nk.Lp(norm.p), "kyfan": lambda: nk.TopK(norm.k), "lift": lambda: norm.of}[norm.name]()
    return lifted(gauge, x)


@dual_entry("kyfan")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.maximum(cp.sigma_max(x), cp.normNuc(x) / float(norm.k)), []


@dual_entry("schatten")
def _(norm: Any, x: Any) -> Epigraph:
    return (cp.sigma_max(x) if norm.p == 1 else cp.normNuc(x)), []


@dual_entry("lift")
def _(norm: Any, x: Any) -> Epigraph:
    return lifted(nk.Dual(norm.of), x)


@entry("max")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.max(cp.abs(x)), []


@entry("sumabs")
def _(norm: Any, x: Any) -> Epigraph:
    return cp.sum(cp.abs(x)), []


@entry("kron")
def _(norm: Any, x: Any) -> Epigraph:
    left, right = (np.linalg.cholesky(numbers(side)) for side in (norm.left, norm.right))
    return cp.norm(cp.vec(left.T @ x @ right, order="C"), 2), []


def lanes(outer: Any, inner: Any, pieces: list[Any]) -> Epigraph:
    """outer(inner of every piece), outer monotone: bound the inner norms by a vector."""
    sizes = cp.Variable(len(pieces), nonneg=True)
    runs = [express(inner, piece) for piece in pieces]
    expression, constraints = express(outer, sizes)
    below = [run[0] <= sizes[place] for place, run in enumerate(runs)]
    return expression, [*constraints, *below, *(c for run in runs for c in run[1])]


@entry("rows")
def _(norm: Any, x: Any) -> Epigraph:
    return lanes(norm.outer, norm.inner, [x[r, :] for r in range(x.shape[0])])


@entry("cols")
def _(norm: Any, x: Any) -> Epigraph:
    return lanes(norm.outer, norm.inner, [x[:, c] for c in range(x.shape[1])])


@entry("entries")
def _(norm: Any, x: Any) -> Epigraph:
    return express(norm.of, cp.vec(x, order="C"))


@entry("transpose")
def _(norm: Any, x: Any) -> Epigraph:
    return express(norm.of, x.T)


@entry("induced")
def _(norm: Any, x: Any) -> Epigraph:
    """The definition over the extreme points of the domain's ball, or of the codomain's dual ball."""
    rows, columns = x.shape
    if norm.domain == nk.L1():
        runs = [express(norm.codomain, x[:, c]) for c in range(columns)]
    elif norm.codomain == nk.Linf():
        runs = [express(norm.domain.dual, x[r, :]) for r in range(rows)]
    elif norm.domain == norm.codomain == nk.RMS():
        return np.sqrt(columns / rows) * cp.sigma_max(x), []
    else:
        raise NoOracle(f"the operator norm {norm}")
    return peaks([run[0] for run in runs]), [constraint for run in runs for constraint in run[1]]


@entry("sym")
def _(norm: Any, x: Any) -> Epigraph:
    expression, constraints = express(norm.of, x)
    return expression, [*constraints, x == x.T]


@entry("skew")
def _(norm: Any, x: Any) -> Epigraph:
    expression, constraints = express(norm.of, x)
    return expression, [*constraints, x == -x.T]


@entry("blockdiag")
def _(norm: Any, x: Any) -> Epigraph:
    blocks = np.repeat(np.arange(len(norm.sizes)), norm.sizes)
    outside = (blocks[:, None] != blocks[None, :]).astype(np.float64)
    expression, constraints = express(norm.of, x)
    return expression, [*constraints, cp.multiply(outside, x) == 0]
