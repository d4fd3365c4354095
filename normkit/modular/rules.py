"""Rules: which norm, or which update, every array of a model gets, by its name."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from normkit.errors import FileError, NormkitError, ParameterError
from normkit.modular.schema import Names, Rule, known_keys, rule

if TYPE_CHECKING:
    from normkit.modular.assignment import Assignment

__all__ = ["Rule", "Rules"]

TOP: dict[str, tuple[type, ...]] = {"outer": (str,), "base": (str,), "names": (dict,), "rule": (list,)}
"""The keys of a rules file and what TOML may hold there."""
COMMON = "_common"
"""What ready rules have in common: names of arrays, and buffers."""
DEPTH = 8
"""A chain of bases is at most this long; a longer one goes in circles."""


@dataclass(frozen=True)
class Rules:
    """An ordered list of rules and an outer norm; of the rules that cover an array, the first one counts.

    Attributes
    ----------
    rules : tuple of Rule
        In their order.
    outer : str
        The norm over the arrays, as a spec; see `Modular`.
    source : str
        Where they come from, for errors.
    names : mapping of str to tuple of str
        Lists of globs under a name: ``match = "@hidden"`` stands for the list ``hidden``.

    Examples
    --------
    >>> import normkit as nk
    >>> rules = nk.Rules.parse('''
    ... [[rule]]
    ... match = "*.weight"
    ... norm = "rms->rms"
    ... [[rule]]
    ... match = "*.bias"
    ... update = "adamw"
    ... ''')
    >>> made = rules.assign({"fc.weight": (3, 4), "fc.bias": (3,)})
    >>> made.norm.parts, dict(made.pipelines)
    ({'fc.weight': norm('rms->rms')}, {'fc.bias': ('adamw', {})})
    """

    rules: tuple[Rule, ...]
    outer: str = "linf"
    source: str = "the rules"
    names: Names = field(default_factory=dict, hash=False)

    @classmethod
    def load(cls, path: str | Path) -> Rules:
        """Return the rules of a TOML file.

        Raises
        ------
        FileError
            If the file cannot be read, or is no TOML; the message names the line.
        ParameterError, SpecError
            For a rule that the schema does not know, or a norm that is none.
        """
        return cls.of(_toml(_text(path), str(path)), str(path), Path(path).parent)

    @classmethod
    def parse(cls, text: str, source: str = "the rules") -> Rules:
        """Return the rules of a TOML text; errors as in `load`."""
        return cls.of(_toml(text, source), source)

    @classmethod
    def ready(cls, name: str) -> Rules:
        """Return rules that come with normkit; `Rules.known` lists them.

        Raises
        ------
        ParameterError
            For a name that is not among them.
        """
        if name not in cls.known():
            near = difflib.get_close_matches(str(name), cls.known(), 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ParameterError(f"no rules are called {name!r}; known: {', '.join(cls.known())}.{hint}")
        return cls._ready(name, 0)

    @classmethod
    def _ready(cls, name: str, depth: int) -> Rules:
        text = (files("normkit.modular") / "ready" / f"{name}.toml").read_text("utf-8")
        return cls.of(_toml(text, name), name, depth=depth)

    @staticmethod
    def known() -> tuple[str, ...]:
        """Return the names of the rules that come with normkit."""
        found = (entry.name for entry in (files("normkit.modular") / "ready").iterdir())
        return tuple(sorted(name.removesuffix(".toml") for name in found if name[0] != "_"))

    @classmethod
    def find(cls, name: str) -> Rules:
        """Return the rules that come with normkit under a name, or else those of a file; a path has a suffix or a /."""
        path = Path(name)
        if name in cls.known() or not (path.suffix or len(path.parts) > 1 or path.exists()):
            return cls.ready(name)
        return cls.load(name)

    @classmethod
    def of(cls, document: Mapping[str, Any], source: str = "the rules", folder: Path = Path(), depth: int = 0) -> Rules:
        """Return the rules of a document as `tomllib` reads it: ``{"outer", "base", "names", "rule": [{...}, ...]}``.

        The rules of `base` (the name of ready rules, or a file beside this one) come after those of the document, and
        its names and outer norm are those of the document unless that has its own.
        """
        try:
            known_keys(document, TOP, "a rules file", {"rules": "the rules are [[rule]] tables"})
        except ParameterError as error:
            raise ParameterError(f"{source}: {error}") from error
        base = _base(document.get("base"), source, folder, depth)
        names = {**(base.names if base else {}), **_names(document.get("names", {}), source)}
        tables = enumerate(document.get("rule", []), 1)
        made = tuple(rule(table, f"{source}, rule {place}", names) for place, table in tables)
        outer = str(document.get("outer", base.outer if base else "linf"))
        _check_outer(outer, source)
        if not made and not base:
            raise ParameterError(f'{source}: there is no rule; write [[rule]] tables, or a base such as base = "muon"')
        return cls(made + (base.rules if base else ()), outer, source, names)

    def assign(
        self, arrays: Mapping[str, Any], aliases: Mapping[str, str] | None = None, still: Container[str] = ()
    ) -> Assignment:
        """Return what every array of a model gets.

        Parameters
        ----------
        arrays : mapping of str to shape or array
            The shape of every array, or the array, in an order that the norm keeps; nested mappings are joined by
            ``/``. Arrays of NumPy or torch that are one array in memory are one array under several names.
        aliases : mapping of str to str, optional
            Names that are known to be other names of an array.
        still : container of str
            Names of arrays that are left alone whatever the rules say, such as those of integers.

        Raises
        ------
        ParameterError
            If there are no arrays, no rule covers an array, a rule covers none, names occur twice, all masses are zero,
            or an alias is no array; the message lists the names.
        ShapeError
            If a norm does not take an array; all of them are listed.
        """
        from normkit.modular.assign import assign

        return assign(self, arrays, aliases or {}, still)


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}; expected a rules file in TOML") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is no text in UTF-8; expected a rules file in TOML") from error


def _toml(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{source} is no TOML: {error}") from error


def _names(table: Mapping[str, Any], source: str) -> Names:
    for name, globs in table.items():
        if not (isinstance(globs, list) and all(isinstance(glob, str) for glob in globs)):
            raise ParameterError(f"{source}: names.{name} is a list of globs such as ['*.bias']; got {globs!r}")
    return {name: tuple(globs) for name, globs in table.items()}


def _base(name: str | None, source: str, folder: Path, depth: int) -> Rules | None:
    if name is None:
        return None
    if depth == DEPTH:
        raise ParameterError(
            f"{source}: more than {DEPTH} rules files are the base of one another; do they go in circles?"
        )
    if name in (*Rules.known(), COMMON):
        return Rules._ready(name, depth + 1)
    path = folder / name
    try:
        return Rules.of(_toml(_text(path), str(path)), str(path), path.parent, depth + 1)
    except FileError as error:
        raise FileError(f"{source}: the base {name!r} is none of {', '.join(Rules.known())}, and: {error}") from error


def _check_outer(outer: str, source: str) -> None:
    if outer == "linf":  # needs no SymPy
        return
    from normkit.calculus.mixed import require_outer
    from normkit.spec import norm

    try:
        require_outer(norm(outer), "rules")
    except NormkitError as error:
        raise type(error)(f"{source}: {error}") from error
