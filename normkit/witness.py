"""Witnesses: decompositions that bound a synthesis norm from above, so that its own answers are certified.

A synthesis norm N(x) = inf outer(N_1(x_1), ..., N_k(x_k)) over x = sum B_i x_i has no explicit value, but every
decomposition of x bounds it, and the dualize map of N *is* a decomposition (Combettes et al. 2018):

    t = sum c_i B_i t_i(B_i' g),    c = dualize of outer at (N_i*(B_i' g))_i,    N(t) <= outer(c_i N_i(t_i)) = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.linear import apply
from normkit.codegen.plan import Missing, Program, Synthesis
from normkit.descent import dualize, dualize_with_value, value
from normkit.generation import generate
from normkit.linear import Band, Linear, Select

Array = NDArray[Any]

GENERATE = 256
"""Largest array of a norm without parts (atoms) that is bounded by column generation."""
NEAR = 1e-6
"""Relative difference from 1 below which a factor is put down to the rounding of t."""
STEPS = 20
"""Most columns generated for a certificate."""


def upper_bound(program: Program, g: Array, t: Array, backend: str = "auto") -> float:
    """Return N(t), or the smallest bound on it from above that a few decompositions give; infinity if none is known.

    Parameters
    ----------
    g : ndarray
        The gradient whose dualize map t is said to be; its witness is tried first, with what is left of t put into
        one part after the other. Each part alone is tried as well.
    t : ndarray
        One item.
    """
    if not isinstance(program.value, Missing):
        return float(value(program, t, backend=backend))
    wide_g, wide_t = g.astype(np.float64), t.astype(np.float64)
    if program.synthesis is None:
        if t.size > GENERATE or isinstance(program.dual, Missing):
            return float("inf")
        return generate(program, wide_t, backend, seeds=[wide_g], steps=STEPS).upper
    count = len(program.synthesis.parts)
    nothing: list[Array | None] = [None] * count
    return min(
        _completed(program.synthesis, pieces, wide_g, wide_t, backend)
        for pieces in (_pieces(program.synthesis, wide_g, wide_t, backend), nothing)
    )


def _pieces(synthesis: Synthesis, g: Array, t: Array, backend: str) -> list[Array | None]:
    """Return c_i t_i, the parts of the dualize map T at g, times <g, t> / <g, T> where t is a multiple of T.

    Within a product over blocks the item of a block is one: its share of the outer norm.
    """
    runs = [dualize_with_value(part, _pull(linear, g), backend=backend) for linear, part in synthesis.parts]
    sizes = np.array([run.dual_norm for run in runs])
    shares = dualize(synthesis.outer, sizes, backend=backend)
    largest = float(np.max(sizes))
    ratio = float(np.sum(g / largest * t) / (sizes / largest @ shares)) if 0.0 < largest < np.inf else 1.0
    if abs(ratio - 1.0) > NEAR and np.isfinite(ratio):
        shares = ratio * shares
    return [share * run.array if share else None for share, run in zip(shares, runs, strict=True)]


def _completed(synthesis: Synthesis, pieces: list[Array | None], g: Array, t: Array, backend: str) -> float:
    """Bound N(t) by the given pieces, with the rest t - sum B_i x_i put into the part where it costs least."""
    rest = t.copy()
    for (linear, _), piece in zip(synthesis.parts, pieces, strict=True):
        if piece is not None:
            rest -= piece if linear is None else apply(linear, piece, t.shape)
    if not rest.any():
        return _cost(synthesis, pieces, g, backend)
    bounds = [float("inf")]
    for place, (linear, _) in enumerate(synthesis.parts):
        if linear is None:
            piece = pieces[place]
            filled = [*pieces[:place], rest if piece is None else piece + rest, *pieces[place + 1 :]]
            bounds.append(_cost(synthesis, filled, g, backend))
    spread = _spread([linear for linear, _ in synthesis.parts], rest)
    if spread is not None:
        filled = [more if piece is None else piece + more for piece, more in zip(pieces, spread, strict=True)]
        bounds.append(_cost(synthesis, filled, g, backend))
    return min(bounds)


def _spread(linears: list[Linear | None], rest: Array) -> list[Array] | None:
    """Return the shortest z_i with sum B_i z_i = rest: z_i = B_i' K^-1 rest with K = sum B_i B_i'; None if too large.

    K is diagonal for selections of entries or rows. The equation holds to the rounding of float64, as all here.
    """
    if all(linear is None or isinstance(linear, Band | Select) for linear in linears):
        solved = rest / _gram(linears, np.ones_like(rest))
    elif rest.size <= GENERATE:
        units = np.eye(rest.size).reshape(rest.size, *rest.shape)
        gram = np.array([_gram(linears, unit).reshape(-1) for unit in units])
        solved = np.linalg.solve(gram, rest.reshape(-1)).reshape(rest.shape)
    else:
        return None
    return [_pull(linear, solved) for linear in linears]


def _gram(linears: list[Linear | None], x: Array) -> Array:
    """Return K x."""
    pulled = [(linear, _pull(linear, x)) for linear in linears]
    images = [z if linear is None else apply(linear, z, x.shape) for linear, z in pulled]
    total: Array = np.sum(images, axis=0)
    return total


def _cost(synthesis: Synthesis, pieces: list[Array | None], g: Array, backend: str) -> float:
    """Return outer(N_1(x_1), ..., N_k(x_k))."""
    sizes = [
        0.0 if piece is None else upper_bound(part, _pull(linear, g), piece, backend)
        for (linear, part), piece in zip(synthesis.parts, pieces, strict=True)
    ]
    if not np.isfinite(sizes).all():
        return float("inf")
    return float(value(synthesis.outer, np.array(sizes), backend=backend))


def _pull(linear: Linear | None, g: Array) -> Array:
    return g if linear is None else np.asarray(apply(linear.adjoint, g, g.shape), dtype=np.float64)
