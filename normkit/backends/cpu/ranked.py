"""Formulas on the sorted magnitudes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from normkit.backends.cpu.generated import generate_ranked
from normkit.backends.cpu.lines import Lines, frozen, row_lines, row_target, size
from normkit.backends.cpu.node import Array, Floats, Node, Pull, evaluate, scaled
from normkit.backends.cpu.order import LARGE, assign_ranked
from normkit.backends.cpu.peaks import BLOCK, blocks, peaks
from normkit.backends.cpu.pool import parallel
from normkit.backends.cpu.ranks import Ranks, ranked
from normkit.backends.weights import weights
from normkit.codegen.plan import RankedPlan
from normkit.codegen.source import Loops, names

SHARED = 5
NONE = np.empty(0)
NONE.flags.writeable = False


@dataclass(frozen=True)
class RankedNode(Node):
    """A formula of sums over head and tail; see `normkit.functional.Ranked`."""

    plan: RankedPlan

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Sort as far as needed, split, sum."""
        array, (m, n) = row_lines(x), size(x)
        low, high = self.range_of(m, n)
        w = self._weights(int(n))
        ranks = ranked(array, self._kept(high, int(n)), indices=not self.weightless)
        records = self._settle(array, ranks, low, high, w, m, n)
        finite = np.isfinite(ranks.tops)
        values = scaled(evaluate(self.plan.value, 0.0, 0.0, *records.T, m, n), ranks.e)
        values = np.where(finite, np.where(ranks.tops == 0.0, 0.0, values), np.nan)

        def pull(coefficients: Floats, out: Array) -> None:
            gain = np.where(finite & (ranks.tops > 0.0), coefficients.reshape(-1), 0.0)
            written, finish = row_target(out)
            self._spread(array, ranks, records, gain, w, m, n, written)
            finish()

        return values.reshape(x.shape[:2]), pull

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Assign the weights of all ranks in one pass, group by group, where they are the map of a long line."""
        array, (_, n) = row_lines(x), size(x)
        gain = float(coefficients.flat[0])
        if not (self.plain and len(array) == 1 and array.shape[1] >= LARGE and gain > 0.0):
            return super().map(x, coefficients, out)
        top = peaks(Lines(array, "rows", (1, 1))).values(array.dtype)
        if not np.isfinite(top[0]):
            return np.full(x.shape[:2], np.nan)
        w = self._weights(int(n))
        made = evaluate(self.plan.head, *(w if name == "w" else 1.0 for name in self.plan.head.arguments))
        written, finish = row_target(out)
        total = assign_ranked(array[0], frozen(made if gain == 1.0 else gain * made), written[0])
        finish()
        return np.full(x.shape[:2], total / gain)

    def reach(self, length: int) -> int | None:
        """Return the length of the head, if nothing depends on the rest."""
        fixed = self.plan.split == "at" and self.tailless and not self.outside
        return self.range_of(1.0, float(length))[1] if fixed else None

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of the formula."""
        return [self._loops(dtype).text]

    # --- what the scalars are like ---

    def _loops(self, dtype: np.dtype[Any]) -> Loops:
        return generate_ranked(self.plan, dtype)

    @cached_property
    def weightless(self) -> bool:
        """Whether the map of an entry does not depend on the weight of its rank."""
        return "w" not in names(self.plan.head) | names(self.plan.tail)

    @cached_property
    def plain(self) -> bool:
        """Whether the map of an entry is the weight of its rank, whatever the array."""
        whole = self.plan.split == "at" and self.plan.rule.source in ("n", "1.0*n")
        return whole and names(self.plan.head) == {"w"}

    @cached_property
    def tailless(self) -> bool:
        """Whether the map is zero off the head."""
        return self.plan.tail.constant and float(self.plan.tail.source) == 0.0

    @cached_property
    def outside(self) -> bool:
        """Whether sums reach beyond the head."""
        return any(stat.region != "head" for stat in self.plan.stats)

    def range_of(self, m: float, n: float) -> tuple[int, int]:
        """Return the shortest and the longest head."""
        if self.plan.split == "at":
            unknown = [0.0] * (len(self.plan.rule.arguments) - 2)
            j = min(int(n), int(evaluate(self.plan.rule, *unknown, m, n)))
            return j, j
        low = max(0, int(evaluate(self.plan.low, m, n)))
        return low, max(low, min(int(n), int(evaluate(self.plan.high, m, n))))

    def _kept(self, high: int, n: int) -> int:
        """Return how many of the largest entries must be sorted."""
        reaching = any("w" in names(stat.body) for stat in self.plan.stats if stat.region != "head")
        enough = (self.tailless or self.weightless) and not reaching
        return min(n, high + 1) if enough else n

    def _weights(self, n: int) -> Floats:
        plan = self.plan.weights
        if plan is None:
            return NONE
        if plan.minimum is None and len(plan.terms) == 1 and plan.terms[0][0].source == "1.0":
            values = getattr(plan.terms[0][1], "data", None)
            if values is not None and len(values) == 8 * n:
                return np.frombuffer(values)  # as they are, without a copy
        made = weights(plan, n)
        made.flags.writeable = False
        return made

    # --- order, split, map ---

    def _settle(self, array: Array, ranks: Ranks, low: int, high: int, w: Floats, m: float, n: float) -> Floats:
        loops, (count, length), stats = self._loops(array.dtype), array.shape, len(self.plan.stats)
        kept = ranks.magnitudes.shape[1]
        rest = np.zeros((count, stats))
        if kept < length and self.outside:
            partial = np.zeros((count, blocks(length), stats))
            edges, places = ranks.edges(np.full(count, kept))
            tops = ranks.tops * ranks.f * ranks.g
            scales = (ranks.f, ranks.g, tops, m, n)
            tasks = partial.shape[0] * partial.shape[1]
            parallel(loops.rests, tasks, array.size, array, BLOCK, edges, places, *scales, partial)
            rest = np.ascontiguousarray(np.add.accumulate(partial, axis=1)[:, -1])
        records, heads = np.empty((count, SHARED + stats)), np.full(count, high)
        scales = (ranks.f, ranks.g, w, m, n)
        if self.plan.split != "at":
            parallel(loops.splits, count, kept * count, ranks.magnitudes, rest, low, high, *scales, heads)
        parallel(loops.settle, count, kept * count, ranks.magnitudes, rest, heads, BLOCK, *scales, records)
        return records

    def _spread(
        self, array: Array, ranks: Ranks, records: Floats, gain: Floats, w: Floats, m: float, n: float, out: Array
    ) -> None:
        loops, (count, length) = self._loops(array.dtype), array.shape
        heads = records[:, 0].astype(np.int64)
        if ranks.order is None or (self.weightless and not (self.tailless and 8 * int(heads.max()) < length)):
            edges, places = ranks.edges(heads)
            shared = (gain, ranks.f, ranks.g, records, m, n, out)
            parallel(loops.spreads, count * blocks(length), array.size, array, BLOCK, edges, places, *shared)
            return
        out.fill(0)
        order = ranks.order if not self.tailless else ranks.order[:, : int(heads.max())]
        order = np.ascontiguousarray(order)
        shared = (gain, ranks.f, ranks.g, records, m, n, out)
        parallel(loops.scatter, count * blocks(order.shape[1]), order.size, array, BLOCK, order, w, *shared)
