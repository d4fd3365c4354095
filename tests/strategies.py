"""Hypothesis strategies: random norms of bounded depth, made of every registered norm and construction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from sympy import Expr, Integer, Max, Min, Rational, sqrt

import normkit as nk
from normkit.functional import m, n

NAMED = [example for cls in nk.norms().values() for example in cls.examples()]
"""The examples of every registered norm and construction."""


def free(norm: nk.Norm) -> bool:
    """Whether any lengths fit, so that the norm can be part of another."""
    return set(norm.shape) == {None} and norm.subspace is None


GAUGES = [norm for norm in NAMED if norm.ndim == 1 and norm.symmetric and free(norm)]
VECTORS = [norm for norm in NAMED if norm.ndim == 1 and free(norm)]
MATRICES = [norm for norm in NAMED if norm.ndim == 2 and free(norm)]

constants = st.sampled_from([Rational(1, 2), Integer(3), sqrt(2), Rational(3, 5)])
of_shape = st.sampled_from([sqrt(n / m), sqrt(Max(1, m / n)), 1 / sqrt(n), m, Min(m, n)])


def scaled(factor: Expr, norm: nk.Norm) -> nk.Norm:
    return factor * norm


def joined(cls: Callable[[tuple[nk.Norm, ...]], nk.Norm]) -> Callable[[nk.Norm, nk.Norm], nk.Norm]:
    return lambda first, second: cls((first, second))


JOINTS = [joined(cls) for cls in (nk.InfConv, nk.BallSum, nk.Maximum, nk.Plus)]


def gauges(depth: int) -> st.SearchStrategy[nk.Norm]:
    """Symmetric gauges: what may be lifted, and stand outside in a mixed norm."""
    leaves = st.sampled_from(GAUGES)
    if depth == 0:
        return leaves
    inner = gauges(depth - 1)
    return st.one_of(leaves, st.builds(scaled, constants, inner), inner.map(lambda norm: norm.dual), *_pairs(inner))


def _pairs(inner: st.SearchStrategy[nk.Norm]) -> list[st.SearchStrategy[nk.Norm]]:
    """The two constructions whose dual is explicit whatever the parts, and their duals."""
    made: list[Any] = [st.builds(joint, inner, inner) for joint in JOINTS[:2]]
    return [*made, *(pair.map(lambda norm: norm.dual) for pair in made)]


def vectors(depth: int) -> st.SearchStrategy[nk.Norm]:
    """Vector norms."""
    leaves = st.sampled_from(VECTORS)
    if depth == 0:
        return leaves
    inner = vectors(depth - 1)
    return st.one_of(
        leaves, gauges(depth), st.builds(scaled, constants, inner), inner.map(lambda norm: norm.dual), *_pairs(inner)
    )


def matrices(depth: int) -> st.SearchStrategy[nk.Norm]:
    """Matrix norms."""
    leaves = st.sampled_from(MATRICES)
    if depth == 0:
        return leaves
    inner, lines, outer = matrices(depth - 1), vectors(depth - 1), gauges(depth - 1)
    return st.one_of(
        leaves,
        st.builds(scaled, st.one_of(constants, of_shape), inner),
        inner.map(lambda norm: norm.dual),
        st.builds(nk.Rows, outer, lines),
        st.builds(nk.Cols, outer, lines),
        lines.map(nk.Entries),
        outer.map(nk.Lifted),
        inner.map(nk.Transposed),
        lines.map(lambda norm: nk.Induced(nk.L1(), norm)),
        lines.map(lambda norm: nk.Induced(norm, nk.Linf())),
        *_pairs(inner),
    )


norms = st.one_of(vectors(3), matrices(3))
