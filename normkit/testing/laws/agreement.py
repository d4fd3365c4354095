"""Law 12: back ends, dtypes, layouts, batches and repeated runs agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.testing.report import Finding
from normkit.testing.subject import Subject

LAW = "12 agreement"


def back_ends(subject: Subject, first: Subject) -> Iterator[Finding]:
    """A back end gives the values of the first one, and maps as good as its maps (equal ones, except after an SVD)."""
    if subject is first:
        return
    if subject.knows_value:
        yield from subject.findings(LAW, abs(subject.value(subject.g) / first.value(first.g) - 1), detail="N")
    if not subject.knows_dual:
        return
    yield from subject.findings(LAW, abs(subject.dual_norms / first.dual_norms - 1), detail="N*")
    if not subject.singular:
        # Nearly tied entries may change places within rounding; the pairing (law 2) judges those.
        strict = np.array([name != "nearly tied" for name in subject.names])
        off = _apart(subject.t, first.t) * strict
        yield from subject.findings(LAW, off, detail=f"t against {first.backend}")


def batch_is_loop(subject: Subject, first: Subject) -> Iterator[Finding]:
    """A batch gives, bit for bit, what its items give one by one, and the same bits again; leading axes are kept."""
    if not subject.knows_dual:
        return
    alone = np.stack([subject.map(g[None])[0] for g in subject.g])
    yield from subject.findings(
        LAW, _different(alone, subject.t), tolerance=0.0, detail="entries that differ in a batch"
    )
    again = subject.map(subject.g[None, :, None])[0, :, 0]
    yield from subject.findings(
        LAW, _different(again, subject.t), tolerance=0.0, detail="entries that differ on a second run"
    )


def layouts(subject: Subject, first: Subject) -> Iterator[Finding]:
    """Strided, reversed, Fortran-ordered and read-only arrays give the same t; inputs stay as they are.

    The reference back end gives the same bits; others may sum a strided array in another order, which moves t by
    rounding (and singular vectors by more: those are judged by the pairing).
    """
    if not subject.knows_dual:
        return
    for what, g in _layouts(subject.g):
        kept = g.copy()
        t = subject.map(g)
        if subject.backend == "reference":
            yield from subject.findings(
                LAW, _different(t, subject.t), tolerance=0.0, detail=f"entries that differ, {what}"
            )
        else:
            off = abs(subject.pairing(g, t) / subject.dual_norms - 1) if subject.singular else _apart(t, subject.t)
            yield from subject.findings(LAW, off, detail=f"t of a {what} array")
        yield from subject.findings(LAW, _different(g, kept), tolerance=0.0, detail=f"a {what} input was changed")
        fits = t.dtype == g.dtype and t.shape == g.shape
        yield subject.finding(
            LAW, what, float(not fits), tolerance=0.0, detail=f"t is {t.dtype} {t.shape}, g {g.dtype} {g.shape}"
        )


def precisions(subject: Subject, first: Subject) -> Iterator[Finding]:
    """Values of narrow entries are those of the same entries in float64, for sums run wide; an SVD may run narrow."""
    if subject.knows_dual:
        exact = subject.dual(subject.wide)
        limit = subject.tolerance if subject.singular else 1e-9
        yield from subject.findings(
            LAW, abs(subject.dual_norms / exact - 1), tolerance=limit, detail="N* against float64"
        )


def _layouts(g: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "Fortran-ordered", np.asfortranarray(g)
    spread = np.zeros((*g.shape[:-1], 2 * g.shape[-1]), g.dtype)
    spread[..., ::2] = g
    yield "strided", spread[..., ::2]
    yield "reversed", g[..., ::-1].copy()[..., ::-1]
    locked = g.copy()
    locked.flags.writeable = False
    yield "read-only", locked


def _different(t: NDArray[Any], u: NDArray[Any]) -> NDArray[np.intp]:
    return np.asarray(np.count_nonzero((t != u).reshape(len(t), -1), axis=1))


def _apart(t: NDArray[Any], u: NDArray[Any]) -> NDArray[np.float64]:
    """Largest difference of every item, relative to the largest entry of u."""
    t, u = (x.astype(np.float64).reshape(len(x), -1) for x in (t, u))
    return np.asarray(np.max(np.abs(t - u), axis=1) / np.max(np.abs(u), axis=1))
