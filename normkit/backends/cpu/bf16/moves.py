"""Sixteen numbers at a time: entries rounded to pairs of bfloat16, and blocks of 32-bit numbers transposed.

Every move has a form for whole registers and one under masks, for edges. Indices into arrays are flat.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from normkit.backends.cpu.bf16 import registers as r

i64 = types.int64


def _round_row(typing_context: Any, X: Any, x: Any, A: Any, a: Any) -> Any:
    """A[a : a + 16] = the pairs of X[x : x + 32]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, x, target, a = arguments
        place = r.address(context, builder, signature.args[0], source, x)
        low, high = r.load(builder, place), r.load(builder, builder.add(place, r.word(4 * r.LANES)))
        r.store(builder, r.rounded(builder, low, high), r.address(context, builder, signature.args[2], target, a))
        return context.get_dummy_value()

    return types.void(X, i64, A, i64), generate


def _round_row_end(typing_context: Any, X: Any, x: Any, count: Any, A: Any, a: Any) -> Any:
    """A[a : a + 16] = the pairs of X[x : x + count], count <= 32, and zeros."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, x, count, target, a = arguments
        place = r.address(context, builder, signature.args[0], source, x)
        rest = r.first_lanes(builder, builder.sub(count, r.word(r.LANES)))
        low = r.load(builder, place, r.first_lanes(builder, count))
        high = r.load(builder, builder.add(place, r.word(4 * r.LANES)), rest)
        r.store(builder, r.rounded(builder, low, high), r.address(context, builder, signature.args[3], target, a))
        return context.get_dummy_value()

    return types.void(X, i64, i64, A, i64), generate


def _store_pairs(builder: Any, low: Any, high: Any, place: Any) -> None:
    """Store one pair (low, high) per lane."""
    halves = builder.bitcast(r.rounded(builder, low, high), ir.VectorType(r.half, 2 * r.LANES))
    order = [entry for lane in range(r.LANES) for entry in (lane, r.LANES + lane)]
    r.store(builder, builder.bitcast(r.pick(builder, halves, halves, order), r.wholes), place)


def _round_rows(typing_context: Any, X: Any, x: Any, y: Any, B: Any, b: Any) -> Any:
    """B[b : b + 16] = the pairs (X[x + j], X[y + j])."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, x, y, target, b = arguments
        low, high = (r.load(builder, r.address(context, builder, signature.args[0], source, at)) for at in (x, y))
        _store_pairs(builder, low, high, r.address(context, builder, signature.args[3], target, b))
        return context.get_dummy_value()

    return types.void(X, i64, i64, B, i64), generate


def _round_rows_end(typing_context: Any, X: Any, x: Any, y: Any, count: Any, B: Any, b: Any) -> Any:
    """B[b : b + 16] = the pairs (X[x + j], X[y + j]) for j < count, then zeros; the second is 0 if y < 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, x, y, count, target, b = arguments
        mask = r.first_lanes(builder, count)
        second = builder.select(builder.icmp_signed("<", y, r.word(0)), r.half(0), mask)
        low = r.load(builder, r.address(context, builder, signature.args[0], source, x), mask)
        high = r.load(builder, r.address(context, builder, signature.args[0], source, y), second)
        _store_pairs(builder, low, high, r.address(context, builder, signature.args[4], target, b))
        return context.get_dummy_value()

    return types.void(X, i64, i64, i64, B, i64), generate


def _turn(masked: bool) -> Any:
    """Make T[t + j * stride + i] = S[s + i * step + j] for i, j < 16, or if masked for i < rows, j < columns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, s, step, rows, columns, target, t, stride = arguments
        start = r.address(context, builder, signature.args[0], source, s)
        place = r.address(context, builder, signature.args[5], target, t)
        across, down = r.first_lanes(builder, columns), r.first_lanes(builder, rows)

        def inside(mask: Any, i: int, count: Any) -> Any:
            if not masked:
                return None
            return builder.select(builder.icmp_signed("<", r.word(i), count), mask, r.half(0))

        def line(start: Any, step: Any, i: int) -> Any:
            return builder.add(start, builder.mul(step, r.word(4 * i)))

        block = [r.load(builder, line(start, step, i), inside(across, i, rows)) for i in range(r.LANES)]
        for j, column in enumerate(r.turned(builder, block)):
            r.store(builder, column, line(place, stride, j), inside(down, j, columns))
        return context.get_dummy_value()

    def turn(
        typing_context: Any, S: Any, s: Any, step: Any, rows: Any, columns: Any, T: Any, t: Any, stride: Any
    ) -> Any:
        return types.void(S, i64, i64, i64, i64, T, i64, i64), generate

    return intrinsic(turn)


def _fold(typing_context: Any, S: Any, s: Any, step: Any, count: Any) -> Any:
    """S[s + j * step + i] = S[s + i * step + j] for j < i < count <= 16: a block on the diagonal, mirrored."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, s, step, count = arguments
        start = r.address(context, builder, signature.args[0], source, s)
        lines = [builder.add(start, builder.mul(step, r.word(4 * i))) for i in range(r.LANES)]
        mask = r.first_lanes(builder, count)
        present = [builder.icmp_signed("<", r.word(i), count) for i in range(r.LANES)]
        masks = [builder.select(here, mask, r.half(0)) for here in present]
        block = [r.load(builder, line, here) for line, here in zip(lines, masks, strict=True)]
        for j, column in enumerate(r.turned(builder, block)):
            above = r.half(0xFFFF << (j + 1) & 0xFFFF)
            r.store(builder, column, lines[j], builder.and_(masks[j], above))
        return context.get_dummy_value()

    return types.void(S, i64, i64, i64), generate


round_row: Any = intrinsic(_round_row)
round_row_end: Any = intrinsic(_round_row_end)
round_rows: Any = intrinsic(_round_rows)
round_rows_end: Any = intrinsic(_round_rows_end)
turn, turn_end = _turn(False), _turn(True)
fold: Any = intrinsic(_fold)
