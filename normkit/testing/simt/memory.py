"""Global memory, found by address and checked; shared memory, with its banks counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]
BASE, LIMIT = 1024, 227 * 1024
"""Shared memory starts at an address that is not 0, so that a forgotten base is seen; a block has at most 227 KB."""


@dataclass(frozen=True)
class TensorMap:
    """What a tensor map says of a matrix of 16-bit elements; boxes are 64 columns wide, with a 128-byte swizzle."""

    matrix: NDArray[np.uint16]
    """Rows and columns inside; its row stride, a multiple of 16 bytes, may be longer."""
    rows: int
    """Rows of a box."""

    @classmethod
    def encoded(cls, array: NDArray[np.uint16], sizes: Pair, stride: int, box: Pair) -> TensorMap:
        """Return what cuTensorMapEncodeTiled makes of the same numbers, innermost first, and of an array's address.

        Raises
        ------
        ValueError
            For what the driver refuses: an address or a stride in bytes that is no multiple of 16, a box with more than
            256 rows; and for boxes that are not 64 columns wide, which have no model here.
        IndexError
            If the rows leave the array.
        """
        flat, (columns, rows) = array.reshape(-1), sizes
        if flat.ctypes.data % 16 or stride % 16 or not 0 < stride < 2**40 or not 1 <= box[1] <= 256 or box[0] != 64:
            raise ValueError(f"no tensor map with {stride} bytes from row to row and boxes of {box}")
        if (rows - 1) * stride + 2 * columns > flat.nbytes:
            raise IndexError(f"{rows} rows with {stride} bytes from one to the next leave the array")
        return cls(np.lib.stride_tricks.as_strided(flat, (rows, columns), (stride, 2)), box[1])


class Global:
    """The arrays that a kernel may touch, by address."""

    def __init__(self, arrays: Iterable[NDArray[Any]]) -> None:
        self.spans = [(a.ctypes.data, a.ctypes.data + a.nbytes, a.reshape(-1).view(np.uint8)) for a in arrays]

    def find(self, addresses: Any, size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the bytes of one array, and the places of `size` bytes from each address, shape (n, size).

        Raises
        ------
        IndexError
            If an access leaves the array, or lies in none.
        ValueError
            If an address is not a multiple of `size`.
        """
        places = np.atleast_1d(np.asarray(addresses, np.uint64))
        if (places % np.uint64(size)).any():
            raise ValueError(f"misaligned access to {size} bytes of global memory")
        low, high = int(places.min()), int(places.max()) + size
        for start, end, data in self.spans:
            if start <= low and high <= end:
                return data, (places - np.uint64(start)).astype(np.int64)[:, None] + np.arange(size)
        raise IndexError(f"global access outside of every array: {low:#x} to {high:#x}")


class Shared:
    """Shared memory of a block; every byte starts as 0xFF, a NaN in each type."""

    def __init__(self, statistics: dict[str, int]) -> None:
        self.data = np.full(BASE + LIMIT, 0xFF, np.uint8)
        self.plain = np.zeros(BASE + LIMIT, bool)
        """What threads wrote or read, so that the asynchronous proxy (bulk copies, wgmma) needs a fence before it."""
        self.end, self.statistics = BASE, statistics

    def places(self, addresses: Any, size: int) -> NDArray[np.int64]:
        """Return the places of `size` bytes from each address; refuse what is misaligned or was not allocated."""
        first = np.atleast_1d(np.asarray(addresses, np.int64))
        if first.min() < BASE or first.max() + size > self.end:
            raise IndexError("access to shared memory outside of the block's arrays")
        if (first % min(size, 16)).any():
            raise ValueError(f"misaligned access to {size} bytes of shared memory")
        return first[:, None] + np.arange(size)

    def read(self, addresses: Any, size: int) -> NDArray[np.uint8]:
        """Return `size` bytes from each address, counting the ways in which lanes meet in a bank."""
        self._count(addresses, size)
        places = self.places(addresses, size)
        self.plain[places] = True
        read: NDArray[np.uint8] = self.data[places]
        return read

    def write(self, addresses: Any, values: Any) -> None:
        """Write rows of bytes to addresses, as threads do."""
        self._count(addresses, values.shape[-1])
        places = self.places(addresses, values.shape[-1])
        self.data[places], self.plain[places] = values, True

    def by_proxy(self, addresses: Any, size: int) -> NDArray[np.int64]:
        """Return the places of `size` bytes from each address, for the asynchronous proxy.

        Raises
        ------
        RuntimeError
            If a thread wrote or read there: no kernel has the fence (fence.proxy.async) that this takes.
        """
        places = self.places(addresses, size)
        if self.plain[places].any():
            raise RuntimeError("shared memory that threads use is used by the asynchronous proxy without a fence")
        return places

    def _count(self, addresses: Any, size: int) -> None:
        """Lanes go in turns of 128 bytes; in a turn a bank serves one word. One number holds the worst case."""
        lanes = np.asarray(addresses, np.int64).reshape(-1)
        turn = 128 // size
        if len(lanes) % turn:
            return
        words = (lanes >> (2 if size == 4 else 4)).reshape(-1, turn)
        for row in words:
            met = np.bincount(np.unique(row) % turn).max()
            self.statistics["bank conflict ways"] = max(int(met), self.statistics.get("bank conflict ways", 1))
