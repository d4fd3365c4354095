"""What a race minimizes: an objective that is built in, or a Python file of the user's own, checked before it runs.

A file defines

    initial(seed)                       the weights: a mapping of names to arrays of floats, or one array
    loss_and_gradient(weights, seed)    a number, and gradients of the same form; the seed is that of the step: draw a
                                        batch with it, or leave it
    evaluate(weights)                   optional: the number by which runs are compared; else the mean loss at 8 seeds
"""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.errors import FileError, NormkitError, ParameterError

Arrays = dict[str, NDArray[np.float64]]

ALONE = "weights"
"""The name of weights that are one array."""
NEEDED = ("initial", "loss_and_gradient")
EVALUATIONS = 8


@dataclass(frozen=True)
class Objective:
    """A function of named arrays of float64 to minimize.

    Attributes
    ----------
    name, note : str
        `note` says what is not what the name says.
    start : callable
        ``start(seed) -> weights``.
    slope : callable
        ``slope(weights, seed) -> (loss, gradients)``.
    final : callable
        ``final(weights) -> number`` by which runs are compared.
    """

    name: str
    start: Callable[[int], Arrays]
    slope: Callable[[Arrays, int], tuple[float, Arrays]]
    final: Callable[[Arrays], float]
    note: str = ""


def digest(name: str) -> str:
    """Return what tells versions of a file apart; an empty text for what is built in.

    Raises
    ------
    ParameterError
        If it is neither a file nor built in.
    FileError
        If the file cannot be read.
    """
    from normkit.studies.racing.builtin import BUILTIN

    if name in BUILTIN:
        return ""
    if not name.endswith(".py"):
        near = get_close_matches(name, BUILTIN, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ParameterError(f"unknown objective {name!r}; {meant}known: {', '.join(BUILTIN)}, or a Python file (.py)")
    try:
        return sha256(Path(name).read_bytes()).hexdigest()
    except OSError as error:
        raise FileError(f"cannot read the objective {name}: {error.strerror or error}") from error


@lru_cache(maxsize=8)
def load(name: str, version: str) -> Objective:
    """Return an objective by its name or file, of the version that `digest` told.

    Raises
    ------
    ParameterError
        If the file does not run, or lacks a function.
    """
    from normkit.studies.racing.builtin import BUILTIN

    if not version:
        return BUILTIN[name]()
    with _beside(name):
        found = guarded(name, runpy.run_path, name)
    for wanted in NEEDED:
        if not callable(found.get(wanted)):
            raise ParameterError(f"{name} has no function {wanted}; an objective defines {' and '.join(NEEDED)}")
    return _of_file(name, found)


@contextmanager
def _beside(name: str) -> Iterator[None]:
    """Let a file import what lies beside it, as it can where it is run."""
    folder = str(Path(name).resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _of_file(name: str, found: dict[str, Any]) -> Objective:
    def start(seed: int) -> Arrays:
        return _arrays(guarded(name, found["initial"], seed), f"{name}: initial(seed)")

    def given(weights: Arrays) -> Any:
        copies = {key: x.copy() for key, x in weights.items()}  # the file may write to what it gets
        return copies[ALONE] if list(copies) == [ALONE] else copies

    def slope(weights: Arrays, seed: int) -> tuple[float, Arrays]:
        made = guarded(name, found["loss_and_gradient"], given(weights), seed)
        what = f"{name}: loss_and_gradient(weights, seed)"
        if not (isinstance(made, tuple | list) and len(made) == 2):
            raise ParameterError(f"{what} must return (loss, gradient); got a {type(made).__name__}")
        gradient = _arrays(made[1], what)
        shapes, wanted = ({key: x.shape for key, x in arrays.items()} for arrays in (gradient, weights))
        if shapes != wanted:
            raise ParameterError(f"{what}: the weights have the shapes {wanted}, the gradient {shapes}")
        return _number(made[0], what), gradient

    def final(weights: Arrays) -> float:
        if "evaluate" in found:
            return _number(guarded(name, found["evaluate"], given(weights)), f"{name}: evaluate(weights)")
        return float(np.mean([slope(weights, seed)[0] for seed in range(EVALUATIONS)]))

    return Objective(Path(name).stem, start, slope, final)


def guarded(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what a user wrote; an exception of it becomes an error in one line, with the line of the file.

    Raises
    ------
    ParameterError
        If it raises.
    """
    try:
        return function(*arguments)
    except NormkitError:
        raise
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        lines = [error.lineno] if isinstance(error, SyntaxError) else lines
        where = f"{name}, line {lines[-1]}" if lines and lines[-1] else name
        raise ParameterError(f"{where}: {type(error).__name__}: {error}") from error


def _arrays(value: Any, what: str) -> Arrays:
    named = value if isinstance(value, Mapping) else {ALONE: value}
    if not named:
        raise ParameterError(f"{what} must return arrays by name; got none")
    if turned := [key for key, each in named.items() if np.iscomplexobj(each)]:
        raise ParameterError(f"{what} must return arrays of real numbers; {turned[0]!r} is complex")
    try:
        return {str(key): np.array(each, dtype=np.float64) for key, each in named.items()}
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{what} must return arrays of floats by name, or one: {error}") from error


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{what}: the loss must be a number; got a {type(value).__name__}") from error
