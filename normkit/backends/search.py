"""Maximisers found by a one-dimensional search: sums and maxima of two norms on sorted magnitudes.

Every algorithm has the signature ``algorithm(y, w, v, p, t)``: y the magnitudes sorted decreasingly with y[0] > 0, w
and v weights by rank (nonincreasing, first one positive; empty where unused), p scalars, t the nonincreasing maximiser
of <y, t> over N(t) <= 1, which is written. The value is then the sum of y * t. Plain loops on float64: valid Python,
and valid for numba as they stand.

O is owl(w) = sum w_i x_(i), D the dual of an owl: D(x) = max_k (x_(1) + ... + x_(k)) / (w_1 + ... + w_k). The proximal
point u of lambda O at y is the positive part of the nonincreasing regression of y - lambda w (pool adjacent violators,
Bogdan et al. 2015); y - u is the projection of y on lambda times the ball of D (Moreau).

All of them end with t / N(t), N evaluated: t is feasible to rounding, and what an inexact root costs is its optimality.
"""

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


# --- pieces -----------------------------------------------------------------------------------------------------


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


# --- owl or its dual, with l2 --------------------------------------------------------------------------------------


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


# --- two polyhedral norms -------------------------------------------------------------------------------------------


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


# --- two lp norms ----------------------------------------------------------------------------------------------------


def _mixed_power(y: Array, p: float, r: float, rho: float, x: Array) -> None:
    """Write the x > 0 with (1 - rho) x_i^(p-1) + rho x_i^(r-1) = y_i, by Newton's method inside a bracket."""
    for i in range(len(y)):
        x[i] = 0.0
        if y[i] <= 0.0:
            continue
        # Each term alone is at most y; one of them is at least half of it.
        one = (y[i] / (1.0 - rho)) ** (1.0 / (p - 1.0)) if rho < 1.0 else np.inf
        two = (y[i] / rho) ** (1.0 / (r - 1.0)) if rho > 0.0 else np.inf
        high = min(one, two)
        low = 0.0
        z = high
        for _ in range(STEPS):
            first, second = (1.0 - rho) * z ** (p - 1.0), rho * z ** (r - 1.0)
            excess = first + second - y[i]
            if excess > 0.0:
                high = z
            else:
                low = z
            step = z - excess * z / ((p - 1.0) * first + (r - 1.0) * second)
            if not (low < step < high):
                step = 0.5 * (low + high)
            if abs(step - z) <= 2e-16 * z or step == z:
                break
            z = step
        x[i] = z


def _power_norm(x: Array, p: float) -> float:
    """Return the lp norm."""
    largest, total = x.max(), 0.0
    for i in range(len(x)):
        total += (x[i] / largest) ** p
    return float(largest * total ** (1.0 / p))


def max_lps(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(a lp, b lr): y = alpha t^(p-1) + beta t^(r-1), either alone or with both norms of t equal to 1."""
    a, first, b, second = p[0], p[1], p[2], p[3]
    low, high = 0.0, 1.0
    _mixed_power(y, first, second, 0.0, t)
    if a * _power_norm(t, first) >= b * _power_norm(t, second):
        high = low
    else:
        _mixed_power(y, first, second, 1.0, t)
        if b * _power_norm(t, second) >= a * _power_norm(t, first):
            low = high
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        _mixed_power(y, first, second, middle, t)
        if a * _power_norm(t, first) < b * _power_norm(t, second):
            low = middle
        else:
            high = middle
    _mixed_power(y, first, second, low, t)
    divide(t, max(a * _power_norm(t, first), b * _power_norm(t, second)))


def sum_lps(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """a lp + b lr: y is along a (t/|t|_p)^(p-1) + b (t/|t|_r)^(r-1), which fixes the ratio of the two terms."""
    a, first, b, second = p[0], p[1], p[2], p[3]
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        _mixed_power(y, first, second, middle, t)
        have = middle * a * _power_norm(t, second) ** (second - 1.0)
        want = (1.0 - middle) * b * _power_norm(t, first) ** (first - 1.0)
        if have < want:
            low = middle
        else:
            high = middle
    _mixed_power(y, first, second, low, t)
    divide(t, a * _power_norm(t, first) + b * _power_norm(t, second))


def max_l1_lp(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """max(a l1, b lp): t is along the (q-1)-th power of y soft-thresholded at the level where both norms are equal."""
    a, b, power = p[0], p[1], p[2]
    low, high = 0.0, EDGE * y[0]
    _threshold(y, low, power, t)
    if a * _power_norm(t, 1.0) > b * _power_norm(t, power):
        _threshold(y, high, power, t)
        if a * _power_norm(t, 1.0) > b * _power_norm(t, power):
            low = high
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            _threshold(y, middle, power, t)
            if a * _power_norm(t, 1.0) > b * _power_norm(t, power):
                low = middle
            else:
                high = middle
        _threshold(y, low, power, t)
    divide(t, max(a * _power_norm(t, 1.0), b * _power_norm(t, power)))


def _threshold(y: Array, level: float, power: float, t: Array) -> None:
    """Write ((y - level)_+ / its largest entry)^(q-1), 1/power + 1/q = 1."""
    for i in range(len(y)):
        t[i] = (max(y[i] - level, 0.0) / (y[0] - level)) ** (1.0 / (power - 1.0))


def sum_linf_lp(y: Array, w: Array, v: Array, p: Array, t: Array) -> None:
    """a linf + b lp: nu = sum (y - tau)_+ / a = |min(y, tau)|_q / b, and t is along min(y, tau)^(q-1)."""
    a, b, power = p[0], p[1], p[2]
    q = power / (power - 1.0)
    low, high = 0.0, y[0]
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        above = 0.0
        for i in range(len(y)):
            above += max(y[i] - middle, 0.0)
            t[i] = min(y[i], middle)
        if b * above > a * _power_norm(t, q):
            low = middle
        else:
            high = middle
    for i in range(len(y)):
        t[i] = (min(y[i], high) / high) ** (q - 1.0)
    divide(t, a * t[0] + b * _power_norm(t, power))


# --- box norms ---------------------------------------------------------------------------------------------------


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


ALGORITHMS = {
    "max_owl_l2": max_owl_l2,
    "sum_owl_l2": sum_owl_l2,
    "max_dual_l2": max_dual_l2,
    "sum_dual_l2": sum_dual_l2,
    "max_owl_dual": max_owl_dual,
    "sum_owl_dual": sum_owl_dual,
    "max_owls": max_owls,
    "sum_duals": sum_duals,
    "max_lps": max_lps,
    "sum_lps": sum_lps,
    "max_l1_lp": max_l1_lp,
    "sum_linf_lp": sum_linf_lp,
    "dual_box": dual_box,
}
"""What the `algorithm` of a `Search` stage may be."""
