"""Stand-ins for what a generated module of kernels defines: they make the templates readable, lintable, importable."""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cpu.loops.bindings import (
    COUNT,
    DEGREE,
    LINEAR,
    WEIGHTED,
    body,
    entry,
    head,
    root_term,
    rule,
    slope,
    stat,
    tail,
)
from normkit.backends.cuda.maps.blocks import (
    fetch,
    first_of,
    index_of,
    later,
    line_start,
    order_of,
    place_of,
    share,
    total,
    tree,
)
from normkit.backends.cuda.maps.formats import alone as high
from normkit.backends.cuda.maps.formats import alone as low
from normkit.backends.cuda.maps.formats import bits_float64 as bits
from normkit.backends.cuda.maps.formats import first as join
from normkit.backends.cuda.maps.formats import narrow_float64 as narrow
from normkit.backends.cuda.maps.formats import raw_float64 as raw_of
from normkit.backends.cuda.maps.formats import wide_float64 as wide

__all__ = [
    "CONSTANT",
    "COUNT",
    "DEGREE",
    "INFINITE",
    "JUMPS",
    "KIND",
    "LINEAR",
    "MASS",
    "PAIRED",
    "SAFE",
    "SATURATES",
    "SLOTS",
    "SPILLS",
    "THREADS",
    "TILE",
    "WEIGHTED",
    "Real",
    "bits",
    "body",
    "entry",
    "fetch",
    "first_of",
    "head",
    "high",
    "index_of",
    "join",
    "later",
    "line_start",
    "low",
    "narrow",
    "order_of",
    "place_of",
    "post",
    "raw_of",
    "region",
    "root_term",
    "root_value",
    "rule",
    "share",
    "slope",
    "spill",
    "stat",
    "tail",
    "total",
    "tree",
    "value",
    "wide",
]

Real: Any = np.float64
"""The dtype in which entries are computed."""
THREADS = 256
"""Threads of a block, a power of two."""
TILE = 2048
"""Entries that a block sorts in shared memory, a power of two, at least twice THREADS."""
PAIRED = False
"""Whether a word holds two entries."""
INFINITE = 0x7FF << 52
"""The bits of infinity."""
SAFE = (2.0**-830, 2.0**830)
"""Plain sums in this range, the lower end per entry, are as good as scaled ones."""
CONSTANT = False
"""Whether the slope of a sum is one number."""
SLOTS = 1
"""The number of stats, 1 at least."""
KIND = 0
"""How a head is found: 0 at, 1 first, 2 last, 3 argmax."""
SPILLS, MASS, JUMPS, SATURATES = False, False, False, False
"""What a root has: spill, mass, jumps, saturation."""


def post(s: float, m: float, n: float) -> float:
    """Return the value of a sum."""
    return s


def region(k: Any) -> Any:
    """Return where stat k is summed: 0 head, 1 tail, 2 all."""
    return 0


def value(
    a: float, w: float, j: float, y: float, z: float, W: float, y_1: float, stats: Any, m: float, n: float
) -> float:
    """Return the value of a formula on sorted magnitudes."""
    return y_1


def root_value(kappa: float, s: float, m: float, n: float) -> float:
    """Return the value of a root."""
    return s / kappa


def spill(kappa: float, level: float, m: float, n: float) -> float:
    """Return what goes to the first largest entry at the limit."""
    return 0.0
