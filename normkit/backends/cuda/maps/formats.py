"""Entries as they lie in memory: to numbers and back, and the bits of their magnitudes.

float16 and bfloat16 are 16-bit patterns here, converted by integer operations that run in the simulator too; two of
them make one 32-bit word where a line can be read so. `wide_*` gives the number that arithmetic takes, `bits_*` the
pattern without its sign, which orders as the magnitudes do with infinity above all numbers and NaN above infinity.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from normkit.backends.cuda.maps.scalars import scalar

STORED = {"float64": "float64", "float32": "float32", "float16": "uint16", "bfloat16": "uint16"}
"""The dtype of the arrays that hold a format."""
REAL = {"float64": "float64", "float32": "float32", "float16": "float32", "bfloat16": "float32"}
"""The dtype in which its entries are computed."""
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The spacing of 1."""
INFINITE = {"float64": 0x7FF << 52, "float32": 0x7F800000, "float16": 0x7C00, "bfloat16": 0x7F80}
"""The bits of infinity: magnitudes with these bits or more are not finite."""


@scalar
def wide_float64(raw: Any) -> Any:
    """Return the number."""
    return raw


@scalar
def wide_float32(raw: Any) -> Any:
    """Return the number."""
    return raw


@scalar
def wide_bfloat16(raw: Any) -> Any:
    """Return the float32 whose upper half the pattern is."""
    return np.uint32(np.uint32(raw) << 16).view(np.float32)


@scalar
def wide_float16(raw: Any) -> Any:
    """Return the float32: the bits moved to their places, times 2**112 for the other offset of the exponent."""
    pattern = np.uint32(raw)
    magnitude = np.uint32((pattern & 0x7FFF) << 13).view(np.float32) * np.float32(2.0**112)
    if (pattern & 0x7C00) == 0x7C00:
        magnitude = np.uint32(((pattern & 0x3FF) << 13) | 0x7F800000).view(np.float32)
    return -magnitude if pattern & 0x8000 else magnitude


@scalar
def narrow_float64(value: Any) -> Any:
    """Return the entry."""
    return np.float64(value)


@scalar
def narrow_float32(value: Any) -> Any:
    """Return the entry, to nearest."""
    return np.float32(value)


@scalar
def narrow_bfloat16(value: Any) -> Any:
    """Return the pattern, to nearest with ties to even; NaN stays NaN."""
    pattern = np.float32(value).view(np.uint32)
    if (pattern & 0x7FFFFFFF) > 0x7F800000:
        return np.uint16(0x7FC0)
    return np.uint16(np.uint32(pattern + 0x7FFF + ((pattern >> 16) & 1)) >> 16)


@scalar
def narrow_float16(value: Any) -> Any:
    """Return the pattern, to nearest with ties to even; beyond 65504 infinity, NaN stays NaN."""
    pattern = np.float32(value).view(np.uint32)
    magnitude = np.uint32(pattern & 0x7FFFFFFF)
    sign = (pattern >> 16) & 0x8000
    if magnitude > 0x7F800000:
        return np.uint16(0x7E00)
    if magnitude >= 0x477FF000:
        return np.uint16(sign | 0x7C00)
    if magnitude < 0x38800000:  # subnormal: the unit of 1/2 + v in float32 is the smallest float16
        moved = np.float32(magnitude.view(np.float32) + np.float32(0.5)).view(np.uint32)
        return np.uint16(sign | (moved - 0x3F000000))
    return np.uint16(sign | ((magnitude + 0x0FFF + ((magnitude >> 13) & 1) - 0x38000000) >> 13))


@scalar
def bits_float64(raw: Any) -> Any:
    """Return the bits without the sign."""
    return np.int64(np.float64(raw).view(np.int64) & 0x7FFFFFFFFFFFFFFF)


@scalar
def bits_float32(raw: Any) -> Any:
    """Return the bits without the sign."""
    return np.int32(np.float32(raw).view(np.int32) & 0x7FFFFFFF)


@scalar
def bits_half(raw: Any) -> Any:
    """Return the bits without the sign."""
    return np.int32(raw & 0x7FFF)


bits_float16 = bits_bfloat16 = bits_half


@scalar
def raw_float64(bits: Any) -> Any:
    """Return the entry of a magnitude's bits."""
    return np.int64(bits).view(np.float64)


@scalar
def raw_float32(bits: Any) -> Any:
    """Return the entry of a magnitude's bits."""
    return np.int32(bits).view(np.float32)


@scalar
def raw_half(bits: Any) -> Any:
    """Return the entry of a magnitude's bits."""
    return np.uint16(bits)


raw_float16 = raw_bfloat16 = raw_half


@scalar
def alone(word: Any) -> Any:
    """Return the entry of a word that holds one."""
    return word


@scalar
def lower(word: Any) -> Any:
    """Return the first of the two entries of a word."""
    return np.uint16(word & 0xFFFF)


@scalar
def upper(word: Any) -> Any:
    """Return the second of the two entries of a word."""
    return np.uint16(word >> 16)


@scalar
def first(low: Any, high: Any) -> Any:
    """Return the word of one entry."""
    return low


@scalar
def joined(low: Any, high: Any) -> Any:
    """Return the word of two entries."""
    return np.uint32(np.uint32(low) | np.uint32(np.uint32(high) << 16))
