"""A block of threads and its groups: what a kernel sees as `numba.cuda`, and what models of instructions work on."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.testing.simt.memory import BASE, LIMIT, Global, Shared, TensorMap
from normkit.testing.simt.scheduler import Barrier, Scheduler

REGISTERS = 65536
"""Of a multiprocessor."""


class Block:
    """What the groups of one block share."""

    def __init__(
        self,
        index: tuple[int, int],
        grid: tuple[int, int],
        threads: int,
        memory: Global,
        maps: dict[int, TensorMap],
        shared_bytes: int,
        late: str,
        scheduler: Scheduler,
        statistics: dict[str, int],
    ) -> None:
        self.index, self.grid, self.threads, self.memory, self.maps = index, grid, threads, memory, maps
        self.shared_bytes, self.late, self.scheduler = shared_bytes, late, scheduler
        self.shared = Shared(statistics)
        self.mbarriers: dict[int, Any] = {}
        self.registers = REGISTERS // threads // 8 * 8
        """Of a thread at the start, where the compiler is told that one block has a multiprocessor to itself."""
        self.pool = 0
        self.barriers: dict[int, Barrier] = {}


class Group:
    """`lanes` consecutive threads of a block, executed as one vector."""

    def __init__(self, block: Block, number: int, first: int, lanes: int) -> None:
        self.block, self.number, self.lanes = block, number, lanes
        self.threads = np.arange(first, first + lanes, dtype=np.int32)
        self.top = BASE
        self.copies: list[Callable[[], None]] = []
        self.copy_groups: list[list[Callable[[], None]]] = []
        self.products: list[Callable[[], None]] = []
        self.product_groups: list[list[Callable[[], None]]] = []
        self.fenced = False
        self.acquired: set[int] = set()
        self.registers = block.registers

    @property
    def cuda(self) -> SimpleNamespace:
        """What stands for the module `numba.cuda`."""
        (x, y), (wide, high) = self.block.index, self.block.grid
        return SimpleNamespace(
            threadIdx=SimpleNamespace(x=self.threads),
            blockIdx=SimpleNamespace(x=np.int32(x), y=np.int32(y)),
            blockDim=SimpleNamespace(x=np.int32(self.block.threads)),
            gridDim=SimpleNamespace(x=np.int32(wide), y=np.int32(high)),
            shared=SimpleNamespace(array=self.shared_array),
            local=SimpleNamespace(array=self.local_array),
            syncthreads=lambda: self.barrier(0, self.block.threads),
        )

    def shared_array(self, shape: Any, kind: Any, alignment: int = 128) -> NDArray[Any]:
        """Return the block's next array in shared memory; shape 0 is the dynamic one, of the size of the launch."""
        self.top = -(-self.top // alignment) * alignment
        size = int(np.prod(shape)) * kind.dtype.itemsize
        if size == 0:
            size, shape = self.block.shared_bytes, -1
        end = self.top + size
        if end > BASE + LIMIT:
            raise MemoryError(f"{end - BASE} bytes of shared memory; a block has at most {LIMIT}")
        array: NDArray[Any] = self.block.shared.data[self.top : end].view(kind.dtype).reshape(shape)
        self.top = end
        self.block.shared.end = max(self.block.shared.end, end)
        return array

    def local_array(self, size: int, kind: Any) -> NDArray[Any]:
        """Return an array of each thread's own, shape (size, lanes); NaN until it is written."""
        return np.full((size, self.lanes), np.nan if kind.dtype.kind == "f" else 0, kind.dtype)

    def barrier(self, name: int, needed: int) -> None:
        """Wait until that many threads have come to the barrier of that name."""
        passed = self.block.barriers.setdefault(name, Barrier()).arrive(self.lanes, needed)
        self.block.scheduler.wait(self.number, passed, f"barrier {name} of {needed} threads")

    def each(self, value: Any, dtype: Any) -> NDArray[Any]:
        """Return a value as a vector over the lanes."""
        return np.broadcast_to(np.asarray(value).astype(dtype), self.lanes)
