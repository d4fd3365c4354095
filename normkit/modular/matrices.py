"""Atoms that hold one matrix: linear maps, tables of words, and scores of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from normkit.modular.extent import Channels
from normkit.modular.leaf import Atom
from normkit.modular.measures import matrix
from normkit.modular.tree import Weights

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True, repr=False)
class Linear(Atom):
    """x -> W x, W (fan_out, fan_in) in ``rms->rms``: by the definition of an operator norm, in W and in x.

    x is (fan_in,) or (fan_in, positions, ...); ‖W x‖ <= ‖W‖ ‖x‖ at every position, hence for their maximum and their
    root mean square. ``layout="i o"`` holds W' with the same norm.

    Examples
    --------
    >>> from normkit.modular import Linear, ReLU
    >>> net = Linear("head", 10, 64) @ ReLU() @ Linear("body", 64, 32)
    >>> net.norm().parts
    {'body': norm('2*rms->rms'), 'head': norm('2*rms->rms')}
    >>> Linear("w", 10, 64, layout="i o").measure
    norm("matricize(rms->rms, 'i o', 'o', 'i')")
    """

    fan_out: int
    fan_in: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """(fan_out, fan_in)."""
        return self.fan_out, self.fan_in

    @property
    def measure(self) -> Norm:
        """``rms->rms``."""
        return matrix("rms->rms", self.layout, "o", "i")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return W x."""
        return np.tensordot(self.array(weights), x, axes=1)


@dataclass(frozen=True, repr=False)
class Embed(Atom):
    """x -> E' x, E (vocab, dim) a table with a row per word: ``l1->rms`` of E', whose columns are the rows of E.

    Its input (vocab, ...) is measured by l1: a word is a one-hot vector of norm 1. ‖E' x‖ <= sum abs(x_v) ‖E_v‖ <=
    ‖x‖_1 max ‖E_v‖. ``layout="d v"`` holds a table with a column per word.
    """

    axes: ClassVar[str] = "v d"
    takes: ClassVar[Channels] = "l1"

    vocab: int
    dim: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """(vocab, dim)."""
        return self.vocab, self.dim

    @property
    def measure(self) -> Norm:
        """``l1->rms`` with words as columns."""
        return matrix("l1->rms", self.layout, "d", "v")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return E' x."""
        return np.tensordot(self.array(weights).T, x, axes=1)


@dataclass(frozen=True, repr=False)
class Unembed(Atom):
    """x -> W x, W (vocab, dim) in ``rms->linf``: no score moves by more than ‖W‖ ‖x‖; its output is in linf.

    ``layout="d v"`` holds W'.
    """

    axes: ClassVar[str] = "v d"
    gives: ClassVar[Channels] = "linf"

    vocab: int
    dim: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """(vocab, dim)."""
        return self.vocab, self.dim

    @property
    def measure(self) -> Norm:
        """``rms->linf``."""
        return matrix("rms->linf", self.layout, "v", "d")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return W x."""
        return np.tensordot(self.array(weights), x, axes=1)
