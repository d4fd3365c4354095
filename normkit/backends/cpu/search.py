"""Norms whose maximiser a one-dimensional search finds on the sorted magnitudes."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from normkit.backends import search
from normkit.backends.cpu.generated import generate
from normkit.backends.cpu.lines import row_lines, row_target
from normkit.backends.cpu.node import Array, Floats, Node, Pull, evaluate, scaled
from normkit.backends.cpu.pool import parallel
from normkit.backends.cpu.ranks import ranked
from normkit.backends.weights import weights
from normkit.codegen.plan import SearchPlan
from normkit.codegen.source import Loops, functions


@cache
def algorithms() -> tuple[str, ...]:
    """Return the functions of `normkit.backends.search` as they stand, each marked to be compiled, and its numbers."""
    return tuple(text for module in search.MODULES for text in functions(inspect.getsource(module)))


@dataclass(frozen=True)
class SearchNode(Node):
    """<y, t> and t by rank; see `normkit.codegen.plan.SearchPlan`."""

    plan: SearchPlan

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Sort every line and search."""
        array = row_lines(x)
        ranks = ranked(array, array.shape[1])
        found, values = self.search(ranks.magnitudes, ranks.f, ranks.g)
        values = np.where(np.isfinite(ranks.tops), scaled(values, ranks.e), np.nan)
        loops = self._loops(array.dtype)

        def pull(coefficients: Floats, out: Array) -> None:
            written, finish = row_target(out)
            gain = np.ascontiguousarray(coefficients.reshape(-1))
            parallel(loops.scatter, len(array), array.size, array, ranks.order, gain, found, written)
            finish()

        return values.reshape(x.shape[:2]), pull

    def search(self, magnitudes: Array, f: Floats, g: Floats) -> tuple[Floats, Floats]:
        """Return the maximisers t of <y, t> by rank, and <y, t>, for lines y = magnitudes * f * g, sorted."""
        n = magnitudes.shape[1]
        sequences = [weights(sequence, n) for sequence in self.plan.weights]
        w, v = [*sequences, np.empty(0), np.empty(0)][:2]
        p = np.array([float(evaluate(number, 1.0, float(n))) for number in self.plan.scalars])
        found, values = np.zeros(magnitudes.shape), np.zeros(len(magnitudes))
        loops = self._loops(magnitudes.dtype)
        parallel(loops.search, len(magnitudes), magnitudes.size, magnitudes, f, g, w, v, p, found, values)
        return found, values

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the search."""
        return [self._loops(dtype).text]

    def _loops(self, dtype: np.dtype[Any]) -> Loops:
        return generate("search", dtype, (), (), (*algorithms(), f"algorithm = {self.plan.algorithm}\n"))
