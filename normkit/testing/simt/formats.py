"""The 16-bit storage types as bit patterns: bfloat16 and float16 to float32 and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_float(bits: Any, dtype: str) -> NDArray[np.float32]:
    """Return the float32 values of 16-bit patterns, of any shape.

    Examples
    --------
    >>> to_float([0x3FC0], "bfloat16"), to_float([0x3E00], "float16")
    (array([1.5], dtype=float32), array([1.5], dtype=float32))
    """
    words = np.ascontiguousarray(bits, np.uint16)
    if dtype == "float16":
        return words.view(np.float16).astype(np.float32)
    return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_bits(values: Any, dtype: str) -> NDArray[np.uint16]:
    """Return the patterns of values rounded to the nearest, ties to even; a NaN stays one.

    Examples
    --------
    >>> [hex(word) for word in to_bits([1.5, -2.0, 1.00390625], "bfloat16")]
    ['0x3fc0', '0xc000', '0x3f80']
    """
    floats = np.ascontiguousarray(values, np.float32)
    if dtype == "float16":
        return floats.astype(np.float16).view(np.uint16)
    words = floats.view(np.uint32)
    rounded = (words + np.uint32(0x7FFF) + ((words >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(floats), np.uint32(0x7FFF), rounded).astype(np.uint16)
