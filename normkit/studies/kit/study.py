"""A study: its name, what it reproduces, its options, and the function that runs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from normkit.errors import ParameterError
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.threads import one_thread


@dataclass(frozen=True)
class Option:
    """An option of one study: its type (int, float, str or bool), default and help; `many` may be given repeatedly.

    Where `many`, the default is a tuple.
    """

    kind: type
    default: Any
    help: str
    many: bool = False


@dataclass
class Run:
    """What a run is given.

    Attributes
    ----------
    seed : int
        The root of all randomness; see `rng`.
    quick, long : bool
        The form: smaller than the page's, or the one that recomputes shipped long-run values.
    options : mapping
        The study's own options by name.
    cells : Cells
        Runs independent pieces of work.
    """

    seed: int = 0
    quick: bool = False
    long: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    cells: Cells = field(default_factory=lambda: Cells("", 0))

    def rng(self, *place: Any) -> np.random.Generator:
        """Return a generator of its own for a place, such as ``run.rng("S10", m, n)``; no draw elsewhere moves it."""
        return np.random.default_rng(self.cells.sequence("rng", *place))

    def pick(self, quick: Any, full: Any, long: Any = None) -> Any:
        """Return the value for the form of this run."""
        return quick if self.quick else long if self.long and long is not None else full


@dataclass(frozen=True)
class Study:
    """A study of the registry.

    Attributes
    ----------
    name : str
        As the command takes it.
    title : str
        What it is about, in a line.
    ids : tuple of str
        The numbers of what it reproduces.
    finding : str
        What was found, in a sentence.
    about : str
        The page's text, in Markdown: what holds, what the source prints, what was found.
    run : callable
        ``run(Run) -> Outcome``.
    options : mapping of str to Option
    """

    name: str
    title: str
    ids: tuple[str, ...]
    finding: str
    about: str
    run: Callable[[Run], Outcome]
    options: Mapping[str, Option] = field(default_factory=dict)

    def __call__(
        self, *, seed: int = 0, quick: bool = False, long: bool = False, cells: Cells | None = None, **options: Any
    ) -> Outcome:
        """Run it from Python.

        Raises
        ------
        ParameterError
            For an option that it does not have, a negative seed, or both forms at once.
        """
        if quick and long:
            raise ParameterError("a run is quick or long, not both")
        if unknown := [name for name in options if name not in self.options]:
            known = ", ".join(self.options) or "none"
            raise ParameterError(f"{self.name} has no option {unknown[0]!r}; its options: {known}")
        chosen = {name: option.default for name, option in self.options.items()} | options
        with one_thread():
            return self.run(Run(seed, quick, long, chosen, cells or Cells(self.name, seed)))


def study(
    name: str,
    title: str,
    ids: tuple[str, ...] = (),
    options: Mapping[str, Option] | None = None,
    finding: str = "",
) -> Callable[[Callable[[Run], Outcome]], Study]:
    """Return a decorator that makes a study of a function; its module's docstring is the page's text.

    Parameters: those of `Study`. The first line of the docstring stands for a finding that is not given.

    Examples
    --------
    >>> from normkit import studies
    >>> from normkit.studies.kit.study import Study
    >>> isinstance(studies.get("spectral-clipping"), Study)
    True
    """

    def make(function: Callable[[Run], Outcome]) -> Study:
        about = inspect.getdoc(inspect.getmodule(function)) or ""
        first = " ".join(about.split("\n\n")[0].split())
        return Study(name, title, ids, finding or first, about, function, dict(options or {}))

    return make
