"""Values defined by one monotone equation; see `normkit.backends.cuda.maps.loops.root` for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from normkit.backends.cpu.node import evaluate
from normkit.backends.cuda.maps import generated
from normkit.backends.cuda.maps.batch import Batch, both
from normkit.backends.cuda.maps.moves import matched, plainly, written
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.plan import RootPlan, Scalar

RECORD = 8


@dataclass(frozen=True)
class RootNode(Node):
    """value(kappa, sum of body(kappa a)) with the sum of equation(kappa a) equal to 1."""

    plan: RootPlan

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Solve for kappa, a block per line."""
        taken = plainly(run, x)
        here, sizes = taken.lines(), x.sizes
        limit = self._number(self.plan.limit, sizes, float("inf"))
        saturation = self.plan.saturation or (None, None)
        capacity, rate = (self._number(scalar, sizes, 0.0) for scalar in saturation)
        records, places = run.floats(x.count * RECORD), run.integers(x.count)
        shared: tuple[Any, ...] = (here.data, here.at, here.extents, limit, capacity, rate)
        kernel = generated.root(run.shape(here), self.plan).solve
        run.launch(kernel, x.count, *shared, *sizes, times, records, places, values)

        def pull(coefficients: Device, out: Batch) -> None:
            with written(run, out) as target:
                source, to = matched(run, taken, target)
                ends = both(source, to)
                kernel = generated.root(run.shape(source, to), self.plan).spread
                shared = (limit, rate, *sizes, times, coefficients, records, places)
                run.launch(kernel, run.blocks(to.count * to.length), *ends, *shared)

        return pull

    def _number(self, scalar: Scalar | None, sizes: tuple[float, float], otherwise: float) -> float:
        return otherwise if scalar is None else float(evaluate(scalar, *sizes))
