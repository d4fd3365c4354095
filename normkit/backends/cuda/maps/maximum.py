"""Maxima of a scalar body that increases; see `normkit.backends.cuda.maps.loops.peaks` for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from normkit.backends.cuda.maps.batch import Batch, Lines, both
from normkit.backends.cuda.maps.generated import generate
from normkit.backends.cuda.maps.moves import matched, plainly, written
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.plan import ReducePlan, Scalar


@dataclass(frozen=True)
class Peaks:
    """Per line: the bits of the largest magnitude, and the lowest index that has it."""

    tops: Device
    places: Device


IDENTITY = (Scalar(("a", "m", "n"), "a"), Scalar(("s", "m", "n"), "s"), Scalar(("a", "s", "m", "n"), "1.0"))


def kernels(run: Run, x: Lines, out: Lines | None, scalars: tuple[Scalar, Scalar, Scalar] = IDENTITY) -> Any:
    """Return the kernels of the largest magnitude, with (body, post, slope)."""
    texts = tuple(zip(("body", "post", "slope"), scalars, strict=True))
    return generate("peaks", run.shape(x, out), texts)


def peaks(run: Run, made: Any, x: Lines, sizes: tuple[float, float], times: float, values: Device) -> Peaks:
    """Find the largest magnitude of every line, and write its value."""
    cut = run.cut(x)
    tops, places = run.integers(x.count * cut.count), run.integers(x.count * cut.count)
    shared = (x.data, x.at, x.extents, cut.chunk, cut.strides, tops, places)
    run.launch(made.chunks, cut.grid, *shared, width=cut.width)
    found = Peaks(run.integers(x.count), run.integers(x.count))
    width = 1 if x.across else run.width(cut.count)
    ends = (tops, places, cut.strides, cut.count, *sizes, times, found.tops, found.places, values)
    run.launch(made.settle, run.blocks(x.count, width), *ends, width=width)
    return found


@dataclass(frozen=True)
class MaxNode(Node):
    """post(max of body(abs(x))); the map has one entry, at the first largest magnitude."""

    plan: ReducePlan

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Find the largest magnitude of every line."""
        taken = plainly(run, x)
        here = taken.lines()
        found = peaks(run, self._kernels(run, here, None), here, x.sizes, times, values)

        def pull(coefficients: Device, out: Batch) -> None:
            with written(run, out) as target:
                source, to = matched(run, taken, target)
                ends = both(source, to)
                cut, made = run.cut(to), self._kernels(run, source, to)
                shared = (cut.chunk, *x.sizes, times, coefficients, found.tops, found.places)
                run.launch(made.mark, cut.grid, *ends, *shared, width=cut.width)

        return pull

    def _kernels(self, run: Run, x: Lines, out: Lines | None) -> Any:
        return kernels(run, x, out, (self.plan.body, self.plan.post, self.plan.slope))
