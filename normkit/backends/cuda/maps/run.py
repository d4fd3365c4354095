"""How kernels are launched: sizes of blocks, the stream, and memory that one call uses and leaves to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from normkit.backends.cuda.compat import SIMULATED, cuda
from normkit.backends.cuda.maps.batch import Batch, Lines, rows
from normkit.backends.cuda.maps.formats import STORED
from normkit.backends.cuda.maps.generated import Shape
from normkit.backends.cuda.room import room

CHUNKS = 1 << 12
"""The most chunks of a line: their results are added by one block."""


@dataclass(frozen=True)
class Sizes:
    """How work is cut; a result depends on these numbers and on nothing else of the machine.

    Attributes
    ----------
    threads : int
        Threads of a block, a power of two.
    tile : int
        Entries that a block sorts in shared memory, a power of two, at least twice `threads`.
    line : int
        Words of a line that one block reads and writes at once, the second time from cache; longer lines take `chunk`
        words per block, or more, so that there are not too many chunks.
    rows : int
        Entries that a thread reads of a line of its own.
    """

    threads: int = 256
    tile: int = 2048
    line: int = 1 << 14
    chunk: int = 1 << 12
    rows: int = 64


@dataclass(frozen=True)
class Cut:
    """Lines in `count` chunks, the grid and the width of a group, and where a chunk's results are.

    `strides` is (lines, from line to line, from chunk to chunk).
    """

    chunk: int
    count: int
    grid: tuple[int, int]
    width: int
    strides: tuple[int, int, int]


@dataclass
class Arena:
    """Device memory by size and dtype: taken during a call, all of it free again at the end."""

    free: dict[tuple[int, str], list[Any]] = field(default_factory=dict)
    used: list[tuple[tuple[int, str], Any]] = field(default_factory=list)
    constants: dict[Any, Any] = field(default_factory=dict)

    def take(self, size: int, dtype: str) -> Any:
        """Return a flat array of arbitrary entries.

        Raises
        ------
        BackendError
            If there is too little memory, also without what was kept, with how much is needed.
        """
        key = (max(1, size), dtype)
        kept = self.free.get(key)
        array = kept.pop() if kept else room(key[0], np.dtype(dtype), self.free.clear)
        self.used.append((key, array))
        return array

    def release(self) -> None:
        """Make all arrays free: what was launched before runs before what the same stream is given next."""
        for key, array in self.used:
            self.free.setdefault(key, []).append(array)
        self.used.clear()


def device() -> int:
    """Return the number of the device whose memory is given out."""
    return 0 if SIMULATED else int(cuda.get_current_device().id)


@dataclass(frozen=True)
class Run:
    """One call on one stream."""

    sizes: Sizes
    arena: Arena
    stream: Any = 0

    def floats(self, size: int) -> Any:
        """Return a flat float64 array."""
        return self.arena.take(size, "float64")

    def integers(self, size: int, dtype: str = "int64") -> Any:
        """Return a flat array of integers."""
        return self.arena.take(size, dtype)

    def like(self, x: Batch, kind: str | None = None) -> Batch:
        """Return a contiguous batch of new memory, of the lead and the shape of x."""
        made = x.kind if kind is None else kind
        return rows(self.arena.take(x.count * x.entries, STORED[made]), x.count, *x.shape, kind=made)

    def upload(self, array: Any) -> Any:
        """Return a host array in device memory."""
        return cuda.to_device(np.ascontiguousarray(array), stream=self.stream)

    def constant(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return a host array in device memory, made and copied when it is first asked for."""
        if key not in self.arena.constants:
            self.arena.constants[key] = self.upload(make())
        return self.arena.constants[key]

    def shape(self, x: Lines, out: Lines | None = None, paired: bool = False) -> Shape:
        """Return what kernels from x to `out` are compiled for."""
        to = x if out is None else out
        flat = x.flat and to.flat
        return Shape(x.kind, to.kind, self.sizes.threads, self.sizes.tile, flat, paired)

    def launch(self, kernel: Any, blocks: int | tuple[int, int], *arguments: Any, width: int = 0) -> None:
        """Launch a kernel unless there is nothing to do; Python's numbers become int64 and float64.

        With a `width`, blocks are (width, threads / width), so that kernels need no division to find a line.
        """
        grid = (blocks, 1) if isinstance(blocks, int) else blocks
        block = (width, self.sizes.threads // width) if width else self.sizes.threads
        if min(grid) > 0:
            kernel[grid, block, self.stream](*(_typed(each) for each in arguments))

    def blocks(self, tasks: int, width: int = 1) -> int:
        """Return how many blocks hold so many groups of `width` threads."""
        return -(-tasks // (self.sizes.threads // width))

    def width(self, length: int) -> int:
        """Return the size of the group of threads that reads a line: four words each at least, where it can."""
        wanted = 1 << max(0, (-(-length // 4) - 1).bit_length())
        return min(self.sizes.threads, wanted)

    def cut(self, x: Lines) -> Cut:
        """Return how lines are cut: chunks of a line for groups of threads, or some entries for single threads."""
        width = 1 if x.across else self.width(min(x.length, self.sizes.chunk))
        chunk = max(self.sizes.rows if x.across else self.sizes.chunk, -(-x.length // CHUNKS))
        count = -(-x.length // chunk)
        strides = (x.count, 1, x.count) if x.across else (x.count, count, 1)
        return Cut(chunk, count, (self.blocks(x.count, width), count), width, strides)


def _typed(argument: Any) -> Any:
    if isinstance(argument, tuple):
        return tuple(np.int64(each) for each in argument)
    if isinstance(argument, bool | int):
        return np.int64(argument)
    return np.float64(argument) if isinstance(argument, float) else argument
