"""One thread for a whole study, so that bits do not depend on processes and cores.

Studies make small matrices, which are sooner multiplied and decomposed by one thread than shared out; on a busy machine
the threads of OpenBLAS and of compiled loops wait for each other for milliseconds. Processes share the cores instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from normkit.backends.cpu.blas_threads import NUMPY, controls, single_threaded_blas


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold compiled loops, and as far as their controls are found the BLAS of NumPy and of SciPy, at one thread."""
    from numba import get_num_threads, set_num_threads

    found, loops = controls(NUMPY), get_num_threads()
    before = found[0]() if found else 1
    set_num_threads(1)
    if found:
        found[1](1)
    try:
        with single_threaded_blas():
            yield
    finally:
        set_num_threads(loops)
        if found:
            found[1](before)
