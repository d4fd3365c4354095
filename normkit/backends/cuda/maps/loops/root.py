"""Values defined by one monotone equation, a block per line; see `normkit.codegen.plan.RootPlan` for the rules.

Every thread of a block knows every sum, so that all of them take the same steps; sums run in a fixed order. Magnitudes
are over the power of two near the largest, in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import (
    INFINITE,
    JUMPS,
    MASS,
    SATURATES,
    SPILLS,
    THREADS,
    bits,
    entry,
    fetch,
    first_of,
    index_of,
    later,
    line_start,
    narrow,
    place_of,
    raw_of,
    root_term,
    root_value,
    spill,
    total,
    wide,
)
from normkit.backends.cuda.maps.scalars import exponent, kernel, scalar, scaled

Array = Any
Int = Any  # in the simulator of NumPy's types

EQUATION, RATE, BODY, SUM, COUNTED, ARGUMENT = 0, 1, 2, 3, 4, 5
RECORD = 8
DOUBLINGS = 1000
NEWTON_STEPS = 12


@scalar
def argument(raw: Any, e: Int, kappa: float, limit: float) -> Any:
    """Return kappa * abs(entry) / 2**e, which rounding may not take above the limit."""
    r = kappa * scaled(abs(np.float64(wide(raw))), -e)
    return limit if r > limit else r


@scalar
def level(which: Int, kappa: float, line: Any, sums: Array, t: Int) -> Any:
    """Return the sum of one of the scalars over the nonzero entries of a line, to the whole block."""
    x, base, size, at, e, limit, m, n = line
    s, k = np.float64(0.0), t
    while k < size[2] * size[3]:
        raw = fetch(x, base + place_of(k, size, at))
        if bits(raw) != 0:
            s += np.float64(root_term(which, argument(raw, e, kappa, limit), m, n))
        k += THREADS
    return total(sums, s, t)


@scalar
def above(kappa: float) -> Any:
    """Return the next float64 above a positive one."""
    return np.float64(kappa) if kappa == np.inf else np.int64(np.float64(kappa).view(np.int64) + 1).view(np.float64)


@scalar
def bracket(edge: float, line: Any, sums: Array, t: Int) -> Any:
    """Return low and high with the sum <= 1 at low and above at high, or high at the edge."""
    low = min(np.float64(1.0), 0.5 * edge)
    high = low
    for _ in range(DOUBLINGS):
        if level(EQUATION, low, line, sums, t) <= 1.0:
            break
        high = low
        low = 0.5 * low
    for _ in range(DOUBLINGS):
        if high >= edge or not level(EQUATION, high, line, sums, t) <= 1.0:
            break
        low = high
        high = min(2.0 * high, edge)
    return low, high


@scalar
def newton(low: float, high: float, line: Any, sums: Array, t: Int) -> Any:
    """Return a narrower bracket, and the guess in it, after a few steps of Newton's method."""
    guess = low
    for _ in range(NEWTON_STEPS):
        if not above(low) < high:
            break
        found = level(EQUATION, guess, line, sums, t)
        if found <= 1.0:
            low = max(low, guess)
        else:
            high = min(high, guess)
        step = guess - guess * (found - 1.0) / level(RATE, guess, line, sums, t)
        if abs(step - guess) <= 2.0**-51 * guess:
            break
        guess = step if low < step < high else 0.5 * (low + high)
    return low, high, guess


@scalar
def solved(edge: float, line: Any, sums: Array, t: Int) -> Any:
    """Return the largest kappa <= edge at which the sum is <= 1: a bracket, Newton in it, then bisection."""
    low, high = bracket(edge, line, sums, t)
    low, high, guess = newton(low, high, line, sums, t)
    for tries in range(2):
        ulps = 2.0**-51 if tries == 0 else 2.0**-48
        if high - low > 4.0 * ulps * low:
            left, right = max(low, guess * (1.0 - ulps)), min(high, guess * (1.0 + ulps))
            if level(EQUATION, left, line, sums, t) <= 1.0:
                low = left
                if level(EQUATION, right, line, sums, t) <= 1.0:
                    low = min(right, high)
                else:
                    high = right
            else:
                high = min(high, left)
    middle = 0.5 * (low + high)
    while low < middle < high:
        if level(EQUATION, middle, line, sums, t) <= 1.0:
            low = middle
        else:
            high = middle
        middle = 0.5 * (low + high)
    return low


