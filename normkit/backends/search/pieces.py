"""What the searches are made of: regressions, faces, the values of norms of sorted vectors."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS = 200
"""Bisections of an interval inside (0, 1]: more than doubles can tell apart for roots above 2^-140."""
EDGE = 1.0 - 2.0**-46
"""The search below a largest multiplier stops at this fraction of it: the loss is at most the rest, 1.4e-14."""


def pool(d: Array, ends: Any, means: Array) -> int:
    """Write the blocks of the nonincreasing regression of d: their ends and means; return their number."""
    count = 0
    sums = np.empty(len(d))
    for i in range(len(d)):
        total, start = d[i], i
        while count > 0 and means[count - 1] * (i + 1 - start) < total:
            count -= 1
            total += sums[count]
            start = 0 if count == 0 else ends[count - 1]
        sums[count], means[count], ends[count] = total, total / (i + 1 - start), i + 1
        count += 1
    return count


def proximal(y: Array, w: Array, level: float, u: Array, v: Array) -> None:
    """Write u = prox of level * owl(w) at y, and v = y - u from differences of y, so that a small v is accurate."""
    n = len(y)
    ends, means = np.empty(n, dtype=np.int64), np.empty(n)
    count = pool(y - level * w, ends, means)
    start = 0
    for block in range(count):
        end = ends[block]
        size = end - start
        drop, weight = 0.0, 0.0
        for i in range(start, end):
            drop += (y[start] - y[i]) / size
            weight += w[i] / size
        for i in range(start, end):
            if means[block] > 0.0:
                u[i] = means[block]
                v[i] = level * weight + (drop - (y[start] - y[i]))
            else:
                u[i] = 0.0
                v[i] = y[i]
        start = end


def face(d: Array, c: Array, t: Array) -> None:
    """Write a maximiser of <d, t> over nonincreasing t >= 0 in the ball of dual(owl(c)): c averaged over d's blocks."""
    n = len(d)
    ends, means = np.empty(n, dtype=np.int64), np.empty(n)
    count = pool(d, ends, means)
    start = 0
    for block in range(count):
        end = ends[block]
        weight = 0.0
        if means[block] > 0.0:
            for i in range(start, end):
                weight += c[i]
        for i in range(start, end):
            t[i] = weight / (end - start)
        start = end


def owl(t: Array, w: Array) -> float:
    """Return sum w_i t_i of a sorted vector."""
    total = 0.0
    for i in range(len(t)):
        total += w[i] * t[i]
    return total


def prefix(t: Array, w: Array) -> float:
    """Return max_k (t_1 + ... + t_k) / (w_1 + ... + w_k) of a sorted vector."""
    best, above, below = 0.0, 0.0, 0.0
    for i in range(len(t)):
        above += t[i]
        below += w[i]
        best = max(best, above / below)
    return best


def euclid(t: Array) -> float:
    """Return the l2 norm of a vector of moderate size."""
    total = 0.0
    for i in range(len(t)):
        total += t[i] * t[i]
    return sqrt(total)


def divide(t: Array, by: float) -> None:
    """Divide t in place."""
    for i in range(len(t)):
        t[i] /= by
