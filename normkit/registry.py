"""The names of norms: one table, filled by class keywords, read by the spec language, the CLI, docs and tests."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from normkit.errors import ParameterError, SpecError
from normkit.refusals import REFUSALS

if TYPE_CHECKING:
    from normkit.norm import Norm

_norms: dict[str, type[Norm]] = {}


def register(name: str, cls: type[Norm]) -> None:
    """Put a class under its name; a name that another class holds is refused.

    The same class defined again (same module and qualified name: a notebook cell run twice) replaces itself.
    """
    holder = _norms.get(name)
    if holder is not None and (holder.__module__, holder.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ParameterError(
            f"the norm name {name!r} is taken by {holder.__module__}.{holder.__qualname__}; choose another"
        )
    _norms[name] = cls


def norms() -> Mapping[str, type[Norm]]:
    """Return the registry: name -> class, sorted by name, read-only.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.norms()["linf"]
    <class 'normkit.catalogue.lp.Linf'>
    """
    load()
    return MappingProxyType(dict(sorted(_norms.items())))


def lookup(name: str, where: str = "") -> type[Norm]:
    """Return the class of a name, or raise `SpecError` with the nearest names."""
    load()
    if name in _norms:
        return _norms[name]
    if name in REFUSALS:
        raise SpecError(f"{name!r}{where} {REFUSALS[name]}")
    near = difflib.get_close_matches(name, _norms, n=5)
    # Letters that changed places are the likeliest slip: 'rsm' means 'rms', not 'sym'. The sort is stable.
    near.sort(key=lambda found: (sorted(found) != sorted(name), found[0] != name[:1]))
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SpecError(f"unknown norm {name!r}{where}.{hint} See: normkit norms")


_loaded = False


def load() -> None:
    """Import the built-in norms and those that installed packages announce under ``normkit.norms``."""
    global _loaded
    if _loaded:
        return
    _loaded = True
    from importlib import import_module
    from importlib.metadata import entry_points

    import_module("normkit.catalogue")
    import_module("normkit.calculus")
    for entry in entry_points(group="normkit.norms"):
        try:
            entry.load()
        except Exception as error:  # whatever another package does at its import must not take normkit with it
            what = f"{type(error).__name__}: {' '.join(str(error).split())}"
            warnings.warn(f"the norm {entry.name!r} of {entry.value} could not be loaded: {what}", stacklevel=2)
