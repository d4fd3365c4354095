"""General products by cuBLASLt, through ctypes: D = alpha op(A) op(B) + beta C, where D may lie apart from C.

cuBLASLt is column-major. A row-major matrix (r, c) whose rows start ld apart is a column-major (c, r) of leading
dimension ld, so D = op(A) op(B) becomes D' = op(B)' op(A)': operands change places and keep their transposition.
Names and numbers are those of cublasLt.h and library_types.h, version 13.
"""

from __future__ import annotations

import ctypes as ct
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from normkit.errors import BackendError, MissingExtra

REAL = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}
"""cudaDataType."""
COMPUTE = {"float16": (68, 0), "bfloat16": (68, 0), "float32": (68, 0), "float64": (70, 1)}
"""cublasComputeType_t and the type of alpha and beta: sums in float32, never through TF32, or in float64."""
TRANSPOSE_A, TRANSPOSE_B = 3, 4
BATCH, STRIDE = 5, 6
MOST_WORKSPACE, ALIGNMENTS = 1, (5, 6, 7, 8)
SCRATCH = 32 << 20
"""Bytes that a product may use beside its operands; what NVIDIA recommends for Hopper."""


class _Heuristic(ct.Structure):
    _fields_ = (
        ("algorithm", ct.c_uint64 * 8),
        ("workspace", ct.c_size_t),
        ("state", ct.c_int),
        ("waves", ct.c_float),
        ("reserved", ct.c_int * 4),
    )


@cache
def library() -> Any:
    """Return cuBLASLt.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        found = ct.CDLL(load_nvidia_dynamic_lib("cublasLt").abs_path)
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtra("cuBLASLt was not found: pip install 'normkit[cuda]' brings nvidia-cublas") from error
    found.cublasLtGetVersion.restype = ct.c_size_t
    found.cublasLtGetStatusString.restype = ct.c_char_p
    return found


def _check(status: int) -> None:
    if status:
        raise BackendError(f"cuBLASLt status {status}: {library().cublasLtGetStatusString(status).decode()}")


@cache
def handle(device: int) -> Any:
    """Return the handle of a device, which is current."""
    made = ct.c_void_p()
    _check(library().cublasLtCreate(ct.byref(made)))
    return made


@dataclass(frozen=True)
class Sides:
    """A product of row-major matrices: op(A) is (m, k), op(B) is (k, n); batches lie at a distance of whole rows.

    Attributes
    ----------
    m, n, k : int
    turned_a, turned_b : bool
        Whether A is stored as (k, m), and B as (n, k).
    steps : tuple of int
        Entries from row to row of A, B and D; C is laid out as D.
    distances : tuple of int
        Entries from matrix to matrix of A, B and D, in a batch.
    dtype : str
        Of all matrices.
    batch : int
    alignment : int
        Bytes of whose multiples all addresses are.
    """

    m: int
    n: int
    k: int
    turned_a: bool
    turned_b: bool
    steps: tuple[int, int, int]
    distances: tuple[int, int, int]
    dtype: str
    batch: int = 1
    alignment: int = 16

    def layouts(self) -> tuple[tuple[int, int, int, int], ...]:
        """Return (rows, columns, leading dimension, distance) of cuBLASLt's A, B and C: our B, A and D."""
        b = (self.k, self.n) if self.turned_b else (self.n, self.k)
        a = (self.m, self.k) if self.turned_a else (self.k, self.m)
        of_a, of_b, of_d = zip(self.steps, self.distances, strict=True)
        return (*b, *of_b), (*a, *of_a), (self.n, self.m, *of_d)


class Product:
    """A product whose descriptors are made and whose algorithm is chosen; a call of the library for each run."""

    def __init__(self, sides: Sides, device: int | None, scratch: int = SCRATCH) -> None:
        self.sides, self.scratch, self._device = sides, scratch, device
        self._scalar = ct.c_double if sides.dtype == "float64" else ct.c_float
        self._product, self._best = ct.c_void_p(), _Heuristic()
        _check(library().cublasLtMatmulDescCreate(ct.byref(self._product), *COMPUTE[sides.dtype]))
        for attribute, value in ((TRANSPOSE_A, sides.turned_b), (TRANSPOSE_B, sides.turned_a)):
            _set("MatmulDesc", self._product, attribute, ct.c_int32(value))
        self._layouts = [self._layout(*each) for each in sides.layouts()]
        if device is not None:
            self._choose(handle(device))

    def _layout(self, rows: int, columns: int, leading: int, distance: int) -> Any:
        made, kind = ct.c_void_p(), REAL[self.sides.dtype]
        sizes = ct.c_uint64(rows), ct.c_uint64(columns), ct.c_int64(leading)
        _check(library().cublasLtMatrixLayoutCreate(ct.byref(made), kind, *sizes))
        if self.sides.batch > 1:
            _set("MatrixLayout", made, BATCH, ct.c_int32(self.sides.batch))
            _set("MatrixLayout", made, STRIDE, ct.c_int64(distance))
        return made

    def _choose(self, library_handle: Any) -> None:
        preference, found = ct.c_void_p(), ct.c_int()
        _check(library().cublasLtMatmulPreferenceCreate(ct.byref(preference)))
        _set("MatmulPreference", preference, MOST_WORKSPACE, ct.c_size_t(self.scratch))
        for attribute in ALIGNMENTS:
            _set("MatmulPreference", preference, attribute, ct.c_uint32(self.sides.alignment))
        A, B, C = self._layouts
        status = library().cublasLtMatmulAlgoGetHeuristic(
            library_handle, self._product, A, B, C, C, preference, 1, ct.byref(self._best), ct.byref(found)
        )
        library().cublasLtMatmulPreferenceDestroy(preference)
        _check(status)
        if not found.value:
            raise BackendError(f"cuBLASLt knows no algorithm for {self.sides}")

    def __call__(self, a: int, b: int, c: int, d: int, alpha: float, beta: float, scratch: int, stream: int) -> None:
        """Put D = alpha op(A) op(B) + beta C on a stream; operands are addresses, and D may be C."""
        one, two = self._scalar(alpha), self._scalar(beta)
        A, B, C = self._layouts
        pointers = [ct.c_void_p(each) for each in (b, a, c, d, scratch, stream)]
        _check(
            library().cublasLtMatmul(
                *(handle(self._device or 0), self._product, ct.byref(one)),
                *(pointers[0], A, pointers[1], B, ct.byref(two), pointers[2], C, pointers[3], C),
                *(ct.byref(self._best.algorithm), pointers[4], ct.c_size_t(self.scratch), pointers[5]),
            )
        )


def _set(kind: str, descriptor: Any, attribute: int, value: Any) -> None:
    setter = getattr(library(), f"cublasLt{kind}SetAttribute")
    _check(setter(descriptor, attribute, ct.byref(value), ct.sizeof(value)))


@lru_cache(1024)
def product(sides: Sides, device: int) -> Product:
    """Return a product for a device, which is current; kept, as choosing an algorithm takes a while."""
    return Product(sides, device)
