"""The kernel of a plan: batches in any float dtype and layout, at any scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.build import Asked, build
from normkit.backends.cpu.node import Array, Floats, Node, scaled
from normkit.backends.cpu.scaling import exponents, halves
from normkit.backends.precision import eps_of
from normkit.codegen.plan import Plan

SAFE = (2.0**-300, 2.0**300)
"""Values in this range come from a computation that no step took out of range."""


@dataclass(frozen=True)
class CPUKernel:
    """Runs the nodes of a plan; see `normkit.backends.Kernel`."""

    plan: Plan
    dtype: np.dtype[Any]
    accuracy: float | None = None

    @cached_property
    def node(self) -> Node:
        """The tree that runs."""
        return build(self.plan, Asked(eps_of(self.dtype), self.accuracy))

    @property
    def source(self) -> str:
        """The generated modules that run, one after the other."""
        texts = dict.fromkeys(self.node.texts(self._wide))
        joined = "\n\n".join(text.replace("from __future__ import annotations\n", "") for text in texts)
        return joined or f"# linear algebra by NumPy, no generated loops\n# {self.plan!r}\n"

    @property
    def _wide(self) -> np.dtype[Any]:
        return self.dtype if self.dtype.name in ("float32", "float64") else np.dtype(np.float32)

    def value(self, x: Array) -> Floats:
        """Return the value of every item."""
        return self._run(x, None)

    def map(self, x: Array, out: Array) -> Floats:
        """Write the map of every item to `out`; return the values."""
        if out.dtype == self._wide:
            return self._run(x, out)
        work = np.empty(out.shape, self._wide)
        values = self._run(x, work)
        with np.errstate(all="ignore"):
            out[...] = work
        return values

    def _run(self, x: Array, out: Array | None) -> Floats:
        if not len(x):
            return np.empty(0)
        wide = x.astype(self._wide, copy=False)[None]
        values: Floats = self._once(wide, None if out is None else out[None])[0]
        magnitudes = np.abs(values)
        harmless = (magnitudes > SAFE[0]) & (magnitudes < SAFE[1]) | (values == 0.0)
        for place in np.flatnonzero(~harmless).tolist():
            here = slice(place, place + 1)
            self._again(wide[:, here], None if out is None else out[None, here], values, place)
        return values

    def _again(self, item: Array, out: Array | None, values: Floats, place: int) -> None:
        """Run an item near the ends of the range once more, divided by a power of two."""
        top = float(np.max(np.abs(item)))
        if np.isfinite(top) and top > 0.0:
            e = exponents(np.array([top]))
            f, g = halves(e)
            near = (item * f[0] * g[0]).astype(item.dtype, copy=False)
            values[place] = float(scaled(self._once(near, out), e)[0, 0])

    def _once(self, x: Array, out: Array | None) -> NDArray[np.float64]:
        if out is None:
            return self.node.value(x)
        return self.node.map(x, np.ones(x.shape[:2]), out)
