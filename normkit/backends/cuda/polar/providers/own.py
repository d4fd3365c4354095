"""Norms, scaling, casts and copies by this package's kernels: on a device, or in numba's simulator."""

from __future__ import annotations

from typing import Any

from normkit.backends.cuda.polar.memory import Place, Places
from normkit.backends.cuda.polar.ops import AddI, CopyOut, Norm, Op, ScaleCast
from normkit.backends.cuda.polar.providers import Call
from normkit.backends.cuda.polar.providers.launches import THREADS, Array, Launch, Launcher, flat


class Own:
    """Kernels for all that is no product."""

    name = "kernels"
    tile = None

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def why_not(self, op: Op, at: Places) -> str | None:
        """Return why not: products are not its business."""
        return None if isinstance(op, Norm | ScaleCast | AddI | CopyOut) else "it makes no products"

    def bind(self, op: Op, at: Places) -> Call:
        """Return what makes the launches of an operation."""
        return in_turn([self._launcher.prepare(launch) for launch in launches(op, at)])


def in_turn(calls: list[Call]) -> Call:
    """Return a call that makes these calls in order."""
    if len(calls) == 1:
        return calls[0]

    def run(stream: int) -> None:
        for call in calls:
            call(stream)

    return run


def launches(op: Op, at: Places) -> list[Launch]:
    """Return the launches of an operation that is no product."""
    match op:
        case Norm():
            return _norm(op, at)
        case ScaleCast():
            return [_cast(op, at)]
        case AddI():
            return [_add_identity(op, at)]
        case CopyOut():
            return _copy(op, at)
        case _:
            raise TypeError(f"no kernels for {op.kind}")


def shifted(place: Place, gamma: float) -> Launch:
    """Return the launch that adds gamma I to square matrices of the workspace, in place."""
    from normkit.backends.cuda.kernels import copies

    batch, rows, _ = place.shape
    count = batch * rows
    arguments = (flat(place)[0], gamma, rows, place.strides[1], count)
    return Launch(copies.shift(place.dtype), -(-count // THREADS), arguments)


def _norm(op: Norm, at: Places) -> list[Launch]:
    from normkit.backends.cuda.kernels import scale

    x, norms, parts = at[op.x], flat(at[op.out])[0], flat(at[op.parts])[0]
    (array, start), (rows, columns, far, down, step) = flat(x), _inward(x)
    tasks = rows * -(-columns // THREADS)
    blocks = min(tasks, at[op.parts].shape[2])
    entries = (array, norms, parts, rows, columns, start, far, down, step)
    found = [Launch(scale.squares(x.dtype), blocks * at.batch, (*entries, blocks))]
    found.append(Launch(scale.norm(x.dtype, op.exact), at.batch, (parts, norms, blocks)))
    if x.dtype == "float64":
        found[:0] = [
            Launch(scale.tops, blocks * at.batch, (*entries, blocks)),
            Launch(scale.lift, at.batch, (parts, norms, blocks)),
        ]
    return found


def _inward(place: Place) -> tuple[int, int, int, int, int]:
    """Return (rows, columns, far, down, step), rows and columns exchanged where that brings neighbours together."""
    (_, rows, columns), (far, down, step) = place.shape, place.strides
    return (columns, rows, far, step, down) if abs(down) < abs(step) else (rows, columns, far, down, step)


def _turned(place: Place, turned: bool) -> tuple[int, int, int]:
    far, down, step = place.strides
    return (far, step, down) if turned else (far, down, step)


def _tiles(place: Place) -> int:
    _, rows, columns = place.shape
    return -(-rows // 32) * -(-columns // 32)


def _cast(op: ScaleCast, at: Places) -> Launch:
    from normkit.backends.cuda.kernels import copies

    x, out = at[op.x], at[op.out]
    array, start = flat(x)
    _, rows, columns = out.shape
    sides = (rows, columns, start, *_turned(x, op.turned), out.strides[1])
    tiles = _tiles(out)
    arguments = (array, flat(at[op.norms])[0], flat(out)[0], *sides, tiles)
    return Launch(copies.cast(x.dtype, out.dtype), tiles * at.batch, arguments)


def _add_identity(op: AddI, at: Places) -> Launch:
    from normkit.backends.cuda.kernels import copies

    out = at[op.out]
    arguments = (flat(at[op.A])[0], flat(out)[0], op.alpha, op.gamma, out.shape[1], out.strides[1])
    return Launch(copies.add_identity(out.dtype), at.batch * out.shape[1], arguments)


def _copy(op: CopyOut, at: Places) -> list[Launch]:
    from normkit.backends.cuda.kernels import copies

    X, out, none = at[op.X], at[op.out], Array(0, 0, "float64")
    paired, gained = op.x is not None, op.gain is not None
    x = at[op.x] if op.x is not None else out
    norms, parts, gain, sums = (
        flat(at[each])[0] if each is not None else none for each in (op.norms, op.parts, op.gain, op.sums)
    )
    _, rows, columns = X.shape
    (given, start), (target, begin) = flat(x), flat(out)
    blocks = min(_tiles(X), at[op.parts].shape[2]) if op.parts is not None else _tiles(X)
    strides = (start, *_turned(x, op.turned), begin, *_turned(out, op.turned))
    arguments: tuple[Any, ...] = (flat(X)[0], gain, given, target, norms, parts, op.scale, rows, columns, X.strides[1])
    kernel = copies.copy(X.dtype, x.dtype, out.dtype, gained, paired)
    found = [Launch(kernel, blocks * at.batch, (*arguments, *strides, blocks))]
    if paired:
        found.append(Launch(copies.pairing, at.batch, (parts, norms, sums, op.scale, blocks)))
    return found
