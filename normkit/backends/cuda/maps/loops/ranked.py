"""Formulas on sorted magnitudes: running sums, the split into head and tail, the final sums, and the map.

A record holds j, y, z, W, y_1 and the stats of one line. Magnitudes are over the power of two near the largest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps.loops.bindings import (
    COUNT,
    INFINITE,
    KIND,
    SLOTS,
    THREADS,
    WEIGHTED,
    fetch,
    first_of,
    head,
    later,
    line_start,
    narrow,
    order_of,
    place_of,
    raw_of,
    region,
    rule,
    stat,
    tail,
    total,
    value,
    wide,
)
from normkit.backends.cuda.maps.scalars import exponent, kernel, scalar, scaled

Array = Any
Int = Any  # in the simulator of NumPy's types

SHARED = 5
LARGEST = 0x7FFFFFFFFFFFFFFF


@scalar
def magnitude(keys: Array, place: Int, e: Int) -> Any:
    """Return the magnitude of a sorted entry over 2**e."""
    return scaled(np.float64(wide(raw_of(LARGEST ^ keys[np.uint64(place)]))), -e)


@scalar
def line_exponent(keys: Array, start: Int) -> Any:
    """Return e of a line, from its first entry; 0 where it is not finite."""
    top = LARGEST ^ keys[start]
    return np.int64(0) if top >= INFINITE else exponent(np.float64(wide(raw_of(top))))


@scalar
def weight(w: Array, i: Int) -> Any:
    """Return the weight of rank i + 1; 0 in a norm without weights."""
    return w[np.uint64(i)] if WEIGHTED else np.float64(0.0)


@scalar
def term(k: Int, keys: Array, start: Int, i: Int, e: Int, w: Array, top: float, m: float, n: float) -> Any:
    """Return what rank i + 1 adds to stat k, or to the sum of weights if k is COUNT."""
    if k == COUNT:
        return weight(w, i)
    return np.float64(stat(k, magnitude(keys, start + i, e), weight(w, i), top, m, n))


@kernel
def scan(keys: Array, padded: Int, length: Int, w: Array, m: float, n: float, sums: Array) -> None:
    """Write the running sums of stat k of a line for all lengths of the head; a block per line and k.

    sums (k, line, length + 1): entry j of a stat of the tail is its sum when the head has j entries, added from the
    smallest; of all others it is the sum over the first j. The last k are the weights.
    """
    shared = cuda.shared.array(THREADS, np.float64)
    t, task = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x)
    k, line = task % (COUNT + 1), task // (COUNT + 1)
    lines = np.int64(cuda.gridDim.x) // (COUNT + 1)
    start, into = line * padded, (k * lines + line) * (length + 1)
    e = line_exponent(keys, start)
    top, carry = magnitude(keys, start, e), np.float64(0.0)
    behind = k < COUNT and region(k) == 1
    if t == 0:
        sums[into + (length if behind else np.int64(0))] = np.float64(0.0)
    for first in range(0, length, THREADS):
        i = length - 1 - (first + t) if behind else first + t
        cuda.syncthreads()
        shared[t] = term(k, keys, start, i, e, w, top, m, n) if first + t < length else np.float64(0.0)
        cuda.syncthreads()
        step = 1
        while step < THREADS:
            more = shared[t - step] if t >= step else np.float64(0.0)
            cuda.syncthreads()
            shared[t] += more
            cuda.syncthreads()
            step *= 2
        if first + t < length:
            sums[into + (i if behind else i + 1)] = carry + shared[t]
        carry += shared[THREADS - 1]


@kernel
def split(
    keys: Array, padded: Int, length: Int, low: Int, high: Int, m: float, n: float, sums: Array, heads: Array
) -> None:
    """Find the length of the head of every line, a block each, from its running sums."""
    scores = cuda.shared.array(THREADS, np.float64)
    places = cuda.shared.array(THREADS, np.int64)
    stats = cuda.local.array(SLOTS, np.float64)
    t, line, lines = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x), np.int64(cuda.gridDim.x)
    start = line * padded
    e = line_exponent(keys, start)
    top, best, chosen, j = magnitude(keys, start, e), np.float64(-np.inf), low, low + t
    while j <= high:
        for k in range(COUNT):
            into = (k * lines + line) * (length + 1)
            stats[k] = sums[into + (length if region(k) == 2 else j)]
        y = magnitude(keys, start + j - 1, e) if j > 0 else np.float64(np.inf)
        z = magnitude(keys, start + j, e) if j < length else np.float64(0.0)
        weights, nought = sums[(COUNT * lines + line) * (length + 1) + j], np.float64(0.0)
        found = rule(nought, nought, np.float64(j), y, z, weights, top, stats, m, n)
        if KIND == 3:
            score = np.float64(found)
        else:
            score = (np.float64(-j) if KIND == 1 else np.float64(j)) if found else np.float64(-np.inf)
        if later(best, chosen, score, j):
            best, chosen = score, j
        j += THREADS
    scores[t], places[t] = best, chosen
    first_of(scores, places, t, t)
    if t == 0:
        none = scores[0] == -np.inf
        heads[line] = (high if KIND == 1 else low) if none else places[0]


@kernel
def settle(
    keys: Array,
    padded: Int,
    length: Int,
    fixed: Int,
    w: Array,
    m: float,
    n: float,
    times: float,
    heads: Array,
    records: Array,
    values: Array,
) -> None:
    """Take the sums, and the value, of every line whose head is known, a block each; `fixed` >= 0 is all heads."""
    sums = cuda.shared.array(THREADS, np.float64)
    t, line = np.int64(cuda.threadIdx.x), np.int64(cuda.blockIdx.x)
    start, record = line * padded, line * (SHARED + COUNT)
    e = line_exponent(keys, start)
    top, j = magnitude(keys, start, e), heads[line] if fixed < 0 else fixed
    for k in range(COUNT + 1):
        where = region(k) if k < COUNT else 0
        i, stop, s = (j if where == 1 else np.int64(0)) + t, j if where == 0 else length, np.float64(0.0)
        while i < stop:
            s += term(k, keys, start, i, e, w, top, m, n)
            i += THREADS
        s = total(sums, s, t)
        if t == 0:
            records[record + (3 if k == COUNT else SHARED + k)] = s
    if t > 0:
        return
    y = magnitude(keys, start + j - 1, e) if j > 0 else np.float64(np.inf)
    z = magnitude(keys, start + j, e) if j < length else np.float64(0.0)
    records[record], records[record + 1], records[record + 2], records[record + 4] = np.float64(j), y, z, top
    stats, nought = records[record + SHARED : record + SHARED + COUNT], np.float64(0.0)
    if (LARGEST ^ keys[start]) >= INFINITE:
        values[line] = np.float64(np.nan)
    elif top == 0.0:
        values[line] = nought
    else:
        made = np.float64(value(nought, nought, np.float64(j), y, z, records[record + 3], top, stats, m, n))
        values[line] = times * scaled(made, e)


@kernel
def scatter(
    x: Array,
    at: Any,
    out: Array,
    to: Any,
    size: Any,
    padded: Int,
    keys: Array,
    order: Array,
    w: Array,
    m: float,
    n: float,
    times: float,
    gain: Array,
    records: Array,
) -> None:
    """Write the map of the sorted entries to their places."""
    task, length = np.int64(cuda.blockIdx.x) * THREADS + np.int64(cuda.threadIdx.x), size[2] * size[3]
    line, i = task // length, task % length
    if line >= size[0] * size[1]:
        return
    start, record, up = line * padded, line * (SHARED + COUNT), gain[line] * times
    there = order_of(np.int64(order[start + i]), size)
    entry = wide(fetch(x, line_start(line, size, at) + place_of(there, size, at)))
    target = np.uint64(line_start(line, size, to) + place_of(there, size, to))
    j, y, z, weights, top = (
        records[record],
        records[record + 1],
        records[record + 2],
        records[record + 3],
        records[record + 4],
    )
    stats, made = records[record + SHARED : record + SHARED + COUNT], np.float64(0.0)
    if up != 0.0 and entry != 0 and top > 0.0:
        a = magnitude(keys, start + i, line_exponent(keys, start))
        if i < j:
            made = np.float64(up * head(a, weight(w, i), j, y, z, weights, top, stats, m, n))
        else:
            made = np.float64(up * tail(a, weight(w, i), j, y, z, weights, top, stats, m, n))
    out[target] = narrow(made if entry > 0 else -made)
