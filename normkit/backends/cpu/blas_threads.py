"""One BLAS thread per caller, while compiled loops call LAPACK from every core.

OpenBLAS would start its own threads under each of ours. Its control is not part of SciPy's interface; the
symbol is looked up where SciPy's LAPACK module was linked, and where it is missing (other libraries)
nothing is done: slower, not wrong.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec

_lock = threading.Lock()
_users = 0
_threads_before = 1


SCIPY, NUMPY = "scipy.linalg.cython_lapack", "numpy.linalg._umath_linalg"
"""Modules that are linked to a BLAS; in wheels each library brings its own."""


@functools.cache
def controls(linked: str = SCIPY) -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Find get and set of the number of threads of the OpenBLAS that a module is linked to."""
    module = find_spec(linked)
    try:
        library = ctypes.CDLL(module.origin if module else None)
    except OSError:
        return None
    for prefix in ("scipy_openblas", "openblas"):
        for suffix in ("", "64_"):
            if hasattr(library, f"{prefix}_set_num_threads{suffix}"):
                read = getattr(library, f"{prefix}_get_num_threads{suffix}")
                write = getattr(library, f"{prefix}_set_num_threads{suffix}")
                return read, write
    return None


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold SciPy's BLAS at one thread; uses may overlap, and the last to leave restores the number."""
    global _users, _threads_before
    found = controls()
    if found is None:
        yield
        return
    read, write = found
    with _lock:
        if _users == 0:
            _threads_before = read()
            write(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                write(_threads_before)
