"""Bonds of attention: queries, keys and values of one or several heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from normkit.errors import ParameterError, ShapeError
from normkit.modular.block_matrices import headed
from normkit.modular.extent import LARGEST, Extent, Given, Positions, each, parts
from normkit.modular.leaf import Weightless, large, require_lengths
from normkit.modular.pooling import Contraction
from normkit.modular.probabilities import softmax


@dataclass(frozen=True, repr=False)
class Attention(Weightless):
    """(q, k, v) -> sum_j p_ij v_j, p_ij proportional to exp(t <q_i, k_j> / width): sensitivity max(1, t).

    q, k, v are (width, words) or (width, heads, words); k and v may have fewer heads, each then serves as many heads
    of q in a row. Scores are divided by the width, as Large et al. (2024) do, not by its square root; ``t =
    sqrt(width)`` makes them the usual ones, with a sensitivity of sqrt(width). `causal` leaves to word i the words
    j <= i.

    For ‖q_i‖, ‖k_j‖, ‖v_j‖ <= 1 in RMS, word by word and head by head (which the tree checks):

    - v moves: ‖sum_j p_ij dv_j‖ <= max ‖dv_j‖, since the p_ij are shares.
    - q or k moves: the scores move by s_j = t <dq_i, k_j> / width or t <q_i, dk_j> / width, at most t ‖dq_i‖ or
      t max ‖dk_j‖, and the output by the covariance of s and v under p_i. Against a unit vector u that is at most the
      product of the standard deviations of s_j and <u, v_j> / width, which are at most t ‖dq‖ (or t ‖dk‖) and 1.

    The set of such q, k, v is convex, so that this holds for differences as well. The output is at most max ‖v_j‖. For
    the root mean square over words in place of the largest norm nothing of the kind is claimed: one word may be all
    that others look at.

    Raises
    ------
    ParameterError
        If the inverse temperature t is not positive and finite.
    """

    causal: bool = False
    inverse_temperature: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.inverse_temperature, int | float) and 0 < self.inverse_temperature < float("inf")):
            raise ParameterError(
                f"the inverse temperature of Attention is a positive number; got {self.inverse_temperature!r}"
            )

    @property
    def sensitivity(self) -> float:
        """max(1, t), for queries, keys and values of norm at most 1 each; tuples are measured by the sum."""
        return max(1.0, float(self.inverse_temperature))

    @property
    def positions(self) -> frozenset[Positions]:
        """The maximum over words and heads."""
        return LARGEST

    def extent(self, given: Given) -> Given:
        """The size of the values."""
        return Extent(parts(given, 3)[2].size)

    def doubts(self, given: Given) -> Iterator[str]:
        """Yield that queries, keys or values may be larger than 1."""
        for kind, one in zip(("queries", "keys", "values"), parts(given, 3), strict=True):
            yield from large(f"Attention, for its {kind},", one, "rms")

    def at(self, x: Any) -> Any:
        """Return the mean of the values."""
        q, k, v = (one[:, None] if one.ndim == 2 else one for one in x)
        if q.shape[1] % k.shape[1] or k.shape != v.shape or q.shape[0] != k.shape[0]:
            raise ShapeError(
                f"Attention takes queries (width, heads, words) and keys and values with as many heads, or a fraction; "
                f"got {q.shape}, {k.shape} and {v.shape}"
            )
        k, v = (np.repeat(one, q.shape[1] // one.shape[1], axis=1) for one in (k, v))
        scores = self.inverse_temperature / q.shape[0] * np.einsum("dhi,dhj->hij", q, k)
        if self.causal:
            scores = np.where(np.tril(np.ones(scores.shape[1:], dtype=bool)), scores, -np.inf)
        made = np.einsum("hij,dhj->dhi", softmax(scores, 2), v)
        return made[:, 0] if x[0].ndim == 2 else made


@dataclass(frozen=True, repr=False)
class SplitHeads(Weightless):
    """(heads width, ...) -> (width, heads, ...), every array of a tuple alike: sensitivity sqrt(heads).

    ‖x‖^2 is the mean of the ‖x_k‖^2 of the heads, so that one head may have sqrt(heads) ‖x‖. It is 1 in the root mean
    square, but the largest head is what `Attention` needs: `Heads` and `FusedQKVHeads` bound every head by itself.
    """

    heads: int
    width: int

    def __post_init__(self) -> None:
        require_lengths("SplitHeads", (self.heads, self.width))

    @property
    def sensitivity(self) -> float:
        """sqrt(heads)."""
        return sqrt(self.heads)

    def extent(self, given: Given) -> Given:
        """sqrt(heads) times every size."""
        return each(given, lambda one: Extent(self.sensitivity * one.size))

    def at(self, x: Any) -> Any:
        """Return the heads; of keys and values there may be fewer."""
        if isinstance(x, tuple):
            return tuple(map(self.at, x))
        if len(x) % self.width or len(x) > self.heads * self.width:
            raise ShapeError(f"{self!r} takes up to {self.heads} heads of {self.width} channels; got {len(x)} channels")
        return headed(x, self.width)


@dataclass(frozen=True, repr=False)
class MergeHeads(Contraction):
    """(width, heads, ...) -> (heads width, ...): ‖x‖^2 is the mean of the ‖x_k‖^2 of the heads, at most the largest."""

    def at(self, x: Any) -> Any:
        """Return the heads one after the other."""
        return np.moveaxis(x, 1, 0).reshape(-1, *x.shape[2:])
