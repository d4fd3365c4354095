"""Formulas on the sorted magnitudes; see `normkit.backends.cuda.maps.loops.ranked` for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from normkit.backends.cpu.ranked import SHARED
from normkit.backends.cpu.ranked import RankedNode as Scalars
from normkit.backends.cuda.maps import generated
from normkit.backends.cuda.maps.batch import Batch, both
from normkit.backends.cuda.maps.moves import matched, written
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.ranks import Ranks, ranked
from normkit.backends.cuda.maps.run import Run
from normkit.backends.weights import weights
from normkit.codegen.plan import RankedPlan


@dataclass(frozen=True)
class RankedNode(Node):
    """A formula of sums over head and tail; see `normkit.functional.Ranked`."""

    plan: RankedPlan

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Sort, split, sum."""
        (m, n), count, length = x.sizes, x.count, x.entries
        w = self._weights(run, length)
        ranks = ranked(run, x)
        records = self._settle(run, ranks, w, (m, n), times, values)

        def pull(coefficients: Device, out: Batch) -> None:
            with written(run, out) as target:
                source, to = matched(run, ranks.x, target)
                ends = both(source, to)
                shared = (ranks.padded, ranks.keys, ranks.order, w, m, n, times, coefficients, records)
                kernel = generated.ranked(run.shape(source, to), self.plan).scatter
                run.launch(kernel, run.blocks(count * length), *ends, *shared)

        return pull

    def _settle(
        self, run: Run, ranks: Ranks, w: Device, sizes: tuple[float, float], times: float, values: Device
    ) -> Device:
        made = generated.ranked(run.shape(ranks.lines), self.plan)
        count, length, stats = ranks.lines.count, ranks.lines.length, len(self.plan.stats)
        heads, records = run.integers(count), run.floats(count * (SHARED + stats))
        low, high = self.scalars.range_of(*sizes)
        shared = (ranks.keys, ranks.padded, length)
        if self.plan.split != "at":
            sums = run.floats((stats + 1) * count * (length + 1))
            run.launch(made.scan, count * (stats + 1), *shared, w, *sizes, sums)
            run.launch(made.split, count, *shared, low, high, *sizes, sums, heads)
        fixed = high if self.plan.split == "at" else -1
        run.launch(made.settle, count, *shared, fixed, w, *sizes, times, heads, records, values)
        return records

    def _weights(self, run: Run, length: int) -> Device:
        plan = self.plan.weights
        if plan is None:
            return run.floats(1)
        return run.constant((plan, length), lambda: weights(plan, length))

    @cached_property
    def scalars(self) -> Scalars:
        """What the scalars of the formula are like."""
        return Scalars(self.plan)
