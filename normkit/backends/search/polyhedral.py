"""Two polyhedral norms: owl with owl, owl with a dual of owl, two duals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from normkit.backends.search.pieces import STEPS, divide, face, owl, prefix

Array = NDArray[np.float64]


def max_owl_dual(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(owl(w), dual(owl(v))): t(lambda) maximises <y - lambda w, t> over the ball of D; mix at the jump of O(t)."""
    n = len(y)
    face(y, v, t)
    size = owl(t, w)
    if size > 1.0:
        low, high = 0.0, 2.0 * prefix(y, w)
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            face(y - middle * w, v, t)
            if owl(t, w) > 1.0:
                low = middle
            else:
                high = middle
        inner = np.empty(n)
        face(y - low * w, v, t)
        face(y - high * w, v, inner)
        above, below = owl(t, w), owl(inner, w)
        share = (1.0 - below) / (above - below)
        for i in range(n):
            t[i] = share * t[i] + (1.0 - share) * inner[i]
    divide(t, max(owl(t, w), prefix(t, v)))


def sum_owl_dual(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """owl(w) + dual(owl(v)): N* = max <y, t> / (1 + O(t)) over the ball of D, by Dinkelbach's iteration (1967)."""
    level, best = 0.0, np.empty(len(y))
    for _ in range(STEPS):
        face(y - level * w, v, best)
        size = owl(best, w) + prefix(best, v)
        if size == 0.0:
            break
        ratio = owl(y, best) / size
        if ratio <= level:
            break
        level = ratio
        for i in range(len(y)):
            t[i] = best[i] / size


def max_owls(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(owl(w), owl(v)): min over theta of max_k S_k / (theta W_k + (1 - theta) V_k); t mixes two prefix atoms."""
    low, high = 0.0, 1.0
    first, second = _active(y, w, v, 1.0), _active(y, w, v, 0.0)
    if _total(w, first) >= _total(v, first):
        second = first
    elif _total(v, second) >= _total(w, second):
        first = second
    else:
        first, second = second, first
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            k = _active(y, w, v, middle)
            if _total(w, k) >= _total(v, k):
                low, first = middle, k
            else:
                high, second = middle, k
    # Both are tight: p W + q W' = p V + q V' = 1 for the shares p, q of the two prefixes.
    p1, q1 = _total(w, first), _total(v, first)
    p2, q2 = _total(w, second), _total(v, second)
    one, two = q2 - p2, p1 - q1
    if first == second:
        one, two = 1.0, 0.0
    for i in range(len(y)):
        t[i] = (one if i < first else 0.0) + (two if i < second else 0.0)
    divide(t, max(owl(t, w), owl(t, v)))


def _active(y: Array, w: Array, v: Array, theta: float) -> int:
    """Return the first k at which S_k / (theta W_k + (1 - theta) V_k) is largest."""
    best, k, above, below = -1.0, 0, 0.0, 0.0
    for i in range(len(y)):
        above += y[i]
        below += theta * w[i] + (1.0 - theta) * v[i]
        if above > best * below:
            best, k = above / below, i + 1
    return k


def _total(w: Array, k: int) -> float:
    """Return w_1 + ... + w_k."""
    total = 0.0
    for i in range(k):
        total += w[i]
    return total


def sum_duals(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """dual(owl(w)) + dual(owl(v)): t has the running sums min(theta W_k, (1 - theta) V_k), theta a kink."""
    n = len(y)
    kinks, running_w, running_v = np.empty(n), np.empty(n), np.empty(n)
    slope, above, below = 0.0, 0.0, 0.0
    for k in range(n):
        above += w[k]
        below += v[k]
        running_w[k], running_v[k], kinks[k] = above, below, below / (above + below)
        slope += (y[k] - (y[k + 1] if k + 1 < n else 0.0)) * above
    theta = 0.0
    order = np.argsort(kinks)
    for place in range(n):
        k = order[place]
        theta = kinks[k]
        slope -= (y[k] - (y[k + 1] if k + 1 < n else 0.0)) * (running_w[k] + running_v[k])
        if slope <= 0.0:
            break
    before = 0.0
    for k in range(n):
        here = min(theta * running_w[k], (1.0 - theta) * running_v[k])
        t[k] = here - before
        before = here
    divide(t, prefix(t, w) + prefix(t, v))
