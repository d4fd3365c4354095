"""owl or its dual, with a multiple of l2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from normkit.backends.search.pieces import EDGE, STEPS, divide, euclid, owl, prefix, proximal

Array = NDArray[np.float64]


def max_owl_l2(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(O, b l2): t is the projection of g/mu on the ball of O, so along u = prox of lambda O, with b |u| = O(u)."""
    b, rest = p[0], np.empty(len(y))
    t[:] = y
    if owl(t, w) > b * euclid(t):
        low, high = 0.0, EDGE * prefix(y, w)
        proximal(y, w, high, t, rest)
        if owl(t, w) > b * euclid(t):
            low = high
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            proximal(y, w, middle, t, rest)
            if owl(t, w) > b * euclid(t):
                low = middle
            else:
                high = middle
        proximal(y, w, low, t, rest)
    divide(t, max(owl(t, w), b * euclid(t)))


def sum_owl_l2(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """O + b l2: N* is the lambda with |prox of lambda O at g| = b lambda, and t is along that proximal point."""
    b, rest = p[0], np.empty(len(y))
    low, high = 0.0, prefix(y, w)
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        proximal(y, w, middle, t, rest)
        if euclid(t) > b * middle:
            low = middle
        else:
            high = middle
    proximal(y, w, low, t, rest)
    divide(t, owl(t, w) + b * euclid(t))


def max_dual_l2(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(D, b l2): t projects g/mu on the ball of D, mu with b |t| = 1; D alone if its least maximiser fits."""
    b, n, high = p[0], len(y), prefix(y, w)
    if b * euclid(y) >= high:
        t[:] = y
        divide(t, b * euclid(y))
        return
    start = 0
    while start < n:  # the maximiser of least l2 norm: w averaged over entries of one size
        end, weight = start, 0.0
        while end < n and y[end] == y[start]:
            weight += w[end]
            end += 1
        for i in range(start, end):
            t[i] = weight / (end - start) if y[i] > 0.0 else 0.0
        start = end
    if b * euclid(t) > 1.0:
        u, low = np.empty(n), 0.0
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            proximal(y, w, middle, u, t)
            if b * euclid(t) > middle:
                low = middle
            else:
                high = middle
        proximal(y, w, high, u, t)
    divide(t, max(prefix(t, w), b * euclid(t)))


def sum_dual_l2(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """D + b l2: g = u + v with v along t, |v| = b O(u), u = prox of lambda O at g; then N* = O(u)."""
    b, u = p[0], np.empty(len(y))
    low, high = 0.0, prefix(y, w)
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        proximal(y, w, middle, u, t)
        if euclid(t) < b * owl(u, w):
            low = middle
        else:
            high = middle
    proximal(y, w, high, u, t)
    divide(t, prefix(t, w) + b * euclid(t))
