"""Threads for compiled loops: a range of independent tasks cut into runs, each run one call without the GIL.

What a task computes does not depend on the run that it falls into, so results have the same bits whatever the number
of threads. Threads of our own, not numba's: functions compile in half the time, and any thread of the caller may call.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
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
    queue = list(pairwise(cuts))[::-1]

    def work() -> None:
        while queue:
            try:
                first, last = queue.pop()
            except IndexError:  # another thread took the last run
                return
            function(first, last, *arguments)

    others = [executor().submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()
