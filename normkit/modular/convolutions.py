"""Atoms that convolve: the kernel as one flattened matrix, or as a matrix at each of its positions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from normkit.errors import ParameterError
from normkit.modular.leaf import Atom
from normkit.modular.measures import largest, matrix
from normkit.modular.tree import Weights

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True, repr=False)
class Convolution(Atom):
    """Circular convolution of stride 1, x (into, positions...) with a kernel (out, into, offsets...)."""

    out: int
    into: int
    kernel: int | tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.offsets.split()):
            raise ParameterError(
                f"the kernel of {self.name!r} has a length for each of {self.offsets}; got {self.kernel}"
            )
        super().__post_init__()

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the kernel."""
        return (self.kernel,) if isinstance(self.kernel, int) else self.kernel

    @property
    def offsets(self) -> str:
        """The letters of the axes along which it convolves."""
        return " ".join(self.axes.split()[2:])

    @property
    def sizes(self) -> tuple[int, ...]:
        """(out, into, lengths of the kernel)."""
        return self.out, self.into, *self.lengths

    @property
    def measure(self) -> Norm:
        """``rms->rms`` of the flattened kernel."""
        return matrix("rms->rms", self.layout, "o", f"i {self.offsets}")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return y[o, p] = sum over inputs i and offsets d of K[o, i, d] x[i, p + d]."""
        kernel, along = self.array(weights), tuple(range(1, x.ndim))
        moved = [
            np.tensordot(kernel[:, :, *offset], np.roll(x, [-step for step in offset], axis=along), axes=1)
            for offset in np.ndindex(*self.lengths)
        ]
        return np.sum(moved, axis=0)


class _Positions(Convolution):
    """The norm at the positions of the kernel."""

    @property
    def measure(self) -> Norm:
        """As many times the largest ``rms->rms`` at a position of the kernel as it has positions."""
        return prod(self.lengths) * largest("rms->rms", self.layout, self.offsets, "o", "i")


@dataclass(frozen=True, repr=False)
class Conv1d(Convolution):
    """A convolution along one axis in ``rms->rms`` of the flattened kernel M (out, into k).

    At a position ‖y‖ <= ‖M‖ ‖patch‖, where ‖patch‖^2 is the mean of ‖x‖^2 at k positions: at most the largest, and its
    mean over all positions is that of x, since every position is in k patches. Zeros around x, instead of a circle,
    make no patch larger. ``layout="t i o"`` is the order of flax.
    """

    axes: ClassVar[str] = "o i t"


@dataclass(frozen=True, repr=False)
class Conv1dPositions(_Positions, Conv1d):
    """A convolution along one axis in k times the largest ``rms->rms`` at a position of the kernel.

    y is a sum of k shifted products, each of norm at most that of the matrix at its position times ‖x‖.
    """


@dataclass(frozen=True, repr=False)
class Conv2d(Convolution):
    """A convolution of images in ``rms->rms`` of the flattened kernel M (out, into k l); see `Conv1d`.

    ``layout="h w i o"`` is the order of flax.
    """

    axes: ClassVar[str] = "o i h w"


@dataclass(frozen=True, repr=False)
class Conv2dPositions(_Positions, Conv2d):
    """A convolution of images in k l times the largest ``rms->rms`` at a position of the kernel.

    y is a sum of k l shifted products, each of norm at most that of the matrix at its position times ‖x‖.
    """
