"""What a step of files is to do: which arrays, by which method, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from normkit.arrays import Array
from normkit.checkpoint import Checkpoint, Entry
from normkit.modular.assignment import Assignment
from normkit.named import stacks, take
from normkit.optim import engine, state
from normkit.optim.method import Method
from normkit.optim.ondemand import Rooms, in_file


@dataclass(frozen=True)
class Job:
    """Checkpoints, what the rules make of them, and what is kept.

    Attributes
    ----------
    weights, gradients : Checkpoint
        Unread.
    assignment : Assignment
        Of the weights.
    method : Method
        What the engine carries out.
    lr : float
        The learning rate.
    state : Checkpoint or None
        What was kept so far.
    step : int
        The number of this step.
    """

    weights: Checkpoint
    gradients: Checkpoint
    assignment: Assignment
    method: Method
    lr: float
    state: Checkpoint | None
    step: int

    @cached_property
    def rooms(self) -> Rooms:
        """What is kept of every array after this step."""
        return {
            name: engine.keeps(
                self.method, name, self.weights.entries[name].like.dtype, self.gradients.entries[name].like
            )
            for name in self.method.names
        }

    @cached_property
    def tied(self) -> dict[str, list[str]]:
        """The other names of every array that moves."""
        moving, found = set(self.method.names), dict[str, list[str]]()
        for other, name in self.assignment.aliases.items():
            if name in moving:
                found.setdefault(name, []).append(other)
        return found

    @property
    def still(self) -> list[str]:
        """The arrays that stay as they are."""
        moving = {*self.method.names, *(other for others in self.tied.values() for other in others)}
        return [name for name in self.weights if name not in moving]

    @property
    def stacks(self) -> Iterator[tuple[int, ...]]:
        """The places of arrays of the norm that are stepped together, as the engine does it in memory."""
        product = self.method.product
        if product is not None:
            named = take(product, {name: self.gradients.entries[name].like for name in product.names}, "the gradient")
            yield from map(tuple, stacks(product, named))

    @property
    def beginning(self) -> list[str]:
        """The arrays of which a state that is there keeps nothing yet."""
        if self.state is None:
            return []
        held = self.state.entries
        return [name for name, slots in self.rooms.items() if any(in_file(name, slot) not in held for slot in slots)]

    def state_after(self, path: str) -> Checkpoint:
        """Return what the file of the state is like after this step."""
        rooms = {in_file(name, slot): room for name, slots in self.rooms.items() for slot, room in slots.items()}
        rooms[state.MADE_OF] = self.facts.shape, self.facts.dtype
        entries = {name: Entry.of(name, shape, dtype) for name, (shape, dtype) in rooms.items()}
        return Checkpoint(path, "safetensors", entries, lambda entry: self.facts)

    @property
    def facts(self) -> Array:
        """What the state says beside its arrays."""
        return state.facts_as_array(self.step, self.told)

    @property
    def told(self) -> str:
        """The method in words."""
        parts = [f"convention={self.method.convention}", f"lr={self.lr}"]
        parts += [f"{name}={held}" for name in ("momentum", "decay") if (held := getattr(self.method, name))]
        return f"SteepestDescent({', '.join(parts)})"

    @property
    def options(self) -> dict[str, Any]:
        """All that decides what comes out, beside the arrays."""
        method = self.method
        given = [
            (
                each.name,
                each.spec,
                str(each.factor),
                each.update,
                sorted(each.options.items()),
                each.frozen,
                each.same_as,
            )
            for each in self.assignment.arrays
        ]
        how = [self.told, method.accuracy, method.backend, method.maximize, self.step, self.assignment.outer]
        return {"arrays": given, "how": how}
