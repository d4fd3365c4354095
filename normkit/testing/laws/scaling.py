"""Law 4: dualize is odd and scale-free, over the whole range of the dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.testing.report import Finding
from normkit.testing.subject import Subject

LAW = "4 odd and scale-free"


def odd(subject: Subject, first: Subject) -> Iterator[Finding]:
    """t(-g) = -t(g): bit for bit, and by N*(g) where singular vectors are not unique."""
    if not subject.knows_dual:
        return
    t = -subject.map(-subject.g)
    if subject.singular:
        pairings = subject.pairing(subject.g, t)
        yield from subject.findings(LAW, abs(pairings / subject.dual_norms - 1), detail="<g, -t(-g)> against N*(g)")
    else:
        yield from subject.findings(
            LAW, _differences(t, subject.t), tolerance=0.0, detail="entries of t(-g) + t(g) != 0"
        )


def scale_free(subject: Subject, first: Subject) -> Iterator[Finding]:
    """t(2^k g) = t(g) bit for bit, N*(2^k g) = 2^k N*(g), and t(0.7 g) is as good as t(g)."""
    if not subject.knows_dual:
        return
    for name in ("gaussian", "integers", "constant", "signs"):
        yield from _scaled(subject, name, (subject.precision.far, -subject.precision.far))
    t = subject.map((0.7 * subject.wide).astype(subject.dtype))
    ratios = subject.pairing(subject.g, t) / subject.dual_norms
    yield from subject.findings(LAW, abs(ratios - 1), detail="<g, t(0.7 g)> against N*(g)")


def extremes(subject: Subject, first: Subject) -> Iterator[Finding]:
    """The same for integers times the largest power of two and times the smallest subnormal number."""
    if subject.knows_dual:
        yield from _scaled(subject, "integers", (subject.precision.largest - 2, subject.precision.smallest))


def _scaled(subject: Subject, name: str, exponents: tuple[int, ...]) -> Iterator[Finding]:
    if name not in subject.sample:
        return
    place = subject.names.index(name)
    for k in exponents:
        g = np.ldexp(subject.wide[place : place + 1], k).astype(subject.dtype)
        different = _differences(subject.map(g), subject.t[place : place + 1])[0]
        yield subject.finding(
            LAW, name, different, tolerance=0.0, detail=f"entries of t(2^{k} g) that differ from t(g)"
        )
        with np.errstate(over="ignore"):
            have, want = subject.dual(g)[0], np.ldexp(subject.dual_norms[place], k)
        # Beyond the largest and below the smallest normal float64 the value itself is rounded.
        same = have == want or abs(have / want - 1) <= subject.tolerance or abs(have - want) <= 2.0**-1070
        yield subject.finding(
            LAW, name, float(not same), tolerance=0.0, detail=f"N*(2^{k} g) = {have}, 2^{k} N*(g) = {want}"
        )


def _differences(t: NDArray[Any], u: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.count_nonzero((t != u).reshape(len(t), -1), axis=1), dtype=np.float64)
