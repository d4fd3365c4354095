"""The PTX instructions that the kernels use, by name. A new one gets a model in `normkit.testing.simt`.

Operands are addresses (uint64 in global memory, uint32 in shared memory), 32-bit registers and conditions (0 or 1).
A function that ends in ``_if`` does nothing, or returns zero, where its last operand is 0: the predicate lies inside
the assembly, so that no lane of a warp leaves the others.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from normkit.backends.cuda.ptx import instruction, lead, shared_address, warpgroup_product

__all__ = ["SUFFIX", "lead", "shared_address"]

SUFFIX = {"bfloat16": "bf16", "float16": "f16"}
"""A storage type's name in PTX."""

_IF = "{{ .reg .pred p; setp.ne.b32 p, {0}, 0; {1} }}"

# ---- memory ----------------------------------------------------------------------------------------------------------
load_f32_if = instruction(
    "load_f32_if", _IF.format("$2", "mov.f32 $0, 0f00000000; @p ld.global.f32 $0, [$1];"), "f", "lr", early=True
)
store_f32_if = instruction("store_f32_if", _IF.format("$2", "@p st.global.f32 [$0], $1;"), "", "lfr")
load_16_if = instruction(  # a, b, c, d = load_16_if(address, condition)
    "load_16_if",
    _IF.format(
        "$5", "mov.b32 $0, 0; mov.b32 $1, 0; mov.b32 $2, 0; mov.b32 $3, 0; @p ld.global.v4.u32 {$0, $1, $2, $3}, [$4];"
    ),
    "rrrr",
    "lr",
    early=True,
)
store_16_if = instruction("store_16_if", _IF.format("$5", "@p st.global.v4.u32 [$0], {$1, $2, $3, $4};"), "", "lrrrrr")
load_shared_u32 = instruction("load_shared_u32", "ld.shared.u32 $0, [$1];", "r", "r")
store_shared_u32 = instruction("store_shared_u32", "st.shared.u32 [$0], $1;", "", "rr")
load_shared_16 = instruction("load_shared_16", "ld.shared.v4.u32 {$0, $1, $2, $3}, [$4];", "rrrr", "r")
store_shared_16 = instruction("store_shared_16", "st.shared.v4.u32 [$0], {$1, $2, $3, $4};", "", "rrrrr")

# ---- registers -------------------------------------------------------------------------------------------------------
min_i32 = instruction("min_i32", "min.s32 $0, $1, $2;", "i", "ii", pure=True)
max_i32 = instruction("max_i32", "max.s32 $0, $1, $2;", "i", "ii", pure=True)
divide_u32 = instruction("divide_u32", "div.u32 $0, $1, $2;", "r", "rr", pure=True)  # `//` takes 64 bits, and calls
permute = instruction("permute", "prmt.b32 $0, $1, $2, $3;", "r", "rrr", pure=True)  # bytes of two words, by nibbles
first_lane = instruction("first_lane", "shfl.sync.idx.b32 $0, $1, 0, 31, 0xffffffff;", "r", "r", memory=False)
transpose_8x8 = instruction("transpose_8x8", "movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;", "r", "r", memory=False)
group_barrier = instruction("group_barrier", "bar.sync $0, $1;", "", "rr")  # number of the barrier, how many threads


@cache
def pack(dtype: str) -> Any:
    """Return ``pack(high, low)``: two float32 rounded to a 16-bit type in one word."""
    kind = SUFFIX[dtype]
    text = f"cvt.rn.{kind}x2.f32 $0, $1, $2;"
    return instruction(f"pack_{kind}", text, "r", "ff", pure=True, model=("pack", dtype))


@cache
def unpack(dtype: str) -> Any:
    """Return ``low, high = unpack(word)``, as float32."""
    texts = {
        "bfloat16": "{ shl.b32 $0, $2, 16; and.b32 $1, $2, 0xffff0000; }",
        "float16": "{ .reg .b16 a, b; mov.b32 {a, b}, $2; cvt.f32.f16 $0, a; cvt.f32.f16 $1, b; }",
    }
    return instruction(
        f"unpack_{SUFFIX[dtype]}", texts[dtype], "ff", "r", pure=True, early=True, model=("unpack", dtype)
    )


