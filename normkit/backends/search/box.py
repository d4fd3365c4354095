"""Duals of box norms."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from normkit.backends.search.pieces import divide

Array = NDArray[np.float64]


def dual_box(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """N = dual(box(lo, hi, c)), lo > 0: t = y / theta, theta = clip(y / level, lo, hi) with sum theta = c.

    Where hi fits everywhere, theta = hi. The level falls past the breakpoints y / lo, where an entry leaves lo, and
    y / hi, where it reaches hi, until the budget above lo is spent.
    """
    lo, hi, n = p[0], p[1], len(y)
    budget = max(p[2] - n * lo, 0.0)
    top, free, total, level = 0, 0, 0.0, 0.0  # entries [0, top) are at hi, [top, free) between, the rest at lo
    while True:
        enter = y[free] / lo if free < n else 0.0
        leave = y[top] / hi if top < n else 0.0
        level = max(enter, leave)
        if level <= 0.0:
            break
        if top * (hi - lo) + total / level - (free - top) * lo >= budget:
            if free > top:
                level = np.sum(y[top:free]) / (budget - top * (hi - lo) + (free - top) * lo)
            break
        if enter >= leave:
            total += y[free]
            free += 1
        else:
            total -= y[top]
            top += 1
    squares, left = 0.0, budget
    for i in range(n):
        theta = hi if level <= 0.0 else min(hi, max(lo, y[i] / level))
        t[i] = y[i] / theta
        raised = min(left, hi - lo)
        left -= raised
        squares += (lo + raised) * t[i] * t[i]
    divide(t, sqrt(squares))
