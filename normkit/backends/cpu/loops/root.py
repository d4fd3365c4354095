"""Sums of the scalars of a root at kappa * magnitude, and its map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.loops.bindings import entry, root_term
from normkit.backends.cpu.scalars import kernel, scalar

Array = NDArray[Any]


@scalar
def argument(value: float, f: float, g: float, kappa: float, limit: float) -> float:
    """Return kappa * abs(value) * f * g, which rounding may not take above the limit."""
    r = kappa * (abs(np.float64(value)) * f * g)
    return limit if r > limit else r


@scalar
def total(which: int, x: Array, f: float, g: float, kappa: float, limit: float, m: float, n: float) -> float:
    """Sum one of the scalars over the nonzero entries.

    Not reassociated: f * g alone may be out of range.
    """
    s = 0.0
    for i in range(x.size):
        s += root_term(which, argument(x[i], f, g, kappa, limit), m, n) if x[i] != 0 else 0.0
    return s


@kernel
def sums(
    first: int,
    last: int,
    which: int,
    x: Array,
    size: int,
    active: Array,
    f: Array,
    g: Array,
    kappa: Array,
    limit: float,
    m: float,
    n: float,
    out: Array,
) -> None:
    """Sum every block of `size` entries of the active lines: x (L, length), out (L, blocks)."""
    length, blocks = x.shape[1], out.shape[1]
    for task in range(first, last):
        line, block = divmod(task, blocks)
        if active[line]:
            here = x[line, block * size : min(length, (block + 1) * size)]
            out[line, block] = total(which, here, f[line], g[line], kappa[line], limit, m, n)


@kernel
def spreads(
    first: int,
    last: int,
    x: Array,
    size: int,
    f: Array,
    g: Array,
    flat: Array,
    gain: Array,
    kappa: Array,
    s: Array,
    more: Array,
    above: Array,
    t: Array,
    limit: float,
    m: float,
    n: float,
    out: Array,
) -> None:
    """Write sign(x) times flat + gain * entry(kappa a, kappa, s) + more * entry(above a, above, t), all (L,)."""
    length = x.shape[1]
    blocks = (length + size - 1) // size
    for task in range(first, last):
        line, block = divmod(task, blocks)
        by, then = f[line], g[line]
        for i in range(block * size, min(length, (block + 1) * size)):
            value = flat[line]
            if x[line, i] != 0 and gain[line] != 0.0:
                r = argument(x[line, i], by, then, kappa[line], limit)
                value += gain[line] * entry(r, kappa[line], s[line], m, n)
                if more[line] != 0.0:
                    r = argument(x[line, i], by, then, above[line], limit)
                    value += more[line] * entry(r, above[line], t[line], m, n)
            out[line, i] = value if x[line, i] > 0 else (-value if x[line, i] < 0 else 0.0)
