"""Tensor maps: what the tensor-memory accelerator of Hopper is told of a matrix. The driver makes one, by ctypes.

Not by cuda.bindings: there a map lies inside an object of Python, which CPython aligns to 16 bytes, while the driver
requires 64 (13.5 passes three maps of four to it misaligned; `NVIDIA/cuda-python#1692`).
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

from normkit.backends.cuda.driver import NAME, text
from normkit.errors import BackendError

UINT16, PLAIN, SWIZZLE_128, L2_128, ZEROS = 1, 0, 3, 2, 0
"""In the driver's numbering: entries, no interleave, the swizzle, bytes that L2 brings, what lies outside."""
BYTES, ALIGN = 128, 128
"""Of a map; 64 would do for CUDA 12."""


class Box(NamedTuple):
    """A tensor map of a matrix of 16-bit elements: what cuTensorMapEncodeTiled is told, innermost dimension first.

    Element type UINT16, no interleave, 128-byte swizzle, zeros outside; element strides 1.
    """

    sizes: tuple[int, int]
    """Columns and rows, of the whole batch."""
    stride: int
    """Bytes from row to row."""
    box: tuple[int, int]
    """Columns and rows of a box."""


def encoded(address: int, box: Box, library: Any) -> Any:
    """Return a map of the matrix at an address of device memory, as 16 words at an aligned place.

    Parameters
    ----------
    address : int
        A multiple of 16.
    box : Box
        Its stride is a multiple of 16 bytes below 2^40, its sizes are at most 2^32, those of the box at most 256.
    library
        The driver's functions.

    Raises
    ------
    BackendError
        If the driver refuses.
    """
    room = ctypes.create_string_buffer(BYTES + ALIGN)
    words = (ctypes.c_uint64 * 16).from_buffer(room, -ctypes.addressof(room) % ALIGN)
    pair, stride, counts = ctypes.c_uint64 * 2, ctypes.c_uint64 * 1, ctypes.c_uint32 * 2
    of_matrix = (ctypes.c_void_p(address), pair(*box.sizes), stride(box.stride), counts(*box.box), counts(1, 1))
    _call(library, "cuTensorMapEncodeTiled", words, UINT16, 2, *of_matrix, PLAIN, SWIZZLE_128, L2_128, ZEROS)
    return words


def stored(address: int, box: Box, library: Any = None) -> int:
    """Return the address of a map of a matrix, in device memory of the current context; it stays there for good.

    A copy from memory that is not pinned may return before it has arrived, and kernels in other streams do not wait
    for it. So this waits.
    """
    library = library or ctypes.CDLL(NAME)
    words, where, size = encoded(address, box, library), ctypes.c_uint64(), ctypes.c_size_t(BYTES)
    _call(library, "cuMemAlloc_v2", ctypes.byref(where), size)
    _call(library, "cuMemcpyHtoD_v2", where, words, size)
    _call(library, "cuStreamSynchronize", None)
    return where.value


def _call(library: Any, name: str, *arguments: Any) -> None:
    if code := getattr(library, name)(*arguments):
        raise BackendError(f"{name} failed: {text(library, code)}")
