"""A tile of a product: up to 6 rows and 64 columns whose sums stay in registers while the common index runs.

`vdpbf16ps` adds to each of 16 float32 the two products of a pair of bfloat16. Six rows of four registers of sums, four
registers of the right operand and one entry of the left fill 29 of the 32 registers: per 24 dots there are 10 loads.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from normkit.backends.cpu.bf16 import registers as r
from normkit.backends.cpu.jit import cached

ROWS = 6


def _sums(builder: Any, left: list[Any], right: Any, stride: Any, pairs: Any, vectors: int) -> list[Any]:
    """Emit the loop over pairs; return the sums, row by row."""
    before = builder.block
    loop, after = builder.append_basic_block("pairs"), builder.append_basic_block("pairs.end")
    zero = ir.Constant(r.singles, None)
    builder.cbranch(builder.icmp_signed(">", pairs, r.word(0)), loop, after)
    builder.position_at_end(loop)
    index, place, *sums = [builder.phi(kind) for kind in [r.word] * 2 + [r.singles] * (len(left) * vectors)]
    b = [_wholes(builder, builder.add(place, r.word(4 * r.LANES * v))) for v in range(vectors)]
    found = []
    for row, start in enumerate(left):
        entry = builder.inttoptr(builder.add(start, builder.mul(index, r.word(4))), r.whole.as_pointer())
        a = r.spread(builder, builder.load(entry))
        for v in range(vectors):
            operands = (b[v], a, sums[row * vectors + v])
            found.append(r.instruction(builder, r.singles, "vdpbf16ps $1, $2, $0", "=v,v,v,0", *operands))
    steps = [builder.add(index, r.word(1)), builder.add(place, stride), *found]
    for phi, first, then in zip([index, place, *sums], [r.word(0), right, *[zero] * len(sums)], steps, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(then, loop)
    builder.cbranch(builder.icmp_signed("<", steps[0], pairs), loop, after)
    builder.position_at_end(after)
    return [_either(builder, (zero, before), (total, loop)) for total in found]


def _wholes(builder: Any, place: Any) -> Any:
    return builder.load(builder.inttoptr(place, r.wholes.as_pointer()), align=4)


def _either(builder: Any, *ways: Any) -> Any:
    """Join a value that depends on the block one comes from."""
    phi = builder.phi(r.singles)
    for value, block in ways:
        phi.add_incoming(value, block)
    return phi


def _write(builder: Any, sums: list[Any], places: Any, rows: Any, mask: Any, alpha: Any, beta: Any) -> None:
    """Store alpha * sums + beta * add in the first rows, the last register of each under the mask."""
    end = builder.append_basic_block("tile.end")
    with builder.if_else(builder.fcmp_ordered("==", beta, r.single(0.0))) as (alone, added):
        for branch, factor in ((alone, None), (added, beta)):
            with branch:
                done = builder.append_basic_block("rows.end")
                for row in range(ROWS):
                    _write_row(builder, sums, row, places, mask, alpha, factor)
                    following = builder.append_basic_block("row")
                    builder.cbranch(builder.icmp_signed(">", rows, r.word(row + 1)), following, done)
                    builder.position_at_end(following)
                builder.branch(done)
                builder.position_at_end(done)
    builder.branch(end)
    builder.position_at_end(end)


def _write_row(builder: Any, sums: list[Any], row: int, places: Any, mask: Any, alpha: Any, beta: Any) -> None:
    source, target, length = places
    vectors = len(sums) // ROWS
    for v in range(vectors):
        here = mask if v == vectors - 1 else None
        offset = builder.add(builder.mul(length, r.word(row)), r.word(4 * r.LANES * v))
        value = builder.fmul(r.spread(builder, alpha), sums[row * vectors + v])
        if beta is not None:
            old = builder.fmul(r.spread(builder, beta), r.load(builder, builder.add(source, offset), here))
            operands = (r.spread(builder, alpha), sums[row * vectors + v], old)
            value = r.instruction(builder, r.singles, "vfmadd231ps $1, $2, $0", "=v,v,v,0", *operands)
        r.store(builder, value, builder.add(target, offset), here)


def _tile(vectors: int) -> Any:
    """Make the tile of 16 * vectors columns; arguments as `tile` has them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        A, a, step, B, b, stride, pairs, add, out, at, length, rows, columns, alpha, beta = arguments
        kinds = signature.args
        left, start = [], r.address(context, builder, kinds[0], A, a)
        for row in range(ROWS):  # past the last row the last one again: those sums are not stored
            last = builder.sub(rows, r.word(1))
            mine = builder.select(builder.icmp_signed("<", r.word(row), rows), r.word(row), last)
            left.append(builder.add(start, builder.mul(builder.mul(mine, step), r.word(4))))
        right = r.address(context, builder, kinds[3], B, b)
        sums = _sums(builder, left, right, builder.mul(stride, r.word(4)), pairs, vectors)
        source, target = (r.address(context, builder, kinds[i], array, at) for i, array in ((7, add), (8, out)))
        mask = r.first_lanes(builder, builder.sub(columns, r.word(r.LANES * (vectors - 1))))
        places = source, target, builder.mul(length, r.word(4))
        _write(builder, sums, places, rows, mask, alpha, beta)
        return context.get_dummy_value()

    def code(
        typing_context: Any,
        A: Any,
        a: Any,
        step: Any,
        B: Any,
        b: Any,
        stride: Any,
        pairs: Any,
        add: Any,
        out: Any,
        at: Any,
        length: Any,
        rows: Any,
        columns: Any,
        alpha: Any,
        beta: Any,
    ) -> Any:
        i, f = types.int64, types.float32
        return types.void(A, i, i, B, i, i, i, add, out, i, i, i, i, f, f), generate

    return intrinsic(code)


_tile_1, _tile_2, _tile_3, _tile_4 = (_tile(vectors) for vectors in (1, 2, 3, 4))


@cached(nogil=True)
def tile(left: Any, right: Any, pairs: int, add: Any, out: Any, at: Any, columns: int, alpha: Any, beta: Any) -> None:
    """out = alpha * A B + beta * add on a tile; `add`, of out's shape, may be out, and is not read if beta is 0.

    Parameters
    ----------
    left : (A, a, step)
        Packed rows: the first pair of the tile is A[a], that of the next row A[a + step].
    right : (B, b, stride)
        A packed panel: the first pair is B[b], that of the next column B[b + 1], the next pair B[b + stride].
    at : (row, column, rows)
        The first entry of the tile in out, and its 1 to 6 rows.
    columns : int
        1 to 64 columns.
    """
    A, a, step = left
    B, b, stride = right
    row, column, rows = at
    length = out.shape[1]
    place = row * length + column
    if columns > 48:
        _tile_4(A, a, step, B, b, stride, pairs, add, out, place, length, rows, columns, alpha, beta)
    elif columns > 32:
        _tile_3(A, a, step, B, b, stride, pairs, add, out, place, length, rows, columns, alpha, beta)
    elif columns > 16:
        _tile_2(A, a, step, B, b, stride, pairs, add, out, place, length, rows, columns, alpha, beta)
    else:
        _tile_1(A, a, step, B, b, stride, pairs, add, out, place, length, rows, columns, alpha, beta)
