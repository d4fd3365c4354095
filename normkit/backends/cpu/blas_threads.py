"""One BLAS thread per caller, while compiled loops call LAPACK from every core.

OpenBLAS would start its own threads under each of ours. Its control is not part of SciPy's interface; the
symbol is looked up where SciPy's LAPACK module was linked, and where it is missing (other libraries)
nothing is done: slower, not wrong.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import threading
from collections.abc import Callable, Iterator

_lock = threading.Lock()
_users = 0
_threads_before = 1


@functools.cache
def controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Find OpenBLAS's get and set of the number of threads."""
    module = importlib.import_module("scipy.linalg.cython_lapack")
    try:
        library = ctypes.CDLL(module.__file__)
    except OSError:
        return None
    for prefix in ("scipy_openblas", "openblas"):
        if hasattr(library, f"{prefix}_set_num_threads"):
            read = getattr(library, f"{prefix}_get_num_threads")
            write = getattr(library, f"{prefix}_set_num_threads")
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
