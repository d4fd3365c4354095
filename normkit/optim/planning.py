"""From checkpoints and rules to a job, checked as far as names, shapes and dtypes tell, before an array is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from normkit import blockwise
from normkit.arrays import as_array
from normkit.checkpoint import Checkpoint
from normkit.errors import DTypeError, NormkitError, ParameterError, ShapeError
from normkit.modular.assignment import Assignment
from normkit.modular.rules import Rules
from normkit.names import listed
from normkit.optim import engine, state
from normkit.optim.job import Job
from normkit.optim.method import Method
from normkit.optim.named import pipeline_named
from normkit.optim.ondemand import in_file
from normkit.optim.pipeline import Pipeline


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
