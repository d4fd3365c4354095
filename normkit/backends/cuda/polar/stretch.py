"""Operations before and after a step on the CPU: of a certificate, or where an iteration does not serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from normkit.backends.cuda.polar.device import Device
from normkit.backends.cuda.polar.memory import Place, Places
from normkit.backends.cuda.polar.ops import Matrix, Op
from normkit.backends.cuda.polar.placement import place
from normkit.backends.cuda.polar.plan import Plan
from normkit.backends.cuda.polar.providers.choice import choose


@dataclass(frozen=True)
class Holding(Op):
    """Nothing, with matrices: they lie apart."""

    held: tuple[Matrix, ...]

    @property
    def reads(self) -> tuple[Matrix, ...]:
        """The matrices."""
        return self.held


class Stretch:
    """Operations on a device in one workspace, of which every matrix stays until the end.

    Parameters
    ----------
    device : Device
        Which is current.
    stream : int
        Handle.
    batch : int
        What every matrix stands for.
    ops : sequence of Op
        All that will be run.
    outside : dict
        Where the caller's matrices lie.
    like : object
        An array whose library may allocate.
    more : sequence of Matrix
        Further matrices of the workspace.
    """

    def __init__(
        self,
        device: Device,
        stream: int,
        batch: int,
        ops: Sequence[Op],
        outside: Mapping[str, Place],
        like: Any,
        more: Sequence[Matrix] = (),
    ) -> None:
        mine = [each for op in ops for each in (*op.reads, *op.writes) if not each.outside] + list(more)
        first = [Holding(mine[0], tuple(dict.fromkeys(mine)))]  # the CPU may fill any of them before anything runs
        offsets, nbytes = place(first, batch)
        norms = Matrix("none", 0, 0, "float64")
        plan = Plan((batch, 0, 0), "", (), tuple(ops), offsets, nbytes, norms)
        address, self._room = device.workspace(nbytes + device.scratch, stream, like)
        self._device, self._stream, self._places = device, stream, Places(plan, address, outside)

    def run(self, *ops: Op) -> None:
        """Carry out operations."""
        for op in ops:
            provider = choose(op, self._places, self._device.providers, self._device.capability)
            provider.bind(op, self._places)(self._stream)

    def aside(self, op: Op, batch: int, outside: Mapping[str, Place]) -> None:
        """Carry out an operation on so many matrices, all of which lie at places that are given."""
        plan = Plan((batch, 0, 0), "", (), (op,), {}, 0, Matrix("none", 0, 0, "float64"))
        places = Places(plan, 0, outside)
        choose(op, places, self._device.providers, self._device.capability).bind(op, places)(self._stream)

    def __getitem__(self, matrix: Matrix) -> Any:
        """Return the entries of a matrix, in float64, once the device has come so far."""
        return self._device.fetch(self._places[matrix], self._stream)

    def __setitem__(self, matrix: Matrix, values: Any) -> None:
        """Fill a matrix."""
        self._device.put(values, self._places[matrix], self._stream)

    def place(self, matrix: Matrix) -> Place:
        """Return where a matrix lies."""
        return self._places[matrix]
