"""Launching a kernel in the emulator: block after block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.testing.simt.binding import bind
from normkit.testing.simt.block import Block, Group
from normkit.testing.simt.memory import Global, TensorMap
from normkit.testing.simt.scheduler import Scheduler


def launch(
    kernel: Any,
    grid: Sequence[int],
    threads: int,
    arguments: Sequence[Any],
    memory: Iterable[NDArray[Any]],
    *,
    group: int | None = None,
    shared_bytes: int = 0,
    maps: dict[int, TensorMap] | None = None,
    late: str = "copies",
    order: str = "forward",
) -> dict[str, int]:
    """Run every block of a grid, one after the other, and return statistics.

    Parameters
    ----------
    kernel : callable
        The Python function, not compiled.
    grid : sequence of int
        One or two sizes.
    threads : int
        Threads of a block.
    arguments : sequence
        NumPy scalars; an address is ``np.uint64(array.ctypes.data)``.
    memory : iterable of array
        What may be reached by address.
    group : int, optional
        Threads that run in step: 32, 128 for warpgroups with roles, or the whole block (default).
    shared_bytes : int
        Dynamic shared memory.
    maps : dict, optional
        Tensor maps by their address.
    late : {"copies", "reads"}
        What happens as late as it may: the landing of copies, or the reading of operands.
    order : {"forward", "reverse", "rotate"}
        Of several groups that may go on: the first one, the last one, or the next one.

    Returns
    -------
    dict
        ``"bank conflict ways"``: the most lanes that met in one bank of shared memory; 1 is none.

    Raises
    ------
    Deadlock, IndexError, ValueError, RuntimeError
        What a kernel does wrong; also copies or products that nobody waits for.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.testing import simt
    >>> def double(out, factor):
    ...     out[...] = out * factor
    >>> x = np.arange(3.0)
    >>> simt.launch(double, (1,), 32, [x, np.float64(2)], [x])
    {}
    >>> x
    array([0., 2., 4.])
    """
    if late not in ("copies", "reads") or order not in ("forward", "reverse", "rotate"):
        raise ValueError(f"late is copies or reads, order forward, reverse or rotate; got {late!r} and {order!r}")
    statistics: dict[str, int] = {}
    found, size = Global(memory), group or threads
    wide, high = (*grid, 1)[:2]
    for y in range(high):
        for x in range(wide):
            scheduler = Scheduler(threads // size, order)
            block = Block((x, y), (wide, high), threads, found, maps or {}, shared_bytes, late, scheduler, statistics)
            groups = [Group(block, i, i * size, size) for i in range(threads // size)]
            scheduler.run([partial(_run, kernel, one, arguments) for one in groups])
    return statistics


def _run(kernel: Any, group: Group, arguments: Sequence[Any]) -> None:
    with np.errstate(all="ignore"):
        bind(kernel, group)(*arguments)
    left = group.copies + group.products + [x for some in group.copy_groups + group.product_groups for x in some]
    if left:  # they could have landed at any time, so also on what has been written there since
        raise RuntimeError(f"{len(left)} copies or products were never awaited")
