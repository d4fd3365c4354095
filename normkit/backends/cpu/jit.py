"""How functions that Python calls are compiled: with numba's cache on disk where that works, without it elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

KERNELS = ("backends", "polar")
"""Where compiled functions live that call each other."""


@cache
def kernels() -> str:
    """Return a digest of the times and sizes of all files that hold compiled functions."""
    package = Path(__file__).parents[2]
    files = sorted(path for folder in KERNELS for path in (package / folder).rglob("*.py"))
    stamps = [(str(path.relative_to(package)), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    return sha256(repr(stamps).encode()).hexdigest()


_njit: Any = njit  # its stubs do not know the options about wrappers


def cached(**options: Any) -> Callable[[F], F]:
    """Return a decorator like ``njit(cache=True, **options)`` that does not need the cache.

    numba refuses a cached function if it finds no folder to write to, and passes on what a full disk says. Neither
    changes a result, so here the function is compiled anew in every process instead.
    """

    def wrap(function: F) -> F:
        try:
            made = _njit(cache=True, **options)(function)
        except RuntimeError as error:
            if "locator" not in str(error):
                raise
            plain: F = _njit(**options)(function)
            return plain
        # numba looks at a function's own file alone, though it compiles in what the function calls.
        made._cache._cache_file._source_stamp = (made._cache._cache_file._source_stamp, kernels())
        store = made._cache.save_overload

        def save(signature: Any, result: Any) -> None:
            try:
                store(signature, result)
            except OSError:
                made._cache.disable()  # a full disk: what is compiled runs all the same

        made._cache.save_overload = save
        kept: F = made
        return kept

    return wrap
