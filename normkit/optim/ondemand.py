"""Arrays of checkpoints where a step looks for arrays: read when they are asked for, and let go when they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping

import numpy as np

from normkit.arrays import Array
from normkit.checkpoint import Checkpoint
from normkit.checkpoint.contents import bytes_of
from normkit.errors import ShapeError
from normkit.optim.engine import MASTER, finite
from normkit.optim.stage import Room, chunks
from normkit.optim.state import SEPARATOR

Rooms = Mapping[str, Mapping[str, Room]]
"""What is kept after a step, by name, then by slot."""


class Gradients(Mapping[str, Array]):
    """Reads a gradient whenever it is asked for, and keeps none; `NonFiniteError` for what is not finite."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def __getitem__(self, name: str) -> Array:
        array = self.checkpoint[name]
        finite(array, f"{self.checkpoint.path}: the gradient {name!r}")
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.checkpoint)

    def __len__(self) -> int:
        return len(self.checkpoint)


class Weights(dict[str, Array]):
    """Reads weights when they are first asked for, so that they can be stepped in place; ``pop`` lets them go."""

    def __init__(self, checkpoint: Checkpoint, tied: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.checkpoint, self.tied = checkpoint, tied

    def __missing__(self, name: str) -> Array:
        array = self[name] = self.checkpoint[name]
        finite(array, f"{self.checkpoint.path}: the weights {name!r}")
        for other in self.tied.get(name, ()):
            if not _equal(self.checkpoint[other], array):
                raise ShapeError(
                    f"{self.checkpoint.path}: {other!r} is tied to {name!r}, but holds other numbers; make them equal, "
                    "or give each a rule of its own"
                )
        return array


class Kept(MutableMapping[str, dict[str, Array]]):
    """What is kept from step to step: read when it is asked for, handed to `put` when it has changed.

    The float32 weights behind half precision change last: they come and go by themselves.

    Parameters
    ----------
    checkpoint : Checkpoint or None
        The state before the step; None for none.
    rooms : mapping
        What is kept after it.
    put : callable
        Takes (name in the file of the state, array).
    """

    def __init__(self, checkpoint: Checkpoint | None, rooms: Rooms, put: Callable[[str, Array], None]) -> None:
        self.checkpoint, self.rooms, self.put = checkpoint, rooms, put
        self._now: dict[str, dict[str, Array]] = {}
        self._late: set[str] = set()

    def __getitem__(self, name: str) -> dict[str, Array]:
        if name not in self._now:
            self._now[name] = dict(self._read(name, late=name in self._late))
        return self._now[name]

    def _read(self, name: str, *, late: bool) -> Iterator[tuple[str, Array]]:
        for slot in self.rooms[name]:
            key = in_file(name, slot)
            if (slot == MASTER) == late and self.checkpoint is not None and key in self.checkpoint.entries:
                array = self.checkpoint[key]
                finite(array, f"{self.checkpoint.path}: what is kept as {key!r}")
                yield slot, array

    def settle(self, name: str) -> None:
        """Hand over what is kept for an array, and let it go."""
        slots = self._now.pop(name, {})
        for slot, array in slots.items():
            self.put(in_file(name, slot), array)
        slots.clear()  # whoever made the arrays may still hold what they were in
        self._late.add(name)

    def __setitem__(self, name: str, slots: dict[str, Array]) -> None:
        self._now[name] = slots

    def __delitem__(self, name: str) -> None:
        del self._now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rooms)

    def __len__(self) -> int:
        return len(self.rooms)


def _equal(one: Array, other: Array) -> bool:
    """Tell whether arrays have the same bits."""
    bits = (np.frombuffer(bytes_of(array), np.uint8) for array in (one, other))
    return one.nbytes == other.nbytes and all(np.array_equal(x, y) for x, y in chunks(*bits))


def in_file(name: str, slot: str) -> str:
    """Return what an array that is kept is called in the file of a state."""
    return f"{name}{SEPARATOR}{slot}"
