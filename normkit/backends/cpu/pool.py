"""Threads for compiled loops: a range of independent tasks cut into runs, each run one call without the GIL.

What a task computes does not depend on the run that it falls into, so results have the same bits whatever the number
of threads. Threads of our own, not numba's: functions compile in half the time, and any thread of the caller may call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numba
from numba.core import config

GRAIN = 1 << 16
"""Entries below which another thread costs more than it saves."""
RUNS = 4
"""Runs per thread, to even out the load."""


@cache
def executor() -> ThreadPoolExecutor:
    """Return the threads that serve all callers."""
    return ThreadPoolExecutor(int(vars(config)["NUMBA_NUM_THREADS"]), thread_name_prefix="normkit")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=executor.cache_clear)  # threads do not survive a fork


def parallel(function: Callable[..., Any], tasks: int, entries: int, *arguments: Any) -> None:
    """Call ``function(first, last, *arguments)`` on runs that cover range(tasks).

    Parameters
    ----------
    function : callable
        A compiled loop over tasks that writes its results into its arguments.
    tasks, entries : int
        The number of tasks, and of array entries that they read: the amount of work.
    """
    if tasks == 0:
        return
    threads = min(numba.get_num_threads(), tasks, 1 + entries // GRAIN)
    if threads == 1:
        function(0, tasks, *arguments)
        return
    function(0, 0, *arguments)  # alone, so that one thread compiles
    runs = min(tasks, RUNS * threads)
    cuts = [tasks * run // runs for run in range(runs + 1)]
    _all([partial(function, first, last, *arguments) for first, last in pairwise(cuts)], threads)


def share(function: Callable[[int], object], tasks: int) -> None:
    """Call ``function(i)`` for i in range(tasks) on all threads: for work that leaves the GIL for most of its time."""
    if tasks:
        function(0)  # alone, so that one thread compiles
    _all([partial(function, i) for i in range(1, tasks)], numba.get_num_threads())


def _all(runs: Sequence[Callable[[], object]], threads: int) -> None:
    """Call functions, the caller's thread among others; an error in one is raised when all have ended."""
    queue = list(runs)[::-1]

    def work() -> None:
        while queue:
            try:
                run = queue.pop()
            except IndexError:  # another thread took the last run
                return
            run()

    others = [executor().submit(work) for _ in range(min(threads, len(queue)) - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()
