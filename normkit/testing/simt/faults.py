"""Planted faults: a module with one mistake in its source, to show that a check notices it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def planted(module: ModuleType, old: str, new: str, users: tuple[ModuleType, ...] = ()) -> Iterator[Any]:
    """Give a copy of a module whose source has `new` where it has `old`; `users` import from the copy, anew.

    Parameters
    ----------
    module : module
        Where the mistake is made. The module itself is left as it is.
    old, new : str
        `old` must occur exactly once, so that a fault never silently stops being one.
    users : tuple of module
        Modules that import from `module`, each after those it imports; copies of them see the mistake.

    Yields
    ------
    module
        The copy of the last of `users`, or of the module.
    """
    source = inspect.getsource(module)
    if source.count(old) != 1:
        raise ValueError(f"{old!r} occurs {source.count(old)} times in {module.__name__}, not once")
    kept = {one.__name__: sys.modules[one.__name__] for one in (module, *users)}
    try:
        made = _copy(module, source.replace(old, new))
        for user in users:
            made = _copy(user, inspect.getsource(user))
        yield made
    finally:
        sys.modules.update(kept)


def _copy(module: ModuleType, source: str) -> ModuleType:
    made = ModuleType(module.__name__)
    made.__file__ = module.__file__
    sys.modules[module.__name__] = made
    exec(compile(source, str(module.__file__), "exec"), made.__dict__)
    return made
