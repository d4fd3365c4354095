"""What a step of files is to do, checked as far as names, shapes and dtypes tell, before an array is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from normkit import blockwise
from normkit.arrays import Array, as_array
from normkit.checkpoint import Checkpoint, Entry
from normkit.errors import DTypeError, NormkitError, ParameterError, ShapeError
from normkit.modular.assignment import Assignment
from normkit.modular.rules import Rules
from normkit.named import stacks, take
from normkit.names import listed
from normkit.optim import engine, state
from normkit.optim.method import Method
from normkit.optim.named import pipeline_named
from normkit.optim.ondemand import Rooms, in_file
from normkit.optim.pipeline import Pipeline


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


def job(
    weights: Checkpoint,
    gradients: Checkpoint,
    rules: Rules,
    method: Mapping[str, Any],
    lr: float,
    kept: Checkpoint | None,
) -> Job:
    """Return what is to be done; `method` has the fields of `Method` that the rules do not give.

    Raises
    ------
    NormkitError
        Of the kind of what does not fit: names, shapes, dtypes, rules, a state of something else.
    """
    assignment = rules.assign(weights.shapes, weights.aliases, weights.counts)
    assignment.check_gradients(gradients.shapes, gradients.path)
    pipelines = _pipelines(assignment, rules.source)
    still = frozenset([*assignment.frozen, *assignment.aliases])
    made = Method(assignment.product, pipelines=pipelines, frozen=still, **method)
    step = 1 if kept is None else _steps(kept) + 1
    found = Job(weights, gradients, assignment, made, lr, kept, step)
    _check_dtypes(found)
    _check_parts(found)
    if kept is not None:
        _check_kept(found, kept)
    return found


def _pipelines(assignment: Assignment, source: str) -> dict[str, Pipeline]:
    made: dict[str, Pipeline] = {}
    known: dict[str, Pipeline] = {}
    for name, (update, options) in assignment.pipelines.items():
        key = repr((update, options))
        if key not in known:
            try:
                known[key] = pipeline_named(update, **options)
            except (NormkitError, TypeError) as error:
                raise ParameterError(f"{source}: the update of {name!r}: {error}") from error
        made[name] = known[key]
    return made


def _check_dtypes(job: Job) -> None:
    """Raise `DTypeError` unless all arrays that move have floats, and tied ones the same kind of them."""
    for what, checkpoint in (("weights", job.weights), ("gradient", job.gradients)):
        for name in job.method.names:
            entry = checkpoint.entries[name]
            if entry.raw:
                kinds = "float16, bfloat16, float32 or float64"
                raise DTypeError(f"{checkpoint.path}: the {what} {name!r} has dtype {entry.dtype}; expected {kinds}")
            as_array(entry.like, f"{checkpoint.path}: the {what} {name!r}")
    for name, others in job.tied.items():
        for other in others:
            one, two = (job.weights.entries[each].dtype for each in (other, name))
            if one != two:
                raise DTypeError(
                    f"{job.weights.path}: {other!r} of {one} is tied to {name!r} of {two}; store one dtype"
                )


def _check_parts(job: Job) -> None:
    """Raise for norms without a map, rates that cannot be, and stages that need what files do not give."""
    likes = [{name: held.entries[name].like for name in job.method.names} for held in (job.weights, job.gradients)]
    clock = engine.Clock(job.step, job.lr)
    engine.check_rate_of(clock)
    engine.check_parts(job.method, clock, engine.Arrays(likes[0], likes[1], {}))
    if job.method.convention.shrink * job.lr > 1:
        raise ParameterError(f"a Frank-Wolfe step has lr in (0, 1], or W leaves the ball; got {job.lr}")
    if job.method.product is not None:
        blockwise.check_duals(job.method.product)
    list(job.stacks)


def _steps(kept: Checkpoint) -> int:
    facts = state.facts_in(kept, kept.path)
    steps, format = facts.get("step"), facts.get("format")
    if format != state.FORMAT or type(steps) is not int:
        raise ParameterError(
            f"{kept.path}: the state has format {format!r} and step {steps!r}; this version of normkit reads format "
            f"{state.FORMAT}"
        )
    return steps


def _check_kept(job: Job, kept: Checkpoint) -> None:
    """Raise if a state is of other weights, or of another update."""
    rooms = {in_file(name, slot): room for name, slots in job.rooms.items() for slot, room in slots.items()}
    stray = [key for key in kept if key not in rooms and key != state.MADE_OF]
    if stray:
        raise ParameterError(
            f"{kept.path} keeps {listed(stray)}, which this update does not use: it was written with other options or "
            "rules. Give those, or another --state, which begins anew"
        )
    for key, (shape, dtype) in rooms.items():
        entry = kept.entries.get(key)
        if entry is not None and (entry.shape, entry.dtype) != (shape, dtype.name):
            raise ShapeError(f"{kept.path} keeps {key} as {entry.dtype} {entry.shape}; expected {dtype.name} {shape}")
