"""The passes of a step of files: each reads an array, steps it, writes it and lets it go.

Where the convention lets every array go by itself, one pass steps them all. Where it couples them, a first pass puts
the dualize maps aside on disk, and a second one adds them to the weights when all dual norms are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from normkit import blockwise
from normkit.arrays import Array
from normkit.checkpoint import Entry, Writer
from normkit.codegen.plan import Product
from normkit.optim import engine
from normkit.optim.job import Job
from normkit.optim.ondemand import Gradients, Kept, Weights, in_file
from normkit.optim.outcome import Proof, proof_of
from normkit.optim.stage import wide
from normkit.polar.kept import forget

MAP = "map"
"""The slot of the maps that are put aside."""
LARGE = 4
"""Arrays of more than one in so many of the bytes of the largest one do not share the memory with workspaces."""


class Progress(Protocol):
    """What is told how far a step is, in bytes."""

    def start(self, what: str) -> None:
        """Hear what is under way."""

    def advance(self, amount: int) -> None:
        """Hear of an amount that is done."""


def aside(job: Job) -> list[Entry]:
    """Return the maps that a coupled step puts aside; none where every array goes by itself."""
    if job.method.apart or job.method.product is None:
        return []
    made = []
    for name in job.method.product.names:
        like = job.gradients.entries[name].like
        dtype = wide(like.dtype) if job.method.momentum is not None else like.dtype
        made.append(Entry.of(in_file(name, MAP), like.shape, dtype))
    return made


def length(job: Job) -> int:
    """Return how many bytes pass by."""
    return sum(entry.size for entry in [*job.weights.entries.values(), *aside(job)])


class Passes:
    """Steps all arrays of a job; what an interrupted run has written is not made again.

    Parameters
    ----------
    job : Job
    writer : Writer
        Takes new weights, what is kept if `keep`, and the maps that are put aside.
    keep : bool
        Whether there is a file for what is kept.
    certify : bool
        Whether maps are certified.
    progress : Progress
    """

    def __init__(self, job: Job, writer: Writer, *, keep: bool, certify: bool, progress: Progress) -> None:
        self.job, self.writer, self.keep, self.certify, self.progress = job, writer, keep, certify, progress
        self.method, self.resumed = job.method, sum(name in writer.done for name in job.weights)
        self.largest = max(entry.size for entry in job.weights.entries.values())
        self.notes: dict[str, dict[str, Any]] = {}
        self.weights = Weights(job.weights, job.tied)
        self.kept = Kept(job.state, job.rooms, writer.write if keep else lambda name, array: None)
        self.arrays = engine.Arrays(self.weights, Gradients(job.gradients), self.kept, self.weights, passing=True)
        self.clock = engine.Clock(job.step, job.lr, watch=self._watch, directed=self._directed)

    def run(self) -> None:
        """Carry out all passes."""
        product = self.method.product
        if product is not None and self.method.apart:
            for places in self.job.stacks:
                self._apart(product.only(places))
        elif product is not None:
            for places in self.job.stacks:
                self._aside(replace(product.only(places), scales=(1.0,) * len(places)))
            forget()
            self._added(product)
        forget()
        blind = replace(
            self.clock, watch=None
        )  # a pipeline proves nothing, and to show its gradient is to read it again
        for name in self.method.pipelines:
            if not self._is_done((name,)):
                self.progress.start(name)
                engine.pipe(self.method, blind, self.arrays, name)
                self._write(name, None)
        for name in self.job.still:
            if name not in self.writer.done:
                self.progress.start(name)
                self.writer.write(name, self.job.weights[name])
            self.progress.advance(self.job.weights.entries[name].size)

    # --- one pass ---------------------------------------------------------------------------------------------------

    def _apart(self, part: Product) -> None:
        if self._is_done(part.names):
            return
        self.progress.start(part.names[0])
        engine.move(self.method, self.clock, self.arrays, part)
        for name in part.names:
            self._write(name, self.notes.pop(name))

    def _watch(self, seen: engine.Moved) -> None:
        assert seen.product is not None
        factors = (seen.lengths / np.array(seen.product.scales)).tolist()
        proofs = self._proofs(seen.product, seen.directions, seen.maps)
        for name, dual, factor, proof in zip(seen.names, seen.dual_norms.tolist(), factors, proofs, strict=True):
            self.notes[name] = {"dual_norm": dual, "factor": factor, "proof": proof}
        self._make_room(seen.maps)

    def _directed(self, names: Sequence[str]) -> None:
        for name in names:
            self.kept.settle(name)

    # --- two passes -------------------------------------------------------------------------------------------------

    def _aside(self, part: Product) -> None:
        keys = [in_file(name, MAP) for name in part.names]
        if not all(key in self.writer.done for key in keys):
            self.progress.start(part.names[0])
            directions = engine.directed(self.method, self.clock, self.arrays, part)
            maps, measured = engine.mapped(self.method, part, directions)
            proofs = self._proofs(part, list(directions.values()), [maps[name] for name in part.names])
            for name, key, number, proof in zip(part.names, keys, measured.dual_norms.tolist(), proofs, strict=True):
                self.writer.write(key, maps[name], {"number": number, "proof": proof})
        self.progress.advance(sum(self.writer.entries[key].size for key in keys))

    def _added(self, product: Product) -> None:
        aside = [self.writer.done[in_file(name, MAP)] for name in product.names]
        whole = blockwise.measured(product, [each["number"] for each in aside], self.method.backend)
        lengths = np.asarray(self.method.convention.lengths(whole, product.names) * self.job.lr)
        factors, shrink = (lengths / np.array(product.scales)).tolist(), self.method.convention.shrink * self.job.lr
        rows = zip(product.names, whole.dual_norms.tolist(), factors, aside, strict=True)
        for name, dual, factor, each in rows:
            if not self._is_done((name,)):
                self.progress.start(name)
                t = self.writer.read(in_file(name, MAP))
                engine.put(self.method.decay, self.clock, self.arrays, name, factor, t, shrink)
                self._write(name, {"dual_norm": dual, "factor": factor, "proof": each["proof"]})

    # --- what they have in common -----------------------------------------------------------------------------------

    def _proofs(self, part: Product, directions: Sequence[Array], maps: Sequence[Array]) -> list[Proof | None]:
        if not self.certify:
            return [None] * len(maps)
        programs = [part.programs[kind] for kind in part.kinds]
        accuracy, backend = self.method.accuracy, self.method.backend
        arrays = zip(programs, directions, maps, strict=True)
        return [proof_of(program, u, t, accuracy, backend) for program, u, t in arrays]

    def _make_room(self, arrays: Sequence[Array]) -> None:
        if LARGE * sum(array.nbytes for array in arrays) > self.largest:
            forget()

    def _written(self, name: str) -> list[str]:
        """Return under which names an array is written."""
        return [name, *self.job.tied.get(name, ())]

    def _is_done(self, names: Sequence[str]) -> bool:
        """Tell whether all of some arrays, and what is kept of them, have been written; then they count as passed."""
        wanted = [each for name in names for each in self._written(name)]
        kept = [in_file(name, slot) for name in names for slot in self.job.rooms[name]] if self.keep else []
        done = all(key in self.writer.done for key in wanted + kept)
        if done:
            self.progress.advance(sum(self.job.weights.entries[each].size for each in wanted))
        return done

    def _write(self, name: str, note: Any) -> None:
        """Write the stepped weights under all their names, and let them go."""
        self.kept.settle(name)
        array = self.weights.pop(name)
        for other in reversed(self._written(name)):
            self.writer.write(other, array, note)
            self.progress.advance(array.nbytes)
