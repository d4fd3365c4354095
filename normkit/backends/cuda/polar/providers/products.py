"""Products by this package's kernels: on tensor cores of Hopper and of sm_80 and later, and in float32 anywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from normkit.backends.cuda.polar.memory import Place, Places
from normkit.backends.cuda.polar.ops import ITEMSIZE, Gemm, Op, SymGemm
from normkit.backends.cuda.polar.providers import Call

WIDE_ROWS = 4096
"""Rows from which tiles of 256 columns are taken on Hopper: they read a third less. Not measured."""

Choice = Callable[[SymGemm | Gemm], Any]


@cache
def kernels() -> dict[str, Choice]:
    """Return, for each name of a provider, which kernel takes an operation; None where it has none."""
    from normkit.backends.cuda.kernels import gemm_f32, gemm_mma, symgemm_mma, symgemm_wgmma

    def wgmma(op: SymGemm | Gemm) -> Any:
        return symgemm_wgmma.kernel(256 if op.out.rows >= WIDE_ROWS else 128) if isinstance(op, SymGemm) else None

    def mma(op: SymGemm | Gemm) -> Any:
        return symgemm_mma.KERNEL if isinstance(op, SymGemm) else gemm_mma.KERNEL

    def tile(op: SymGemm | Gemm) -> Any:
        return gemm_f32.SYMGEMM if isinstance(op, SymGemm) else gemm_f32.GEMM

    return {"wgmma": wgmma, "mma": mma, "tile": tile}


class Products:
    """Products by kernels of one kind, on a device."""

    def __init__(self, name: str, device: int, capability: tuple[int, int], processors: int) -> None:
        self.name, self._device, self._capability, self._processors = name, device, capability, processors
        self.tile: int | None = {"wgmma": 128, "mma": 128, "tile": 64}[name]

    def why_not(self, op: Op, at: Places) -> str | None:
        """Return why not: the device is too old, or the kernel does not take the type or the layout."""
        if not isinstance(op, SymGemm | Gemm):
            return "it makes products alone"
        kernel = kernels()[self.name](op)
        if kernel is None:
            return "its results are symmetric"
        return refusal(kernel, op, at, self._capability)

    def bind(self, op: Op, at: Places) -> Call:
        """Return what starts the kernel of a product."""
        from normkit.backends.cuda.launching import started

        assert isinstance(op, SymGemm | Gemm)
        kernel = kernels()[self.name](op)
        given = operands(op, at)
        if kernel.maps:
            given |= tensor_maps(kernel, given)
        loaded = _loaded(kernel, op.out.dtype, self._capability, self._device)
        grid = kernel.grid(op.out.rows, op.out.columns, at.batch, self._processors)
        return started(loaded, grid, kernel.threads, kernel.shared_bytes, kernel.arguments(**given))


def operands(op: SymGemm | Gemm, at: Places) -> dict[str, Any]:
    """Return the arguments of a product kernel, by name."""
    a, b, c = (at[each] for each in (op.A, op.B, op.out))
    m, n, k = op.sides
    common: dict[str, Any] = {
        "a": a.address,
        "b": b.address,
        "c": c.address,
        "d": 0 if op.D is None else at[op.D].address,
    }
    common |= {"alpha": op.alpha, "beta": op.beta, "rows": m, "inner": k, "ld_out": c.strides[1]}
    if isinstance(op, SymGemm):
        return common | {"gamma": op.gamma, "ld_in": a.strides[1], "batch": at.batch}
    return common | {"columns": n, "ld_a": a.strides[1], "ld_b": b.strides[1]}


def refusal(kernel: Any, op: SymGemm | Gemm, at: Places, capability: tuple[int, int]) -> str | None:
    """Return why a kernel cannot make a product; None if it can."""
    if not kernel.runs_on(capability):
        return f"{kernel.name} does not run on compute capability {'.'.join(map(str, capability))}"
    if op.out.dtype not in kernel.dtypes:
        return f"{kernel.name} is for {', '.join(kernel.dtypes)}"
    if isinstance(op, Gemm) and op.turned:
        return f"{kernel.name} takes no transposed factor"
    places = [at[each] for each in (*op.reads, op.out)]
    if not all(_aligned(place, kernel.align) for place in places):
        return f"{kernel.name} wants rows at multiples of {kernel.align} bytes"
    if isinstance(op, SymGemm) and at[op.A].strides[1] != at[op.B].strides[1]:
        return f"{kernel.name} wants factors of one row length"
    if op.D is not None and at[op.D].strides[1] != at[op.out].strides[1]:
        return f"{kernel.name} wants D laid out as its result"
    return None


def _aligned(place: Place, grain: int) -> bool:
    return place.stacked and not (place.address % grain or place.strides[1] * ITEMSIZE[place.dtype] % grain)


@lru_cache(64)
def _loaded(kernel: Any, dtype: str, capability: tuple[int, int], device: int) -> Any:
    from normkit.backends.cuda.aot import cubin
    from normkit.backends.cuda.launching import allow_shared, core

    made = cubin(kernel, dtype, capability)
    found = core().ObjectCode.from_cubin(made.code).get_kernel(made.entry)
    allow_shared(found, kernel.shared_bytes, device)
    return found


def tensor_maps(kernel: Any, given: dict[str, Any]) -> dict[str, int]:
    """Return the addresses of tensor maps of both factors, in device memory."""
    from normkit.backends.cuda.kernels.symgemm_wgmma import boxes

    sides = (given["rows"], given["inner"], given["ld_in"], given["batch"])
    pair = boxes(kernel, *sides)
    return {name: _tensor_map(given[name], box) for name, box in zip(("a", "b"), pair, strict=True)}


@lru_cache(4096)
def _tensor_map(address: int, box: Any) -> int:
    """Return where a map of the matrix at an address lies: made once, for good."""
    from normkit.backends.cuda.tensor_map import stored

    return stored(address, box)
