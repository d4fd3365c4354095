"""A step of files: checkpoints are read, stepped and written array by array, with the bits of a step in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from normkit import blockwise
from normkit.backends import backend as find
from normkit.checkpoint import Checkpoint, Writer, digest, open_checkpoint, places, writing
from normkit.conventions import Convention
from normkit.errors import FileError
from normkit.modular.rules import Rules
from normkit.optim import state as states
from normkit.optim.decay import Decay
from normkit.optim.job import Job
from normkit.optim.method import as_convention, as_decay, as_momentum, check_accuracy
from normkit.optim.momentum import Momentum
from normkit.optim.outcome import Outcome, Stepped
from normkit.optim.passes import Passes, Progress, aside, length
from normkit.optim.planning import job


class Silent:
    """Progress that nobody hears of."""

    def start(self, what: str) -> None:
        """Do nothing."""

    def advance(self, amount: int) -> None:
        """Do nothing."""


def step_files(
    weights: str,
    gradients: str,
    output: str,
    rules: Rules,
    *,
    lr: float,
    convention: str | Convention = "lmo",
    momentum: float | Momentum | None = None,
    weight_decay: float | Decay | None = None,
    accuracy: float | None = None,
    backend: str = "auto",
    maximize: bool = False,
    state: str | None = None,
    force: bool = False,
    certify: bool = False,
    progress: Callable[[int], AbstractContextManager[Progress]] = lambda total: nullcontext(Silent()),
) -> Outcome:
    r"""W <- decay(W) + lr * step(N, U) for a checkpoint, N and the pipelines of other arrays given by rules.

    The new weights have the bits that `SteepestDescent` gives in memory. Memory holds a few arrays at a time, never the
    model. A run that was killed is gone on with by the next one, if files and options are the same.

    Parameters
    ----------
    weights, gradients : str
        Checkpoints, as `normkit.checkpoint.open_checkpoint` reads them. Gradients have the names and shapes of the
        weights that move; those of others are not looked at.
    output : str
        Where the new weights go: .safetensors, .safetensors.index.json or .npz; names, dtypes and metadata stay.
    rules : Rules
        What every array gets. Arrays of integers and frozen ones are copied.
    lr, convention, momentum, weight_decay, accuracy, backend, maximize
        As in `SteepestDescent`; pipelines with a learning rate of their own keep it.
    state : str, optional
        A .safetensors file with what is kept from step to step: read if it is there, written together with the weights.
        `SteepestDescent.load` reads it, too. Without it, momentum begins at zero.
    force : bool
        Whether `output` may be overwritten; `state` always is.
    certify : bool
        Whether every dualize map is certified, which for large matrices takes longer than the map.
    progress : callable
        From a number of bytes to a context manager with ``start(name)`` and ``advance(bytes)``.

    Returns
    -------
    Outcome
        What was done to every array.

    Raises
    ------
    NormkitError
        Of the kind of what is wrong. What names, shapes, dtypes and rules tell is found before anything is computed;
        whatever is wrong, nothing is written.

    Examples
    --------
    >>> import tempfile, numpy as np, normkit as nk
    >>> from normkit.optim.streaming import step_files
    >>> rules = nk.Rules.parse('[[rule]]\nmatch = "*"\nnorm = "max"')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/w.npz", w=np.zeros((2, 2)))
    ...     np.savez(f"{folder}/g.npz", w=np.array([[3.0, -1.0], [0.0, 2.0]]))
    ...     made = step_files(f"{folder}/w.npz", f"{folder}/g.npz", f"{folder}/w2.npz", rules, lr=0.5)
    ...     np.load(f"{folder}/w2.npz")["w"].tolist(), made.dual_norm
    ([[-0.5, 0.5], [0.0, -0.5]], 6.0)
    """
    method = {
        "convention": as_convention(convention),
        "momentum": as_momentum(momentum),
        "decay": as_decay(weight_decay),
        "accuracy": check_accuracy(accuracy),
        "backend": find(backend).name,
        "maximize": maximize,
    }
    given = open_checkpoint(gradients)
    asked = {"method": method, "lr": lr, "rules": repr(rules), "files": [weights, output, state], "certify": certify}
    command = digest([given], asked)
    ended = places.finish(Path(os.path.realpath(output)))
    if ended is not None and ended["command"] == command:
        return Outcome.of(ended["outcome"])
    held = open_checkpoint(weights)
    _check_places(held, given, output, state)
    kept = open_checkpoint(state) if state is not None and Path(state).exists() else None
    found = job(held, given, rules, method, lr, kept)
    key = digest([held, given, *([kept] if kept else [])], {**asked, "job": found.options})
    beside = {state: found.state_after(state)} if state is not None else {}
    with (
        writing(output, held, key, force=force, beside=beside, passing=aside(found)) as writer,
        progress(length(found)) as told,
    ):
        passes = Passes(found, writer, keep=state is not None, certify=certify, progress=told)
        passes.run()
        if state is not None:
            writer.write(states.MADE_OF, found.facts)
        outcome = _outcome(found, writer, passes.resumed)
        writer.note = {"command": command, "outcome": outcome.plain()}
    return outcome


def _check_places(weights: Checkpoint, gradients: Checkpoint, output: str, state: str | None) -> None:
    """Raise `FileError` if a file that is written is one that is needed."""
    place = Path(output).resolve()
    if place in {file.resolve() for file in gradients.files}:
        raise FileError(f"cannot write {output}: it is a file of the gradients; give another name")
    if state is None:
        return
    if not state.lower().endswith(".safetensors"):
        raise FileError(f"cannot keep the state in {state!r}; end it in .safetensors")
    taken = {place, *(file.resolve() for held in (weights, gradients) for file in held.files)}
    if Path(state).resolve() in taken:
        raise FileError(f"cannot keep the state in {state}: it is the output, or a file of the input")


def _outcome(job: Job, writer: Writer, resumed: int) -> Outcome:
    product, rows = job.method.product, {}
    whole = None
    if product is not None:
        notes = [writer.done[name] for name in product.names]
        duals = [note["dual_norm"] for note in notes]
        whole = blockwise.measured(replace(product, scales=(1.0,) * len(duals)), duals, job.method.backend)
        with np.errstate(invalid="ignore", over="ignore"):
            parts = whole.shares * whole.dual_norms / whole.dual_norm if whole.dual_norm > 0 else np.zeros(len(duals))
        rows = {
            name: {**note, "share": part} for name, note, part in zip(product.names, notes, parts.tolist(), strict=True)
        }
    arrays = tuple(_row(job, name, rows.get(name, {})) for name in job.weights)
    dual_norm = None if whole is None else float(whole.dual_norm)
    method = job.method
    how = str(method.convention), job.assignment.outer, method.backend
    return Outcome(job.step, job.lr, *how, dual_norm, arrays, resumed, tuple(job.beginning))


def _row(job: Job, name: str, numbers: dict[str, Any]) -> Stepped:
    given, entry = job.assignment[name], job.weights.entries[name]
    return Stepped(
        name,
        entry.shape,
        entry.dtype,
        norm=given.spec,
        scale=given.scale if given.spec else None,
        update=given.update,
        frozen=given.frozen,
        same_as=given.same_as,
        **numbers,
    )
