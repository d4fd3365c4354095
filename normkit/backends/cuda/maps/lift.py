"""Functions of the singular values: by the polar core on the device, or on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from normkit.backends.cuda.maps.batch import Batch, rows
from normkit.backends.cuda.maps.host import HostNode
from normkit.backends.cuda.maps.moves import ones, packed, replaced, scaled
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.binding import bind
from normkit.codegen.plan import LiftPlan, Plan, ReducePlan

if TYPE_CHECKING:
    from normkit.backends.cuda.maps.build import Asked


class Polar(Protocol):
    """The orthogonal polar factor of every matrix of a batch, by kernels of the device."""

    def __call__(self, x: Batch, out: Batch, coefficients: Device, stream: Any) -> Device:
        """Write coefficient * polar factor of every matrix to `out`; return the sums of their singular values.

        Parameters
        ----------
        x, out : Batch
            Matrices (B, m, n) of one kind, `regular`: the first entry is at ``x.start`` of the flat array ``x.data``;
            ``x.lead[1]`` and the two axes in ``x.item`` hold one (size, stride) each.
        coefficients : device array (B,)
            float64.
        stream : stream
            On which kernels are launched; nothing waits.

        Returns
        -------
        device array (B,)
            float64. A zero matrix has the map and the sum 0; one that is not finite has the sum NaN. No scale of x is
            harmful: the factor is that of x over a power of two.
        """


@dataclass(frozen=True)
class LiftNode(Node):
    """inner(singular values): where inner's map is one number for all of them, the polar factor times that."""

    plan: LiftPlan
    hosted: HostNode
    polar: Polar | None
    asked: Asked

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Factor every matrix."""
        slope = self._slope(x)
        if slope is None or self.polar is None:
            return self.hosted.forward(run, x, values, times)
        factors = run.like(x)
        self._factor(run, x, factors, ones(run, x.count), values, times * slope)

        def pull(coefficients: Device, out: Batch) -> None:
            scaled(run, factors, coefficients, times * slope, out)

        return pull

    def map(self, run: Run, x: Batch, coefficients: Device, out: Batch, values: Device, times: float) -> None:
        """Let the polar core write the map itself."""
        slope = self._slope(x)
        if slope is None or self.polar is None:
            super().map(run, x, coefficients, out, values, times)
            return
        gain = run.floats(x.count)
        scaled(run, rows(coefficients, 1, x.count), ones(run, 1), times * slope, rows(gain, 1, x.count))
        self._factor(run, x, out, gain, values, times * slope)

    def _factor(self, run: Run, x: Batch, out: Batch, gain: Device, values: Device, times: float) -> None:
        assert self.polar is not None
        with replaced(run, out, out.regular) as target:
            sums = self.polar(x.regular or packed(run, x), target, gain, run.stream)
        scaled(run, rows(sums, 1, x.count), ones(run, 1), times, rows(values, 1, x.count))

    def _slope(self, x: Batch) -> float | None:
        """Return inner's map where it is one number for all singular values of all matrices."""
        from normkit.backends.cuda.maps.build import build

        inner: Plan = bind(self.plan.inner, *x.shape)
        if isinstance(inner, ReducePlan) and (inner.op, inner.body.source, inner.post.source) == ("sum", "a", "s"):
            return 1.0
        return build(inner, self.asked).slope(1.0, float(min(x.shape)))
