"""Stable radix sort of 64-bit words by their upper half: 11 bits a pass, from the least significant digit up.

The upper half of a word is the key, the lower half is carried along (an index). A pass counts the digits
of every block of words, turns the counts into the places where each block's words of each digit begin,
and deals the words out. Blocks are cut by length alone, so counting and dealing run in parallel and the
result is that of one block. A digit that all words share costs its count only.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from normkit.backends.cpu.jit import cached

Words = NDArray[np.uint64]

BLOCKS = 16  # a constant, so that the work is cut the same way whatever the number of threads
DIGITS = 1 << 11
DIGIT = np.uint64(DIGITS - 1)
SHIFTS = (32, 43, 54)
LARGE = 1 << 17  # below, a pass takes less time than a busy machine needs to bring its threads together


@cached()
def count_digits(words: Words, start: int, stop: int, shift: np.uint64, counts: NDArray[np.int32]) -> None:
    """Add the number of words[start:stop] with each digit to `counts`."""
    for i in range(start, stop):
        counts[(words[i] >> shift) & DIGIT] += 1


@cached()
def deal(words: Words, start: int, stop: int, shift: np.uint64, places: NDArray[np.int32], out: Words) -> None:
    """Put words[start:stop] at the places of their digits, and move the places on."""
    for i in range(start, stop):
        word = words[i]
        digit = (word >> shift) & DIGIT
        out[places[digit]] = word
        places[digit] += 1


@cached()
def counts_to_places(counts: NDArray[np.int32], size: int) -> bool:
    """Turn the counts (block, digit) into starts, digit by digit; False if one digit holds all words."""
    start = 0
    for digit in range(counts.shape[1]):
        before = start
        for block in range(counts.shape[0]):
            count = counts[block, digit]
            counts[block, digit] = start
            start += count
        if start - before == size:
            return False
    return True


@njit(parallel=True)  # not cached, see order.py
def sort_pairs(words: Words, spare: Words) -> tuple[Words, Words]:
    """Sort words by their upper halves, stably, in parallel.

    Parameters
    ----------
    words, spare : uint64 arrays of one length below 2**31
        The pairs, and scratch; both are overwritten.

    Returns
    -------
    sorted, spare : the two arrays, the sorted one first.
    """
    size = words.size
    if size < LARGE:
        return sort_pairs_serial(words, spare)
    for s in SHIFTS:
        shift = np.uint64(s)
        counts = np.zeros((BLOCKS, DIGITS), np.int32)
        for b in prange(BLOCKS):
            count_digits(words, b * size // BLOCKS, (b + 1) * size // BLOCKS, shift, counts[b])
        if counts_to_places(counts, size):
            for b in prange(BLOCKS):
                deal(words, b * size // BLOCKS, (b + 1) * size // BLOCKS, shift, counts[b], spare)
            words, spare = spare, words
    return words, spare


@cached()
def sort_pairs_serial(words: Words, spare: Words) -> tuple[Words, Words]:
    """Sort words by their upper halves, stably, on the calling thread alone; as `sort_pairs`."""
    size = words.size
    if size <= 64:
        insert(words)
        return words, spare
    counts = np.empty((1, DIGITS), np.int32)
    for s in SHIFTS:
        shift = np.uint64(s)
        counts[:] = 0
        count_digits(words, 0, size, shift, counts[0])
        if counts_to_places(counts, size):
            deal(words, 0, size, shift, counts[0], spare)
            words, spare = spare, words
    return words, spare


@cached()
def insert(words: Words) -> None:
    """Sort a few words in place by insertion, by their upper halves and stably."""
    for i in range(1, words.size):
        word = words[i]
        key = word >> np.uint64(32)
        j = i
        while j > 0 and words[j - 1] >> np.uint64(32) > key:
            words[j] = words[j - 1]
            j -= 1
        words[j] = word