# ---- Ampere: sm_80 and later -----------------------------------------------------------------------------------------
copy_16 = instruction(  # bytes beyond the third operand, 0 to 16 of them, are zero and not read
    "copy_16", "cp.async.cg.shared.global [$0], [$1], 16, $2;", "", "rlr"
)
copies_commit = instruction("copies_commit", "cp.async.commit_group;")
_LDMATRIX = "ldmatrix.sync.aligned.m8n8.x4{}.shared.b16 {{$0, $1, $2, $3}}, [$4];"
ldmatrix = instruction("ldmatrix", _LDMATRIX.format(""), "rrrr", "r", model=("ldmatrix", False))
ldmatrix_transposed = instruction("ldmatrix_t", _LDMATRIX.format(".trans"), "rrrr", "r", model=("ldmatrix", True))


@cache
def copies_wait(left: int) -> Any:
    """Return an instruction that waits until at most `left` committed groups of copies are under way."""
    return instruction(f"copies_wait_{left}", f"cp.async.wait_group {left};", model=("copies_wait", left))


@cache
def mma(dtype: str) -> Any:
    """Return ``d0, d1, d2, d3 = mma(a0..a3, b0, b1, c0..c3)``: D = A (16 x 16) @ B (8 x 16)^T + C, float32."""
    kind = SUFFIX[dtype]
    text = (
        f"mma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32 "
        "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
    )
    return instruction(f"mma_{kind}", text, "ffff", "rrrrrrffff", memory=False, model=("mma", dtype))


# ---- Hopper: sm_90a --------------------------------------------------------------------------------------------------
mbarrier_init = instruction("mbarrier_init", "mbarrier.init.shared::cta.b64 [$0], $1;", "", "rr")
mbarrier_init_fence = instruction("mbarrier_init_fence", "fence.mbarrier_init.release.cluster;")
mbarrier_expect = instruction(  # arrive, and expect that many bytes of copies
    "mbarrier_expect", "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "", "rr"
)
mbarrier_arrive_if = instruction(
    "mbarrier_arrive_if", _IF.format("$1", "@p mbarrier.arrive.shared::cta.b64 _, [$0];"), "", "rr"
)
mbarrier_wait = instruction(  # its labels are local to the { }, so it may be inlined many times
    "mbarrier_wait",
    "{ .reg .pred p; W: mbarrier.try_wait.parity.shared::cta.b64 p, [$0], $1; @p bra D; bra W; D: }",
    "",
    "rr",
)
tensor_map_acquire = instruction(  # needed where the 128 bytes of a map, written by the host, lie in global memory
    "tensor_map_acquire",
    "fence.proxy.tensormap::generic.acquire.sys [$0], 128;",
    "",
    "l",
)
tensor_load = instruction(  # (shared destination, address of the map, column, row, mbarrier)
    "tensor_load",
    "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3}], [$4];",
    "",
    "rlrrr",
)
wgmma_fence = instruction("wgmma_fence", "wgmma.fence.sync.aligned;")
wgmma_commit = instruction("wgmma_commit", "wgmma.commit_group.sync.aligned;")


@cache
def wgmma(columns: int, dtype: str) -> Any:
    """Return `ptx.warpgroup_product` for a storage type."""
    made = warpgroup_product(columns, SUFFIX[dtype])
    made.simt_model = ("wgmma", columns, dtype)
    return made


@cache
def wgmma_wait(left: int) -> Any:
    """Return an instruction that waits until at most `left` committed groups of products are under way."""
    return instruction(f"wgmma_wait_{left}", f"wgmma.wait_group.sync.aligned {left};", model=("wgmma_wait", left))


@cache
def registers(kind: str, count: int) -> Any:
    """Return an instruction that changes the registers of a warp: kind ``inc`` or ``dec``."""
    text = f"setmaxnreg.{kind}.sync.aligned.u32 {count};"
    return instruction(f"registers_{kind}_{count}", text, model=("registers", kind, count))
