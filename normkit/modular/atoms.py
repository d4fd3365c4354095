"""The leaves of a tree: atoms, which hold weights, and bonds, which hold none.

Inputs and outputs are measured by their RMS norm over all entries, but for the input of `Embed` (l1) and the output of
`Unembed` (linf). That every bound below holds is a line of algebra, given with it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.errors import ParameterError
from normkit.modular.tree import Module, Weights

if TYPE_CHECKING:
    from normkit.norm import Norm


# --- atoms ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Atom(Module):
    """A module with one array of weights, of sensitivity 1 for weights of norm 1."""

    name: str = ""
    shape: tuple[int, ...] = ()
    mass: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.mass, int | float) and 0 <= self.mass < float("inf")):
            raise ParameterError(f"the mass of {self.name!r} is a number that is not negative; got {self.mass!r}")
        if not all(isinstance(length, int) and length > 0 for length in self.shape):
            raise ParameterError(f"the lengths of {self.name!r} are positive integers; got {self.shape}")

    @property
    @abstractmethod
    def measure(self) -> Norm:
        """The norm of its weights."""

    @property
    def sensitivity(self) -> float:
        """1: ‖f(w)(x)‖ <= ‖w‖ ‖x‖, or f moves as x does."""
        return 1.0

    def scaled(self, factor: float) -> Iterator[tuple[Atom, float]]:
        """Yield itself, if it has a mass."""
        if self.mass > 0:
            yield self, factor

    def atoms(self) -> Iterator[Atom]:
        """Yield itself."""
        yield self

    def tare(self, mass: float) -> Module:
        """Replace the mass."""
        return replace(self, mass=float(mass))

    def renamed(self, prefix: str) -> Module:
        """Replace the name."""
        return replace(self, name=prefix + self.name)

    def bound(self, size: float) -> float:
        """The size of the input: the map is linear, of norm at most 1."""
        return size

    def doubts(self, size: float) -> Iterator[str]:
        """Yield that inputs of more than 1 move the output by more than the weights' norm."""
        if size > 1 + 1e-12:
            yield f"{self.name!r} may see an input of norm {size:.4g}, more than 1"


@dataclass(frozen=True, init=False)
class Linear(Atom):
    """x -> W x, W (fan_out, fan_in) in ``rms->rms``: by the definition of an operator norm, in W and in x.

    Examples
    --------
    >>> from normkit.modular import Linear, ReLU
    >>> net = Linear("head", 10, 64) @ ReLU() @ Linear("body", 64, 32)
    >>> net.norm().parts
    {'body': norm('2*rms->rms'), 'head': norm('2*rms->rms')}
    """

    def __init__(
        self, name: str, fan_out: int = 0, fan_in: int = 0, mass: float = 1.0, *, shape: tuple[int, ...] | None = None
    ) -> None:
        _set(self, name, mass, shape or (fan_out, fan_in))

    @property
    def measure(self) -> Norm:
        """``rms->rms``."""
        return _norm("rms->rms")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return W x."""
        return weights[self.name] @ x


@dataclass(frozen=True, init=False)
class Embed(Atom):
    """x -> E' x, E (vocab, dim) a table with a row per word: ``l1->rms`` of E', whose columns are the rows of E.

    Its input is measured by l1: a word is a one-hot vector of norm 1.
    """

    def __init__(
        self, name: str, vocab: int = 0, dim: int = 0, mass: float = 1.0, *, shape: tuple[int, ...] | None = None
    ) -> None:
        _set(self, name, mass, shape or (vocab, dim))

    @property
    def measure(self) -> Norm:
        """``l1->rms`` with words as columns."""
        return _norm("matricize(l1->rms, 'v d', 'd', 'v')")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return E' x."""
        return weights[self.name].T @ x


@dataclass(frozen=True, init=False)
class Unembed(Atom):
    """x -> W x, W (vocab, dim) in ``rms->linf``: no score moves by more than ‖W‖ ‖x‖; its output is in linf."""

    def __init__(
        self, name: str, vocab: int = 0, dim: int = 0, mass: float = 1.0, *, shape: tuple[int, ...] | None = None
    ) -> None:
        _set(self, name, mass, shape or (vocab, dim))

    @property
    def measure(self) -> Norm:
        """``rms->linf``."""
        return _norm("rms->linf")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return W x."""
        return weights[self.name] @ x


class Convolution(Atom):
    """Circular convolution of stride 1, x (in, height, width) with a kernel (out, in, k, l)."""

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return y[o, p] = sum over i, h, w of K[o, i, h, w] x[i, p + (h, w)]."""
        kernel = weights[self.name]
        moved = [
            np.einsum("oi,ipq->opq", kernel[:, :, h, w], np.roll(x, (-h, -w), axis=(1, 2)))
            for h in range(kernel.shape[2])
            for w in range(kernel.shape[3])
        ]
        return np.sum(moved, axis=0)


