"""Norms whose maximiser a one-dimensional search finds on the sorted magnitudes."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from normkit.backends import search
from normkit.backends.cpu.generated import generate
from normkit.backends.cpu.lines import row_lines, row_target, size
from normkit.backends.cpu.node import Array, Floats, Node, Pull, evaluate, scaled
from normkit.backends.cpu.pool import parallel
from normkit.backends.cpu.ranks import ranked
from normkit.backends.weights import weights
from normkit.codegen.plan import SearchPlan
from normkit.codegen.source import Loops


@cache
def algorithms() -> tuple[str, ...]:
    """Return the functions of `normkit.backends.search` as they stand, each marked to be compiled, and its numbers."""
    kept = []
    for module in search.MODULES:
        text = inspect.getsource(module)
        for node in ast.parse(text).body:
            segment = ast.get_source_segment(text, node) or ""
            if isinstance(node, ast.FunctionDef):
                kept.append(f"@scalar\n{segment}\n\n")
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.BinOp):
                kept.append(f"{segment}\n")
    return tuple(kept)


@dataclass(frozen=True)
class SearchNode(Node):
    """<y, t> and t by rank; see `normkit.codegen.plan.SearchPlan`."""

    plan: SearchPlan

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Sort every line and search."""
        array, (_, n) = row_lines(x), size(x)
        ranks = ranked(array, array.shape[1])
        sequences = [weights(sequence, int(n)) for sequence in self.plan.weights]
        w, v = [*sequences, np.empty(0), np.empty(0)][:2]
        p = np.array([float(evaluate(number, 1.0, n)) for number in self.plan.scalars])
        found, values, loops = np.zeros(array.shape), np.zeros(len(array)), self._loops(array.dtype)
        shared = (ranks.magnitudes, ranks.f, ranks.g, w, v, p, found, values)
        parallel(loops.search, len(array), array.size, *shared)
        values = np.where(np.isfinite(ranks.tops), scaled(values, ranks.e), np.nan)

        def pull(coefficients: Floats, out: Array) -> None:
            written, finish = row_target(out)
            gain = np.ascontiguousarray(coefficients.reshape(-1))
            parallel(loops.scatter, len(array), array.size, array, ranks.order, gain, found, written)
            finish()

        return values.reshape(x.shape[:2]), pull

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the search."""
        return [self._loops(dtype).text]

    def _loops(self, dtype: np.dtype[Any]) -> Loops:
        return generate("search", dtype, (), (), (*algorithms(), f"algorithm = {self.plan.algorithm}\n"))
