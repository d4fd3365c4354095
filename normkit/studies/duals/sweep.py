"""S12: induced norms of matrices with three columns by a sweep of all directions, and those that the library refuses.

The largest |Ax|_beta / |x|_alpha is looked for on a grid of the half sphere and then around its best point, closer and
closer. With one row this is the dual norm of alpha, which the source introduces as the norm of a linear functional.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

import normkit as nk
from normkit.errors import NoClosedForm
from normkit.studies.kit.claims import Claim, check, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

Matrix = NDArray[np.float64]
ORDERS = {"l1": 1.0, "lp(3/2)": 1.5, "l2": 2.0, "lp(3)": 3.0, "linf": np.inf, "rms": 0.0}
"""Orders p of lp; 0 stands for the root of the mean square."""
CLOSED = ("l1->l1", "l1->l2", "l1->lp(3)", "l1->linf", "l1->rms", "l2->l2", "l2->linf", "lp(3/2)->linf", "lp(3)->linf",
          "linf->linf", "rms->rms", "rms->linf")  # fmt: skip
HARD = ("linf->l1", "linf->l2", "l2->l1", "lp(3)->lp(3)", "l2->lp(3)")
GRID, ZOOMS, NEAR = 240, 24, 15
TOLERANCE = 1e-7


def size(x: Matrix, p: float) -> Matrix:
    """Return the lp norm along the first axis, by its definition."""
    if p == 0.0:
        return np.asarray(np.sqrt(np.mean(x**2, axis=0)))
    return np.asarray(np.abs(x).max(axis=0) if np.isinf(p) else np.sum(np.abs(x) ** p, axis=0) ** (1 / p))


def largest(A: Matrix, p: float, q: float) -> float:
    """Return max |Ax|_q / |x|_p over x in R^3 by the sweep.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.duals.sweep import largest
    >>> round(largest(np.array([[3.0, -4.0, 0.0]]), 2.0, 2.0), 9)
    5.0
    """
    polar, around = np.linspace(0, np.pi, GRID), np.linspace(0, np.pi, GRID)
    width = np.pi / GRID
    best, where = 0.0, (0.0, 0.0)
    for _ in range(ZOOMS):
        t, u = np.meshgrid(polar, around)
        x = np.stack([np.sin(t) * np.cos(u), np.sin(t) * np.sin(u), np.cos(t)]).reshape(3, -1)
        ratios = size(A @ x, q) / size(x, p)
        top = int(np.argmax(ratios))
        if ratios[top] > best:
            best, where = float(ratios[top]), (float(np.ravel(t)[top]), float(np.ravel(u)[top]))
        polar, around = (np.linspace(each - 2 * width, each + 2 * width, NEAR) for each in where)
        width /= 3
    return best


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield induced and dual norms against the sweep, and the hard ones against their bounds."""
    A = at.rng("matrices").standard_normal((at.pick(2, 6), 4, 3))
    rows, apart = [], []
    for spec in CLOSED:
        alpha, beta = spec.split("->")
        got = [float(each) for each in nk.value(spec, A)]
        swept = [largest(each, ORDERS[alpha], ORDERS[beta]) for each in A]
        apart.append(float(np.max([abs(a / b - 1) for a, b in zip(got, swept, strict=True)])))
        rows.append([spec, got[0], swept[0], apart[-1]])
    duals = []
    for name, p in ORDERS.items():
        a = A[:, 0]
        shares = [float(nk.dual_value(name, each)) / largest(each[None], p, 2.0) for each in a]
        duals.append(float(np.max(np.abs(np.array(shares) - 1))))
        rows.append([f"dual of {name}", float(nk.dual_value(name, a[0])), largest(a[:1], p, 2.0), duals[-1]])
    yield Table("induced", "Induced norms of 4 x 3 matrices, and dual norms of vectors, by the sweep",
                ("norm", "library", "sweep", "relative difference, largest"), rows)  # fmt: skip
    yield within("S12.induced", "induced norms: columns for l1, rows for linf, sigma_1 for l2: relative differences",
                 apart, 0.0, TOLERANCE, confidence="sweep of the sphere")  # fmt: skip
    yield within("S12.lq", "the dual of lp is lq, 1/p + 1/q = 1: relative differences", duals, 0.0, TOLERANCE,
                 confidence="sweep of the sphere")  # fmt: skip
    yield _hard(A)


def _hard(A: Matrix) -> Claim:
    """No value where none is known to be computable in polynomial time; bounds that hold."""
    refused, held = [], []
    for spec, each in product(HARD, A):
        alpha, beta = spec.split("->")
        try:
            nk.value(spec, each)
        except NoClosedForm:
            refused.append(spec)
        bounds, swept = nk.bounds(spec, each), largest(each, ORDERS[alpha], ORDERS[beta])
        held.append(bounds.lower * (1 - TOLERANCE) <= swept <= bounds.upper * (1 + TOLERANCE))
    return check("S12.hard", "induced norms without a closed form are refused, and bracketed by bounds",
                 len(refused) == len(held) and all(held), {"refused": len(refused), "in their bounds": sum(held)},
                 len(HARD) * len(A), confidence="sweep of the sphere")  # fmt: skip
