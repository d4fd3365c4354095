"""What the Python of `normkit.formulas.python` calls: source text, put at the head of every module it writes."""

from __future__ import annotations

SOURCE = """\
import math
from functools import cache


def _flat(array):
    return [x for row in array for x in _flat(row)] if isinstance(array, (list, tuple)) else [array]


def _sign(x):
    return (x > 0) - (x < 0)


def _first_argmax(scored):
    best, place = -math.inf, None
    for score, here in scored:
        if score > best:
            best, place = score, here
    return place


def _largest(k, values):
    return math.inf if k == 0 else sorted(values, reverse=True)[k - 1] if k <= len(values) else 0.0


def _rank(place, scored):
    return [here for _, here in sorted(scored, key=lambda each: -each[0])].index(place) + 1


def _split(kind, rule, low, high, count):
    low = max(0, low)
    places = list(range(low, max(low, min(count, high)) + 1))
    if kind == "argmax":
        return max(places, key=rule)
    found = [j for j in places if rule(j)]
    return (found or places[-1:])[0] if kind == "first" else (found or places[:1])[-1]


@cache
def _decomposition(grid):
    import numpy as np

    return np.linalg.svd(np.array(grid, dtype=float), full_matrices=False)


def _singular(place, row, k, grid):
    left, values, right = _decomposition(tuple(map(tuple, grid)))
    if place == 0:
        return math.inf if k == 0 else float(values[k - 1]) if k <= len(values) else 0.0
    if values[0] == 0:
        return 0.0
    return float(left[row - 1, k - 1] if place == 1 else right[k - 1, row - 1])


def _inverse(rows):
    import numpy as np

    return np.linalg.inv(np.array(rows, dtype=float)).tolist()


def _root(left, cap, side):
    def below(at):
        try:
            return left(at) <= 1
        except (OverflowError, ValueError, ZeroDivisionError):
            return False

    if cap != math.inf and below(cap):
        return cap
    low = high = 1.0
    while below(high):
        high *= 2
    while not below(low):
        low /= 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if below(middle) else (low, middle)
    return high if side else low


def _inverse_at(function, low, high, level):
    if high == math.inf:
        high = low + 1.0
        while function(high) < level:
            high = low + 2 * (high - low)
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if function(middle) <= level else (low, middle)
    return low


def _maximiser(name, y, w, v, scalars):
    import numpy as np
    from normkit.backends.search import ALGORITHMS

    found = np.zeros(len(y))
    if y[0] > 0:
        ALGORITHMS[name](*(np.array(each, dtype=float) for each in (y, w, v, scalars)), found)
    return found.tolist()
"""
