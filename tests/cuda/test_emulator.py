"""The product kernels on the CPU, against float64, and planted faults that the emulator has to notice."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="the kernels need numba-cuda: pip install 'normkit[cuda]'")

from cuda_products import Product
from kernel_faults import CHAINS, FAULTS, GROUPS, READS, WARPS, Fault

from normkit.backends.cuda.instructions import group_barrier, load_16_if
from normkit.backends.cuda.kernels import gemm_f32, gemm_mma, symgemm_mma, symgemm_wgmma
from normkit.backends.cuda.kernels.interface import DeviceKernel
from normkit.backends.cuda.language import uint32
from normkit.errors import ParameterError
from normkit.testing import simt

SYM, GEM = symgemm_mma.KERNEL, gemm_mma.KERNEL
HOP, WIDE, TURN = symgemm_wgmma.kernel(), symgemm_wgmma.kernel(256, 3), symgemm_wgmma.kernel(turns=True)
ABC = {"alpha": 2.0, "beta": -4.775}
SUM = {**ABC, "gamma": 3.4}

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
    (HOP, {"rows": 200, "inner": 640, "batch": 3, "blocks": 2, **SUM}, READS),
    (HOP, {"rows": 300, "inner": 130, "dtype": "float16", "other": True, "blocks": 4, **SUM}, GROUPS),
    (HOP, {"rows": 100, "inner": 70, "in_place": True, **SUM}, WARPS),
    (WIDE, {"rows": 400, "inner": 200, "batch": 2, "blocks": 3, **SUM}, GROUPS),
    (WIDE, {"rows": 257, "inner": 320, "other": True, "dtype": "float16"}, READS),
    (TURN, {"rows": 1, "inner": 1, **SUM}, GROUPS),
    (TURN, {"rows": 200, "inner": 640, "batch": 3, "blocks": 2, **SUM}, {**READS, "order": "rotate"}),
    (TURN, {"rows": 300, "inner": 130, "dtype": "float16", "other": True, "blocks": 1, **SUM}, WARPS),
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


def problem(name: str, options: Mapping[str, Any], module: ModuleType) -> tuple[Product, dict[str, Any]]:
    """What a fault is tried on: ragged, batched, more tiles than blocks, B not A; and how it is run."""
    run = {key: value for key, value in options.items() if key not in ("batch", "beta")}
    sizes = {"rows": 190, "inner": 72, "alpha": 2.0, "beta": -4.775}
    sizes["batch"] = 1 if options.get("group") == 32 else 2  # warps one by one take longer
    sizes |= {key: value for key, value in options.items() if key not in run}
    if name == "general":
        return Product(module.KERNEL, **sizes), run
    if name == "mma":
        return Product(module.KERNEL, gamma=3.4, other=True, **sizes), run
    kernel = module.kernel(256 if name == "wide" else 128, 3, turns=name == "turns")
    sizes |= {"rows": 300 if name == "wide" else 190, "inner": 390, "blocks": 2 - (name == "turns")}
    return Product(kernel, gamma=3.4, other=True, boxes=module.boxes, **sizes), run


def caught(product: Product, options: dict[str, Any]) -> bool:
    try:
        statistics = product.emulate(**options)
    except (simt.Deadlock, IndexError, ValueError, RuntimeError):
        return True
    return not product.right() or statistics.get("bank conflict ways", 1) > 1


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.says.replace(" ", "-") for fault in FAULTS])
def test_planted_faults_are_caught(fault: Fault) -> None:
    with simt.planted(fault.module, fault.old, fault.new, fault.users()) as copy:
        assert caught(*problem(fault.kernel, fault.options, copy))


@pytest.mark.parametrize("name", CHAINS)
def test_without_a_fault_nothing_is_caught(name: str) -> None:
    options = {} if name in ("mma", "general") else GROUPS
    assert not caught(*problem(name, options, CHAINS[name][-1]))


def test_a_fault_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not once"), simt.planted(symgemm_mma, "no such text", ""):
        pass


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
        ({"inner": 2**30 + 8, "ld_in": 2**30 + 8}, "inner must be 1 to 2"),
        ({"batch": 2**30}, "too many at a time; split the batch"),
        ({"tiles": 3}, "takes a, b, d"),
    ],
    ids=["leading", "short", "address", "size", "bytes", "tiles", "names"],
)
def test_arguments_are_checked(given: dict[str, float], says: str) -> None:
    right = {"a": 0, "b": 0, "d": 0, "c": 0, "alpha": 1, "beta": 0, "gamma": 0}
    sizes = {"rows": 200, "inner": 30, "ld_in": 32, "ld_out": 200, "batch": 1}
    assert [str(x.dtype) for x in SYM.arguments(**right, **sizes)] == ["uint64"] * 4 + ["float32"] * 3 + ["int32"] * 6
    with pytest.raises(ParameterError, match=says):
        SYM.arguments(**(right | sizes | given))


def test_rows_of_a_batch_are_counted_where_maps_name_them() -> None:
    """A coordinate of a tensor map is a 32-bit number with a sign; 64 matrices of 8192 x 28672 are far from that."""
    given = {"a": 0, "b": 0, "d": 0, "c": 0, "alpha": 1, "beta": 0, "gamma": 0}
    sizes = {"rows": 8192, "inner": 28672, "ld_in": 28672, "ld_out": 8192}
    assert WIDE.arguments(**given, **sizes, batch=64)[-1] == 64
    for kernel in (HOP, WIDE):
        with pytest.raises(ParameterError, match="split the batch"):
            kernel.arguments(**given, **(sizes | {"rows": 2**16, "ld_out": 2**16, "batch": 2**15}))


@pytest.mark.parametrize("choice", [(192, 4, False), (256, 5, False), (256, 3, True), (128, 1, False)], ids=str)
def test_there_are_no_other_tiles(choice: tuple[int, int, bool]) -> None:
    with pytest.raises(ParameterError, match="no kernel for"):
        symgemm_wgmma.kernel(*choice)


def test_grids() -> None:
    """Tiles that touch the lower triangle, counted one by one; persistent blocks are no more than multiprocessors."""
    for kernel in (SYM, HOP, WIDE, TURN):
        high, wide, _ = kernel.tile
        count = sum(j * wide <= i * high + high - 1 for i in range(9) for j in range(9))
        assert kernel.tiles(9 * high - 5, 0) == count
    assert SYM.grid(8192, 8192, 2) == (2 * 64 * 65 // 2,)
    assert HOP.grid(8192, 8192, 2, multiprocessors=132) == (132,)
    assert GEM.grid(129, 257, 2) == (12,)
    assert SYM.leading(33) == 40
    assert gemm_f32.GEMM.leading(33, 4) == 33
