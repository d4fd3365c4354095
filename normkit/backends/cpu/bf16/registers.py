"""What an AVX-512 register does, as code that intrinsics emit: load, store, spread, shuffle, round to bfloat16.

Instructions are written as inline assembly: their names and types in LLVM changed from version to version, the assembly
did not. Nothing here holds an address, so what numba compiles from it can lie in its cache on disk.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir

binding.initialize_native_asmparser()  # LLVM reads assembly only then

LANES = 16
"""Numbers of 32 bits in a register."""

half, whole, word, single = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
wholes, singles = ir.VectorType(whole, LANES), ir.VectorType(single, LANES)


def instruction(builder: Any, result: Any, text: str, constraints: str, *operands: Any) -> Any:
    """Emit one instruction between registers."""
    kind = ir.FunctionType(result, [operand.type for operand in operands])
    return builder.call(ir.InlineAsm(kind, text, constraints), operands)


def address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Return the address of entry `index`, counted flat, of an array of 32-bit numbers."""
    start = builder.ptrtoint(context.make_array(kind)(context, builder, array).data, word)
    return builder.add(start, builder.mul(index, word(4)))


def load(builder: Any, place: Any, mask: Any = None) -> Any:
    """Load 16 float32 from an address; memory outside the mask is not touched and reads as zero."""
    if mask is None:
        return builder.load(builder.inttoptr(place, singles.as_pointer()), align=4)
    kind = ir.FunctionType(singles, [word, mask.type])
    code = ir.InlineAsm(kind, "vmovups ($1), $0 {$2} {z}", "=v,r,^Yk,~{memory}", side_effect=True)
    return builder.call(code, [place, mask])


def store(builder: Any, value: Any, place: Any, mask: Any = None) -> None:
    """Store 16 numbers to an address; memory outside the mask is not touched."""
    if mask is None:
        builder.store(value, builder.inttoptr(place, value.type.as_pointer()), align=4)
        return
    kind = ir.FunctionType(ir.VoidType(), [value.type, word, mask.type])
    code = ir.InlineAsm(kind, "vmovups $0, ($1) {$2}", "v,r,^Yk,~{memory}", side_effect=True)
    builder.call(code, [value, place, mask])


def spread(builder: Any, value: Any) -> Any:
    """Return the value in all lanes."""
    empty = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(empty, value, whole(0)), empty, ir.Constant(wholes, None))


def first_lanes(builder: Any, count: Any) -> Any:
    """Return the mask of the first `count` lanes, an int64 that is cut to 0..16."""
    low = builder.select(builder.icmp_signed("<", count, word(0)), word(0), count)
    cut = builder.select(builder.icmp_signed(">", low, word(LANES)), word(LANES), low)
    return builder.trunc(builder.sub(builder.shl(word(1), cut), word(1)), half)


def pick(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    """Return the lanes of (a, b) laid end to end that a list names."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(whole, len(lanes)), lanes))


def rounded(builder: Any, low: Any, high: Any) -> Any:
    """Return 32 bfloat16, to nearest with ties to even: of `low` in the lower half of the register, then of `high`."""
    return instruction(builder, wholes, "vcvtne2ps2bf16 $2, $1, $0", "=v,v,v", high, low)


def turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of a 16 x 16 block by four rounds: of lanes, of pairs of lanes, of quarters, of halves."""
    quarters = range(0, LANES, 4)
    by_lane = [q + lane for q in quarters for lane in (0, LANES, 1, LANES + 1)]
    by_pair = [q + lane for q in quarters for lane in (0, 1, LANES, LANES + 1)]
    even = [lane + more for more in (0, LANES) for lane in (0, 1, 2, 3, 8, 9, 10, 11)]

    def both(a: Any, b: Any, lanes: list[int], step: int) -> list[Any]:
        return [pick(builder, a, b, lanes), pick(builder, a, b, [lane + step for lane in lanes])]

    one = [both(rows[i], rows[i + 1], by_lane, 2) for i in range(0, LANES, 2)]  # [pair of rows][pair of columns]
    two = [  # [four rows][column mod 4]: quarter q holds column 4 q + c of the four rows
        [new for columns in (0, 1) for new in both(one[i][columns], one[i + 1][columns], by_pair, 2)]
        for i in range(0, LANES // 2, 2)
    ]
    three = [[both(two[i][c], two[i + 1][c], even, 4) for c in range(4)] for i in (0, 2)]  # [half][c][odd quarter]
    four = [[both(three[0][c][odd], three[1][c][odd], even, 4) for odd in (0, 1)] for c in range(4)]
    return [four[j % 4][j // 4 % 2][j // 8] for j in range(LANES)]