@kernel
def solve(
    x: Array,
    at: Any,
    size: Any,
    limit: float,
    saturation: float,
    rate: float,
    m: float,
    n: float,
    times: float,
    records: Array,
    places: Array,
    values: Array,
) -> None:
    """Write the value of every line, a block each, and what its map needs.

    A record: e, kappa, the map's s, kappa's neighbour, its s, the neighbour's share, what the largest entry gets on
    top, and what the map is: 0 zero, 1 `flat` at every entry, 2 the entry at kappa, 3 only at the largest entry.
    """
    sums = cuda.shared.array(THREADS, np.float64)
    tops = cuda.shared.array(THREADS, np.int64)
    indices = cuda.shared.array(THREADS, np.int64)
    t, row = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x)
    base, k, top, where = line_start(row, size, at), t, np.int64(-1), np.int64(0)
    while k < size[2] * size[3]:
        here = np.int64(bits(fetch(x, base + place_of(k, size, at))))
        if later(top, where, here, index_of(k, size)):
            top, where = here, index_of(k, size)
        k += THREADS
    tops[t], indices[t] = top, where
    first_of(tops, indices, t, t)
    top, record = tops[0], row * RECORD
    if t == 0:
        places[row] = indices[0]
        for place in range(RECORD):
            records[record + place] = np.float64(0.0)
        if top == 0 or top >= INFINITE:
            values[row] = np.float64(0.0) if top == 0 else np.float64(np.nan)
    if top == 0 or top >= INFINITE:
        return
    largest = np.float64(wide(raw_of(top)))
    e = exponent(largest)
    line, one = (x, base, size, at, e, limit, m, n), np.float64(1.0)
    full = False
    if SATURATES:
        full = level(COUNTED, one, line, sums, t) * saturation <= 1.0
    if full:
        made = rate * level(ARGUMENT, one, line, sums, t)
        if t == 0:
            values[row], records[record + 7] = times * scaled(made, e), one
        return
    edge = limit / scaled(largest, -e)
    stopped = edge < np.inf and level(EQUATION, edge, line, sums, t) <= 1.0
    kappa = edge if stopped else solved(edge, line, sums, t)
    made = np.float64(root_value(kappa, level(BODY, kappa, line, sums, t), m, n))
    s = level(SUM if MASS else BODY, kappa, line, sums, t)
    then, share, beside = above(kappa), np.float64(0.0), one
    spills = SPILLS and stopped
    if JUMPS and not spills and then < edge:
        first, second = level(EQUATION, kappa, line, sums, t), level(EQUATION, then, line, sums, t)
        beside = level(SUM if MASS else BODY, then, line, sums, t)
        share = (1.0 - first) / (second - first)
        share = share if abs(share) < np.inf else np.float64(0.0)
    left = np.float64(spill(kappa, level(EQUATION, kappa, line, sums, t), m, n)) if spills else np.float64(0.0)
    if t == 0:
        values[row] = times * scaled(made, e)
        records[record], records[record + 1], records[record + 2] = np.float64(e), kappa, s
        records[record + 3], records[record + 4], records[record + 5] = then, beside, share
        records[record + 6], records[record + 7] = left, np.float64(3.0 if MASS and spills else 2.0)


@kernel
def spread(
    x: Array,
    at: Any,
    out: Array,
    to: Any,
    size: Any,
    limit: float,
    rate: float,
    m: float,
    n: float,
    times: float,
    gain: Array,
    records: Array,
    places: Array,
) -> None:
    """Write gain * map, a thread per entry."""
    task, length = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x), size[2] * size[3]
    row, k = task // length, task % length
    if row >= size[0] * size[1]:
        return
    raw = fetch(x, line_start(row, size, at) + place_of(k, size, at))
    record, up, made = row * RECORD, gain[row] * times, np.float64(0.0)
    kind = records[record + 7]
    if bits(raw) != 0 and kind > 0.0 and up != 0.0:
        if kind == 1.0:
            made = up * rate
        else:
            e, share = np.int64(records[record]), records[record + 5]
            kappa, then = records[record + 1], records[record + 3]
            if kind == 2.0:
                one = entry(argument(raw, e, kappa, limit), kappa, records[record + 2], m, n)
                made = up * (1.0 - share) * one
                if share != 0.0:
                    other = entry(argument(raw, e, then, limit), then, records[record + 4], m, n)
                    made = made + up * share * other
            if index_of(k, size) == places[row]:
                made = made + up * records[record + 6]
    target = np.uint64(line_start(row, size, to) + place_of(k, size, to))
    out[target] = narrow(made if wide(raw) > 0 else (-made if wide(raw) < 0 else np.float64(0.0)))
