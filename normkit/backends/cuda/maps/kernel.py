"""The kernel of a plan for items in device memory: any layout, any scale, four formats of entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from normkit.backends.cuda.maps.batch import Batch, batch
from normkit.backends.cuda.maps.build import Asked, build
from normkit.backends.cuda.maps.formats import STORED
from normkit.backends.cuda.maps.lift import Polar
from normkit.backends.cuda.maps.moves import filled, ones, rescaled, restored
from normkit.backends.cuda.maps.node import Node
from normkit.backends.cuda.maps.run import Arena, Run, Sizes, device
from normkit.backends.cuda.room import room
from normkit.codegen.plan import CombinePlan, LiftPlan, MapPlan, MixedPlan, Plan
from normkit.errors import DTypeError

NESTED = (CombinePlan, LiftPlan, MapPlan, MixedPlan)
"""Stages whose intermediate numbers may leave the range of float64 where entries are near its ends."""


@dataclass(frozen=True)
class CUDAKernel:
    """Runs the nodes of a plan on items in device memory; nothing waits for the device but the notes of `host`.

    Parameters
    ----------
    plan : Plan
        What to compute.
    dtype : dtype or str
        float32, float64, float16 or bfloat16, or its name; arrays of the last two hold 16-bit patterns (uint16).
    accuracy : float, optional
        What is enough for an orthogonal factor; passed to stages on the CPU.
    polar : Polar, optional
        The polar core; without it, functions of singular values run on the CPU.
    sizes : Sizes
        How work is cut.

    Notes
    -----
    Zero items have value and map 0; ties of a maximum take the first index in the order of the item; an item with a
    NaN or an infinity has the value NaN, and an arbitrary map: the value is the flag, and looking for it takes no pass
    of its own. Values are float64 for all entries; terms of a sum are float32 where entries are no wider.
    Memory is kept for each device and stream between calls; two threads must not run one kernel on one stream at once.
    """

    plan: Plan
    dtype: np.dtype[Any] | str
    accuracy: float | None = None
    polar: Polar | None = None
    sizes: Sizes = field(default_factory=Sizes)
    arenas: dict[Any, Arena] = field(default_factory=dict, compare=False, repr=False)

    @property
    def kind(self) -> str:
        """The name of the format of entries."""
        return self.dtype if isinstance(self.dtype, str) else self.dtype.name

    @cached_property
    def node(self) -> Node:
        """The tree that runs."""
        return build(self.plan, Asked(self.kind, self.accuracy, self.polar))

    @cached_property
    def prescaled(self) -> bool:
        """Whether items are divided by a power of two first, as float64 entries may be near the ends of its range."""
        return self.kind == "float64" and any(isinstance(node, NESTED) for node in self.plan.walk())

    def value(self, x: Any, stream: Any = 0, values: Any = None) -> Any:
        """Return the value of every item: `values`, or a new float64 device array (batch,)."""
        return self._run(x, None, stream, values)

    def map(self, x: Any, out: Any, stream: Any = 0, values: Any = None) -> Any:
        """Write the map of every item to `out`, which does not overlap x; return the values as `value` does."""
        return self._run(x, out, stream, values)

    def _run(self, x: Any, out: Any | None, stream: Any, values: Any) -> Any:
        if values is None:
            values = room(max(1, x.shape[0]), np.float64)[: x.shape[0]]
        key = (device(), int(stream))
        run = Run(self.sizes, self.arenas.setdefault(key, Arena()), stream)
        try:
            if x.size:
                self._launch(run, self._batch(x), None if out is None else self._batch(out), values)
            else:
                filled(run, values, 0.0, x.shape[0])
        finally:
            run.arena.release()
        return values

    def _launch(self, run: Run, x: Batch, out: Batch | None, values: Any) -> None:
        if not self.prescaled:
            self._once(run, x, out, values)
            return
        near, e = rescaled(run, x)
        self._once(run, near, out, values)
        restored(run, values, e)

    def _once(self, run: Run, x: Batch, out: Batch | None, values: Any) -> None:
        if out is None:
            self.node.value(run, x, values, 1.0)
        else:
            self.node.map(run, x, ones(run, x.count), out, values, 1.0)

    def _batch(self, array: Any) -> Batch:
        name = self.kind
        if name not in STORED or np.dtype(array.dtype).itemsize != np.dtype(STORED[name]).itemsize:
            wanted = STORED.get(name, "float16, bfloat16, float32 or float64")
            raise DTypeError(f"a kernel for {name} got an array of {array.dtype}; expected {wanted}")
        return batch(array, name)
