"""A norm of the norms of the rows, or of the columns."""

from __future__ import annotations

from dataclasses import dataclass

from normkit.backends.cuda.axes import joined
from normkit.backends.cuda.maps.batch import Batch, rows
from normkit.backends.cuda.maps.moves import ones, packed, replaced, scaled
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run


@dataclass(frozen=True)
class MixedNode(Node):
    """outer(inner of every row or column)."""

    outer: Node
    inner: Node
    by_rows: bool

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Take the lines first, then outer."""
        lines = (x if self._regular(x) else packed(run, x)).along(self.by_rows)
        each = lines.count // x.count
        parts = run.floats(lines.count)
        inner = self.inner.forward(run, lines, parts, 1.0)
        outer = self.outer.forward(run, rows(parts, x.count, each), values, times)

        def pull(coefficients: Device, out: Batch) -> None:
            shares = run.floats(lines.count)
            outer(coefficients, rows(shares, x.count, each))
            with replaced(run, out, out if self._regular(out) else None) as target:
                inner(shares, target.along(self.by_rows))

        return pull

    def map(self, run: Run, x: Batch, coefficients: Device, out: Batch, values: Device, times: float) -> None:
        """Write the maps of the lines while they are measured, where outer gives each the same coefficient."""
        each = x.shape[0] if self.by_rows else x.shape[-1]
        share = self.outer.slope(1.0, float(each))
        if share is None or not (self._regular(x) and self._regular(out)):
            super().map(run, x, coefficients, out, values, times)
            return
        lines, parts, shares = x.along(self.by_rows), run.floats(x.count * each), run.floats(x.count * each)
        scaled(
            run, rows(ones(run, len(shares)), x.count, each), coefficients, times * share, rows(shares, x.count, each)
        )
        self.inner.map(run, lines, shares, out.along(self.by_rows), parts, 1.0)
        self.outer.value(run, rows(parts, x.count, each), values, times)

    def _regular(self, x: Batch) -> bool:
        """Tell whether strides lead from line to line."""
        first = x.item[0 if self.by_rows else -1]
        return len(joined(x.lead[0] + x.lead[1])) == 1 and len(joined(first)) == 1
