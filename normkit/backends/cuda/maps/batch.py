"""Items in device memory as the nodes see them: axes with strides over one flat array; nothing here copies.

An axis of an item is a tuple of pieces, so that a flattened or regrouped array of any layout is still described by
strides. A kernel takes a `Lines`: every item as one line of entries along at most two strides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from normkit.backends.cuda.axes import Axis, joined, length
from normkit.backends.cuda.compat import SIMULATED, cuda
from normkit.backends.cuda.maps.formats import STORED


@dataclass(frozen=True)
class Lines:
    """Items as lines: L lines of every one of G groups, of R * C entries each, the C at the smaller stride.

    `at` is (first entry, strides of G, L, R, C). `turned` says that R and C were exchanged, so that the place of an
    entry in the order of its item is c * R + r, not r * C + c.
    """

    data: Any
    kind: str
    at: tuple[int, int, int, int, int]
    size: tuple[int, int, int, int]
    turned: bool

    @property
    def count(self) -> int:
        """The number of lines."""
        return self.size[0] * self.size[1]

    @property
    def length(self) -> int:
        """The entries of a line."""
        return self.size[2] * self.size[3]

    @property
    def extents(self) -> tuple[int, int, int, int, int]:
        """(G, L, R, C, turned) as the kernels take it."""
        return (*self.size, int(self.turned))

    @property
    def flat(self) -> bool:
        """Whether one stride leads from each entry to the next."""
        return self.size[2] == 1

    @property
    def across(self) -> bool:
        """Whether neighbours in memory belong to neighbouring lines: columns of a matrix."""
        return self.size[1] > 1 and self.size[3] > 1 and abs(self.at[2]) < abs(self.at[4])

    @property
    def paired(self) -> bool:
        """Whether 16-bit entries of every line can be read two at a time."""
        even = all(each % 2 == 0 for each in (self.at[0], self.at[1], self.at[2], self.length))
        halves = STORED[self.kind] == "uint16" and self.flat and self.at[4] == 1
        return halves and even and address(self.data) % 4 == 0

    def in_pairs(self) -> Lines:
        """Return the lines as words of two entries."""
        words = self.data[: self.data.shape[0] // 2 * 2].view(np.uint32)
        start, groups, lines, rows, step = self.at
        size = (*self.size[:3], self.size[3] // 2)
        return replace(self, data=words, at=(start // 2, groups // 2, lines // 2, rows, step), size=size)


def both(x: Lines, to: Lines) -> tuple[Any, ...]:
    """Return where lines are read and written, cut alike, as the kernels take it."""
    return (x.data, x.at, to.data, to.at, x.extents)


@dataclass(frozen=True)
class Batch:
    """Items (G, L, *item) over the flat array `data` of a format."""

    data: Any
    kind: str
    start: int
    lead: tuple[Axis, Axis]
    item: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes of an item."""
        return tuple(length(axis) for axis in self.item)

    @property
    def count(self) -> int:
        """The number of items."""
        return length(self.lead[0]) * length(self.lead[1])

    @property
    def entries(self) -> int:
        """The entries of an item."""
        return prod(self.shape)

    @property
    def sizes(self) -> tuple[float, float]:
        """The rows and columns (m, n) that scalars see: (1, length) for a vector."""
        shape = self.shape
        return (1.0, float(shape[0])) if len(shape) == 1 else (float(shape[0]), float(prod(shape[1:])))

    @property
    def pieces(self) -> Axis:
        """The entries of an item in their order, in as few pieces as strides allow."""
        return joined(tuple(piece for axis in self.item for piece in axis))

    @property
    def simple(self) -> bool:
        """Whether kernels can take the items as they are."""
        return len(self.pieces) <= 2 and all(len(joined(axis)) == 1 for axis in self.lead)

    def lines(self) -> Lines:
        """Return the items as lines; they must be `simple`."""
        pieces, turned = self.pieces, False
        if len(pieces) == 2 and abs(pieces[0][1]) < abs(pieces[1][1]):
            pieces, turned = pieces[::-1], True
        (rows, above), (columns, step) = pieces if len(pieces) == 2 else ((1, 0), *pieces)
        (groups, far), (lines, near) = (joined(axis)[0] for axis in self.lead)
        return Lines(self.data, self.kind, (self.start, far, near, above, step), (groups, lines, rows, columns), turned)

    def viewed(self, *item: Axis) -> Batch:
        """Return the same items with other axes."""
        return replace(self, item=item)

    def along(self, rows: bool) -> Batch:
        """Return the rows, or the columns, of every item as items of their own: lead (G * L, lines)."""
        first, *rest = self.item if rows else self.item[::-1]
        return replace(self, lead=(joined(self.lead[0] + self.lead[1]), first), item=tuple(rest))

    @property
    def regular(self) -> Batch | None:
        """The items with one stride per axis and G = 1, if strides allow it."""
        axes = [joined(axis) for axis in (self.lead[0] + self.lead[1], *self.item)]
        made = replace(self, lead=(((1, 0),), axes[0]), item=tuple(axes[1:]))
        return made if all(len(axis) == 1 for axis in axes) else None

    def band(self, start: int, stop: int) -> Batch:
        """Return the rows [start, stop) of every item; the first axis must be one piece."""
        ((_, stride),) = joined(self.item[0])
        first = ((stop - start, stride),)
        return replace(self, start=self.start + start * stride, item=(first, *self.item[1:]))


def batch(array: Any, kind: str) -> Batch:
    """Return the items of a device array (count, *item), of any strides, as a batch with G = 1."""
    stored = np.dtype(STORED[kind])
    strides = tuple(stride // stored.itemsize for stride in array.strides)
    axes = [((size, stride),) for size, stride in zip(array.shape, strides, strict=True)]
    last = [(size - 1) * stride for size, stride in zip(array.shape, strides, strict=True)]
    below = sum(min(0, each) for each in last)
    extent = sum(abs(each) for each in last) + 1
    return Batch(_flat(array, stored, below, extent), kind, -below, (((1, 0),), axes[0]), tuple(axes[1:]))


def rows(data: Any, count: int, *item: int, kind: str = "float64") -> Batch:
    """Return a flat array as contiguous items (1, count, *item)."""
    steps = [prod(item[place + 1 :]) for place in range(len(item))]
    axes = tuple(((size, step),) for size, step in zip(item, steps, strict=True))
    return Batch(data, kind, 0, (((1, 0),), ((count, prod(item)),)), axes)


def stacked(data: Any, count: int, parts: int) -> Batch:
    """Return a flat float64 array, one value of every item after the other, as items of `parts` entries."""
    return Batch(data, "float64", 0, (((1, 0),), ((count, 1),)), (((parts, count),),))


def _flat(array: Any, stored: np.dtype[Any], below: int, extent: int) -> Any:
    if SIMULATED:
        inner = getattr(array, "_ary", array)
        corner = tuple(0 if stride >= 0 else size - 1 for size, stride in zip(inner.shape, inner.strides, strict=True))
        first = inner.view(stored)[tuple(slice(place, place + 1) for place in corner)]
        return type(array)(np.lib.stride_tricks.as_strided(first, (extent,), (stored.itemsize,)))
    told = array.__cuda_array_interface__
    place = told["data"][0] + below * stored.itemsize
    return cuda.from_cuda_array_interface(
        {"shape": (extent,), "strides": None, "typestr": stored.str, "data": (place, False), "version": 3}, owner=array
    )


def address(data: Any) -> int:
    """Return where a flat device array begins."""
    if SIMULATED:
        return int(data._ary.ctypes.data)
    return int(data.__cuda_array_interface__["data"][0])
