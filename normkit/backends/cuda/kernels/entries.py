"""Entries as numbers, for kernels over arrays: bfloat16 by its bits, the other types as numba has them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

from normkit.backends.cuda.language import device, uint16, uint32

float64: Any = numba.float64
int64: Any = numba.int64

STORED = {"float16": "float16", "bfloat16": "uint16", "float32": "float32", "float64": "float64"}
"""The dtype of arrays that hold a type."""


@device
def _number(entry: Any) -> Any:
    return float64(entry)


@device
def _number_of_bits(bits: Any) -> Any:
    return float64(uint32(uint32(bits) << uint32(16)).view(np.float32))


@device
def _bits(value: Any) -> Any:
    bits = np.float32(value).view(np.uint32)
    if value != value:
        return uint16(0x7FC0)
    return uint16(uint32(bits + uint32(0x7FFF) + ((bits >> uint32(16)) & uint32(1))) >> uint32(16))


def reader(dtype: str) -> Any:
    """Return the device function from an entry to float64."""
    return _number_of_bits if dtype == "bfloat16" else _number


@cache
def writer(dtype: str) -> Any:
    """Return the device function from float64 to an entry, to nearest, ties to even; bfloat16 by way of float32."""
    if dtype == "bfloat16":
        return _bits
    kind = np.dtype(dtype).type

    @device
    def entry(value: Any) -> Any:
        return kind(value)

    return entry
