"""Norms whose maximiser a one-dimensional search finds on the sorted magnitudes.

The device sorts and puts the result back to its places. The searches take arrays of a size that only the input knows,
and NumPy's sums and sorts, which device functions have not: they run on the CPU, on the sorted magnitudes alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from normkit.backends.cpu.node import scaled
from normkit.backends.cpu.scaling import exponents, halves
from normkit.backends.cpu.search import SearchNode as Hosted
from normkit.backends.cuda.maps.batch import Batch, rows
from normkit.backends.cuda.maps.generated import generate
from normkit.backends.cuda.maps.host import floats, note, uploaded
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.ranks import placed, ranked
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.plan import SearchPlan


@dataclass(frozen=True)
class SearchNode(Node):
    """<y, t> and t by rank; see `normkit.codegen.plan.SearchPlan`."""

    plan: SearchPlan

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Sort every line on the device, search on the CPU."""
        note(f"the search {self.plan.algorithm}")
        ranks, length = ranked(run, x), x.entries
        sorted_ = run.floats(x.count * length)
        kernel = generate("orders", run.shape(ranks.lines)).list_magnitudes
        run.launch(kernel, run.blocks(x.count * length), ranks.keys, ranks.padded, length, x.count, sorted_)
        y = floats(run, sorted_, x.count * length).reshape(x.count, length)
        tops, y = y[:, 0], np.where(np.isfinite(y[:, :1]), y, 0.0)
        e = exponents(tops)
        found, numbers = Hosted(self.plan).search(y, *halves(e))
        numbers = np.where(np.isfinite(tops), scaled(numbers, e), np.nan)
        uploaded(run, times * numbers[None], rows(values, x.count))
        held = run.upload(np.ascontiguousarray(found).reshape(-1))
        return lambda coefficients, out: placed(run, ranks, held, coefficients, times, out)