@dataclass(frozen=True, init=False)
class Conv2d(Convolution):
    """A convolution in ``rms->rms`` of the flattened kernel M (out, in k l).

    ‖y‖^2 is a mean over positions of ‖M patch‖^2, and every entry of x is in k l patches: ‖y‖ <= sqrt(n/m) sigma_1 ‖x‖.
    Zeros around the image instead of a circle make no patch larger.
    """

    def __init__(
        self,
        name: str,
        out: int = 0,
        into: int = 0,
        kernel: tuple[int, int] = (1, 1),
        mass: float = 1.0,
        *,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        _set(self, name, mass, shape or (out, into, *kernel))

    @property
    def measure(self) -> Norm:
        """``rms->rms`` of the flattened kernel."""
        return _norm("matricize(rms->rms, 'o i h w', 'o', 'i h w')")


@dataclass(frozen=True, init=False)
class Conv2dPositions(Conv2d):
    """A convolution in k l times the largest ``rms->rms`` at a position of the kernel.

    y is a sum of k l shifted products, each of norm at most that of the matrix at its position.
    """

    @property
    def measure(self) -> Norm:
        """k l times the largest norm at a position."""
        return _norm(f"{self.shape[2] * self.shape[3]}*slices(rms->rms, 'o i h w', 'h w', linf)")


@dataclass(frozen=True, init=False)
class Bias(Atom):
    """x -> x + b, b (size,) in ``rms``. Its output may have norm 2: average it, as in ``0.5 * Bias("b", 8)``."""

    def __init__(self, name: str, size: int = 0, mass: float = 1.0, *, shape: tuple[int, ...] | None = None) -> None:
        _set(self, name, mass, shape or (size,))

    @property
    def measure(self) -> Norm:
        """``rms``."""
        return _norm("rms")

    def bound(self, size: float) -> float:
        """The size of the input plus 1."""
        return size + 1.0

    def doubts(self, size: float) -> Iterator[str]:
        """Yield nothing: b moves the output by itself, whatever the input is."""
        return iter(())

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return x + b."""
        return x + weights[self.name]


@dataclass(frozen=True, init=False)
class Gain(Atom):
    """x -> g x entrywise, g (size,) in ``linf``: ‖g x‖ <= max ‖g_i‖ ‖x‖."""

    def __init__(self, name: str, size: int = 0, mass: float = 1.0, *, shape: tuple[int, ...] | None = None) -> None:
        _set(self, name, mass, shape or (size,))

    @property
    def measure(self) -> Norm:
        """``linf``."""
        return _norm("linf")

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return g x."""
        return weights[self.name] * x


def _set(atom: Atom, name: str, mass: float, shape: tuple[int, ...]) -> None:
    for field, value in (("name", name), ("mass", mass), ("shape", shape)):
        object.__setattr__(atom, field, value)
    atom.__post_init__()


def _norm(spec: str) -> Norm:
    from normkit.spec import norm

    return norm(spec)


# --- bonds -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bond(Module):
    """A map without weights, with the sensitivity that is claimed for it; `proved` says whether that is known.

    A proved bond also maps 0 to 0, so that its output is at most the sensitivity times the input.
    """

    label: str
    function: Callable[[Any], Any]
    sensitivity: float = 1.0
    proved_: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.sensitivity, int | float) and 0 < self.sensitivity < float("inf")):
            raise ParameterError(f"the sensitivity of {self.label} is a positive number; got {self.sensitivity!r}")

    def __repr__(self) -> str:
        doubt = "" if self.proved_ else ", not proved"
        return f"{self.label}(sensitivity {self.sensitivity:g}{doubt})"

    @property
    def mass(self) -> float:
        """0."""
        return 0.0

    def scaled(self, factor: float) -> Iterator[tuple[Atom, float]]:
        """Yield nothing."""
        return iter(())

    def atoms(self) -> Iterator[Atom]:
        """Yield nothing."""
        return iter(())

    def tare(self, mass: float) -> Module:
        """Return itself."""
        return self

    def renamed(self, prefix: str) -> Module:
        """Return itself."""
        return self

    def bound(self, size: float) -> float:
        """The sensitivity times the size."""
        return self.sensitivity * size

    def doubts(self, size: float) -> Iterator[str]:
        """Yield that the sensitivity is not proved, where it is not."""
        if not self.proved_:
            yield f"the sensitivity {self.sensitivity:g} of {self.label} is not proved"

    def __call__(self, weights: Weights, x: Any) -> Any:
        """Return the function at x."""
        return self.function(x)


def Identity() -> Bond:
    """x -> x."""
    return Bond("Identity", _same, 1.0, True)


def ReLU() -> Bond:
    """x -> max(x, 0): entry by entry no two values move apart, and none grows."""
    return Bond("ReLU", _positive_part, 1.0, True)


def Add() -> Bond:
    """(x_1, ..., x_k) -> x_1 + ... + x_k: the triangle inequality."""
    return Bond("Add", _sum, 1.0, True)


def Multiply(factor: float) -> Bond:
    """x -> a x, of sensitivity abs(a).

    Raises
    ------
    ParameterError
        For a = 0, which cuts the tree, or a factor that is not finite.
    """
    if not (isinstance(factor, int | float) and 0 < abs(factor) < float("inf")):
        raise ParameterError(f"a module is multiplied by a finite number that is not 0; got {factor!r}")
    return Bond(f"Multiply({factor:g})", _Times(float(factor)), abs(float(factor)), True)


@dataclass(frozen=True)
class _Times:
    """A product that compares by its factor."""

    factor: float

    def __call__(self, x: Any) -> Any:
        return self.factor * x


def _same(x: Any) -> Any:
    return x


def _positive_part(x: Any) -> Any:
    return np.maximum(x, 0.0)


def _sum(x: Any) -> Any:
    return sum(x[1:], start=x[0])
