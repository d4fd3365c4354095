"""Law 5: zero, ties, sign(0), rank deficiency, NaN and infinity follow the policies written down once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from normkit.errors import NonFiniteError
from normkit.testing.report import Finding
from normkit.testing.subject import Floats, Subject

LAW = "5 policies"


def zero(subject: Subject, first: Subject) -> Iterator[Finding]:
    """t(0) = 0, N(0) = N*(0) = 0; negative zeros too."""
    for name, entry in (("zero", 0.0), ("negative zero", -0.0)):
        g = np.full((1, *subject.shape), entry, subject.dtype)
        numbers: list[Floats] = []
        if subject.knows_dual:
            numbers += [subject.dual(g), subject.map(g).astype(np.float64)]
        if subject.knows_value:
            numbers += [subject.value(g)]
        worst = max(float(np.max(np.abs(number))) for number in numbers)
        yield subject.finding(LAW, name, worst, tolerance=0.0, detail="t(0), N(0) and N*(0) must be 0")


def signs_of_zero(subject: Subject, first: Subject) -> Iterator[Finding]:
    """t is 0 where g is, for a norm of the magnitudes."""
    if subject.knows_dual and subject.norm.absolute:
        strays = np.count_nonzero(((subject.g == 0) & (subject.t != 0)).reshape(len(subject.names), -1), axis=1)
        yield from subject.findings(LAW, strays, tolerance=0.0, detail="entries with g = 0 and t != 0")


def first_of_ties(subject: Subject, first: Subject) -> Iterator[Finding]:
    """On tied entries the magnitudes of t do not increase with the index, along every axis N* does not distinguish.

    Atoms and groups are exempt: their ties take the first of their list, not the first entry.
    """
    if not (subject.knows_dual and subject.entrywise):
        return
    for axis in range(len(subject.shape)):
        if not _exchangeable(subject, axis):
            continue
        for name, g in (("constant", np.ones(subject.shape)), ("repeated pair", _pairs(subject.shape, axis))):
            t = np.abs(subject.map(g.astype(subject.dtype)[None])[0].astype(np.float64))
            for start in range(1 if name == "constant" else 2):
                lanes = np.moveaxis(t, axis, 0)[start :: 1 if name == "constant" else 2]
                rise = float(np.max(np.diff(lanes, axis=0), initial=0.0)) / max(float(np.max(t)), 1e-300)
                yield subject.finding(LAW, name, rise, detail=f"abs(t) = {t} rises along tied entries of axis {axis}")


def _exchangeable(subject: Subject, axis: int) -> bool:
    """Tell whether N* is invariant under permutations along an axis, by trying those that generate them all."""
    if subject.shape[axis] < 2 or subject.norm.subspace is not None:
        return False
    g = np.random.default_rng(subject.seed).standard_normal((3, *subject.shape))
    order = np.arange(subject.shape[axis])
    swapped = np.concatenate([order[1::-1], order[2:]])
    shuffled = (np.take(g, permutation, axis=axis + 1) for permutation in (swapped, np.roll(order, 1)))
    return all(np.allclose(subject.dual(moved), subject.dual(g), rtol=1e-9) for moved in shuffled)


def _pairs(shape: tuple[int, ...], axis: int) -> Floats:
    """1, 2, 1, 2, ... along an axis: a sort that is not stable mixes their order."""
    index = np.arange(shape[axis]) % 2 + 1.0
    return np.broadcast_to(index.reshape([-1 if place == axis else 1 for place in range(len(shape))]), shape).copy()


def rank_cut(subject: Subject, first: Subject) -> Iterator[Finding]:
    """For a unitarily invariant norm the range of t lies in the range of g, also where g has rank 1 up to rounding."""
    if not subject.knows_dual or subject.norm.gauge is None or min(subject.shape) < 2:
        return
    draw = np.random.default_rng(subject.seed)
    left, right = draw.standard_normal(subject.shape[0]), draw.standard_normal(subject.shape[1])
    for name, u, v in (("ones", np.ones_like(left), np.ones_like(right)), ("rank 1", left, right)):
        t = subject.map(np.outer(u, v).astype(subject.dtype)[None])[0].astype(np.float64)
        outside = t - np.outer(u, u @ t) / (u @ u)
        residual = float(np.linalg.norm(outside) / np.linalg.norm(t))
        yield subject.finding(LAW, name, residual, detail="share of t outside the range of a rank-one g")


def not_finite(subject: Subject, first: Subject) -> Iterator[Finding]:
    """NaN and infinity raise `NonFiniteError` that names the first bad index."""
    if not subject.knows_dual:
        return
    for entry in (np.nan, np.inf, -np.inf):
        g = np.zeros((2, *subject.shape), subject.dtype)
        g[1].flat[-1] = entry
        index = ", ".join(str(length - 1) for length in g.shape)
        named = False
        try:
            subject.map(g)
        except NonFiniteError as error:
            named = f"[{index}]" in str(error)
        yield subject.finding(
            LAW, str(entry), float(not named), tolerance=0.0, detail=f"NonFiniteError must name the index [{index}]"
        )
