"""Models of sm_90a: mbarriers, the tensor-memory accelerator, and products of warpgroups."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from normkit.testing.simt.block import Group
from normkit.testing.simt.formats import to_float
from normkit.testing.simt.models import model


class MBarrier:
    """Completes a phase when all arrivals and all expected bytes are in."""

    def __init__(self, count: int) -> None:
        self.count = self.pending = count
        self.bytes = self.phase = 0
        self.seen = False
        """Whether a fence has shown it to the accelerator."""
        self.held: list[Callable[[], None]] = []
        """Copies that land when somebody waits."""

    def change(self, arrivals: int, bytes_: int) -> None:
        """Count arrivals, expected bytes (positive) or bytes that are there (negative)."""
        self.pending -= arrivals
        self.bytes += bytes_
        if self.pending < 0:
            raise RuntimeError(f"more arrivals at an mbarrier than the {self.count} that it expects")
        if self.pending == 0 and self.bytes == 0:
            self.phase ^= 1
            self.pending = self.count

    def passed(self, parity: int) -> bool:
        """Tell whether the phase of that parity is over."""
        while self.held:
            self.held.pop(0)()
        return self.phase != parity


@model("mbarrier_init")
def mbarrier_init(group: Group, address: Any, count: Any) -> None:
    """Start an mbarrier that expects that many arrivals."""
    group.block.mbarriers[int(address)] = MBarrier(int(count))


@model("mbarrier_init_fence")
def mbarrier_init_fence(group: Group) -> None:
    """Show fresh mbarriers to the accelerator."""
    for barrier in group.block.mbarriers.values():
        barrier.seen = True


@model("mbarrier_expect")
def mbarrier_expect(group: Group, address: Any, bytes_: Any) -> None:
    """Arrive, and expect bytes of copies."""
    group.block.mbarriers[int(address)].change(1, int(bytes_))


@model("mbarrier_arrive_if")
def mbarrier_arrive_if(group: Group, address: Any, condition: Any) -> None:
    """Arrive once for every lane whose condition holds."""
    count = int(np.count_nonzero(group.each(condition, bool)))
    if count:
        group.block.mbarriers[int(address)].change(count, 0)


@model("mbarrier_wait")
def mbarrier_wait(group: Group, address: Any, parity: Any) -> None:
    """Wait until the phase of that parity is over."""
    passed = partial(group.block.mbarriers[int(address)].passed, int(parity))
    group.block.scheduler.wait(group.number, passed, f"mbarrier {int(address):#x}, parity {int(parity)}")


@model("tensor_map_acquire")
def tensor_map_acquire(group: Group, address: Any) -> None:
    """Let this group use a tensor map that the host wrote to global memory."""
    group.acquired.add(int(address))


@model("tensor_load")
def tensor_load(group: Group, to: Any, map_: Any, column: Any, row: Any, address: Any) -> None:
    """Copy a box of rows x 64 columns, zeros outside of the matrix, to shared memory with the 128-byte swizzle."""
    tensor, to, column, row = group.block.maps[int(map_)], int(to), int(column), int(row)
    barrier = group.block.mbarriers[int(address)]
    if to % 1024:
        raise ValueError("a box with the 128-byte swizzle needs a destination that is a multiple of 1024")
    if int(map_) not in group.acquired or not barrier.seen:
        raise RuntimeError("the accelerator is given a tensor map, or an mbarrier, that no fence has shown to it")
    box = np.zeros((tensor.rows, 64), np.uint16)
    source = tensor.matrix[row : row + tensor.rows, column : column + 64]
    box[: source.shape[0], : source.shape[1]] = source
    r, chunk = np.indices((tensor.rows, 8))
    places = (to + r * 128 + ((chunk ^ (r & 7)) << 4)).reshape(-1)

    def land() -> None:
        shared = group.block.shared
        shared.data[shared.by_proxy(places, 16)] = box.reshape(-1, 8).view(np.uint8)
        barrier.change(0, -box.nbytes)

    if group.block.late == "copies":
        barrier.held.append(land)
    else:
        land()


def _operand(group: Group, dtype: str, descriptor: int, rows: Any) -> Any:
    """Return the rows of an operand with 16 columns, from a descriptor of the 128-byte swizzle."""
    start, stride = (descriptor & 0x3FFF) << 4, ((descriptor >> 32) & 0x3FFF) << 4
    if descriptor >> 46 != 1 << 16 or descriptor & 0xC000C000:
        raise ValueError(f"the descriptor {descriptor:#x} says more, or other, than a 128-byte swizzle with no offset")
    if start % 1024 >= 128 or stride % 1024:
        raise ValueError("without an offset, groups of 8 rows start at multiples of 1024")
    row, byte = rows[:, None], np.arange(2)[None, :] * 16
    linear = start + (row // 8) * stride + (row % 8) * 128 + byte
    places = group.block.shared.by_proxy((linear ^ (((linear >> 7) & 7) << 4)).reshape(-1), 16)
    return to_float(group.block.shared.data[places].view(np.uint16), dtype).reshape(len(rows), 16)


@model("wgmma_fence")
def wgmma_fence(group: Group) -> None:
    """Order accesses to registers before the products of the next group of them, each of which takes one fence here."""
    group.fenced = True


@model("wgmma")
def wgmma(group: Group, columns: int, dtype: str, acc: Any, offset: int, a: Any, b: Any, keep: Any) -> None:
    """m64nNk16: a warp of the four holds 16 rows; a lane two neighbours of rows r and r + 8 in each 8 columns."""
    if not group.fenced:
        raise RuntimeError("products without wgmma.fence")
    within = group.threads % 128
    first = within[0] // 32 * 16
    row = (within >> 5) * 16 + ((within & 31) >> 2) - first
    kept, column = int(keep), (within & 3) * 2

    def run() -> None:
        rows = np.arange(first, first + group.lanes // 32 * 16)
        product = _operand(group, dtype, int(a), rows) @ _operand(group, dtype, int(b), np.arange(columns)).T
        for j in range(columns // 8):
            for h in range(2):
                for e in range(2):
                    i = offset + j * 4 + h * 2 + e
                    term = product[row + 8 * h, j * 8 + column + e]
                    acc[i] = acc[i] + term if kept else term

    if group.block.late == "reads":
        group.products.append(run)
    else:
        run()


@model("wgmma_commit")
def wgmma_commit(group: Group) -> None:
    """Close a group of products."""
    group.product_groups.append(group.products)
    group.products, group.fenced = [], False


@model("wgmma_wait")
def wgmma_wait(group: Group, left: int) -> None:
    """Finish products until at most `left` groups of them are under way."""
    while len(group.product_groups) > left:
        for run in group.product_groups.pop(0):
            run()


@model("registers")
def registers(group: Group, kind: str, count: int) -> None:
    """setmaxnreg: give registers to the block's pool, which has none at first, or wait until it has enough."""
    block, more = group.block, (count - group.registers) * group.lanes
    if count % 8 or not 24 <= count <= 256 or (kind == "inc") != (more > 0):
        raise ValueError(f"setmaxnreg.{kind} from {group.registers} to {count} registers")
    block.scheduler.wait(group.number, lambda: block.pool >= more, f"{more} registers")
    block.pool, group.registers = block.pool - more, count
