"""Maximisers over sums and maxima of ordered weighted l1 norms, their duals and l2, with many digits.

y is sorted decreasingly, y[0] > 0. O is owl(w): sum w_i t_i; D is the dual of owl(v): max_k of (t_1 + ... + t_k) /
(v_1 + ... + v_k). Every search returns t up to scale, and N(t).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath

Vector = list[Any]


def inner(u: Sequence[Any], t: Sequence[Any]) -> Any:
    """Return the sum of products."""
    return mpmath.fsum(a * b for a, b in zip(u, t, strict=True))


def euclid(t: Vector) -> Any:
    """Return the l2 norm."""
    return mpmath.sqrt(inner(t, t))


def running(t: Vector) -> Vector:
    """Return the sums of the first 1, 2, ... entries."""
    sums, total = [], mpmath.mpf(0)
    for each in t:
        total += each
        sums.append(total)
    return sums


def prefix(t: Vector, v: Vector) -> Any:
    """Return D(t)."""
    return max(above / below for above, below in zip(running(t), running(v), strict=True))


def blocks(d: Vector) -> list[tuple[int, int, Any]]:
    """Return (start, end, mean) of the blocks of the nonincreasing regression of d: pool adjacent violators."""
    found: list[tuple[int, int, Any]] = []
    for at, each in enumerate(d):
        start, mean = at, each
        while found and found[-1][2] <= mean:
            first, end, level = found.pop()
            mean = (level * (end - first) + mean * (at + 1 - start)) / (at + 1 - first)
            start = first
        found.append((start, at + 1, mean))
    return found


def proximal(y: Vector, w: Vector, level: Any) -> Vector:
    """Return the proximal point of level * O at y."""
    u: Vector = []
    for start, end, mean in blocks([a - level * b for a, b in zip(y, w, strict=True)]):
        u += [max(mean, mpmath.mpf(0))] * (end - start)
    return u


def face(d: Vector, v: Vector) -> Vector:
    """Return a maximiser of <d, t> over nonincreasing t >= 0 with D(t) <= 1: v averaged over d's blocks."""
    t: Vector = []
    for start, end, mean in blocks(d):
        weight = mpmath.fsum(v[start:end]) / (end - start) if mean > 0 else mpmath.mpf(0)
        t += [weight] * (end - start)
    return t


def between(below: Callable[[Any], bool], low: Any, high: Any) -> tuple[Any, Any]:
    """Bisect: `below` holds up to the root sought; return the last two points."""
    low, high = mpmath.mpf(low), mpmath.mpf(high)
    for _ in range(mpmath.mp.prec + 8):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return low, high


def max_owl_l2(y: Vector, w: Vector, v: Vector, p: Vector) -> tuple[Vector, Any]:
    """max(O, b l2): along prox of lambda O, with b |t|_2 = O(t), or along y where the l2 norm rules."""
    (b,) = p
    t, top = y, prefix(y, w)
    if inner(t, w) > b * euclid(t):
        low, _ = between(lambda at: inner(proximal(y, w, at), w) > b * euclid(proximal(y, w, at)), 0, top)
        t = proximal(y, w, low)
    return t, max(inner(t, w), b * euclid(t))


def sum_owl_l2(y: Vector, w: Vector, v: Vector, p: Vector) -> tuple[Vector, Any]:
    """O + b l2: along prox of lambda O at y with |prox|_2 = b lambda."""
    (b,) = p
    low, _ = between(lambda at: euclid(proximal(y, w, at)) > b * at, 0, prefix(y, w))
    t = proximal(y, w, low)
    return t, inner(t, w) + b * euclid(t)


def max_dual_l2(y: Vector, v: Vector, _: Vector, p: Vector) -> tuple[Vector, Any]:
    """max(D, b l2): the projection of y / mu on the ball of D, mu with b |t|_2 = 1; D alone if that fits."""
    (b,) = p
    top = prefix(y, v)
    if b * euclid(y) >= top:
        return y, b * euclid(y)
    t: Vector = []
    for value in sorted(set(y), reverse=True):
        tied = [weight for at, weight in enumerate(v) if y[at] == value]
        t += [mpmath.fsum(tied) / len(tied) if value > 0 else mpmath.mpf(0)] * len(tied)
    if b * euclid(t) > 1:

        def rest(level: Any) -> Vector:
            return [a - u for a, u in zip(y, proximal(y, v, level), strict=True)]

        _, high = between(lambda at: b * euclid(rest(at)) > at, 0, top)
        t = rest(high)
    return t, max(prefix(t, v), b * euclid(t))


