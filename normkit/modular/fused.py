"""Atoms that hold queries, keys and values in one array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.errors import ParameterError
from normkit.modular.block_matrices import headed
from normkit.modular.extent import Extent, Given, Seen, total
from normkit.modular.leaf import Atom, Leaf
from normkit.modular.measures import largest, pattern
from normkit.modular.tree import Weights

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True, repr=False)
class FusedQKV(Atom):
    """x -> (Q x, K x, V x), Q, K, V blocks of rows of one array: three times the largest ``rms->rms`` of a block.

    Q has heads width rows, K and V have groups width rows each (fewer, where several heads share keys and values; as
    many if `groups` is 0), and each block has the scale of its own shape. Outputs are (rows, ...), as of `Linear`.

    It is the tuple of three atoms of one mass: its weights have norm 1 if the largest block has, its output, measured
    by the sum, moves by the sum of the three blocks' norms, which is at most three times the largest. So s_l is three
    times that of an atom, and the sensitivity 3.
    """

    dim: int
    heads: int
    width: int
    groups: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heads % self.shared:
            raise ParameterError(f"{self.name!r}: {self.heads} heads do not share {self.groups} keys evenly")

    @property
    def shared(self) -> int:
        """The number of heads of the keys, and of the values."""
        return self.groups or self.heads

    @property
    def rows(self) -> tuple[int, int, int]:
        """The rows of Q, K and V."""
        return self.heads * self.width, self.shared * self.width, self.shared * self.width

    @property
    def sizes(self) -> tuple[int, ...]:
        """(rows of all blocks, dim), then heads, width, groups."""
        return sum(self.rows), self.dim, self.heads, self.width, self.shared

    @property
    def measure(self) -> Norm:
        """The largest ``rms->rms`` of a block."""
        from normkit.calculus.row_blocks import RowBlocks
        from normkit.calculus.transpose import Transposed

        blocks = RowBlocks("linf", "rms->rms", self.rows)
        return blocks if self.layout == self.axes else Transposed(blocks)

    @property
    def sensitivity(self) -> float:
        """3: outputs are measured by the sum."""
        return 3.0

    def walk(self, seen: Seen) -> Iterator[tuple[Leaf, Seen]]:
        """Yield itself, with three times the scale of one atom."""
        yield self, replace(seen, scale=3.0 * seen.scale)

    def extent(self, given: Given) -> Given:
        """Three arrays, each of the size of the input."""
        return (Extent(total(given)),) * 3

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return (Q x, K x, V x)."""
        ends = list(accumulate(self.rows))
        return tuple(np.split(np.tensordot(self.array(weights), x, axes=1), ends[:-1]))


@dataclass(frozen=True, repr=False)
class FusedQKVHeads(FusedQKV):
    """`FusedQKV` head by head: three times the largest ``rms->rms`` of all heads of Q, K and V.

    Outputs are (width, heads, ...), as of `Heads`: no head of a query, key or value is larger than 1, which is what
    `Attention` needs. It is the tuple of three `Heads` of one mass.
    """

    @property
    def measure(self) -> Norm:
        """The largest ``rms->rms`` of a head."""
        count = self.heads + 2 * self.shared
        return largest("rms->rms", pattern(self.layout, {"o": f"(h={count} d)"}), "h", "d", "i")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the heads of Q x, K x and V x."""
        return tuple(headed(block, self.width) for block in super().__call__(weights, x))
