"""Stable descending order of magnitudes: the whole of it, or the top of it.

A magnitude is read as a 63-bit integer that grows with it, and inverted, so that ascending keys are
descending magnitudes. Half of a key and its index share one 64-bit word, so that a pass of the sort moves
one stream of words. float32 needs one sort of such pairs, float64 two (lower halves first, as the sort is
stable). Long arrays are cut by their leading key bits into groups that are sorted one after the other,
which bounds the memory, and ends early when only the top is wanted. The stable order is unique: nothing
depends on the number of threads. Zeros of either sign are equal; NaN is excluded by the caller; lengths
stay below 2**31.

numba crashes in a cached function that was linked with a parallel function read back from the cache. Here
parallel functions are therefore not cached, and what Python calls is a cached shell around one of them.
Compiled callers use the `_inner` functions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit, prange, types
from numba.extending import overload
from numpy.typing import NDArray

from normkit.backends.cpu.jit import cached
from normkit.backends.cpu.radix import BLOCKS, Words, sort_pairs, sort_pairs_serial

Floats = NDArray[np.float32] | NDArray[np.float64]
Order = NDArray[np.int32]

LARGE = 1 << 15  # below, starting threads costs more than it saves
GROUP = 18  # bytes of x for each entry sorted at a time: pairs, spares and counts take no more room than x
LEADS = 1 << 15  # the leading 15 bits of a key: exponent, and 7 (float32) or 4 (float64) bits of mantissa
LEAD_SHIFT = np.uint64(48)
KEY_BITS = np.uint64(0x7FFFFFFFFFFFFFFF)
HALF = np.uint64(32)
LOWER = np.uint64(0xFFFFFFFF)


def key_of(value: float) -> np.uint64:
    """Inverted bits of |value|, left-aligned in 63 bits: descending magnitudes have ascending keys."""
    raise NotImplementedError("compiled code only")


@overload(key_of, strict=False)
def _key_of(value: types.Type) -> Callable[[float], np.uint64]:
    if value == types.float32:
        return lambda value: KEY_BITS ^ (np.uint64(np.float32(abs(value)).view(np.uint32)) << HALF)
    return lambda value: KEY_BITS ^ np.float64(abs(value)).view(np.uint64)


@cached()
def count_leads(x: Floats, start: int, stop: int, counts: NDArray[np.int32]) -> None:
    """Count the leading key bits of x[start:stop]."""
    counts[:] = 0
    for i in range(start, stop):
        counts[key_of(x[i]) >> LEAD_SHIFT] += 1


@cached()
def collect(x: Floats, start: int, stop: int, first: int, last: int, pairs: Words) -> None:
    """Fill pairs with (0, index) of the entries x[start:stop] led by bits in [first, last)."""
    place = 0
    if 8 * pairs.size < stop - start:
        for i in range(start, stop):
            if first <= np.int64(key_of(x[i]) >> LEAD_SHIFT) < last:
                pairs[place] = np.uint64(i)
                place += 1
        return
    i = start
    while place < pairs.size:  # no branch, as it would be mispredicted: written, then kept or not
        lead = np.int64(key_of(x[i]) >> LEAD_SHIFT)
        pairs[place] = np.uint64(i)
        place += int((first <= lead) & (lead < last))
        i += 1


@cached()
def set_keys(x: Floats, start: int, stop: int, upper: bool, pairs: Words) -> None:
    """Put the upper or lower half of the key of its index into each of pairs[start:stop]."""
    for i in range(start, stop):
        index = pairs[i] & LOWER
        key = key_of(x[index])
        pairs[i] = (key >> HALF << HALF if upper else key << HALF) | index


@njit(parallel=True)
def count_blocks(x: Floats) -> NDArray[np.int32]:
    """Count the leading key bits of every block of x: shape (BLOCKS, LEADS)."""
    counts = np.empty((BLOCKS, LEADS), np.int32)
    for b in prange(BLOCKS):
        count_leads(x, b * x.size // BLOCKS, (b + 1) * x.size // BLOCKS, counts[b])
    return counts


@cached()
def group_end(totals: NDArray[np.int64], first: int, need: int, limit: int) -> int:
    """End a group that begins at bin `first` once it holds `need` entries, or before it exceeds `limit`."""
    held = 0
    for last in range(first, totals.size):
        if held > 0 and (held >= need or held + totals[last] > limit):
            return last
        held += totals[last]
    return LEADS


@njit(parallel=True)
def sorted_group(x: Floats, counts: NDArray[np.int32], first: int, last: int, work: Words) -> Words:
    """Sort the entries with leading bits in [first, last): pairs (upper half of the key, index) in order."""
    places = np.zeros(BLOCKS + 1, np.int64)
    for b in range(BLOCKS):
        places[b + 1] = places[b] + counts[b, first:last].sum()
    size = places[BLOCKS]
    if 2 * size > work.size:  # one crowded bin: a group cannot be smaller
        work = np.empty(2 * size, np.uint64)
    pairs, spare = work[:size], work[size : 2 * size]
    for b in prange(BLOCKS):
        start, stop = b * x.size // BLOCKS, (b + 1) * x.size // BLOCKS
        collect(x, start, stop, first, last, pairs[places[b] : places[b + 1]])
    for half in range(0 if x.itemsize == 8 else 1, 2):
        for b in prange(BLOCKS):
            set_keys(x, b * size // BLOCKS, (b + 1) * size // BLOCKS, half == 1, pairs)
        pairs, spare = sort_pairs(pairs, spare)
    return pairs


@cached()
def sorted_serial(x: Floats) -> Words:
    """Sort all entries on the calling thread: pairs (upper half of the key, index) in order."""
    pairs, spare = np.arange(x.size).astype(np.uint64), np.empty(x.size, np.uint64)
    for half in range(0 if x.itemsize == 8 else 1, 2):
        set_keys(x, 0, x.size, half == 1, pairs)
        pairs, spare = sort_pairs_serial(pairs, spare)
    return pairs


@cached()
def list_pairs(x: Floats, pairs: Words, start: int, stop: int, order: Order, magnitudes: Floats) -> None:
    """Write the indices of pairs[start:stop], and the magnitudes that they point to."""
    for i in range(start, stop):
        index = np.int32(pairs[i] & LOWER)
        order[i] = index
        magnitudes[i] = abs(x[index])


@cached()
def assign_pairs(x: Floats, pairs: Words, start: int, stop: int, values: Floats, out: Floats) -> float:
    """Assign sign(x) * values[i] where pair i of [start, stop) points to; return the sum of values * |x|."""
    total = 0.0
    for i in range(start, stop):
        index = np.int64(pairs[i] & LOWER)
        entry = x[index]
        out[index] = ((entry > 0) - (entry < 0)) * values[i]  # no branch: signs are unpredictable
        total += np.float64(values[i]) * np.float64(abs(entry))
    return total


@njit(parallel=True)
def select_top_inner(x: Floats, k: int) -> tuple[Order, Floats]:
    """`select_top`, for compiled callers."""
    order, magnitudes = np.empty(k, np.int32), np.empty(k, x.dtype)
    if x.size < LARGE:
        list_pairs(x, sorted_serial(x), 0, k, order, magnitudes)
        return order, magnitudes
    counts = count_blocks(x)
    totals = counts.sum(axis=0)
    limit = x.size * x.itemsize // GROUP
    work = np.empty(2 * min(limit, 2 * k), np.uint64)
    first, rank = 0, 0
    while rank < k:
        last = group_end(totals, first, k - rank, limit)
        pairs = sorted_group(x, counts, first, last, work)
        size = min(pairs.size, k - rank)
        for b in prange(BLOCKS):
            start, stop = b * size // BLOCKS, (b + 1) * size // BLOCKS
            list_pairs(x, pairs, start, stop, order[rank:], magnitudes[rank:])
        first, rank = last, rank + size
    return order, magnitudes


@cached()
def select_top(x: Floats, k: int) -> tuple[Order, Floats]:
    """Find the k largest magnitudes, in decreasing order, the lowest index first among equals.

    Parameters
    ----------
    x : array (n,), float32 or float64
        Any stride; without NaN; n < 2**31.
    k : int
        Between 0 and n.

    Returns
    -------
    order : int32 array (k,)
        Indices into x. Entry i is among them exactly if |x[i]| exceeds the last magnitude, or equals it
        and i is at most the last index.
    magnitudes : array (k,) of x's dtype
        |x[order]|.
    """
    return select_top_inner(x, k)


@cached()
def argsort_descending_serial(x: Floats) -> tuple[Order, Floats]:
    """`select_top` of all entries, on the calling thread alone: for use inside a parallel loop."""
    order, magnitudes = np.empty(x.size, np.int32), np.empty(x.size, x.dtype)
    list_pairs(x, sorted_serial(x), 0, x.size, order, magnitudes)
    return order, magnitudes


@njit(parallel=True)
def assign_ranked_inner(x: Floats, values: Floats, out: Floats) -> float:
    """`assign_ranked`, for compiled callers."""
    k = values.size
    if x.size < LARGE:
        out[:] = 0
        return assign_pairs(x, sorted_serial(x), 0, k, values, out)
    if k < x.size:
        for b in prange(BLOCKS):
            out[b * x.size // BLOCKS : (b + 1) * x.size // BLOCKS] = 0
    counts = count_blocks(x)
    totals = counts.sum(axis=0)
    limit = x.size * x.itemsize // GROUP
    work = np.empty(2 * min(limit, 2 * k), np.uint64)
    first, rank, total = 0, 0, 0.0
    while rank < k:
        last = group_end(totals, first, k - rank, limit)
        pairs = sorted_group(x, counts, first, last, work)
        size = min(pairs.size, k - rank)
        sums = np.empty(BLOCKS)
        for b in prange(BLOCKS):
            start, stop = b * size // BLOCKS, (b + 1) * size // BLOCKS
            sums[b] = assign_pairs(x, pairs, start, stop, values[rank:], out)
        for b in range(BLOCKS):  # not sums.sum(): numba would sum by threads, and the bits would follow their number
            total += sums[b]
        first, rank = last, rank + size
    return total


@cached()
def assign_ranked(x: Floats, values: Floats, out: Floats) -> float:
    """Assign sign(x_i) * values[rank of |x_i|], with 0 where x_i = 0 or the ranks go past the values.

    Parameters
    ----------
    x : array (n,), float32 or float64
        As in `select_top`.
    values : array (k,), k <= n
        The value of each rank, the largest magnitude first.
    out : array (n,)
        Receives the result; must not overlap x or values.

    Returns
    -------
    float
        <x, out> = sum_i values[i] * |x|_(i), accumulated in float64.
    """
    return assign_ranked_inner(x, values, out)
