"""Chain rule over nodes: mixed norms, combinations, linear maps, scales, atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.lines import size
from normkit.backends.cpu.node import Array, Floats, Node, Pull, evaluate
from normkit.backends.linear import apply
from normkit.codegen.plan import AtomicPlan, Scalar
from normkit.errors import ShapeError
from normkit.linear import Flatten, Linear, Transpose


@dataclass(frozen=True)
class MixedNode(Node):
    """outer(inner of every row or column)."""

    outer: Node
    inner: Node
    axis: Literal["rows", "cols"]

    def _lines(self, x: Array) -> Array:
        """Show (G, L, m, n) as (G * L, lines, length)."""
        merged = x.reshape(-1, *x.shape[2:])
        return merged if self.axis == "rows" else merged.swapaxes(1, 2)

    def value(self, x: Array) -> Floats:
        """Return outer of the values of the lines."""
        return self.outer.value(self.inner.value(self._lines(x)).reshape(*x.shape[:2], -1))

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Take the lines first, then outer."""
        parts, inner = self.inner.forward(self._lines(x))
        stacked = parts.reshape(*x.shape[:2], -1)
        values, outer = self.outer.forward(stacked)

        def pull(coefficients: Floats, out: Array) -> None:
            shares = np.empty(stacked.shape)
            outer(coefficients, shares)
            with Merged(out) as merged:
                inner(shares.reshape(parts.shape), merged if self.axis == "rows" else merged.swapaxes(1, 2))

        return values, pull

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Write the maps of the lines while they are measured, where outer gives each the same coefficient."""
        view = self._lines(x)
        share = self.outer.slope(1.0, float(view.shape[1]))
        if share is None:
            return super().map(x, coefficients, out)
        shares = np.repeat(coefficients.reshape(-1, 1) * share, view.shape[1], axis=1)
        with Merged(out) as merged:
            parts = self.inner.map(view, shares, merged if self.axis == "rows" else merged.swapaxes(1, 2))
        return self.outer.value(parts.reshape(*x.shape[:2], -1))

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of both."""
        return [*self.inner.texts(dtype), *self.outer.texts(np.dtype(np.float64))]


class Merged:
    """An array (G, L, m, n) to write to as (G * L, m, n): a view where one exists, else copied on leaving."""

    def __init__(self, out: Array) -> None:
        self.out = out
        shape = (-1, *out.shape[2:])
        whole = 1 in out.shape[:2] or out.flags.c_contiguous
        self.merged = out.reshape(shape) if whole else np.empty(out.shape, out.dtype).reshape(shape)
        self.copied = not np.may_share_memory(self.merged, out)

    def __enter__(self) -> Array:
        """Return the merged array."""
        return self.merged

    def __exit__(self, *error: object) -> None:
        """Copy back if needed."""
        if self.copied:
            self.out[...] = self.merged.reshape(self.out.shape)


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


@dataclass(frozen=True)
class ViewNode(Node):
    """inner(x transposed) or inner(x as one vector): a view where x allows one."""

    linear: Linear
    inner: Node

    def _view(self, x: Array) -> Array:
        if isinstance(self.linear, Transpose):
            return x.swapaxes(2, 3)
        return x.reshape(*x.shape[:2], -1)

    def value(self, x: Array) -> Floats:
        """Return inner's value."""
        return self.inner.value(self._view(x))

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Show x and out as inner sees them."""
        values, inner = self.inner.forward(self._view(x))

        def pull(coefficients: Floats, out: Array) -> None:
            view = self._view(out)
            inner(coefficients, view)
            self._restore(view, out)

        return values, pull

    def map(self, x: Array, coefficients: Floats, out: Array) -> Floats:
        """Show x and out as inner sees them."""
        view = self._view(out)
        values = self.inner.map(self._view(x), coefficients, view)
        self._restore(view, out)
        return values

    @staticmethod
    def _restore(view: Array, out: Array) -> None:
        if not np.may_share_memory(view, out):
            out[...] = view.reshape(out.shape)

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of inner."""
        return self.inner.texts(dtype)


@dataclass(frozen=True)
class MapNode(Node):
    """inner(linear(x)), the linear map taken by NumPy in float64, item by item."""

    linear: Linear
    inner: Node

    def _image(self, x: Array) -> tuple[Array, NDArray[np.bool_]]:
        items = x.reshape(-1, *x.shape[2:]).astype(np.float64)
        # Checked here, because a map may not look at every entry.
        bad = np.asarray(~np.isfinite(items).all(axis=tuple(range(1, items.ndim))))
        with np.errstate(all="ignore"):
            images = [apply(self.linear, item, item.shape) for item in items]
        return np.stack(images).reshape(*x.shape[:2], *images[0].shape), bad.reshape(x.shape[:2])

    def value(self, x: Array) -> Floats:
        """Return inner's value at the image."""
        image, bad = self._image(x)
        return np.where(bad, np.nan, self.inner.value(image))

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Apply the map; pull back by its adjoint."""
        image, bad = self._image(x)
        values, inner = self.inner.forward(image)

        def pull(coefficients: Floats, out: Array) -> None:
            pulled = np.empty(image.shape)
            inner(coefficients, pulled)
            with np.errstate(all="ignore"):
                for place in np.ndindex(x.shape[:2]):
                    out[place] = apply(self.linear.adjoint, pulled[place], x.shape[2:])

        return np.where(bad, np.nan, values), pull

    def texts(self, dtype: np.dtype[Any]) -> list[str]:
        """Return the loops of inner, which work on float64."""
        return self.inner.texts(np.dtype(np.float64))


@dataclass(frozen=True)
class AtomicNode(Node):
    """max over the atoms of abs(<atom, x>); a tie takes the first atom."""

    plan: AtomicPlan

    def forward(self, x: Array) -> tuple[Floats, Pull]:
        """Pair every item with every atom, in float64."""
        atoms = np.frombuffer(self.plan.atoms.data).reshape(self.plan.atoms.shape)
        if atoms.shape[1:] != x.shape[2:]:
            raise ShapeError(f"the atoms of the norm have shape {atoms.shape[1:]}; got an array of shape {x.shape[2:]}")
        with np.errstate(all="ignore"):
            items = x.reshape(-1, int(np.prod(x.shape[2:]))).astype(np.float64)
            pairings = items @ atoms.reshape(len(atoms), -1).T
        best = np.argmax(np.abs(pairings), axis=1)
        chosen = np.take_along_axis(pairings, best[:, None], axis=1)[:, 0]

        def pull(coefficients: Floats, out: Array) -> None:
            gain = coefficients.reshape(-1) * np.sign(chosen)
            out[...] = (gain.reshape(-1, *[1] * (atoms.ndim - 1)) * atoms[best]).reshape(x.shape)

        return np.abs(chosen).reshape(x.shape[:2]), pull


def linear_node(linear: Linear, inner: Node) -> Node:
    """Return the node of inner(linear(x))."""
    if isinstance(linear, Transpose) or (isinstance(linear, Flatten) and not linear.restore):
        return ViewNode(linear, inner)
    return MapNode(linear, inner)
