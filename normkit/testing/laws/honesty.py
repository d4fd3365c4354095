"""Law 13: a certificate never claims more than is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.certificate import Certificate, certify
from normkit.testing.report import Finding
from normkit.testing.subject import Subject

LAW = "13 certificate honesty"


def bracket(subject: Subject, first: Subject) -> Iterator[Finding]:
    """Lower <= N*(g) <= upper for good and bad candidates; an estimate does not hold."""
    if not subject.knows_dual:
        return
    # Without an explicit value every certificate searches for a decomposition: then one good and one bad candidate do.
    candidates = (subject.t, _spoilt(subject), subject.g, -subject.t)
    for t in candidates if subject.knows_value else candidates[:2]:
        made = _certificate(subject, t)
        below, above = made.lower / subject.dual_norms - 1, 1 - made.upper / subject.dual_norms
        yield from subject.findings(LAW, np.maximum(below, above), detail=f"[{made.lower}, {made.upper}] {made.kind}")
        claimed = made.kind == "estimate" and made.holds(1.0)
        yield subject.finding(LAW, "estimate", float(claimed), tolerance=0.0, detail="an estimate must not hold")


def loss(subject: Subject, first: Subject) -> Iterator[Finding]:
    """A spoilt candidate is reported with a gap at least as large as what it loses."""
    if not (subject.knows_dual and subject.knows_value):
        return
    t = _spoilt(subject)
    made = _certificate(subject, t)
    attained = subject.pairing(subject.g, t) / subject.value(t)
    true_loss = 1 - np.maximum(attained, 0.0) / subject.dual_norms
    yield from subject.findings(LAW, true_loss - made.gap, detail=f"true loss {true_loss}, gap {made.gap}")


def own_answer(subject: Subject, first: Subject) -> Iterator[Finding]:
    """The norm's own dualize holds, by closed forms or by its witness; t = 0 and a wrong sign do not."""
    if not subject.knows_dual:
        return
    own = _certificate(subject, subject.t)
    # One item that is far from tight decides `holds`, so the items are looked at one by one.
    off = np.maximum(np.asarray(own.norm) - 1, 1 - np.asarray(own.pairing) / np.asarray(own.upper))
    yield from subject.findings(LAW, off, detail=f"N(t) = {own.norm}, gap {own.gap}, {own.kind}")
    yield subject.finding(
        LAW, "own answer", float(own.kind == "estimate"), tolerance=0.0, detail="kind must not be estimate"
    )
    for what, t in (("zero", 0 * subject.t), ("wrong sign", -subject.t)):
        claimed = _certificate(subject, t).holds(0.5)
        yield subject.finding(LAW, what, float(claimed), tolerance=0.0, detail=f"{what}: must not hold for g != 0")


def _certificate(subject: Subject, t: NDArray[Any]) -> Certificate:
    return certify(subject.norm, subject.g, t, backend=subject.backend)


def _spoilt(subject: Subject) -> NDArray[Any]:
    t = subject.t.astype(np.float64)
    spoilt: NDArray[Any] = (t + subject.noise(t, 0.3)).astype(subject.dtype)
    return spoilt
