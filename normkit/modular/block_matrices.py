"""Atoms that hold several matrices of one shape in an array: groups, heads, experts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from normkit.modular.extent import LARGEST, Extent, Given, Positions, parts
from normkit.modular.leaf import Atom, large
from normkit.modular.measures import largest, pattern
from normkit.modular.tree import Weights

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
