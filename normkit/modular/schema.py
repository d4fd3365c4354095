"""The tables of a rules file: which keys they have, and what a rule says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from fractions import Fraction
from typing import Any

from normkit.errors import NormkitError, ParameterError
from normkit.modular.factors import ONE, Factor, factor_of
from normkit.modular.specs import spec_of
from normkit.patterns import Pattern, pattern

Names = Mapping[str, tuple[str, ...]]
FROZEN = "frozen"

KEYS: dict[str, tuple[type, ...]] = {
    "match": (str, list),
    "regex": (str,),
    "ndim": (int,),
    "optional": (bool,),
    "norm": (str,),
    "axes": (str,),
    "rows": (str,),
    "cols": (str,),
    "over": (str,),
    "inner_outer": (str,),
    "norm_scale": (int, float, str),
    "update_scale": (int, float, str),
    "mass": (int, float),
    "tare": (int, float),
    "update": (str,),
    "options": (dict,),
    "tie": (str,),
}
"""The keys of a rule and what TOML may hold there."""

OF_NORMS = ("axes", "rows", "cols", "over", "inner_outer", "norm_scale", "update_scale", "tare")
INVERSE = "norm_scale multiplies the norm, update_scale = 1/norm_scale multiplies the update"
BARE = f"a bare scale could mean either of two inverse numbers: {INVERSE}"


@dataclass(frozen=True)
class Rule:
    """What a rule says, checked.

    Attributes
    ----------
    pattern : str
        Its globs or its regular expression, as errors and tables show it.
    where : str
        The file and the number of the rule.
    spec : str or None
        The norm, with its axes, as a spec.
    axes : Pattern or None
        The axes of its arrays, if it names them.
    factor : Factor
        What the norm is multiplied with; may depend on the lengths of the axes.
    mass, tare : Fraction or None
        The mass of each of its arrays, or of all of them together.
    update : str or None
        A named pipeline instead of a norm.
    options : mapping
        Options of the pipeline.
    tie : str or None
        The array that its array is the same as.
    optional : bool
        Whether the rule may match nothing.
    """

    pattern: str
    matches: Callable[[str], bool] = field(repr=False, compare=False, hash=False)
    where: str = ""
    ndim: int | None = None
    spec: str | None = None
    axes: Pattern | None = None
    factor: Factor = ONE
    mass: Fraction | None = None
    tare: Fraction | None = None
    update: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    tie: str | None = None
    optional: bool = False

    @property
    def frozen(self) -> bool:
        """Whether its arrays are left alone."""
        return self.update == FROZEN or self.mass == 0 or self.tare == 0

    def covers(self, name: str, ndim: int) -> bool:
        """Tell whether it is about an array of a name and a number of axes."""
        return self.ndim in (None, ndim) and self.matches(name)


def rule(table: Any, where: str, names: Names | None = None) -> Rule:
    """Return the rule of a table; `names` are the lists of globs that ``@name`` stands for.

    Raises
    ------
    ParameterError
        For keys or values that the schema does not know, or that contradict one another; the message begins with
        `where` and the pattern of the rule.
    SpecError
        For a norm that is none.
    """
    try:
        if not isinstance(table, Mapping):
            raise ParameterError(f"a rule is a table, written [[rule]]; got a {type(table).__name__}")
        text, matches = _matcher(table, names or {})
        where = f"{where} ({text})"
        known_keys(table, KEYS, "a rule", {"scale": BARE})
        _consistent(table)
        axes = pattern(table["axes"], "axes") if "axes" in table else None
        return Rule(
            text,
            matches,
            where,
            ndim=_at_least("ndim", table.get("ndim")),
            spec=spec_of(table, axes),
            axes=axes,
            factor=factor_of(table, axes),
            mass=_mass("mass", table),
            tare=_mass("tare", table),
            update=_update(table.get("update")),
            options=dict(table.get("options", {})),
            tie=table.get("tie"),
            optional=table.get("optional", False),
        )
    except NormkitError as error:
        raise type(error)(f"{where}: {error}") from error


def known_keys(
    table: Mapping[str, Any], keys: Mapping[str, tuple[type, ...]], what: str, said: Mapping[str, str]
) -> None:
    """Raise unless all keys of a table are known and hold what they may; `said` has answers to keys of its own."""
    for key, held in table.items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 1)
            hint = said.get(key) or (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(keys)}")
            raise ParameterError(f"{what} has no key {key!r}: {hint}")
        # TOML tells true from 1, Python does not.
        if not isinstance(held, keys[key]) or (isinstance(held, bool) and bool not in keys[key]):
            kinds = " or ".join(_called(kind) for kind in keys[key])
            raise ParameterError(f"{key} is {kinds}; got {held!r}")


def _called(kind: type) -> str:
    return {str: "a text", list: "a list of texts", bool: "true or false", dict: "a table"}.get(kind, "a number")


def _matcher(table: Mapping[str, Any], names: Names) -> tuple[str, Callable[[str], bool]]:
    """Return what the rule is called by, and the test of a name."""
    globs, regex = table.get("match"), table.get("regex")
    if (globs is None) == (regex is None):
        raise ParameterError("a rule needs match (a glob, or a list of them) or regex, and not both")
    globs = [globs] if isinstance(globs, str) else globs
    if globs is not None:
        if not (isinstance(globs, list) and globs and all(isinstance(glob, str) and glob for glob in globs)):
            raise ParameterError(f"match is a glob such as '*.bias', or a list of them; got {table['match']!r}")
        return ", ".join(map(repr, globs)), _full([translate(one) for glob in globs for one in _spelled(glob, names)])
    try:
        return repr(regex), _full([str(regex)])
    except re.error as error:
        raise ParameterError(f"regex {regex!r} is no regular expression: {error}") from error


def _spelled(glob: str, names: Names) -> Iterable[str]:
    """Return the globs that ``@name`` stands for, or the glob."""
    if not glob.startswith("@"):
        return (glob,)
    if glob[1:] not in names:
        raise ParameterError(f"match {glob!r} stands for a list under [names]; there are {', '.join(names) or 'none'}")
    return names[glob[1:]]


def _full(expressions: Iterable[str]) -> Callable[[str], bool]:
    each = [re.compile(expression) for expression in expressions]
    return lambda name: any(one.fullmatch(name) for one in each)


def _consistent(table: Mapping[str, Any]) -> None:
    """Raise for keys that exclude or need one another."""
    kinds = [key for key in ("norm", "update", "tie") if key in table]
    if not kinds and table.get("mass") == 0:
        return
    if len(kinds) != 1:
        got = " and ".join(kinds) if kinds else "none of them"
        raise ParameterError(f"a rule gives its arrays a norm, or an update, or a tie to another array; got {got}")
    stray = [key for key in OF_NORMS if key in table and "norm" not in table]
    if stray:
        raise ParameterError(f"{stray[0]} belongs to a norm; the rule gives {kinds[0]} instead")
    if "norm" not in table and table.get("mass", 0) != 0:
        raise ParameterError(f"mass belongs to a norm (0 alone freezes anything); the rule gives {kinds[0]} instead")
    if "options" in table and "update" not in table:
        raise ParameterError("options belong to an update such as 'adamw'; the rule gives none")
    for one, other, why in (
        ("norm_scale", "update_scale", INVERSE),
        ("mass", "tare", "mass is that of each array, tare that of all arrays of the rule together"),
    ):
        if one in table and other in table:
            raise ParameterError(f"a rule has {one} or {other}, not both: {why}")


def _mass(key: str, table: Mapping[str, Any]) -> Fraction | None:
    if key not in table:
        return None
    if not 0 <= table[key] < float("inf"):
        raise ParameterError(f"{key} is a number that is not negative; got {table[key]}")
    return Fraction(repr(table[key]))


def _at_least(key: str, number: int | None) -> int | None:
    if number is not None and number < 0:
        raise ParameterError(f"{key} is a number of axes; got {number}")
    return number


def updates() -> frozenset[str]:
    """Return what ``update`` may name: the named pipelines, and ``frozen``."""
    from normkit.optim.named import PIPELINES

    return frozenset({*PIPELINES, FROZEN})


def _update(name: str | None) -> str | None:
    if name is None or name in updates():
        return name
    near = difflib.get_close_matches(name, updates(), 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ParameterError(f"unknown update {name!r}; known: {', '.join(sorted(updates()))}.{hint}")
