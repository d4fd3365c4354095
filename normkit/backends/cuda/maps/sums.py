"""Sums of a scalar body; see `normkit.backends.cuda.maps.loops.sums` for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from normkit.backends.cpu.reduce import SumNode as Scalars
from normkit.backends.cuda.maps.batch import Batch, Lines, both
from normkit.backends.cuda.maps.generated import sums
from normkit.backends.cuda.maps.moves import matched, plainly, written
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.plan import ReducePlan


@dataclass(frozen=True)
class Measured:
    """Per line: s, the sum of the bodies of abs(x) / 2**e, and e."""

    s: Device
    e: Device


@dataclass(frozen=True)
class SumNode(Node):
    """post(sum of body(abs(x)))."""

    plan: ReducePlan

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Sum every line."""
        taken = plainly(run, x)
        task = _Task(self, run, taken, None, times)
        measured = task.measure(values, None)

        def pull(coefficients: Device, out: Batch) -> None:
            with written(run, out) as target:
                _Task(self, run, taken, target, times).spread(coefficients, measured)

        return pull

    def map(self, run: Run, x: Batch, coefficients: Device, out: Batch, values: Device, times: float) -> None:
        """Sum and write in one pass where one kernel reads a line, or where the map does not need the sum."""
        taken = plainly(run, x)
        with written(run, out) as target:
            task = _Task(self, run, taken, target, times)
            measured = task.measure(values, coefficients)
            if not task.fused:
                task.spread(coefficients, measured)

    def slope(self, m: float, n: float) -> float | None:
        """Return the slope if it depends on the shape alone."""
        return self.scalars.slope(m, n)

    @cached_property
    def scalars(self) -> Scalars:
        """What the scalars of the sum are like."""
        return Scalars(self.plan)


@dataclass(frozen=True)
class _Task:
    """The lines of one call, and how they are cut: at once, by chunks, or across."""

    node: SumNode
    run: Run
    x: Batch
    out: Batch | None
    times: float

    @cached_property
    def ends(self) -> tuple[Lines, Lines]:
        """The lines that are read and written, in pairs of 16-bit entries where both can be."""
        x, to = matched(self.run, self.x, self.out)
        if x.kind == to.kind and x.paired and to.paired and not x.across:
            return x.in_pairs(), to.in_pairs()
        return x, to

    @cached_property
    def kernels(self) -> ModuleType:
        """The kernels for these formats and layouts."""
        x, to = self.ends
        plan, own = self.node.plan, self.node.scalars
        shape = self.run.shape(x, to, paired=x.data.dtype.itemsize == 4 and x.kind in ("float16", "bfloat16"))
        constants = {"DEGREE": own.degree, "LINEAR": own.linear and not own.constant, "CONSTANT": own.constant}
        texts = (("body", plan.body), ("post", plan.post), ("slope", plan.slope))
        return sums(shape, texts, tuple(constants.items()))

    @property
    def at_once(self) -> bool:
        """Whether one group of threads reads a line."""
        x, _ = self.ends
        return not x.across and x.length <= self.run.sizes.line

    @property
    def fused(self) -> bool:
        """Whether `measure` writes the map too, where it is given coefficients."""
        return self.at_once or self.node.scalars.constant

    def measure(self, values: Device, coefficients: Device | None) -> Measured:
        """Measure the lines; write their maps where `fused`."""
        run, (x, to) = self.run, self.ends
        writes = coefficients is not None and self.fused
        gain = values if coefficients is None else coefficients
        made = Measured(run.floats(x.count), run.integers(x.count))
        ends = both(x, to)
        sizes = (*self.x.sizes, self.times)
        if self.at_once:
            width = run.width(x.length)
            shared = (*ends, *sizes, gain, writes, made.s, made.e, values)
            run.launch(self.kernels.lines, run.blocks(x.count, width), *shared, width=width)
            return made
        cut, left = run.cut(x), run.integers(x.count)
        partial, peaks = run.floats(x.count * cut.count), run.integers(x.count * cut.count)
        width = 1 if x.across else run.width(cut.count)
        for phase in (0, 1):
            each = (*ends, cut.chunk, *sizes, gain, writes and phase == 0, phase, made.e, left, cut.strides)
            run.launch(self.kernels.chunks, cut.grid, *each, partial, peaks, width=cut.width)
            whole = (partial, peaks, cut.strides, cut.count, x.length, *sizes, phase, made.s, made.e, left, values)
            run.launch(self.kernels.settle, run.blocks(x.count, width), *whole, width=width)
        return made

    def spread(self, coefficients: Device, measured: Measured) -> None:
        """Write the maps of lines that are measured."""
        run, (x, to) = self.run, self.ends
        cut = run.cut(x)
        ends = both(x, to)
        shared = (cut.chunk, *self.x.sizes, self.times, coefficients, measured.s, measured.e)
        run.launch(self.kernels.spread, cut.grid, *ends, *shared, width=cut.width)
