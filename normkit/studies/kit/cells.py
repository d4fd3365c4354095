"""Cells: independent pieces of work, seeded apart, in parallel where joblib is; a killed run resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from normkit.errors import FileError, ParameterError
from normkit.studies.kit.threads import one_thread

PACKAGE = Path(__file__).parents[2]


class Cells:
    """Runs functions on cells; results do not depend on the number of workers, nor on the order.

    Parameters
    ----------
    study : str
        The name of the study: a part of every seed.
    seed : int
        The seed of the run, 0 or more.
    journal : Path, optional
        A file of finished cells, one line of JSON each; a run that finds it goes on there. Cells of another seed, of
        other arguments or of another version of normkit are not taken.
    workers : int
        Processes, if joblib is installed; else one.
    watch : callable, optional
        Called as ``watch(label, done, total)``.

    Attributes
    ----------
    taken : int
        How many results were those of an earlier run, from the journal.

    Raises
    ------
    ParameterError
        If the seed is negative.
    FileError
        If there is a journal that cannot be read.

    Examples
    --------
    >>> from normkit.studies.kit.cells import Cells
    >>> def total(rng, n):
    ...     return float(rng.standard_normal(n).sum())
    >>> Cells("example", 0).map("sums", total, [(3,), (5,)]) == Cells("example", 0).map("sums", total, [(3,), (5,)])
    True
    """

    def __init__(
        self,
        study: str,
        seed: int,
        journal: Path | None = None,
        workers: int = 1,
        watch: Callable[[str, int, int], None] | None = None,
    ) -> None:
        if seed < 0:
            raise ParameterError(f"a seed is a whole number from 0 on; got {seed}")
        self.study, self.seed, self.journal, self.workers, self.watch = study, seed, journal, workers, watch
        self._known = dict(_read(journal)) if journal is not None else {}
        self._earlier, self.taken = frozenset(self._known), 0

    def map(self, label: str, function: Callable[..., Any], cells: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return ``function(rng, *cell)`` of every cell, in order.

        Parameters
        ----------
        label : str
            Names this piece of the study: with the cell it decides the seed.
        function : callable
            At the top level of a module, so that other processes find it; returns numbers, texts, arrays, and lists and
            mappings of these, which arrive as JSON has them: lists for arrays and tuples, texts for keys.
        cells : sequence of tuple
            Of numbers and texts.
        """
        keys = [self._key(label, function, cell) for cell in cells]
        done = {key: self._known[key] for key in keys if key in self._known}
        left = {key: cell for key, cell in zip(keys, cells, strict=True) if key not in done}
        self.taken += len(done.keys() & self._earlier)
        total = len(done) + len(left)
        self._tell(label, len(done), total)
        for key, value in self._run(label, function, left):
            done[key] = value
            self._keep(key, value)
            self._tell(label, len(done), total)
        return [done[key] for key in keys]

    def sequence(self, *place: Any) -> np.random.SeedSequence:
        """Return the seeds of a place in this study."""
        digest = sha256(repr((self.study, *map(_bare, place))).encode()).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
        return np.random.SeedSequence([self.seed, *words])

    def _tell(self, label: str, done: int, total: int) -> None:
        if self.watch:
            self.watch(label, done, total)

    def _key(self, label: str, function: Callable[..., Any], cell: tuple[Any, ...]) -> str:
        code = (function.__module__, function.__qualname__, _stamp(function.__code__.co_filename))
        text = repr((self.study, self.seed, label, code, tuple(map(_bare, cell))))
        return sha256(text.encode()).hexdigest()[:32]

    def _run(self, label: str, function: Callable[..., Any], left: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        jobs = [(function, self.sequence(label, *cell), cell) for cell in left.values()]
        if self.workers > 1 and len(left) > 1 and find_spec("joblib"):
            from joblib import Parallel, delayed

            results = Parallel(n_jobs=self.workers, return_as="generator")(delayed(_one)(*job) for job in jobs)
        else:
            results = (_one(*job) for job in jobs)
        yield from zip(left, results, strict=True)

    def _keep(self, key: str, value: Any) -> None:
        self._known[key] = value
        if self.journal is None:
            return
        try:
            with open(self.journal, "a", encoding="utf-8") as stream:
                # The line before may have been cut off; it must not take this one with it.
                stream.write("\n" + json.dumps([key, value]))
        except OSError as error:
            raise FileError(f"cannot write {self.journal}: {error.strerror or error}") from error

    def forget(self) -> None:
        """Remove the journal: the study is complete."""
        if self.journal is not None:
            self.journal.unlink(missing_ok=True)


def _one(function: Callable[..., Any], seeds: np.random.SeedSequence, cell: tuple[Any, ...]) -> Any:
    """Run one cell; the value goes through JSON, so that a resumed run sees what a fresh one does."""
    with one_thread():
        value = function(np.random.default_rng(seeds), *cell)
    return json.loads(json.dumps(value, default=lambda each: each.tolist()))


def _bare(value: Any) -> Any:
    """Return a number of NumPy's as Python's, whose text is the same in every version."""
    return value.item() if isinstance(value, np.generic) else value


@cache
def _stamp(file: str) -> str:
    """Return a digest of the times and sizes of normkit's files and of one more: the version of a function of it."""
    files = [*sorted(PACKAGE.rglob("*.py")), Path(file)]
    stamps = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files if path.is_file()]
    return sha256(repr(stamps).encode()).hexdigest()


def _read(journal: Path) -> Iterator[tuple[str, Any]]:
    """Yield the finished cells of a journal; a line that was cut off is one that is not finished."""
    try:
        text = journal.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"cannot read {journal}: {error.strerror or error}; remove it to start anew") from error
    for line in text.splitlines():
        with suppress(ValueError, TypeError):
            key, value = json.loads(line)
            yield key, value
