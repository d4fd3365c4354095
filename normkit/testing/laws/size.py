"""Law 1: N is a norm, and so is N*: positive, homogeneous, convex; in float64, for c x and x + y must not round."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from normkit.testing.report import Finding
from normkit.testing.subject import Floats, Subject

LAW = "1 norm"


def norm(subject: Subject, first: Subject) -> Iterator[Finding]:
    """N(x) > 0 for x != 0, N(c x) = abs(c) N(x), N(x + y) <= N(x) + N(y), N((x + y)/2) <= (N(x) + N(y))/2."""
    if subject.knows_value and subject.dtype == np.float64:
        yield from _axioms(subject, subject.value, "N")


def dual_norm(subject: Subject, first: Subject) -> Iterator[Finding]:
    """Show the same of N*."""
    if subject.knows_dual and subject.dtype == np.float64:
        yield from _axioms(subject, subject.dual, "N*")


def _axioms(subject: Subject, size: Callable[[Floats], Floats], what: str) -> Iterator[Finding]:
    x = subject.wide
    sizes = size(x)
    yield from subject.findings(LAW, np.where(sizes > 0, 0.0, 1.0), tolerance=0.0, detail=f"{what}(x) = {sizes}")
    for factor in (-3.0, 0.7):
        yield from subject.findings(
            LAW,
            abs(size(factor * x) / (abs(factor) * sizes) - 1),
            detail=f"{what}({factor} x) against abs({factor}) {what}(x)",
        )
    for partner in (*_shifted(x), x + subject.noise(x, 0.5)):
        both, bound = size(x + partner), sizes + size(partner)
        yield from subject.findings(
            LAW, both / bound - 1, detail=f"{what}(x + y) = {both}, {what}(x) + {what}(y) = {bound}"
        )
        middle = size((x + partner) / 2)
        yield from subject.findings(LAW, 2 * middle / bound - 1, detail=f"midpoint convexity of {what}")


def _shifted(x: Floats) -> Iterator[Floats]:
    """Pair every input with others, at either sign."""
    for shift in (1, 3):
        yield np.roll(x, shift, axis=0)
        yield -np.roll(x, shift + 1, axis=0)
