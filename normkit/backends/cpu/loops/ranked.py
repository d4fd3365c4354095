"""Formulas on sorted magnitudes: the split into head and tail by running sums, the final sums, and the map.

A record holds j, y, z, W, y_1 and the stats of one line. Magnitudes are scaled by f * g. Only the K largest are
sorted; `rest` holds the sums over the others. An entry is among the first r of the order exactly if its magnitude
exceeds that of rank r, or equals it and its index is not larger.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.loops.bindings import COUNT, KIND, REGIONS, WEIGHTED, head, rule, stat, tail
from normkit.backends.cpu.scalars import kernel, scalar, summing

Array = NDArray[Any]

SHARED = 5
"""Entries of a record before the stats."""
SPAN = 4096
"""Lengths of the head whose tail sums are held at a time."""


@scalar
def weight(w: Array, i: int) -> float:
    """Return the weight of rank i + 1; 0 in a norm without weights."""
    return w[i] if WEIGHTED else 0.0


@summing
def rank_total(
    k: int, ranks: Array, start: int, stop: int, f: float, g: float, w: Array, top: float, m: float, n: float
) -> float:
    """Sum stat k over the ranks [start, stop)."""
    s = 0.0
    for i in range(start, stop):
        s += stat(k, np.float64(ranks[i]) * f * g, weight(w, i), top, m, n)
    return s


@scalar
def blocked_total(
    k: int, ranks: Array, start: int, stop: int, size: int, f: float, g: float, w: Array, top: float, m: float, n: float
) -> float:
    """Sum stat k over the ranks [start, stop), block by block."""
    s = 0.0
    for at in range(start, stop, size):
        s += rank_total(k, ranks, at, min(stop, at + size), f, g, w, top, m, n)
    return s


@summing
def weight_total(w: Array, start: int, stop: int) -> float:
    """Sum the weights of the ranks [start, stop)."""
    s = 0.0
    for i in range(start, stop):
        s += weight(w, i)
    return s


@scalar
def last_marks(
    ranks: Array, rest: Array, low: int, high: int, f: float, g: float, w: Array, top: float, m: float, n: float
) -> Array:
    """Return the tail sums for heads of low + SPAN, low + 2 SPAN, ... and `high` entries, added from the smallest."""
    marks = np.zeros((COUNT, (high - low) // SPAN + 1))
    for k in range(COUNT):
        if REGIONS[k] == "tail":
            s = rest[k] + rank_total(k, ranks, high, ranks.size, f, g, w, top, m, n)
            marks[k, (high - low) // SPAN] = s
            for j in range(high - 1, low - 1, -1):
                if (j + 1 - low) % SPAN == 0:
                    marks[k, (j + 1 - low) // SPAN - 1] = s
                s += stat(k, np.float64(ranks[j]) * f * g, weight(w, j), top, m, n)
    return marks


@scalar
def fill_tails(
    tails: Array,
    marks: Array,
    ranks: Array,
    start: int,
    stop: int,
    span: int,
    f: float,
    g: float,
    w: Array,
    top: float,
    m: float,
    n: float,
) -> None:
    """Write the tail sums for heads of start..stop-1 entries, from the one for a head of `stop`, by the same sums."""
    for k in range(COUNT):
        if REGIONS[k] == "tail":
            s = marks[k, span]
            for j in range(stop - 1, start - 1, -1):
                s += stat(k, np.float64(ranks[j]) * f * g, weight(w, j), top, m, n)
                tails[k, j - start] = s


@scalar
def split(ranks: Array, rest: Array, low: int, high: int, f: float, g: float, w: Array, m: float, n: float) -> int:
    """Return j, found by one scan over the lengths of the head with running sums."""
    top = np.float64(ranks[0]) * f * g
    stats, whole = np.zeros(COUNT), np.zeros(COUNT)
    behind = "tail" in REGIONS
    marks = last_marks(ranks, rest, low, high, f, g, w, top, m, n) if behind else np.zeros((COUNT, 1))
    tails = np.zeros((COUNT, SPAN if behind else 1))
    for k in range(COUNT):
        if REGIONS[k] == "all":
            whole[k] = rest[k] + rank_total(k, ranks, 0, ranks.size, f, g, w, top, m, n)
        stats[k] = rank_total(k, ranks, 0, low, f, g, w, top, m, n)
    weights = weight_total(w, 0, low)
    chosen, best = (high if KIND == "first" else low), -np.inf
    for j in range(low, high + 1):
        if behind and (j - low) % SPAN == 0:
            span = (j - low) // SPAN
            fill_tails(tails, marks, ranks, j, min(j + SPAN, high), span, f, g, w, top, m, n)
        if j > low:
            a = np.float64(ranks[j - 1]) * f * g
            weights += weight(w, j - 1)
            for k in range(COUNT):
                if REGIONS[k] == "head":
                    stats[k] += stat(k, a, weight(w, j - 1), top, m, n)
        for k in range(COUNT):
            if REGIONS[k] == "tail":
                stats[k] = marks[k, (high - low) // SPAN] if j == high else tails[k, (j - low) % SPAN]
            elif REGIONS[k] == "all":
                stats[k] = whole[k]
        above = np.float64(ranks[j - 1]) * f * g if j > 0 else np.inf
        below = np.float64(ranks[j]) * f * g if j < ranks.size else 0.0
        score = rule(0.0, 0.0, np.float64(j), above, below, weights, top, stats, m, n)
        if KIND == "argmax":
            if score > best:
                chosen, best = j, score
        elif score:
            chosen = j
            if KIND == "first":
                break
    return chosen


@kernel
def splits(
    first: int,
    last: int,
    ranks: Array,
    rest: Array,
    low: int,
    high: int,
    f: Array,
    g: Array,
    w: Array,
    m: float,
    n: float,
    heads: Array,
) -> None:
    """Find the length of the head of every line: ranks (L, K), rest (L, COUNT), f, g, heads (L,)."""
    for line in range(first, last):
        heads[line] = split(ranks[line], rest[line], low, high, f[line], g[line], w, m, n)


@kernel
def settle(
    first: int,
    last: int,
    ranks: Array,
    rest: Array,
    heads: Array,
    size: int,
    f: Array,
    g: Array,
    w: Array,
    m: float,
    n: float,
    records: Array,
) -> None:
    """Take the sums of every line whose head is known: ranks (L, K), rest (L, COUNT), heads, f, g (L,)."""
    for line in range(first, last):
        here, record = ranks[line], records[line]
        by, then, j = f[line], g[line], heads[line]
        top = np.float64(here[0]) * by * then
        record[0] = j
        record[1] = np.float64(here[j - 1]) * by * then if j > 0 else np.inf
        record[2] = np.float64(here[j]) * by * then if j < here.size else 0.0
        record[3] = weight_total(w, 0, j)
        record[4] = top
        for k in range(COUNT):
            start = j if REGIONS[k] == "tail" else 0
            stop = j if REGIONS[k] == "head" else here.size
            more = 0.0 if REGIONS[k] == "head" else rest[line, k]
            record[SHARED + k] = more + blocked_total(k, here, start, stop, size, by, then, w, top, m, n)


@summing
def total_below(k: int, x: Array, edge: float, ties: bool, f: float, g: float, top: float, m: float, n: float) -> float:
    """Sum stat k over the magnitudes below `edge`, and equal to it if `ties`."""
    s = 0.0
    for i in range(x.size):
        magnitude = abs(x[i])
        counts = magnitude <= edge if ties else magnitude < edge
        s += stat(k, np.float64(magnitude) * f * g, 0.0, top, m, n) if counts else 0.0
    return s


@kernel
def rests(
    first: int,
    last: int,
    x: Array,
    size: int,
    edges: Array,
    places: Array,
    f: Array,
    g: Array,
    tops: Array,
    m: float,
    n: float,
    out: Array,
) -> None:
    """Sum over the entries after rank K, whose magnitude is edges (L,) and whose index is places (L,).

    x (L, length), out (L, blocks, COUNT); tasks are blocks of `size` entries.
    """
    length, blocks = x.shape[1], out.shape[1]
    for task in range(first, last):
        line, block = divmod(task, blocks)
        start, stop = block * size, min(length, (block + 1) * size)
        middle = min(max(places[line] + 1, start), stop)
        for k in range(COUNT):
            if REGIONS[k] != "head":
                shared = edges[line], f[line], g[line], tops[line]
                before = total_below(k, x[line, start:middle], shared[0], False, shared[1], shared[2], shared[3], m, n)
                after = total_below(k, x[line, middle:stop], shared[0], True, shared[1], shared[2], shared[3], m, n)
                out[line, block, k] = before + after


@scalar
def spread(
    x: Array, edge: float, ties: bool, gain: float, f: float, g: float, record: Array, m: float, n: float, out: Array
) -> None:
    """Write gain * sign(x) * head where the magnitude exceeds `edge`, or equals it if `ties`; else with tail."""
    j, y, z, W, top, stats = record[0], record[1], record[2], record[3], record[4], record[SHARED:]
    for i in range(x.size):
        magnitude = abs(x[i])
        inside = magnitude >= edge if ties else magnitude > edge
        a = np.float64(magnitude) * f * g
        ahead = (a, 0.0, j, y, z, W, top)
        value = gain * (head(*ahead, stats, m, n) if inside else tail(*ahead, stats, m, n))
        out[i] = value if x[i] > 0 else (-value if x[i] < 0 else 0.0)


@kernel
def spreads(
    first: int,
    last: int,
    x: Array,
    size: int,
    edges: Array,
    places: Array,
    gain: Array,
    f: Array,
    g: Array,
    records: Array,
    m: float,
    n: float,
    out: Array,
) -> None:
    """Write the map where it does not depend on the weight of a rank: the head ends at edges and places (L,)."""
    length = x.shape[1]
    blocks = (length + size - 1) // size
    for task in range(first, last):
        line, block = divmod(task, blocks)
        start, stop = block * size, min(length, (block + 1) * size)
        if gain[line] == 0.0:
            out[line, start:stop] = 0
            continue
        middle = min(max(places[line] + 1, start), stop)
        edge, up, by, then, record = edges[line], gain[line], f[line], g[line], records[line]
        spread(x[line, start:middle], edge, True, up, by, then, record, m, n, out[line, start:middle])
        spread(x[line, middle:stop], edge, False, up, by, then, record, m, n, out[line, middle:stop])


@kernel
def scatter(
    first: int,
    last: int,
    x: Array,
    size: int,
    order: Array,
    w: Array,
    gain: Array,
    f: Array,
    g: Array,
    records: Array,
    m: float,
    n: float,
    out: Array,
) -> None:
    """Write the map of the sorted entries to their places; tasks are blocks of `size` ranks."""
    kept = order.shape[1]
    blocks = (kept + size - 1) // size
    for task in range(first, last):
        line, block = divmod(task, blocks)
        record, up = records[line], gain[line]
        j, y, z, W, top, stats = record[0], record[1], record[2], record[3], record[4], record[SHARED:]
        for i in range(block * size, min(kept, (block + 1) * size)):
            place = order[line, i]
            entry = x[line, place]
            a = abs(np.float64(entry)) * f[line] * g[line]
            if up == 0.0 or entry == 0:
                continue
            if i < j:
                value = up * head(a, weight(w, i), j, y, z, W, top, stats, m, n)
            else:
                value = up * tail(a, weight(w, i), j, y, z, W, top, stats, m, n)
            out[line, place] = value if entry > 0 else -value
