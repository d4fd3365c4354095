"""Law 10: identities between norms that hold for every norm: scaling, transposing, lifting its gauge, its own spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from normkit.norm import Norm
from normkit.testing.report import Finding
from normkit.testing.subject import Floats, Subject

LAW = "10 equivalences"
Transform = Callable[[Floats], Floats]


def scale_rule(subject: Subject, first: Subject) -> Iterator[Finding]:
    """(2N)(x) = 2 N(x), (2N)*(g) = N*(g) / 2, and the map halves."""
    double = 2 * subject.norm
    yield from _same(subject, double, "2*N", 2.0, lambda x: x)
    if subject.knows_dual and subject.dtype == np.float64:
        halves = 2 * subject.map(subject.wide, double) == subject.map(subject.wide)
        off = np.count_nonzero(~halves.reshape(len(subject.names), -1), axis=1)
        yield from subject.findings(
            LAW, off, tolerance=0.0, detail="entries where the map of 2*N is not half that of N"
        )


def transpose_rule(subject: Subject, first: Subject) -> Iterator[Finding]:
    """transpose(N)(X') = N(X) for matrices."""
    if len(subject.shape) == 2:
        from normkit.calculus.transpose import Transposed

        yield from _same(subject, Transposed(subject.norm), "transpose(N)", 1.0, lambda x: np.swapaxes(x, -1, -2))


def gauge_rule(subject: Subject, first: Subject) -> Iterator[Finding]:
    """lift(gauge of N) = N for a unitarily invariant norm."""
    if subject.norm.gauge is not None:
        from normkit.calculus.lift import Lifted

        yield from _same(subject, Lifted(subject.norm.gauge), "lift(gauge)", 1.0, lambda x: x)


def spec_rule(subject: Subject, first: Subject) -> Iterator[Finding]:
    """The spec of a registered norm names an equal norm."""
    if not subject.norm.name:
        return
    from normkit.spec import norm as parse

    again = parse(str(subject.norm))
    yield subject.finding(
        LAW, "spec", float(again != subject.norm), tolerance=0.0, detail=f"{subject.norm} is read as {again}"
    )


def _same(subject: Subject, other: Norm, what: str, factor: float, change: Transform) -> Iterator[Finding]:
    """Compare N and N* with another norm that should be `factor` times N after a change of the array."""
    if subject.dtype != np.float64:
        return
    x, y = subject.wide, change(subject.wide)
    made = Subject(other, y.shape[1:], subject.dtype, subject.backend, subject.seed, subject.slack)
    if subject.knows_value and made.knows_value:
        off = abs(made.value(y) / (factor * subject.value(x)) - 1)
        yield from subject.findings(LAW, off, detail=f"{what} against {factor:g} N")
    if subject.knows_dual and made.knows_dual:
        off = abs(made.dual(y) * factor / subject.dual(x) - 1)
        yield from subject.findings(LAW, off, detail=f"the dual of {what} against N* / {factor:g}")
