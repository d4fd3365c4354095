"""Sums of multiples of large arrays, on all threads, in one pass each."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.jit import cached
from normkit.backends.cpu.pool import parallel

BLOCK = 1 << 15
"""Entries of a task."""

# x - x is 0 where x is finite and NaN elsewhere; sums of these may be taken in any order.


@cached(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _blocks(first: int, last: int, out: Any, a: Any, x: Any, b: Any, y: Any, worst: Any) -> None:
    """Write a x + b y of some blocks, and 0 to `worst`, or NaN if one is not finite."""
    for block in range(first, last):
        total = a - a
        for i in range(block * BLOCK, min((block + 1) * BLOCK, len(out))):
            made = a * x[i] + b * y[i]
            out[i] = made
            total += made - made
        worst[block] = total


def blend(out: Any, a: float, x: Any, b: float, y: Any) -> bool:
    """Write a x + b y to `out`, flat arrays of one dtype, and tell whether all of it is finite; x or y may be `out`.

    Where a is 0, x is not looked at.
    """
    x = y if a == 0 else x
    tasks = -(-len(out) // BLOCK)
    worst = np.zeros(tasks, out.dtype)
    kind = out.dtype.type
    with np.errstate(over="ignore"):
        parallel(_blocks, tasks, len(out), out, kind(a), x, kind(b), y, worst)
    return bool(np.isfinite(worst).all())


@cached(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _mixed(first: int, last: int, kept: Any, a: Any, b: Any, y: Any, out: Any, p: Any, q: Any, worst: Any) -> None:
    """Write a kept + b y of some blocks to `kept`, then p kept + q y to `out`; `worst` as in `_blocks`."""
    for block in range(first, last):
        total = a - a
        for i in range(block * BLOCK, min((block + 1) * BLOCK, len(out))):
            kept[i] = a * kept[i] + b * y[i]
            out[i] = p * kept[i] + q * y[i]
            total += (kept[i] - kept[i]) + (out[i] - out[i])
        worst[block] = total


def mix(kept: Any, a: float, b: float, y: Any, out: Any, p: float, q: float) -> bool:
    """Write a kept + b y to `kept` and p kept + q y to `out`, flat arrays of one dtype; tell whether all is finite."""
    tasks = -(-len(out) // BLOCK)
    worst = np.zeros(tasks, out.dtype)
    a, b, p, q = (out.dtype.type(number) for number in (a, b, p, q))
    with np.errstate(over="ignore"):
        parallel(_mixed, tasks, len(out), kept, a, b, y, out, p, q, worst)
    return bool(np.isfinite(worst).all())
