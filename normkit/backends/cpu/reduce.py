"""Sums and maxima of a scalar body."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.generated import generate
from normkit.backends.cpu.lines import Lines, lines, size, target
from normkit.backends.cpu.node import Array, Floats, Node, Pull, evaluate, scaled
from normkit.backends.cpu.peaks import BLOCK, WIDTH, blocks, peaks, rows_of
from normkit.backends.cpu.pool import parallel
from normkit.backends.cpu.scaling import SAFE, exponents, halves
from normkit.codegen.plan import ReducePlan, Scalar
from normkit.codegen.source import Loops, names

DEGREES = {"a": 1, "(a*a)": 2, "(a*a*a)": 3, "(a*a*a*a)": 4}
"""Bodies a**d as they are printed: their sums can be rescaled afterwards."""
CACHED = 1 << 19
"""Bytes of a line that stay in cache between its sum and its map."""


@dataclass(frozen=True)
class Measured:
    """Per line: s, the sum of the bodies of abs(x) / 2**e, and e. s is NaN where the line is not finite."""

    s: Floats
    e: NDArray[np.int64]


@dataclass(frozen=True)
class SumNode(Node):
    """post(sum of body(abs(x)))."""

    plan: ReducePlan

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Sum every line; the map is a number, a multiple of the entry, or a slope per entry."""
        laid, (m, n) = lines(x), size(x)
        measured = self._measure(laid, m, n)

        def pull(coefficients: Floats, out: Array) -> None:
            written, finish = target(out, laid)
            self._spread(laid, measured, coefficients.reshape(measured.s.shape), m, n, written)
            finish()

        return self._post(measured, m, n).reshape(laid.lead), pull

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Sum and write in one pass where a line stays in cache, or where the map does not need the sum."""
        laid, (m, n) = lines(x, out), size(x)
        written, finish = target(out, laid)
        if laid.kind == "rows" and self.constant:
            measured = self._signed(laid, coefficients.reshape(-1), m, n, written)
        elif laid.kind == "rows" and self._cached(laid.array):
            measured = self._fused(laid, coefficients.reshape(-1), m, n, written)
        else:
            measured = self._measure(laid, m, n)
            self._spread(laid, measured, coefficients.reshape(measured.s.shape), m, n, written)
        finish()
        return self._post(measured, m, n).reshape(laid.lead)

    def slope(self, m: float, n: float) -> float | None:
        """Return the slope if it depends on the shape alone."""
        return float(evaluate(self.plan.slope, 0.0, 0.0, m, n)) if self.constant else None

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the sums and the maps."""
        return [self._sums(dtype).text, self._maps(dtype).text]

    # --- what the scalars are like ---

    @cached_property
    def constant(self) -> bool:
        """Whether the slope is the same at every entry of every line."""
        return not names(self.plan.slope) & {"a", "s"}

    @cached_property
    def linear(self) -> bool:
        """Whether the slope is a times a function of s."""
        factors = list(_factors(ast.parse(self.plan.slope.source, mode="eval").body, True))
        own = [above for text, above in factors if text == "a"]
        others = [text for text, _ in factors if text != "a"]
        alone = all("a" not in names(Scalar((), text)) for text in others)
        return bool(alone and own == [True])

    @cached_property
    def degree(self) -> int:
        """d if body(a) = a**d, else 0."""
        return DEGREES.get(self.plan.body.source, 0)

    def _sums(self, dtype: np.dtype[Any]) -> Loops:
        return generate("sums", dtype, (("body", self.plan.body),))

    def _maps(self, dtype: np.dtype[Any]) -> Loops:
        functions = (("body", self.plan.body), ("slope", self.plan.slope))
        return generate("maps", dtype, functions, (("DEGREE", self.degree), ("LINEAR", self.linear)))

    def _cached(self, array: Array) -> bool:
        count, length = array.shape
        return bool(length * array.itemsize <= CACHED) and (count >= 16 or length <= 2 * BLOCK)

    # --- sums ---

    def _post(self, measured: Measured, m: float, n: float) -> Floats:
        values = scaled(evaluate(self.plan.post, measured.s, m, n), measured.e)
        return np.where(measured.s == 0.0, 0.0, values)

    def _measure(self, x: Lines, m: float, n: float) -> Measured:
        shape = x.array.shape[:1] if x.kind == "rows" else (x.array.shape[0], x.array.shape[2])
        if self.degree:
            raw = self._sum(x, None, m, n)
            if _safe(raw):
                return self._rescaled(raw, np.zeros(shape, np.int64))
        return self._measure_scaled(x, m, n)

    def _measure_scaled(self, x: Lines, m: float, n: float) -> Measured:
        tops = peaks(x).values(x.array.dtype)
        e = exponents(tops)
        s = self._sum(x, e, m, n)
        s[tops == 0.0] = 0.0
        s[~np.isfinite(tops)] = np.nan
        return self._rescaled(s, e) if self.degree else Measured(s, e)

    def _rescaled(self, raw: Floats, e: NDArray[np.int64]) -> Measured:
        more = np.where(np.isfinite(raw), np.frexp(raw)[1], 0).astype(np.int64) // self.degree
        return Measured(np.ldexp(raw, -more * self.degree), e + more)

    def _sum(self, x: Lines, e: NDArray[np.int64] | None, m: float, n: float) -> Floats:
        loops, array = self._sums(x.array.dtype), x.array
        if x.kind == "rows":
            count, length = array.shape
            f, g = halves(np.zeros(count, np.int64) if e is None else e)
            partial = np.empty((count, blocks(length)))
            parallel(loops.sums, partial.size, x.entries, array, BLOCK, f, g, m, n, partial)
            return in_order(partial)
        groups, height, width = array.shape
        rows, tiles = rows_of(width), -(-width // WIDTH)
        f, g = halves(np.zeros((1, 1) if e is None else (groups, width), np.int64) if e is None else e)
        partial = np.empty((groups, -(-height // rows), width))
        tasks = groups * partial.shape[1] * tiles
        parallel(loops.column_sums, tasks, x.entries, array, rows, WIDTH, f, g, e is None, m, n, partial)
        return in_order(partial)

    # --- maps ---

    def _signed(self, x: Lines, coefficients: Floats, m: float, n: float, out: Array) -> Measured:
        gain = coefficients * float(evaluate(self.plan.slope, 0.0, 0.0, m, n))
        partial = np.empty((len(x.array), blocks(x.array.shape[1])))
        loops = self._maps(x.array.dtype)
        parallel(loops.signed_sums, partial.size, x.entries, x.array, BLOCK, gain, m, n, out, partial)
        raw = in_order(partial)
        if self.degree and _safe(raw):
            return self._rescaled(raw, np.zeros(len(raw), np.int64))
        return self._measure_scaled(x, m, n)

    def _fused(self, x: Lines, coefficients: Floats, m: float, n: float, out: Array) -> Measured:
        count = len(x.array)
        s, e = np.empty(count), np.empty(count, np.int64)
        loops = self._maps(x.array.dtype)
        parallel(loops.fused, count, x.entries, x.array, BLOCK, coefficients, m, n, s, e, out)
        return Measured(s, e)

    def _spread(self, x: Lines, measured: Measured, coefficients: Floats, m: float, n: float, out: Array) -> None:
        s, e, array = measured.s, measured.e, x.array
        common, rows = generate("magnitudes", array.dtype), x.kind == "rows"
        step = BLOCK if rows else rows_of(array.shape[2])
        tasks = array.shape[0] * -(-array.shape[1] // step)
        if self.constant or self.linear:
            slopes = evaluate(self.plan.slope, 1.0, s, m, n)
            with np.errstate(all="ignore"):
                gain = np.where((s == 0.0) | (coefficients == 0.0), 0.0, coefficients * slopes)
                times = scaled(gain, -e)
            if self.constant:
                loop = common.signs if rows else common.sign_columns
                return parallel(loop, tasks, x.entries, array, step, gain, out)
            if _safe(np.abs(times[gain != 0.0])):
                loop = common.multiply if rows else common.multiply_columns
                return parallel(loop, tasks, x.entries, array, step, times, out)
        general = self._maps(array.dtype)
        loop = general.spreads if rows else general.column_spreads
        parallel(loop, tasks, x.entries, array, step, coefficients, s, e, m, n, out)


@dataclass(frozen=True)
class MaxNode(Node):
    """post(max of body(abs(x))); the map has one entry, at the first largest magnitude."""

    plan: ReducePlan

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Find the largest magnitude; body increases, so its maximum is there."""
        laid, (m, n) = lines(x, ordered=True), size(x)
        found = peaks(laid)
        tops = found.values(x.dtype)
        e = exponents(tops)
        a = scaled(tops, -e)
        s = evaluate(self.plan.body, a, m, n)
        s = np.where(np.isfinite(tops), np.where(tops == 0.0, 0.0, s), np.nan)
        values = np.where(tops == 0.0, 0.0, scaled(evaluate(self.plan.post, s, m, n), e))

        def pull(coefficients: Floats, out: Array) -> None:
            places = self._places(laid, found.blocks, found.tops)
            slopes = evaluate(self.plan.slope, a, s, m, n)
            lead = np.indices(tops.shape)
            here = (*lead, places) if laid.kind == "rows" else (lead[0], places, lead[1])
            signs = np.sign(laid.array[here].astype(np.float64))
            written, finish = target(out, laid)
            written.fill(0)
            with np.errstate(all="ignore"):
                gain = coefficients.reshape(tops.shape) * slopes
                written[here] = np.where((tops == 0.0) | (gain == 0.0), 0.0, gain * signs)
            finish()

        return values.reshape(laid.lead), pull

    def _places(self, x: Lines, found: Array, tops: Array) -> NDArray[np.int64]:
        loops, places = generate("magnitudes", x.array.dtype), np.empty(tops.shape, np.int64)
        if x.kind == "rows":
            parallel(loops.first_peak, len(places), x.entries, x.array, BLOCK, found, tops, places)
        else:
            rows = rows_of(x.array.shape[2])
            parallel(loops.first_column_peak, len(places), x.entries, x.array, rows, found, tops, places)
        return places

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the search for the largest magnitude."""
        return [generate("magnitudes", dtype).text]


def in_order(partial: Floats) -> Floats:
    """Add the sums of the blocks of every line one after the other: (L, blocks), or (G, blocks, L)."""
    with np.errstate(all="ignore"):
        if partial.ndim == 3:
            return np.asarray(partial.sum(axis=1))
        return np.ascontiguousarray(np.add.accumulate(partial, axis=1)[:, -1])


def _safe(raw: Floats) -> bool:
    return bool(np.all((raw > SAFE[0]) & (raw < SAFE[1])))


def _factors(node: ast.expr, above: bool) -> Iterator[tuple[str, bool]]:
    """Yield the factors of a product and whether each is above the fraction line."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from _factors(node.left, above)
        yield from _factors(node.right, above == isinstance(node.op, ast.Mult))
    else:
        yield ast.unparse(node), above
