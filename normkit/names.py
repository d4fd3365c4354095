"""Names of arrays: a nested mapping is a flat one whose names are joined by ``/``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from normkit.errors import ParameterError


def flat(mapping: Any, what: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of a mapping, in its order.

    Raises
    ------
    ParameterError
        If it is no mapping, or a name is no text, or occurs twice.
    """
    if not isinstance(mapping, Mapping):
        raise ParameterError(f"{what} must be a mapping of names such as {{'w': ...}}; got a {type(mapping).__name__}")
    seen: set[str] = set()
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise ParameterError(f"the names of {what} are texts; got {key!r}")
        name = prefix + key
        for inner, each in flat(value, what, f"{name}/") if isinstance(value, Mapping) else ((name, value),):
            if inner in seen:
                raise ParameterError(f"{what} names {inner!r} twice: nested, and with a '/' in the name")
            seen.add(inner)
            yield inner, each


def nested(like: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return values by name in the order and nesting of a mapping that `flat` took apart."""
    made: dict[str, Any] = {}
    for key, value in like.items():
        name = f"{prefix}{key}"
        made[key] = nested(value, values, f"{name}/") if isinstance(value, Mapping) else values[name]
    return made


def found(mapping: Mapping[str, Any], name: str) -> Any:
    """Return the value of a joined name in a mapping, nested or not; None if there is none."""
    if name in mapping:
        return mapping[name]
    for cut in (place for place, letter in enumerate(name) if letter == "/"):
        inner = mapping.get(name[:cut])
        if isinstance(inner, Mapping) and (value := found(inner, name[cut + 1 :])) is not None:
            return value
    return None


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return names for an error: the first few, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(repr, names[:most])) or "none") + more
