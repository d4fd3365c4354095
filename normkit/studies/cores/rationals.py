"""QDWH and Zolo as recursions of one number, the smallest singular value (S42)."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from scipy.special import ellipj, ellipkm1

from normkit.polar.zolotarev import nodes, partial_fractions, weights
from normkit.studies.kit.claims import below, largest, refuted, within
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure, Outcome, Table

QDWH = {
    1e-2: (0.99, 0.495, 4.8e-3, 1.8e-9, 0.0),
    1e-3: (0.999, 0.752, 3.7e-2, 8.4e-7, 0.0),
    1e-8: (1.0, 0.995, 0.578, 9.5e-3, 1.4e-8, 0.0),
    1e-16: (1.0, 1.0, 0.943, 0.218, 2.3e-4, 1.9e-13, 0.0),
}
"""1 - l after 0, 1, ... steps, to two or three digits."""
ZOLO = {(1e-3, 2): (0.336, 2.8e-6), (1e-8, 4): (0.578, 1.4e-8), (1e-16, 8): (0.596, 5.0e-16)}
"""1 - l after 1 and 2 steps from (l, r)."""
DIGITS, EPS = 0.03, 7e-16
"""Relative, and what three roundings of a number near 1 may be."""


def recursions(made: Outcome) -> None:
    """Follow 1 - l, and compare the two methods at r = 1 and the two forms of Zolo's map."""
    paths = {lower: _halley(lower, len(path) - 1) for lower, path in QDWH.items()}
    twice = {start: _zolo(*start, 2) for start in ZOLO}
    table = [[f"QDWH, l = {lower:g}", *path, *[None] * (7 - len(path))] for lower, path in paths.items()]
    table += [[f"Zolo, l = {lower:g}, r = {r}", *path, *[None] * 4] for (lower, r), path in twice.items()]
    lists = (
        ("qdwh", "QDWH", chain(*paths.values()), chain(*QDWH.values())),
        ("zolo", "Zolo", chain(*(path[1:] for path in twice.values())), chain(*ZOLO.values())),
    )
    for name, method, got, printed in lists:
        want = list(printed)
        room = [DIGITS * each + EPS for each in want]
        claim = f"1 - l after the steps of {method}, to the digits printed"
        made.add(within(f"S42.{name}", claim, list(got), want, room, confidence="exact recursion"))
    made.add(
        Table("recursions", "1 - l after each step", ("method", *(f"{t}" for t in range(7))), table),
        within("S42.one", "Zolo with one solve is QDWH: l = 1e-3 goes to", [1 - _zolo(1e-3, 1, 1)[1],
               1 - _halley(1e-3, 1)[1]], 0.248039, 5e-7, confidence="exact"),
        below("S42.fractions", "partial fractions are the product: relative difference", _difference(), 1e-12),
    )  # fmt: skip
    lost = _elliptic(1e-9)
    made.add(
        refuted("S42.elliptic", "double precision sn and cn of the modulus sqrt(1 - l^2) give the nodes at l = 1e-9",
                bool(lost > 1e-3), lost, 0.0, confidence="relative error of the worst node, r = 4"),
        Figure("recursions", "1 - l after each step of QDWH (lines with marks) and of Zolo (marks alone).",
               lambda canvas: _draw(canvas, paths, twice)),
    )  # fmt: skip


def _halley(lower: float, steps: int) -> list[float]:
    path = [lower]
    for _ in range(steps):
        path.append(min(weights(path[-1])(path[-1]), 1.0) if path[-1] < 1 else 1.0)
    return [1 - each for each in path]


def _zolo(lower: float, solves: int, steps: int) -> list[float]:
    path = [lower]
    for _ in range(steps):
        path.append(min(partial_fractions(path[-1], solves).lower, 1.0) if path[-1] < 1 else 1.0)
    return [1 - each for each in path]


def _difference() -> float:
    """The largest relative difference of the two forms over [l, 1]; the product is scaled to 1 at 1."""
    errors = []
    for lower, solves in ((1e-3, 2), (1e-8, 4)):
        map_ = partial_fractions(lower, solves)
        for x in np.geomspace(lower, 1.0, 50).tolist():
            errors.append(abs(map_(x) / _product(lower, solves, x) - 1))
    return largest(errors)


def _product(lower: float, solves: int, x: float) -> float:
    c = nodes(lower, solves)
    parts = [(x * x + c[i + 1]) / (x * x + c[i]) * (1 + c[i]) / (1 + c[i + 1]) for i in range(0, 2 * solves, 2)]
    return x * float(np.prod(parts))


def _elliptic(lower: float) -> float:
    """How wrong the nodes are that SciPy's elliptic functions give, whose parameter 1 - l^2 is 1 here."""
    solves = 4
    at = np.arange(1, 2 * solves + 1) * ellipkm1(lower**2) / (2 * solves + 1)
    sn, cn, _, _ = ellipj(at, 1 - lower**2)
    with np.errstate(all="ignore"):
        return float(np.max(np.abs((lower * sn / cn) ** 2 / nodes(lower, solves) - 1)))


def _draw(canvas: Any, paths: dict[float, list[float]], twice: dict[tuple[float, int], list[float]]) -> None:
    axes = canvas.subplots()
    ink = inks()
    for lower, path in paths.items():
        axes.semilogy([max(each, 1e-17) for each in path], label=rf"QDWH, $\ell_0$ = {lower:g}", **next(ink))
    for (lower, r), path in twice.items():
        style = next(ink) | {"linestyle": "none", "markersize": 7}
        axes.semilogy([max(each, 1e-17) for each in path], label=rf"Zolo, $\ell_0$ = {lower:g}, r = {r}", **style)
    axes.axhline(2.2e-16, color="0.5", linewidth=0.8)
    axes.set(xlabel="steps", ylabel=r"$1-\ell$ (0 drawn at $10^{-17}$)", ylim=(3e-18, 4), xlim=(-0.2, 8.6))
    axes.legend(loc="upper right")
