"""A functional of a linear map of the array, and of its pairings with atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.node import Array, Floats, Node, Pull
from normkit.backends.linear import apply, regrouped
from normkit.codegen.plan import AtomicPlan
from normkit.errors import ShapeError
from normkit.linear import Flatten, Linear, Regroup, Transpose


@dataclass(frozen=True)
class ViewNode(Node):
    """inner(x transposed), inner(x as one vector), inner(x in other axes): a view where x allows one."""

    linear: Linear
    inner: Node

    def _view(self, x: Array) -> Array:
        if isinstance(self.linear, Transpose):
            return x.swapaxes(2, 3)
        if isinstance(self.linear, Regroup):
            return regrouped(self.linear, x, x.shape[2:])
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

    def _restore(self, view: Array, out: Array) -> None:
        if np.may_share_memory(view, out):
            return
        if isinstance(self.linear, Regroup):
            out[...] = regrouped(self.linear.adjoint, view, out.shape[2:])
        else:
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
    views = isinstance(linear, Transpose) or (isinstance(linear, Flatten | Regroup) and not linear.restore)
    if views:
        return ViewNode(linear, inner)
    return MapNode(linear, inner)
