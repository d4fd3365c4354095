"""A functional of a linear map of the array, where that is a view or entrywise, and of its pairings with atoms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.axes import Axis
from normkit.backends.cuda.maps.batch import Batch, rows
from normkit.backends.cuda.maps.generated import generate
from normkit.backends.cuda.maps.moves import matched, plainly, spoiled, taken, weighed, written
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.plan import AtomicPlan
from normkit.errors import ShapeError
from normkit.linear import Diagonal, Flatten, Linear, Regroup, Select, Transpose


def views(linear: Linear) -> bool:
    """Tell whether a linear map only shows the array in other axes."""
    return isinstance(linear, Transpose) or (isinstance(linear, Flatten | Regroup) and not linear.restore)


@dataclass(frozen=True)
class ViewNode(Node):
    """inner(x transposed), inner(x as one vector), inner(x in other axes): x is shown so, and never copied."""

    linear: Linear
    inner: Node

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Show x and out as inner sees them."""
        pull = self.inner.forward(run, self._view(x), values, times)
        return lambda coefficients, out: pull(coefficients, self._view(out))

    def map(self, run: Run, x: Batch, coefficients: Device, out: Batch, values: Device, times: float) -> None:
        """Show x and out as inner sees them."""
        self.inner.map(run, self._view(x), coefficients, self._view(out), values, times)

    def _view(self, x: Batch) -> Batch:
        if isinstance(self.linear, Transpose):
            return x.viewed(*x.item[::-1])
        if isinstance(self.linear, Regroup):
            sizes = self.linear.pattern.sizes(x.shape)
            pieces = _cut(x.item, list(sizes))
            return x.viewed(*(tuple(p for place in group for p in pieces[place]) for group in self.linear.groups))
        return x.viewed(tuple(piece for axis in x.item for piece in axis))


def _cut(item: tuple[Axis, ...], sizes: list[int]) -> list[Axis]:
    """Return axes of these sizes, which the axes of an item hold one after the other, each axis some of them."""
    made: list[Axis] = []
    left = list(sizes)
    for axis in item:
        pieces = list(axis)
        while pieces:
            size, stride = pieces.pop(0)
            wanted = left.pop(0) if left else 1
            if size == wanted:
                made.append(((size, stride),))
            elif wanted and size % wanted == 0:  # several named axes in one stride
                rest = size // wanted
                made.append(((wanted, rest * stride),))
                pieces.insert(0, (rest, stride))
            else:  # one named axis in several strides
                taken = [(size, stride)]
                while prod(each for each, _ in taken) < wanted:
                    taken.append(pieces.pop(0))
                made.append(tuple(taken))
    made += [((1, 1),)] * len(left)
    return made


@lru_cache(maxsize=64)
def _powers(linear: Diagonal) -> NDArray[np.float64]:
    made: NDArray[np.float64] = np.frombuffer(linear.weights.data) ** float(linear.power)
    return made


@dataclass(frozen=True)
class DiagonalNode(Node):
    """inner(weights**power * x), the image in float64."""

    linear: Diagonal
    inner: Node

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Multiply by the weights, before and after."""
        powers = _powers(self.linear)
        if x.shape != powers.shape:
            raise ShapeError(
                f"the norm has {len(powers)} weights and the vector {x.entries} entries; give one per entry"
            )
        held, image = run.constant(self.linear, lambda: powers), run.like(x, "float64")
        weighed(run, x, held, image)
        inner = self.inner.forward(run, image, values, times)
        spoiled(run, x, values)

        def pull(coefficients: Device, out: Batch) -> None:
            pulled = run.like(x, "float64")
            inner(coefficients, pulled)
            weighed(run, pulled, held, out)

        return pull


@dataclass(frozen=True)
class SelectNode(Node):
    """inner(some entries of the flattened x), the image in float64."""

    linear: Select
    inner: Node

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Gather the entries; the map scatters them back among zeros."""
        size, count = self.linear.size, len(self.linear.indices)
        if x.entries != size:
            raise ShapeError(f"the groups of the norm cover {size} entries; got an array of {x.entries}")
        image = rows(run.floats(x.count * count), x.count, count)
        taken(run, x, run.constant(self.linear, lambda: np.array(self.linear.indices, np.int64)), image)
        inner = self.inner.forward(run, image, values, times)
        spoiled(run, x, values)

        def pull(coefficients: Device, out: Batch) -> None:
            pulled = run.like(image)
            inner(coefficients, pulled)
            taken(run, pulled, run.constant(self.linear.adjoint, self._places), out)

        return pull

    def _places(self) -> NDArray[np.int64]:
        """Return where every entry of x is among the selected ones, -1 where it is not."""
        places = np.full(self.linear.size, -1, np.int64)
        places[list(self.linear.indices)] = np.arange(len(self.linear.indices))
        return places


@dataclass(frozen=True)
class AtomicNode(Node):
    """max over the atoms of abs(<atom, x>); a tie takes the first atom."""

    plan: AtomicPlan

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Pair every item with every atom, in float64."""
        shape = self.plan.atoms.shape
        if shape[1:] != x.shape:
            raise ShapeError(f"the atoms of the norm have shape {shape[1:]}; got an array of shape {x.shape}")
        plain = plainly(run, x)
        here = plain.lines()
        atoms = run.constant(self.plan, lambda: np.frombuffer(self.plan.atoms.data))
        pairings, best = run.floats(x.count * shape[0]), run.integers(x.count)
        size = here.extents
        made = generate("atoms", run.shape(here))
        run.launch(made.pair, x.count * shape[0], here.data, here.at, size, atoms, shape[0], pairings)
        run.launch(made.choose, run.blocks(x.count), pairings, shape[0], x.count, times, best, values)

        def pull(coefficients: Device, out: Batch) -> None:
            with written(run, out) as target:
                _, to = matched(run, plain, target)
                kernel = generate("atoms", run.shape(to)).write
                shared = (to.data, to.at, to.extents, atoms, shape[0], pairings, best)
                run.launch(kernel, run.blocks(to.count * to.length), *shared, coefficients, times)

        return pull
