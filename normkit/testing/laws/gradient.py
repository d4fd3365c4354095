"""Laws 7 and 8: dualize is the gradient of N*, and the recogniser of maps that come from a norm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from normkit.testing.report import Finding
from normkit.testing.subject import Floats, Subject

GRADIENT, RECOGNISER = "7 gradient", "8 recogniser"


def subgradient(subject: Subject, first: Subject) -> Iterator[Finding]:
    """N*(g) - N*(g - h d) <= h <t, d> <= N*(g + h d) - N*(g): both sides close in on t where N* is smooth."""
    if not subject.knows_dual or subject.dtype != np.float64:
        return
    g, base = subject.wide, subject.dual_norms
    for level, seed in ((1e-2, 1), (1e-5, 2), (1e-5, 3)):
        step = subject.noise(g, level, seed)
        slope = subject.pairing(step, subject.t)
        excess = np.maximum(base - subject.dual(g - step) - slope, slope - subject.dual(g + step) + base)
        # The differences carry the rounding of N*; relative to the step they decide to tolerance / level.
        yield from subject.findings(
            GRADIENT, excess / base, detail=f"one-sided differences of N* at a step of {level:g}"
        )


def jacobian(subject: Subject, first: Subject) -> Iterator[Finding]:
    """At a Gaussian point the Jacobian of t is symmetric, positive semidefinite, and kills g."""
    if not subject.knows_dual or subject.dtype != np.float64 or np.prod(subject.shape) > 16:
        return
    g = subject.wide[subject.names.index("gaussian")]
    h = 1e-6 * float(np.max(np.abs(g)))
    steps = h * np.eye(g.size).reshape(g.size, *g.shape)
    both = subject.map(np.concatenate([g + steps, g - steps])).reshape(2, g.size, g.size)
    slopes: Floats = (both[0] - both[1]) / (2 * h)
    scale = max(1.0, float(np.max(np.abs(slopes))))
    limit = 1e-4 * subject.slack
    yield subject.finding(
        GRADIENT,
        "gaussian",
        float(np.max(np.abs(slopes - slopes.T))) / scale,
        tolerance=limit,
        detail="Jacobian not symmetric",
    )
    least = float(np.min(np.linalg.eigvalsh((slopes + slopes.T) / 2)))
    yield subject.finding(GRADIENT, "gaussian", -least / scale, tolerance=limit, detail="Jacobian not semidefinite")
    along = float(np.max(np.abs(slopes @ g.reshape(-1)))) / scale
    yield subject.finding(GRADIENT, "gaussian", along, tolerance=limit, detail="Jacobian times g is not 0")


def recogniser(subject: Subject, first: Subject) -> Iterator[Finding]:
    """<g, t(g)> >= abs(<g, t(h)>) for every pair of inputs."""
    if subject.knows_dual:
        g = subject.wide.reshape(len(subject.names), -1)
        t = subject.t.astype(np.float64).reshape(len(subject.names), -1)
        pairings = g @ t.T
        excess = np.max(np.abs(pairings), axis=1) / np.diag(pairings) - 1
        yield from subject.findings(RECOGNISER, excess, detail="max over h of abs(<g, t(h)>) / <g, t(g)> - 1")


def recogniser_nearby(subject: Subject, first: Subject) -> Iterator[Finding]:
    """The same for h climbed from g: a random step is kept where it raises <g, t(h)>."""
    if not subject.knows_dual:
        return
    g, own = subject.wide, subject.pairing(subject.g, subject.t)
    best, reached = g.copy(), own.copy()
    for trial in range(8):
        h = best + subject.noise(g, (0.5, 0.1, 0.02, 0.004)[trial % 4], trial)
        pairings = subject.pairing(subject.g, subject.map(h.astype(subject.dtype)))
        better = pairings > reached
        best[better], reached[better] = h[better], pairings[better]
    yield from subject.findings(
        RECOGNISER, reached / own - 1, detail=f"some h has <g, t(h)> = {reached}, <g, t(g)> = {own}"
    )
