"""Atoms that hold several matrices in one array: groups, heads, fused queries, keys and values, experts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from normkit.errors import ParameterError
from normkit.modular.extent import LARGEST, Extent, Given, Positions, parts, total
from normkit.modular.leaf import Atom, Leaf, large
from normkit.modular.measures import largest, pattern
from normkit.modular.tree import Seen, Weights

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True, repr=False)
class Grouped(Atom):
    """x -> (W_1 x_1, ..., W_g x_g), the channels of x in g groups: the largest ``rms->rms`` of the W_k.

    The array is (groups fan_out, fan_in), as grouped convolutions hold it, with `fan_out` and `fan_in` channels in a
    group. ‖y‖^2 is the mean of the ‖W_k x_k‖^2 <= max ‖W_k‖^2 ‖x_k‖^2, and ‖x‖^2 the mean of the ‖x_k‖^2.
    """

    groups: int
    fan_out: int
    fan_in: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """(groups fan_out, fan_in), then the groups."""
        return self.groups * self.fan_out, self.fan_in, self.groups

    @property
    def measure(self) -> Norm:
        """The largest ``rms->rms`` of a group."""
        return largest("rms->rms", pattern(self.layout, {"o": f"(g={self.groups} o)"}), "g", "o", "i")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the products of all groups, one group after the other."""
        split = x.reshape(self.groups, self.fan_in, *x.shape[1:])
        blocks = self.array(weights).reshape(self.groups, self.fan_out, self.fan_in)
        return np.einsum("goi,gi...->go...", blocks, split).reshape(-1, *x.shape[1:])


@dataclass(frozen=True, repr=False)
class Heads(Atom):
    """x (dim, ...) -> (W_1 x, ..., W_h x) (width, heads, ...): the largest ``rms->rms`` of the W_k.

    The array is (heads width, dim), head by head, the output has the heads as its first axis of positions: each obeys
    ‖W_k x‖ <= ‖W_k‖ ‖x‖, hence their maximum and their root mean square.
    """

    heads: int
    width: int
    dim: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """(heads width, dim), then the heads."""
        return self.heads * self.width, self.dim, self.heads

    @property
    def measure(self) -> Norm:
        """The largest ``rms->rms`` of a head."""
        return largest("rms->rms", pattern(self.layout, {"o": f"(h={self.heads} d)"}), "h", "d", "i")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the products of all heads."""
        return headed(np.tensordot(self.array(weights), x, axes=1), self.width)


def headed(x: Any, width: int) -> Any:
    """Return (heads width, ...) as (width, heads, ...)."""
    return np.moveaxis(x.reshape(-1, width, *x.shape[1:]), 0, 1)


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


@dataclass(frozen=True, repr=False)
class Experts(Atom):
    """(x, r) -> sum_e r_e W_e x, W (count, fan_out, fan_in) in the largest ``rms->rms`` of an expert.

    x is (fan_in, ...), r (count, ...) the weights of the experts, measured by l1. For ‖x‖ <= 1 and ‖r‖_1 <= 1 at every
    position, ‖y‖ <= sum abs(r_e) ‖W_e‖ ‖x‖ <= max ‖W_e‖; if W moves by D, y by at most max ‖D_e‖; if x moves, by ‖dx‖;
    if r moves, by sum abs(dr_e) ‖W_e x‖ <= ‖dr‖_1. So the sensitivity is 1 for the sum of the two, and positions are
    measured by their maximum. Make r with `Route`.
    """

    axes: ClassVar[str] = "e o i"

    count: int
    fan_out: int
    fan_in: int

    @property
    def positions(self) -> frozenset[Positions]:
        """The maximum: x and r are at most 1 at every position."""
        return LARGEST

    @property
    def sizes(self) -> tuple[int, ...]:
        """(count, fan_out, fan_in)."""
        return self.count, self.fan_out, self.fan_in

    @property
    def measure(self) -> Norm:
        """The largest ``rms->rms`` of an expert."""
        return largest("rms->rms", self.layout, "e", "o", "i")

    def extent(self, given: Given) -> Given:
        """The product of the sizes."""
        x, r = parts(given, 2)
        return Extent(x.size * r.size)

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield that an input may be larger than 1, or that r is not bounded in l1."""
        x, r = parts(given, 2)
        yield from large(repr(self.name), x, "rms")
        yield from large(repr(self.name), r, "l1")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the sum over the experts."""
        vector, shares = x
        return np.einsum("e...,eoi,i...->o...", shares, self.array(weights), vector)
