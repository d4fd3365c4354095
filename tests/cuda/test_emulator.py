"""The product kernels on the CPU, against float64, and planted faults that the emulator has to notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="the kernels need numba-cuda: pip install 'normkit[cuda]'")

from cuda_products import Product

from normkit.backends.cuda.instructions import group_barrier, load_16_if, mma
from normkit.backends.cuda.kernels import (
    blocks,
    gemm_f32,
    gemm_mma,
    mma_tile,
    symgemm_mma,
    symgemm_wgmma,
    triangle,
    wgmma_stages,
)
from normkit.backends.cuda.kernels.interface import DeviceKernel
from normkit.backends.cuda.language import cuda, float32, int32, uint32
from normkit.errors import ParameterError
from normkit.testing import simt

SYM, GEM = symgemm_mma.KERNEL, gemm_mma.KERNEL
HOP, WIDE = symgemm_wgmma.kernel(128, 4), symgemm_wgmma.kernel(256, 3)
ABC = {"alpha": 2.0, "beta": -4.775}
SUM = {**ABC, "gamma": 3.4}
WARPS, TURNS = {"group": 32, "order": "reverse"}, {"group": 32, "order": "rotate"}
GROUPS = {"group": 128}

CASES: list[tuple[DeviceKernel, dict[str, Any], dict[str, Any]]] = [
    (SYM, {"rows": 128, "inner": 32}, {}),
    (SYM, {"rows": 1, "inner": 1, **ABC}, {}),
    (SYM, {"rows": 200, "inner": 70, "batch": 2, **SUM}, {}),
    (SYM, {"rows": 257, "inner": 96, "dtype": "float16", "other": True, **SUM}, {"late": "reads"}),
    (SYM, {"rows": 130, "inner": 33, "in_place": True, **SUM}, WARPS),
    (GEM, {"rows": 128, "inner": 32, "columns": 256}, {}),
    (GEM, {"rows": 1, "inner": 1, "columns": 1, **ABC}, {}),
    (GEM, {"rows": 150, "inner": 70, "columns": 37, "batch": 2, **ABC}, {"late": "reads"}),
    (GEM, {"rows": 3, "inner": 100, "columns": 200, "dtype": "float16", "in_place": True, **ABC}, WARPS),
    (HOP, {"rows": 128, "inner": 64}, GROUPS),
    (HOP, {"rows": 1, "inner": 1, **SUM}, GROUPS),
    (HOP, {"rows": 200, "inner": 640, "batch": 3, "blocks": 2, **SUM}, {**GROUPS, "late": "reads"}),
    (HOP, {"rows": 300, "inner": 130, "dtype": "float16", "other": True, "blocks": 4, **SUM}, GROUPS),
    (HOP, {"rows": 100, "inner": 70, "in_place": True, **SUM}, WARPS),
    (WIDE, {"rows": 400, "inner": 200, "batch": 2, "blocks": 3, **SUM}, GROUPS),
    (WIDE, {"rows": 257, "inner": 320, "other": True, "dtype": "float16"}, {**GROUPS, "late": "reads"}),
    (gemm_f32.GEMM, {"rows": 70, "inner": 20, "columns": 37, "batch": 2, "dtype": "float32", **ABC}, WARPS),
    (gemm_f32.SYMGEMM, {"rows": 130, "inner": 33, "other": True, "dtype": "float32", **SUM}, WARPS),
]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda i: f"{CASES[i][0].name}-{i}")
def test_products_are_right(number: int) -> None:
    """The error is that of rounding the result; C equals its transpose bit for bit; no lanes meet in a bank."""
    kernel, problem, options = CASES[number]
    product = Product(kernel, **problem)
    statistics = product.emulate(**options)
    assert product.right(), (product.error(), product.asymmetry())
    assert statistics.get("bank conflict ways", 1) == 1


@contextmanager
def same(module: ModuleType) -> Iterator[ModuleType]:
    yield module


def of(kernel: str, *users: ModuleType) -> tuple[str, tuple[ModuleType, ...]]:
    return kernel, users


MMA, HOPPER = of("SYM", symgemm_mma), of("HOP", wgmma_stages, symgemm_wgmma)
FAULTS: list[tuple[str, ModuleType, str, str, tuple[str, tuple[ModuleType, ...]], dict[str, Any]]] = [
    ("rows of a panel share banks", mma_tile, "((row >> 1) & 3)", "(row & 1)", MMA, {}),
    ("copies are not awaited", symgemm_mma, "            wait_1()\n", "", of("SYM"), {}),
    ("fragments of B swapped", symgemm_mma, "b00, b01, b10, b11 =", "b00, b10, b01, b11 =", of("SYM"), {}),
    ("halves of a word swapped", blocks, "pack_(v1, v0)", "pack_(v0, v1)", MMA, {}),
    ("padding is read", mma_tile, "max_i32(min_i32(left, int32(16)), int32(0))", "int32(16)", MMA, {}),
    ("a stage in use is filled", symgemm_mma, "(ahead % STAGES)", "(k % STAGES)", of("SYM"), {"late": "reads"}),
    ("gamma beside the diagonal", blocks, "above + g == t + 1)", "above + g + 1 == t)", MMA, {}),
    ("rows beyond the last are read", symgemm_mma, "int32(ra + 64 < rows)", "int32(1)", of("SYM"), {"batch": 1}),
    (
        *("rows beyond the last are written", blocks),
        "wanted(row, column)\n            x, y, z, w = load_shared",
        "True\n            x, y, z, w = load_shared",
        *(MMA, {}),
    ),
    ("the diagonal is not mirrored", blocks, "uint32(0x44)", "uint32(0x00)", MMA, {}),
    ("the other half is not mirrored", blocks, "uint32(0x4400)", "uint32(0x00)", MMA, {}),
    (
        *("results are stored before they are there", symgemm_mma),
        "        group_barrier(barrier, uint32(128))\n        store_lower",
        "        store_lower",
        *(of("SYM"), WARPS),
    ),
    (
        *("a block is written while it is read", symgemm_mma),
        "        group_barrier(barrier, uint32(128))  # the",
        "        # the",
        *(of("SYM"), {**WARPS, "beta": 0.0}),  # otherwise the barrier after the next D would do
    ),
    (
        *("the ring is written while it is read", symgemm_mma),
        "        cuda.syncthreads()\n        block",
        "        block",
        *(of("SYM"), WARPS),
    ),
    ("zeros land on results", symgemm_mma, "        wait_0()  #", "        #", of("SYM"), {}),
    ("a step of columns of B", gemm_mma, "fb ^ uint32(128)", "fb ^ uint32(64)", of("GEM"), {}),
    ("rows of B beyond the last", gemm_mma, "int32(row + 16 < inner)", "int32(1)", of("GEM"), {"batch": 1}),
    ("the batch of B", gemm_mma, "uint64(entry) * uint64(inner)", "uint64(entry) * uint64(rows)", of("GEM"), {}),
    ("a step of 64 bytes in K", symgemm_wgmma, "desc_a + uint64(part * 2)", "desc_a + uint64(part * 4)", of("HOP"), {}),
    (
        *("the stage in use is released", symgemm_wgmma),
        "* previous, uint32(((thread & 31) == 0) & (k > 0))",
        "* stage, uint32((thread & 31) == 0)",
        *(of("HOP"), {"late": "reads"}),
    ),
    (
        *("one arrival per warpgroup", symgemm_wgmma),
        "uint32(((thread & 31) == 0) &",
        "uint32(((thread & 127) == 0) &",
        *(of("HOP"), {}),
    ),
    ("the first parity", wgmma_stages, "phase = uint32(1)", "phase = uint32(0)", of("HOP", symgemm_wgmma), {}),
    ("stride of 8 rows", symgemm_wgmma, "(64 << 32)", "(32 << 32)", of("HOP"), {}),
    ("the parity never flips", symgemm_wgmma, "phase ^= uint32(1)", "phase ^= uint32(0)", of("HOP"), {}),
    ("two groups on the same rows", symgemm_wgmma, "uint32((role - 1) * (64 * 128))", "uint32(0)", of("HOP"), {}),
    (
        *("data are not awaited", symgemm_wgmma),
        "mbarrier_wait(full + uint32(8) * stage, phase)",
        "pass",
        *(of("HOP"), {}),
    ),
    ("sums are used too early", symgemm_wgmma, "                wait_0()\n", "", of("HOP"), {"late": "reads"}),
    ("wide tiles counted as square ones", triangle, "(i * rows) // columns - 1", "i - 1", of("WIDE", *HOPPER[1]), {}),
    (
        *("the last stage is not released", symgemm_wgmma),
        "mbarrier_arrive_if(empty + uint32(8) * previous, uint32((thread & 31) == 0))",
        "pass",
        *(of("HOP"), {}),
    ),
    ("the last tile is not forgotten", symgemm_wgmma, "desc_b, uint32(k > 0)", "desc_b, uint32(1)", of("HOP"), {}),
    (
        "too few bytes expected",
        wgmma_stages,
        "uint32(stage_bytes))  #",
        "uint32(panel))  #",
        of("HOP", symgemm_wgmma),
        {},
    ),
    ("both groups share a block", symgemm_wgmma, "uint32((role - 1) * 16384)", "uint32(0)", of("HOP"), TURNS),
    (
        "a batch that starts anew",
        wgmma_stages,
        "first = uint64(entry)",
        "first = uint64(0)",
        of("HOP", symgemm_wgmma),
        {},
    ),
]


def broken(name: str, options: dict[str, Any]) -> Callable[[ModuleType], tuple[Product, dict[str, Any]]]:
    """What a fault is tried on: ragged, batched, more tiles than blocks."""
    options = dict(options)
    sizes = {"rows": 190, "inner": 72, "batch": options.pop("batch", 2), "alpha": 2.0}
    sizes["beta"] = options.pop("beta", -4.775)
    if name in ("HOP", "WIDE"):
        sizes |= {"rows": 300 if name == "WIDE" else 190, "inner": 392, "blocks": 2}
        options = {"group": 128, **options}
    if name != "GEM":
        sizes |= {"gamma": 3.4, "other": True}

    def make(module: ModuleType) -> tuple[Product, dict[str, Any]]:
        kernels = {"SYM": "KERNEL", "GEM": "KERNEL"}
        kernel = getattr(module, kernels[name]) if name in kernels else module.kernel(256 if name == "WIDE" else 128, 3)
        return Product(kernel, **sizes), options

    return make


def caught(product: Product, options: dict[str, Any]) -> bool:
    try:
        statistics = product.emulate(**options)
    except (simt.Deadlock, IndexError, ValueError, RuntimeError):
        return True
    return not product.right() or statistics.get("bank conflict ways", 1) > 1


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=lambda i: FAULTS[i][0].replace(" ", "-"))
def test_planted_faults_are_caught(number: int) -> None:
    _, module, old, new, (name, users), options = FAULTS[number]
    with simt.planted(module, old, new, users) as copy:
        assert caught(*broken(name, options)(copy))


@pytest.mark.parametrize("name", ["SYM", "GEM", "HOP", "WIDE"])
def test_without_a_fault_nothing_is_caught(name: str) -> None:
    module = {"SYM": symgemm_mma, "GEM": gemm_mma}.get(name, symgemm_wgmma)
    assert not caught(*broken(name, {})(module))


def test_a_fault_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not once"), simt.planted(symgemm_mma, "no such text", ""):
        pass


def smallest(a: Any, b: Any, c: Any, k: Any) -> None:
    """One warp, C (16 x 8) = A (16, k) @ B (8, k)^T: the fragments as the PTX ISA draws them, from words in memory."""
    lane = int32(cuda.threadIdx.x)
    row = lane >> 2
    pair = lane & 3
    s = (float32(0), float32(0), float32(0), float32(0))
    for at in range(0, k // 2, 8):
        s = product(
            *(a[row, at + pair], a[row + 8, at + pair], a[row, at + pair + 4], a[row + 8, at + pair + 4]),
            *(b[row, at + pair], b[row, at + pair + 4], s[0], s[1], s[2], s[3]),
        )
    c[row, 2 * pair], c[row, 2 * pair + 1], c[row + 8, 2 * pair], c[row + 8, 2 * pair + 1] = s


product = mma("bfloat16")


def test_fragments_of_mma() -> None:
    rng = np.random.default_rng(0)
    a, b = (simt.to_bits(rng.standard_normal((n, 64)), "bfloat16") for n in (16, 8))
    c = np.full((16, 8), np.nan, np.float32)
    simt.launch(smallest, (1,), 32, [a.view(np.uint32), b.view(np.uint32), c, np.int32(64)], [])
    exact = simt.to_float(a, "bfloat16").astype(float) @ simt.to_float(b, "bfloat16").astype(float).T
    np.testing.assert_allclose(c, exact, atol=1e-4)


def lonely() -> None:
    group_barrier(uint32(1), uint32(128))


def test_a_deadlock_says_who_waits_for_what() -> None:
    with pytest.raises(simt.Deadlock, match="group 0 waits for barrier 1 of 128 threads"):
        simt.launch(lonely, (1,), 64, [], [], group=32)


def reads(address: Any) -> None:
    load_16_if(address, uint32(1))


@pytest.mark.parametrize("shift", [16, 8], ids=["outside", "misaligned"])
def test_accesses_are_checked(shift: int) -> None:
    x = np.zeros(4, np.uint32)
    wrong = IndexError if shift == 16 else ValueError
    with pytest.raises(wrong):
        simt.launch(reads, (1,), 32, [np.uint64(x.ctypes.data + shift)], [x])


def test_sixteen_bit_types_round_to_even() -> None:
    """All finite bfloat16 survive; a value halfway between two takes the even one."""
    words = np.arange(0x7F80, dtype=np.uint16)
    assert (simt.to_bits(simt.to_float(words, "bfloat16"), "bfloat16") == words).all()
    between = (simt.to_float(words[:-1], "bfloat16") + simt.to_float(words[1:], "bfloat16").astype(float)) / 2
    assert (simt.to_bits(between, "bfloat16") == words[:-1] + (words[:-1] & 1)).all()
    assert np.isnan(simt.to_float(simt.to_bits([np.nan], "bfloat16"), "bfloat16")).all()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ld_in": 33}, "ld_in = 33 is not a multiple of 16 bytes"),
        ({"ld_out": 192}, "ld_out = 192 is less than rows = 200"),
        ({"a": 8}, "a = 8 is not a multiple"),
        ({"rows": 0}, "rows must be 1"),
        ({"tiles": 3}, "takes a, b, d"),
    ],
    ids=["leading", "short", "address", "size", "names"],
)
def test_arguments_are_checked(given: dict[str, float], says: str) -> None:
    right = {"a": 0, "b": 0, "d": 0, "c": 0, "alpha": 1, "beta": 0, "gamma": 0}
    sizes = {"rows": 200, "inner": 30, "ld_in": 32, "ld_out": 200, "batch": 1}
    assert [str(x.dtype) for x in SYM.arguments(**right, **sizes)] == ["uint64"] * 4 + ["float32"] * 3 + ["int32"] * 6
    with pytest.raises(ParameterError, match=says):
        SYM.arguments(**(right | sizes | given))


def test_grids() -> None:
    """Tiles that touch the lower triangle, counted one by one; persistent blocks are no more than multiprocessors."""
    for kernel in (SYM, HOP, WIDE):
        high, wide, _ = kernel.tile
        count = sum(j * wide <= i * high + high - 1 for i in range(9) for j in range(9))
        assert kernel.tiles(9 * high - 5, 0) == count
    assert SYM.grid(8192, 8192, 2) == (2 * 64 * 65 // 2,)
    assert HOP.grid(8192, 8192, 2, multiprocessors=132) == (132,)
    assert GEM.grid(129, 257, 2) == (12,)
    assert SYM.leading(33) == 40
    assert gemm_f32.GEMM.leading(33, 4) == 33
