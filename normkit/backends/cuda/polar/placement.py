"""Where the matrices of a plan lie in its one workspace: those that are not needed at the same time share memory."""

from __future__ import annotations

from collections.abc import Sequence

from normkit.backends.cuda.polar.ops import Matrix, Op

ALIGNMENT = 256
"""Bytes at whose multiples matrices start: vector loads want 16, tensor maps 16, allocators of devices give 256."""


def lives(ops: Sequence[Op]) -> dict[Matrix, tuple[int, int]]:
    """Return for every matrix of the workspace the first operation that writes it and the last that touches it.

    A matrix lives through both: the result of an operation never lies where one of its operands does.
    """
    found: dict[Matrix, tuple[int, int]] = {}
    for place, op in enumerate(ops):
        for each in (*op.reads, *op.writes):
            if not each.outside:
                found[each] = (found[each][0] if each in found else place, place)
    return found


def place(ops: Sequence[Op], batch: int, keep: Sequence[Matrix] = ()) -> tuple[dict[str, int], int]:
    """Return the offset of every matrix, by its name, and the bytes of the workspace.

    The lowest place that is free for the whole life of a matrix is taken, the largest matrices first: they are what the
    size of the workspace comes from.

    Parameters
    ----------
    ops : sequence of Op
        In the order in which they run.
    batch : int
        How many matrices each stands for.
    keep : sequence of Matrix
        Those that are read after the last operation.

    Examples
    --------
    >>> from normkit.backends.cuda.polar.ops import AddI, Matrix
    >>> a, b, c = (Matrix(name, 8, 8, "float32") for name in "abc")
    >>> place([AddI(b, a, 1.0, 1.0), AddI(c, b, 1.0, 1.0)], batch=1)
    ({'a': 0, 'b': 256, 'c': 0}, 512)
    """
    spans = lives(ops)
    spans |= {each: (spans[each][0], len(ops)) for each in keep}
    taken: list[tuple[int, int, tuple[int, int]]] = []
    offsets: dict[str, int] = {}
    for matrix, span in sorted(spans.items(), key=lambda item: (-item[0].nbytes, item[1])):
        length = -(-batch * matrix.nbytes // ALIGNMENT) * ALIGNMENT
        start = _lowest(length, sorted(each[:2] for each in taken if _meet(each[2], span)))
        taken.append((start, start + length, span))
        offsets[matrix.name] = start
    return offsets, max((end for _, end, _ in taken), default=0)


def _lowest(length: int, taken: Sequence[tuple[int, int]]) -> int:
    start = 0
    for first, end in taken:
        if first - start >= length:
            break
        start = max(start, end)
    return start


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
