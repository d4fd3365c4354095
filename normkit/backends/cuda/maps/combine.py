"""A function of several functionals of one array, or of its rows, and multiples of one."""

from __future__ import annotations

from dataclasses import dataclass

from normkit.backends.cpu.node import evaluate
from normkit.backends.cuda.maps.batch import Batch, stacked
from normkit.backends.cuda.maps.formats import REAL
from normkit.backends.cuda.maps.moves import added, written
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.plan import Scalar
from normkit.linear import Band


def _columns(run: Run, count: int, parts: int) -> tuple[Device, list[Device]]:
    """Return `parts` numbers of every item, one number of all items after the other: whole, and number by number."""
    whole = run.floats(count * parts)
    return whole, [whole[k * count : (k + 1) * count] for k in range(parts)]


@dataclass(frozen=True)
class CombineNode(Node):
    """outer(part_1(x), ..., part_k(x))."""

    outer: Node
    parts: tuple[Node, ...]

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Take all parts, then outer; the map adds theirs, in float32 at least."""
        whole, columns = _columns(run, x.count, len(self.parts))
        pulls = [part.forward(run, x, column, 1.0) for part, column in zip(self.parts, columns, strict=True)]
        outer = self.outer.forward(run, stacked(whole, x.count, len(self.parts)), values, times)

        def pull(coefficients: Device, out: Batch) -> None:
            shares, columns = _columns(run, x.count, len(self.parts))
            outer(coefficients, stacked(shares, x.count, len(self.parts)))
            with written(run, out, REAL[out.kind]) as target:
                for place, (part, share) in enumerate(zip(pulls, columns, strict=True)):
                    work = target if place == 0 else run.like(target)
                    part(share, work)
                    if place > 0:
                        added(run, work, target)

        return pull


@dataclass(frozen=True)
class BandsNode(Node):
    """outer(part_1(rows of x), ..., part_k(the last rows of x)): nothing is added."""

    outer: Node
    parts: tuple[Node, ...]
    bands: tuple[Band, ...]

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Take all parts, then outer; every part writes its own rows."""
        whole, columns = _columns(run, x.count, len(self.parts))
        runs = zip(self.parts, self._views(x), columns, strict=True)
        pulls = [part.forward(run, view, column, 1.0) for part, view, column in runs]
        outer = self.outer.forward(run, stacked(whole, x.count, len(self.parts)), values, times)

        def pull(coefficients: Device, out: Batch) -> None:
            shares, columns = _columns(run, x.count, len(self.parts))
            outer(coefficients, stacked(shares, x.count, len(self.parts)))
            with written(run, out) as target:
                for part, view, share in zip(pulls, self._views(target), columns, strict=True):
                    part(share, view)

        return pull

    def _views(self, x: Batch) -> list[Batch]:
        return [x.band(band.start, band.stop) for band in self.bands]


@dataclass(frozen=True)
class ScaleNode(Node):
    """factor(m, n) * inner."""

    factor: Scalar
    inner: Node

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Hand the factor on."""
        return self.inner.forward(run, x, values, times * self._factor(*x.sizes))

    def map(self, run: Run, x: Batch, coefficients: Device, out: Batch, values: Device, times: float) -> None:
        """Hand the factor on."""
        self.inner.map(run, x, coefficients, out, values, times * self._factor(*x.sizes))

    def slope(self, m: float, n: float) -> float | None:
        """Return the multiple of inner's slope."""
        inner = self.inner.slope(m, n)
        return None if inner is None else self._factor(m, n) * inner

    def _factor(self, m: float, n: float) -> float:
        return float(evaluate(self.factor, m, n))
