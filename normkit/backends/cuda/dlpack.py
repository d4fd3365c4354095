"""DLPack capsules read by ctypes: where the memory is, its shape and entry type, without a library to hand it to.

The layout is that of DLPack's version 0 (``DLManagedTensor``), which every producer gives that is asked for no other.
A capsule that nobody consumes frees what it holds when it is collected: whoever keeps it keeps the memory.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

CPU, CUDA, CUDA_HOST, CUDA_MANAGED = 1, 2, 3, 13
"""Kinds of devices in DLPack's numbering."""
KINDS = {(2, 16): "float16", (2, 32): "float32", (2, 64): "float64", (4, 16): "bfloat16"}
"""Names of entry types by DLPack's (code, bits)."""
WORDS = {0: "int", 1: "uint", 2: "float", 3: "handle", 4: "bfloat", 5: "complex", 6: "bool"}


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


@dataclass(frozen=True)
class Described:
    """What a capsule says: address of the first entry, shape, strides in entries, entry type, device."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    device: tuple[int, int]


def described(capsule: Any) -> Described:
    """Return what a capsule named ``dltensor`` says.

    Raises
    ------
    ValueError
        If it is no such capsule, or was consumed.
    """
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    tensor = _Tensor.from_address(pointer(capsule, b"dltensor"))
    shape = tuple(tensor.shape[axis] for axis in range(tensor.ndim))
    strides = tuple(tensor.strides[axis] for axis in range(tensor.ndim)) if tensor.strides else contiguous(shape)
    dtype = KINDS.get((tensor.code, tensor.bits), f"{WORDS.get(tensor.code, 'unknown')}{tensor.bits}")
    return Described(
        (tensor.data or 0) + tensor.byte_offset, shape, strides, dtype, (tensor.device_type, tensor.device_id)
    )


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in entries, of an array whose last axis runs fastest.

    Examples
    --------
    >>> from normkit.backends.cuda.dlpack import contiguous
    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
    return tuple(strides)
