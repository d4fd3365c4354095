"""A function of several functionals of one array, and multiples of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.backends.cpu.lines import size
from normkit.backends.cpu.node import Array, Floats, Node, Pull, evaluate
from normkit.codegen.plan import Scalar


@dataclass(frozen=True)
class CombineNode(Node):
    """outer(part_1(x), ..., part_k(x))."""

    outer: Node
    parts: tuple[Node, ...]

    def value(self, x: Array) -> Floats:
        """Return outer of the values of the parts."""
        return self.outer.value(np.stack([part.value(x) for part in self.parts], axis=-1))

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Take all parts, then outer; the map adds those parts that have a share."""
        runs = [part.forward(x) for part in self.parts]
        stacked = np.stack([values for values, _ in runs], axis=-1)
        values, outer = self.outer.forward(stacked)

        def pull(coefficients: Floats, out: Array) -> None:
            shares = np.empty(stacked.shape)
            outer(coefficients, shares)
            self._add([(np.ascontiguousarray(shares[..., k]), run[1]) for k, run in enumerate(runs)], out)

        return values, pull

    @staticmethod
    def _add(pulls: list[tuple[Floats, Pull]], out: Array) -> None:
        shared = [(share, pull) for share, pull in pulls if share.any()]
        if not shared:
            out[...] = 0
            return
        (share, pull), *rest = shared
        pull(share, out)
        work = np.empty_like(out) if rest else out
        for share, pull in rest:
            pull(share, work)
            np.add(out, work, out=out)

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of the parts and of outer."""
        own = [text for part in self.parts for text in part.texts(dtype)]
        return [*own, *self.outer.texts(np.dtype(np.float64))]


@dataclass(frozen=True)
class ScaleNode(Node):
    """factor(m, n) * inner."""

    factor: Scalar
    inner: Node

    def _factor(self, x: Array) -> float:
        return float(evaluate(self.factor, *size(x)))

    def value(self, x: Array) -> Floats:
        """Return the multiple of inner's value."""
        return self._times(x, self.inner.value(x))

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Multiply value and coefficients."""
        values, inner = self.inner.forward(x)
        return self._times(x, values), lambda coefficients, out: inner(self._times(x, coefficients), out)

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Multiply value and coefficients."""
        return self._times(x, self.inner.map(x, self._times(x, coefficients), out))

    def _times(self, x: Array, numbers: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return self._factor(x) * numbers

    def slope(self, m: float, n: float) -> float | None:
        """Return the multiple of inner's slope."""
        inner = self.inner.slope(m, n)
        return None if inner is None else float(evaluate(self.factor, m, n)) * inner

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of inner."""
        return self.inner.texts(dtype)
