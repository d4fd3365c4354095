"""A norm of the norms of the rows, or of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from normkit.backends.cpu.node import Array, Floats, Node, Pull


@dataclass(frozen=True)
class MixedNode(Node):
    """outer(inner of every row or column)."""

    outer: Node
    inner: Node
    axis: Literal["rows", "cols"]

    def _lines(self, x: Array) -> Array:
        """Show (G, L, m, n) as (G * L, lines, length)."""
        merged = x.reshape(-1, *x.shape[2:])
        return merged if self.axis == "rows" else merged.swapaxes(1, 2)

    def value(self, x: Array) -> Floats:
        """Return outer of the values of the lines."""
        return self.outer.value(self.inner.value(self._lines(x)).reshape(*x.shape[:2], -1))

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Take the lines first, then outer."""
        parts, inner = self.inner.forward(self._lines(x))
        stacked = parts.reshape(*x.shape[:2], -1)
        values, outer = self.outer.forward(stacked)

        def pull(coefficients: Floats, out: Array) -> None:
            shares = np.empty(stacked.shape)
            outer(coefficients, shares)
            with Merged(out) as merged:
                inner(shares.reshape(parts.shape), merged if self.axis == "rows" else merged.swapaxes(1, 2))

        return values, pull

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Write the maps of the lines while they are measured, where outer gives each the same coefficient."""
        view = self._lines(x)
        share = self.outer.slope(1.0, float(view.shape[1]))
        if share is None:
            return super().map(x, coefficients, out)
        shares = np.repeat(coefficients.reshape(-1, 1) * share, view.shape[1], axis=1)
        with Merged(out) as merged:
            parts = self.inner.map(view, shares, merged if self.axis == "rows" else merged.swapaxes(1, 2))
        return self.outer.value(parts.reshape(*x.shape[:2], -1))

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of both."""
        return [*self.inner.texts(dtype), *self.outer.texts(np.dtype(np.float64))]


class Merged:
    """An array (G, L, m, n) to write to as (G * L, m, n): a view where one exists, else copied on leaving."""

    def __init__(self, out: Array) -> None:
        self.out = out
        shape = (-1, *out.shape[2:])
        whole = 1 in out.shape[:2] or out.flags.c_contiguous
        self.merged = out.reshape(shape) if whole else np.empty(out.shape, out.dtype).reshape(shape)
        self.copied = not np.may_share_memory(self.merged, out)

    def __enter__(self) -> Array:
        """Return the merged array."""
        return self.merged

    def __exit__(self, *error: object) -> None:
        """Copy back if needed."""
        if self.copied:
            self.out[...] = self.merged.reshape(self.out.shape)