def sum_dual_l2(y: Vector, v: Vector, _: Vector, p: Vector) -> tuple[Vector, Any]:
    """D + b l2: along y - u with |y - u|_2 = b O(u), u = prox of lambda O at y."""
    (b,) = p

    def rest(u: Vector) -> Vector:
        return [a - each for a, each in zip(y, u, strict=True)]

    def below(level: Any) -> bool:
        u = proximal(y, v, level)
        return bool(euclid(rest(u)) < b * inner(u, v))

    _, high = between(below, 0, prefix(y, v))
    t = rest(proximal(y, v, high))
    return t, prefix(t, v) + b * euclid(t)


def max_owl_dual(y: Vector, w: Vector, v: Vector, p: Vector) -> tuple[Vector, Any]:
    """max(O, D): t(lambda) maximises <y - lambda w, t> over the ball of D; a mixture at the jump of O(t)."""

    def at(level: Any) -> Vector:
        return face([a - level * b for a, b in zip(y, w, strict=True)], v)

    t = at(mpmath.mpf(0))
    if inner(t, w) > 1:
        # Just above the largest multiplier every block is negative, whatever the rounding: t is 0 there.
        low, high = between(lambda level: inner(at(level), w) > 1, 0, prefix(y, w) * (1 + mpmath.mpf(10) ** -30))
        one, two = at(low), at(high)
        above, below = inner(one, w), inner(two, w)
        share = (1 - below) / (above - below)
        t = [share * a + (1 - share) * b for a, b in zip(one, two, strict=True)]
    return t, max(inner(t, w), prefix(t, v))


def sum_owl_dual(y: Vector, w: Vector, v: Vector, p: Vector) -> tuple[Vector, Any]:
    """O + D: the largest ratio <y, t> / (O(t) + D(t)) over the faces of D's ball (Dinkelbach's iteration)."""
    level, best = mpmath.mpf(0), face(y, v)
    while True:
        t = face([a - level * b for a, b in zip(y, w, strict=True)], v)
        size = inner(t, w) + prefix(t, v)
        if size == 0 or inner(y, t) / size <= level:
            return best, inner(best, w) + prefix(best, v)
        level, best = inner(y, t) / size, t


def max_owls(y: Vector, w: Vector, v: Vector, p: Vector) -> tuple[Vector, Any]:
    """max(O, O'): the best mixture of two leading blocks of ones: N* is the larger of a linear programme's vertices."""
    one, two, sums = running(w), running(v), running(y)
    best: tuple[Any, Vector] = (mpmath.mpf(-1), [])
    for first in range(len(y)):
        for second in range(first, len(y)):
            for c, d in _shares(one[first], two[first], one[second], two[second]):
                gain = c * sums[first] + d * sums[second]
                if gain > best[0]:
                    t = [(c if at <= first else 0) + (d if at <= second else mpmath.mpf(0)) for at in range(len(y))]
                    best = (gain, t)
    t = best[1]
    return t, max(inner(t, w), inner(t, v))


def _shares(p1: Any, q1: Any, p2: Any, q2: Any) -> list[tuple[Any, Any]]:
    """Vertices of c p1 + d p2 <= 1, c q1 + d q2 <= 1, c, d >= 0."""
    found = [(1 / max(p1, q1), mpmath.mpf(0)), (mpmath.mpf(0), 1 / max(p2, q2))]
    determinant = p1 * q2 - p2 * q1
    if determinant != 0:
        c, d = (q2 - p2) / determinant, (p1 - q1) / determinant
        if c >= 0 and d >= 0:
            found.append((c, d))
    return found


def sum_duals(y: Vector, w: Vector, v: Vector, p: Vector) -> tuple[Vector, Any]:
    """D + D': running sums min(theta W_k, (1 - theta) V_k), theta one of the kinks V_k / (W_k + V_k)."""
    one, two = running(w), running(v)

    def at(theta: Any) -> Vector:
        sums = [min(theta * a, (1 - theta) * b) for a, b in zip(one, two, strict=True)]
        return [after - before for after, before in zip(sums, [mpmath.mpf(0), *sums], strict=False)]

    t = max((at(b / (a + b)) for a, b in zip(one, two, strict=True)), key=lambda each: inner(y, each))
    return t, prefix(t, w) + prefix(t, v)
