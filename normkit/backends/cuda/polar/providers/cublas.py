"""Products by cuBLASLt: general ones at its full rate, symmetric ones at full price."""

from __future__ import annotations

from functools import lru_cache

from normkit.backends.cuda import blaslt
from normkit.backends.cuda.polar.memory import Places
from normkit.backends.cuda.polar.ops import ITEMSIZE, Gemm, Op, SymGemm
from normkit.backends.cuda.polar.providers import Call
from normkit.backends.cuda.polar.providers.launches import Launcher
from normkit.backends.cuda.polar.providers.own import in_turn, shifted
from normkit.errors import BackendError, MissingExtra


def sides(op: SymGemm | Gemm, at: Places) -> blaslt.Sides:
    """Return a product as cuBLASLt is told of it."""
    places = [at[each] for each in (op.A, op.B, op.out)]
    m, n, k = op.sides
    turned = isinstance(op, SymGemm) or op.turned
    steps, distances = (tuple(place.strides[axis] for place in places) for axis in (1, 0))
    grain = 16
    while any(place.address % grain for place in places):
        grain //= 2
    one, two, three = steps
    far = (distances[0], distances[1], distances[2])
    return blaslt.Sides(m, n, k, False, turned, (one, two, three), far, op.out.dtype, at.batch, grain)


class CuBLASLt:
    """Products of a device's cuBLASLt; I is added to their diagonals by a kernel of this package."""

    name = "cublaslt"
    tile = None

    def __init__(self, device: int, launcher: Launcher) -> None:
        self._device, self._launcher = device, launcher

    def why_not(self, op: Op, at: Places) -> str | None:
        """Return why not: the library is missing, or knows no algorithm."""
        if not isinstance(op, SymGemm | Gemm):
            return "it makes products alone"
        if not all(at[each].stacked and not at[each].address % ITEMSIZE[each.dtype] for each in (*op.reads, op.out)):
            return "rows of the matrices have gaps between their entries"
        return _missing(sides(op, at), self._device)

    def bind(self, op: Op, at: Places) -> Call:
        """Return the call of a product."""
        assert isinstance(op, SymGemm | Gemm)
        product = blaslt.product(sides(op, at), self._device)
        a, b, d = (at[each].address for each in (op.A, op.B, op.out))
        c = d if op.D is None else at[op.D].address

        def call(stream: int) -> None:
            product(a, b, c, d, op.alpha, op.beta, at.scratch, stream)

        if isinstance(op, Gemm) or not op.gamma:
            return call
        return in_turn([call, self._launcher.prepare(shifted(at[op.out], op.gamma))])


@lru_cache(1024)
def _missing(sides: blaslt.Sides, device: int) -> str | None:
    try:
        blaslt.product(sides, device)
    except (BackendError, MissingExtra) as error:
        return str(error)
    return None
