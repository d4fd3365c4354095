"""Laws 2, 3 and 6: dualize is feasible and tight, Hölder's inequality, and biduality."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from normkit import descent
from normkit.testing.report import Finding
from normkit.testing.subject import Subject

TIGHT, HOLDER, BIDUAL = "2 feasible and tight", "3 Hölder", "6 biduality"


def feasible(subject: Subject, first: Subject) -> Iterator[Finding]:
    """N(t) = 1 for g != 0."""
    if subject.knows_value and subject.knows_dual:
        sizes = subject.value(subject.t)
        yield from subject.findings(TIGHT, abs(sizes - 1), detail=f"N(t) = {sizes}")


def tight(subject: Subject, first: Subject) -> Iterator[Finding]:
    """<g, t> = N*(g)."""
    if subject.knows_dual:
        pairings = subject.pairing(subject.g, subject.t)
        yield from subject.findings(
            TIGHT, abs(pairings / subject.dual_norms - 1), detail=f"<g, t> = {pairings}, N*(g) = {subject.dual_norms}"
        )


def holder(subject: Subject, first: Subject) -> Iterator[Finding]:
    """<g, x> <= N*(g) N(x) for every pair of inputs, at either sign."""
    if subject.knows_value and subject.knows_dual:
        flat = subject.wide.reshape(len(subject.names), -1)
        bound = np.outer(subject.dual_norms, subject.value(subject.g))
        excess = np.max(np.abs(flat @ flat.T) / bound, axis=1) - 1
        yield from subject.findings(HOLDER, excess, detail="max over x of abs(<g, x>) / (N*(g) N(x)) - 1")


def holder_nearby(subject: Subject, first: Subject) -> Iterator[Finding]:
    """Hölder's inequality near its equality, at x = t + small noise."""
    if subject.knows_value and subject.knows_dual:
        t = subject.t.astype(np.float64)
        for level in (1e-1, 1e-3, 1e-5):
            x = t + subject.noise(t, level)
            ratios = subject.pairing(subject.g, x) / (subject.dual_norms * subject.value(x))
            yield from subject.findings(HOLDER, ratios - 1, detail=f"at x = t + {level:g} noise")


def involution(subject: Subject, first: Subject) -> Iterator[Finding]:
    """N.dual.dual == N by structure, and the value of N.dual is the dual value of N."""
    twice = subject.norm.dual.dual
    same = twice == subject.norm and hash(twice) == hash(subject.norm)
    yield subject.finding(BIDUAL, "structure", 0.0 if same else 1.0, tolerance=0.0, detail=f"N.dual.dual is {twice}")
    if subject.knows_dual:
        stated = np.asarray(descent.value(subject.norm.dual, subject.g, backend=subject.backend))
        yield from subject.findings(BIDUAL, abs(stated / subject.dual_norms - 1), detail="N.dual(g) against N*(g)")


def bidual(subject: Subject, first: Subject) -> Iterator[Finding]:
    """The dualize map u of N* at x and at t attains N: <x, u> = N(x), N*(u) = 1."""
    if not (subject.knows_value and subject.knows_dual):
        return
    for what, x in (("x", subject.g), ("t", subject.t)):
        u, sizes = subject.map(x, subject.norm.dual), subject.value(x)
        yield from subject.findings(
            BIDUAL, abs(subject.pairing(x, u) / sizes - 1), detail=f"<{what}, u> against N({what})"
        )
        yield from subject.findings(BIDUAL, abs(subject.dual(u) - 1), detail=f"N*(u) at u = dualize of N* at {what}")
