"""How functions that Python calls are compiled: with numba's cache on disk where that works, without it elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

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
