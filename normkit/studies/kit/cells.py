"""Cells: independent pieces of work, seeded apart, in parallel where joblib is; a killed run resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from normkit.errors import FileError


class Cells:
    """Runs functions on cells; results do not depend on the number of workers, nor on the order.

    Parameters
    ----------
    study : str
        The name of the study: a part of every seed.
    seed : int
        The seed of the run.
    journal : Path, optional
        A file of finished cells, one line of JSON each; a run that finds it goes on there.
    workers : int
        Processes, if joblib is installed; else one.
    watch : callable, optional
        Called as ``watch(label, done, total)``.
    """

    def __init__(
        self,
        study: str,
        seed: int,
        journal: Path | None = None,
        workers: int = 1,
        watch: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.study, self.seed, self.journal, self.workers, self.watch = study, seed, journal, workers, watch
        self._known = dict(_read(journal)) if journal is not None else {}

    def map(self, label: str, function: Callable[..., Any], cells: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return ``function(rng, *cell)`` of every cell, in order; results are numbers, texts, lists and mappings.

        Parameters
        ----------
        label : str
            Names this piece of the study: with the cell it decides the seed.
        function : callable
            At the top level of a module, so that other processes find it.
        cells : sequence of tuple
            Of numbers and texts.
        """
        keys = [self._key(label, function, cell) for cell in cells]
        done = {key: self._known[key] for key in keys if key in self._known}
        left = [(key, cell) for key, cell in zip(keys, cells, strict=True) if key not in done]
        if self.watch:
            self.watch(label, len(done), len(cells))
        for key, value in self._run(label, function, left):
            done[key] = value
            self._keep(key, value)
            if self.watch:
                self.watch(label, len(done), len(cells))
        return [done[key] for key in keys]

    def sequence(self, *place: Any) -> np.random.SeedSequence:
        """Return the seeds of a place in this study."""
        digest = sha256(repr((self.study, *place)).encode()).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
        return np.random.SeedSequence([self.seed, *words])

    def _key(self, label: str, function: Callable[..., Any], cell: tuple[Any, ...]) -> str:
        text = repr((self.study, self.seed, label, function.__qualname__, _source(function), cell))
        return sha256(text.encode()).hexdigest()[:32]

    def _run(self, label: str, function: Callable[..., Any], left: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        jobs = [(function, self.sequence(label, *cell), cell) for _, cell in left]
        if self.workers > 1 and len(left) > 1 and find_spec("joblib"):
            from joblib import Parallel, delayed

            results = Parallel(n_jobs=self.workers, return_as="generator")(delayed(_one)(*job) for job in jobs)
        else:
            results = (_one(*job) for job in jobs)
        for (key, _), value in zip(left, results, strict=True):
            yield key, value

    def _keep(self, key: str, value: Any) -> None:
        self._known[key] = value
        if self.journal is None:
            return
        try:
            with open(self.journal, "a", encoding="utf-8") as stream:
                stream.write(json.dumps([key, value]) + "\n")
        except OSError as error:
            raise FileError(f"cannot write {self.journal}: {error.strerror or error}") from error

    def forget(self) -> None:
        """Remove the journal: the study is complete."""
        if self.journal is not None:
            self.journal.unlink(missing_ok=True)


def _one(function: Callable[..., Any], seeds: np.random.SeedSequence, cell: tuple[Any, ...]) -> Any:
    """Run one cell; the value goes through JSON, so that a resumed run sees what a fresh one does."""
    return json.loads(json.dumps(function(np.random.default_rng(seeds), *cell)))


def _source(function: Callable[..., Any]) -> str:
    """Return a digest of the file of a function: cells of another version of it are not taken."""
    return sha256(Path(function.__code__.co_filename).read_bytes()).hexdigest()[:16]


def _read(journal: Path) -> Iterator[tuple[str, Any]]:
    """Yield the finished cells of a journal; a line that was cut off is one that is not finished."""
    if not journal.exists():
        return
    for line in journal.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            key, value = json.loads(line)
            yield key, value
