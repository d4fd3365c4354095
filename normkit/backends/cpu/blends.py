"""a x + b y of large arrays, on all threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.jit import cached
from normkit.backends.cpu.pool import parallel

BLOCK = 1 << 15
"""Entries of a task."""


@cached(nogil=True, error_model="numpy", fastmath={"contract"})
def _blocks(first: int, last: int, out: Any, a: Any, x: Any, b: Any, y: Any, worst: Any) -> None:
    """Write a x + b y of some blocks, and to `worst` the sum of what was multiplied by 0: NaN if one is not finite."""
    for block in range(first, last):
        total = a - a
        for i in range(block * BLOCK, min((block + 1) * BLOCK, len(out))):
            made = a * x[i] + b * y[i] if a != 0 else b * y[i]
            out[i] = made
            total += made - made
        worst[block] = total


def blend(out: Any, a: float, x: Any, b: float, y: Any) -> bool:
    """Write a x + b y to `out`, flat arrays of one dtype, and tell whether all of it is finite; x or y may be `out`."""
    tasks = -(-len(out) // BLOCK)
    worst = np.zeros(tasks, out.dtype)
    kind = out.dtype.type
    with np.errstate(over="ignore"):
        parallel(_blocks, tasks, len(out), out, kind(a), x, kind(b), y, worst)
    return bool(np.isfinite(worst).all())
