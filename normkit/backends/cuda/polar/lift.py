"""The polar core as the maps call it: a batch of any layout in, gains and sums along with it, an accuracy to reach."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np

from normkit.backends.cpu.scaling import normalized
from normkit.backends.cuda.axes import Axis, joined
from normkit.backends.cuda.driver import HOST
from normkit.backends.cuda.interop import View
from normkit.backends.cuda.polar.design import EPS
from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.memory import along, at
from normkit.backends.cuda.polar.ops import ITEMSIZE, CopyOut, Matrix
from normkit.backends.cuda.polar.run import polar
from normkit.backends.cuda.polar.stretch import Stretch
from normkit.errors import ShapeError

LOG = logging.getLogger("normkit.cuda")


class Batch(Protocol):
    """Items over a flat device array: see `normkit.backends.cuda.maps.batch.Batch`."""

    @property
    def data(self) -> Any:
        """The array."""

    @property
    def kind(self) -> str:
        """The type of its entries."""

    @property
    def start(self) -> int:
        """The place of the first entry."""

    @property
    def lead(self) -> tuple[Axis, Axis]:
        """Lengths and strides of the axes that number items."""

    @property
    def item(self) -> tuple[Axis, ...]:
        """Those of the axes of an item."""


@dataclass(frozen=True)
class LiftedPolar:
    """Coefficient times polar factor of every matrix, and the sums of their singular values.

    Where polynomials do not reach the accuracy (a rank below the short side, or singular values that are too small) the
    matrices go to the CPU, to `normkit.polar`, and back.

    Attributes
    ----------
    accuracy : float, optional
        By default working precision.
    """

    accuracy: float | None = None

    def __call__(self, x: Batch, out: Batch, coefficients: Any, stream: Any) -> Any:
        """Write the factors to `out`; return a device array of the sums, float64, NaN for what is not finite."""
        from normkit.backends.cuda.compat import SIMULATED
        from normkit.backends.cuda.language import cuda
        from normkit.backends.cuda.room import room

        number = HOST if SIMULATED else int(cuda.get_current_device().id)
        handle = getattr(stream, "handle", stream)
        queue = int(getattr(handle, "value", handle) or 0)
        G, T = (viewed(each, number, queue) for each in (x, out))
        sums = room(max(1, G.shape[0]), np.float64)
        gain, total = (
            View(address(each), (G.shape[0],), (1,), "float64", number, queue) for each in (coefficients, sums)
        )
        self.apply(G, T, gain, total)
        return sums[: G.shape[0]]

    def apply(self, G: View, T: View, gain: View, sums: View) -> None:
        """Write factors times gains, and sums."""
        if 0 in G.shape[1:]:
            gpu = device(G.device)
            with gpu.current():
                gpu.put(np.zeros((G.shape[0], 1, 1)), along(sums, G.shape[0], "sums"), G.stream)
        elif G.shape[0] and not polar(G, T, accuracy=self.accuracy, gain=gain, sums=sums).reached:
            _said(*G.shape[1:], G.dtype)
            by_cpu(G, T, gain, sums, self.accuracy)


@cache
def _said(M: int, N: int, dtype: str) -> None:
    LOG.warning(
        "polar factors of %d x %d matrices of %s: products on the device do not reach the accuracy (a low rank, or "
        "small singular values); such batches are factored on the CPU",
        M,
        N,
        dtype,
    )


def by_cpu(G: View, T: View, gain: View, sums: View, accuracy: float | None) -> None:
    """Factor matrices on the CPU, and write the results where they belong."""
    from normkit.polar import polar_factor

    gpu, (batch, M, N) = device(G.device), G.shape
    kind = "float64" if G.dtype == "float64" else "float32"
    with gpu.current():
        work, e, bad = normalized(gpu.fetch(at(G), G.stream).astype(kind), np.dtype(kind))
        factors = np.empty_like(work)
        found = np.ldexp(polar_factor(work, EPS[G.dtype], factors, accuracy), e)
        factors[bad], found[bad] = np.nan, np.nan
        X, target = Matrix("X", M, N, kind), Matrix("T", M, N, T.dtype, outside=True)
        op = CopyOut(target, X, False, 1.0, Matrix("gain", 1, 1, "float64", outside=True))
        outside = {"T": at(T), "gain": along(gain, batch, "gain")}
        stretch = Stretch(gpu, G.stream, batch, [op], outside, G.owner)
        stretch[X] = factors
        stretch.run(op)
        gpu.put(found.reshape(-1, 1, 1), along(sums, batch, "sums"), G.stream)


def viewed(x: Batch, number: int, queue: int) -> View:
    """Return where the matrices of a batch lie.

    Raises
    ------
    ShapeError
        If an axis has no single stride.
    """
    axes = [joined((*x.lead[0], *x.lead[1])), *(joined(axis) for axis in x.item)]
    if len(axes) != 3 or any(len(axis) != 1 for axis in axes):
        raise ShapeError("the polar core takes matrices whose axes have one stride each: give a contiguous array")
    shape, strides = zip(*(axis[0] for axis in axes), strict=True)
    start = address(x.data) + x.start * ITEMSIZE[x.kind]
    return View(start, shape, strides, x.kind, number, queue)


def address(data: Any) -> int:
    """Return where a flat device array begins; in the simulator, where its memory of the CPU does."""
    inner = getattr(data, "_ary", None)
    return int(data.__cuda_array_interface__["data"][0] if inner is None else inner.ctypes.data)
