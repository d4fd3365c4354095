"""Axes of arrays with any strides: tuples of pieces, each a length and a stride, so that no reshaping has to copy."""

from __future__ import annotations

from math import prod

Piece = tuple[int, int]
"""A length and a stride in entries."""
Axis = tuple[Piece, ...]


def length(axis: Axis) -> int:
    """Return the number of places along an axis."""
    return prod(size for size, _ in axis)


def joined(pieces: Axis) -> Axis:
    """Return the same places in the same order in as few pieces as strides allow."""
    kept: list[Piece] = []
    for size, stride in pieces:
        if size == 1:
            continue
        if kept and kept[-1][1] == size * stride:
            kept[-1] = (kept[-1][0] * size, stride)
        else:
            kept.append((size, stride))
    return tuple(kept) or ((1, 1),)
