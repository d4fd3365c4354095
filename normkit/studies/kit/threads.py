"""One BLAS thread for a whole study, so that bits do not depend on processes and cores.

Studies make small matrices, whose products are sooner done by one thread than shared out; on a busy machine the threads
of OpenBLAS wait for each other for milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from normkit.backends.cpu.blas_threads import NUMPY, controls, single_threaded_blas


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the BLAS of NumPy and that of SciPy at one thread, as far as their controls are found."""
    found = controls(NUMPY)
    before = found[0]() if found else 1
    if found:
        found[1](1)
    try:
        with single_threaded_blas():
            yield
    finally:
        if found:
            found[1](before)
