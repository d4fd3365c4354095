"""Norms made of norms, by extra variables for their parts."""

from __future__ import annotations

import re
from itertools import permutations, product
from typing import Any

import cvxpy as cp
import numpy as np

import normkit as nk
from oracles.core import Epigraph, Expression, entry, express, numbers
from oracles.vectors import peaks


@entry("plus")
def _(norm: Any, x: Any) -> Epigraph:
    runs = [express(part, x) for part in norm.parts]
    return sum(run[0] for run in runs), [constraint for run in runs for constraint in run[1]]


@entry("maximum")
def _(norm: Any, x: Any) -> Epigraph:
    runs = [express(part, x) for part in norm.parts]
    return peaks([run[0] for run in runs]), [constraint for run in runs for constraint in run[1]]


def split(parts: Any, x: Any) -> tuple[list[Expression], list[Any]]:
    pieces = [cp.Variable(x.shape) for _ in parts]
    runs = [express(part, piece) for part, piece in zip(parts, pieces, strict=True)]
    return [run[0] for run in runs], [sum(pieces) == x, *(constraint for run in runs for constraint in run[1])]


@entry("infconv")
def _(norm: Any, x: Any) -> Epigraph:
    expressions, constraints = split(norm.parts, x)
    return sum(expressions), constraints


@entry("ballsum")
def _(norm: Any, x: Any) -> Epigraph:
    expressions, constraints = split(norm.parts, x)
    return peaks(expressions), constraints


@entry("linmap")
def _(norm: Any, x: Any) -> Epigraph:
    return express(norm.of, numbers(norm.matrix) @ x)


@entry("sandwich")
def _(norm: Any, x: Any) -> Epigraph:
    return express(norm.of, numbers(norm.left) @ x @ numbers(norm.right))


@entry("quotient")
def _(norm: Any, x: Any) -> Epigraph:
    matrix = numbers(norm.matrix)
    z = cp.Variable(matrix.shape[1])
    expression, constraints = express(norm.of, z)
    return expression, [*constraints, matrix @ z == x]


def groupwise(outer: Any, inners: list[Any], blocks: Any, x: Any) -> Epigraph:
    """outer(inner_k of the entries of block k), outer monotone."""
    sizes = cp.Variable(len(blocks), nonneg=True)
    runs = [express(inner, x[list(block)]) for inner, block in zip(inners, blocks, strict=True)]
    expression, constraints = express(outer, sizes)
    below = [run[0] <= sizes[place] for place, run in enumerate(runs)]
    return expression, [*constraints, *below, *(c for run in runs for c in run[1])]


@entry("groups")
def _(norm: Any, x: Any) -> Epigraph:
    inners = list(norm.inner) * (len(norm.blocks) if len(norm.inner) == 1 else 1)
    return groupwise(norm.outer, inners, norm.blocks, x)


@entry("rowblocks")
def _(norm: Any, x: Any) -> Epigraph:
    ends = np.cumsum((0, *norm.sizes))
    inners = list(norm.inner) * (len(norm.sizes) if len(norm.inner) == 1 else 1)
    sizes = cp.Variable(len(inners), nonneg=True)
    runs = [express(inner, x[start:stop]) for inner, start, stop in zip(inners, ends[:-1], ends[1:], strict=True)]
    expression, constraints = express(norm.outer, sizes)
    below = [run[0] <= sizes[place] for place, run in enumerate(runs)]
    return expression, [*constraints, *below, *(c for run in runs for c in run[1])]


@entry("sgl")
def _(norm: Any, x: Any) -> Epigraph:
    a, b = float(norm.a), float(norm.b)
    weighted = zip(numbers(norm.weights), norm.blocks, strict=True)
    return a * cp.norm(x, 1) + b * sum(weight * cp.norm(x[list(block)], 2) for weight, block in weighted), []


@entry("latent")
def _(norm: Any, x: Any) -> Epigraph:
    pieces = [cp.Variable(len(block)) for block in norm.blocks]
    runs = [express(norm.of, piece) for piece in pieces]
    placed = zip(norm.blocks, pieces, strict=True)
    total = sum(np.eye(x.shape[0])[:, list(block)] @ piece for block, piece in placed)
    cost = sum(weight * run[0] for weight, run in zip(numbers(norm.weights), runs, strict=True))
    return cost, [total == x, *(constraint for run in runs for constraint in run[1])]


@entry("atoms")
def _(norm: Any, x: Any) -> Epigraph:
    atoms = numbers(norm.atoms)
    coefficients = cp.Variable(len(atoms))
    flat = x if len(x.shape) == 1 else cp.vec(x, order="C")
    return cp.norm(coefficients, 1), [atoms.reshape(len(atoms), -1).T @ coefficients == flat]


@entry("lovasz")
def _(norm: Any, x: Any) -> Epigraph:
    """The support function of the base polytope, by all its vertices (Edmonds): one per order of the entries."""
    sizes = [0.0, *(float(norm.f.subs(nk.functional.n, k)) for k in range(1, x.shape[0] + 1))]
    return cp.max(np.array(list(permutations(np.diff(sizes)))) @ cp.abs(x)), []


def spread_out(text: str, shape: tuple[int, ...]) -> tuple[list[str], list[tuple[dict[str, int], tuple[int, ...]]]]:
    """Return the names in a pattern, and for every entry of the array (index of every name, place in the array)."""
    axes = [part.strip("()").split() for part in re.findall(r"\([^)]*\)|\S+", text)]
    named, runs = [], []
    for held, length in zip(axes, shape, strict=True):
        given = [int(part.partition("=")[2] or 0) for part in held]
        sizes = [size or length // int(np.prod([other for other in given if other])) for size in given]
        named += [part.partition("=")[0] for part in held]
        runs.append(list(product(*map(range, sizes))))
    places = product(*(range(len(run)) for run in runs))
    return named, [
        (dict(zip(named, (i for run, k in zip(runs, at, strict=True) for i in run[k]), strict=True)), at)
        for at in places
    ]


@entry("matricize")
def _(norm: Any, x: Any) -> Epigraph:
    _, entries = spread_out(norm.pattern, x.shape)
    cells = {
        (tuple(found[name] for name in norm.rows.split()), tuple(found[name] for name in norm.cols.split())): x[at]
        for found, at in entries
    }
    rows, cols = (sorted({key[side] for key in cells}) for side in (0, 1))
    return express(norm.of, cp.bmat([[cells[row, col] for col in cols] for row in rows]))


@entry("slices")
def _(norm: Any, x: Any) -> Epigraph:
    names, entries = spread_out(norm.pattern, x.shape)
    over = norm.over.split()
    slices: dict[tuple[int, ...], dict[tuple[int, ...], Any]] = {}
    for found, at in entries:
        inside = tuple(found[name] for name in names if name not in over)
        slices.setdefault(tuple(found[name] for name in over), {})[inside] = x[at]
    sizes = cp.Variable(len(slices), nonneg=True)
    constraints = []
    for place, (_, cells) in enumerate(sorted(slices.items())):
        axes = [sorted({key[axis] for key in cells}) for axis in range(len(next(iter(cells))))]
        if len(axes) == 1:
            one = cp.hstack([cells[(i,)] for i in axes[0]])
        else:
            one = cp.bmat([[cells[i, j] for j in axes[1]] for i in axes[0]])
        size, more = express(norm.of, one)
        constraints += [*more, size <= sizes[place]]
    whole, more = express(norm.outer, sizes)
    return whole, [*constraints, *more]
