"""Mistakes to plant in the product kernels, each in one place of their source; the emulator has to notice every one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from normkit.backends.cuda.kernels import blocks, gemm_mma, mma_tile, symgemm_mma, symgemm_wgmma, triangle, wgmma_stages

WARPS, TURNS = {"group": 32, "order": "reverse"}, {"group": 32, "order": "rotate"}
GROUPS, READS = {"group": 128}, {"group": 128, "late": "reads"}

CHAINS: dict[str, tuple[ModuleType, ...]] = {
    "mma": (symgemm_mma,),
    "general": (gemm_mma,),
    **dict.fromkeys(("hopper", "wide", "turns"), (wgmma_stages, symgemm_wgmma)),
}
"""Modules that import from one with a mistake, each after those it imports; the last one has the kernel."""


class Fault(NamedTuple):
    """A mistake: which kernel it is tried on, where it lies, the text and what becomes of it, how it is run."""

    says: str
    kernel: str
    module: ModuleType
    old: str
    new: str
    options: Mapping[str, Any] = MappingProxyType({})

    def users(self) -> tuple[ModuleType, ...]:
        chain = CHAINS[self.kernel]
        return chain[chain.index(self.module) + 1 :] if self.module in chain else chain


BARRIER = "        group_barrier(barrier, uint32(128))"
LEADS = "((thread & 31) == 0)"
WRITTEN = "\n            x, y, z, w = load_shared"

FAULTS = [
    Fault("rows of a panel share banks", "mma", mma_tile, "((row >> 1) & 3)", "(row & 1)"),
    Fault("copies are not awaited", "mma", symgemm_mma, "            wait_1()\n", ""),
    Fault("fragments of B swapped", "mma", symgemm_mma, "b00, b01, b10, b11 =", "b00, b10, b01, b11 ="),
    Fault("halves of a word swapped", "mma", blocks, "pack_(v1, v0)", "pack_(v0, v1)"),
    Fault("padding is read", "mma", mma_tile, "max_i32(min_i32(left, int32(16)), int32(0))", "int32(16)"),
    Fault("a stage in use is filled", "mma", symgemm_mma, "(ahead % STAGES)", "(k % STAGES)", {"late": "reads"}),
    Fault("gamma beside the diagonal", "mma", blocks, "above + g == t + 1)", "above + g + 1 == t)"),
    Fault("rows beyond the last are read", "mma", symgemm_mma, "int32(ra + 64 < rows)", "int32(1)", {"batch": 1}),
    Fault("rows beyond are written", "mma", blocks, "wanted(row, column)" + WRITTEN, "True" + WRITTEN),
    Fault("the diagonal is not mirrored", "mma", blocks, "uint32(0x44)", "uint32(0x00)"),
    Fault("its other half is not mirrored", "mma", blocks, "uint32(0x4400)", "uint32(0x00)"),
    Fault("stored before it is there", "mma", symgemm_mma, f"{BARRIER}\n        store", "        store", WARPS),
    # with D the barrier that waits for D would do, too
    Fault("a block is written while read", "mma", symgemm_mma, f"{BARRIER}  #", "        #", {**WARPS, "beta": 0.0}),
    Fault(
        "the ring is written while read",
        "mma",
        symgemm_mma,
        "syncthreads()\n        d +=",
        "threadIdx\n        d +=",
        WARPS,
    ),
    Fault("zeros land on results", "mma", symgemm_mma, "        wait_0()  #", "        #"),
    Fault("a step of columns of B", "general", gemm_mma, "fb ^ uint32(128)", "fb ^ uint32(64)"),
    Fault("rows of B beyond the last", "general", gemm_mma, "int32(row + 16 < inner)", "int32(1)", {"batch": 1}),
    Fault("the batch of B", "general", gemm_mma, "uint64(entry) * uint64(inner)", "uint64(entry) * uint64(rows)"),
    Fault(
        "a step of 64 bytes in K", "hopper", wgmma_stages, "a + uint64(part * 2), b", "a + uint64(part * 4), b", GROUPS
    ),
    Fault(
        "the stage in use is released",
        "hopper",
        symgemm_wgmma,
        f"* previous, uint32({LEADS} & (k > 0))",
        f"* stage, uint32{LEADS}",
        READS,
    ),
    Fault(
        "one arrival per warpgroup",
        "hopper",
        symgemm_wgmma,
        f"uint32({LEADS} &",
        "uint32(((thread & 127) == 0) &",
        GROUPS,
    ),
    Fault("the first parity", "hopper", wgmma_stages, "phase = uint32(1)", "phase = uint32(0)", GROUPS),
    Fault("stride of 8 rows", "hopper", wgmma_stages, "(64 << 32)", "(32 << 32)", GROUPS),
    Fault("the parity never flips", "hopper", symgemm_wgmma, "phase ^= uint32(1)", "phase ^= uint32(0)", GROUPS),
    Fault("two groups on the same rows", "hopper", symgemm_wgmma, "uint32((role - 1) * share)", "uint32(0)", GROUPS),
    Fault(
        "data are not awaited",
        "hopper",
        symgemm_wgmma,
        "mbarrier_wait(full + uint32(8) * stage, phase)",
        "pass",
        GROUPS,
    ),
    Fault("sums are used too early", "hopper", symgemm_wgmma, "                wait_0()\n", "", READS),
    Fault("wide tiles counted as square", "wide", triangle, "(i * rows) // columns - 1", "i - 1", GROUPS),
    Fault(
        "the last stage is kept",
        "hopper",
        symgemm_wgmma,
        f"previous, uint32({LEADS[1:-1]}))",
        "previous, uint32(0))",
        GROUPS,
    ),
    Fault("the last tile is remembered", "hopper", symgemm_wgmma, "share), uint32(k > 0)", "share), uint32(1)", GROUPS),
    Fault("too few bytes expected", "hopper", wgmma_stages, "uint32(stage_bytes))  #", "uint32(panel))  #", GROUPS),
    Fault(
        "maps without padding",
        "hopper",
        symgemm_wgmma,
        "return Box(sizes, 2 * ld_in,",
        "return Box(sizes, 2 * inner,",
        GROUPS,
    ),
    Fault("maps that show padding", "hopper", symgemm_wgmma, "(inner, rows * batch)", "(ld_in, rows * batch)", GROUPS),
    Fault("maps of one matrix alone", "hopper", symgemm_wgmma, "(inner, rows * batch)", "(inner, rows)", GROUPS),
    Fault("barriers that are not shown", "hopper", symgemm_wgmma, "            mbarrier_init_fence()\n", "", GROUPS),
    Fault("a map that is not acquired", "hopper", wgmma_stages, "        tensor_map_acquire(b)\n", "", GROUPS),
    Fault("products without a fence", "hopper", wgmma_stages, "        wgmma_fence()\n", "", GROUPS),
    Fault("too few registers given away", "hopper", symgemm_wgmma, '("dec", 40)', '("dec", 48)', GROUPS),
    Fault("registers kept", "hopper", symgemm_wgmma, "            fewer()\n", "", GROUPS),
    Fault("swizzle mode of Blackwell", "hopper", wgmma_stages, "(1 << 62)", "(2 << 61)  | (1 << 46)", GROUPS),
    Fault("stages out of step with the swizzle", "turns", wgmma_stages, "uint64(512 +", "uint64(520 +", GROUPS),
    Fault("results on the ring", "hopper", symgemm_wgmma, "ring + uint32(ring_bytes) +", "ring +", GROUPS),
    Fault("both groups share a block", "hopper", symgemm_wgmma, "uint32((role - 1) * 16384)", "uint32(0)", TURNS),
    Fault("a batch that starts anew", "hopper", wgmma_stages, "uint64(uint32(entry))", "uint64(0)", GROUPS),
    Fault(
        "out of turn", "turns", symgemm_wgmma, "mbarrier_wait(my_turn, turn)", "pass", {**GROUPS, "order": "reverse"}
    ),
    Fault("the turn is kept", "turns", symgemm_wgmma, "uint32(8 - 8 * later)", "uint32(8 * later)", GROUPS),
    Fault(
        "stages of the other tile",
        "turns",
        symgemm_wgmma,
        "skip(stage, phase, uint32(steps))",
        "(stage, phase)",
        GROUPS,
    ),
    Fault("the second chain's rows", "turns", wgmma_stages, "uint64(512 + part * 2)", "uint64(256 + part * 2)", GROUPS),
]
