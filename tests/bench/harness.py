"""What every benchmark shares: contenders timed in turns, medians, processes timed from outside."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def medians(contenders: Mapping[str, Callable[[], Any]], rounds: int = 9) -> dict[str, float]:
    """Return median seconds; contenders take turns, so that a slow moment of the machine falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if turn:  # the first turn compiles and warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def process(*args: str, **environment: str) -> Callable[[], str]:
    """Return a run of ``python ARGS`` in a process of its own, to be timed from outside; it returns stdout."""

    def run() -> str:
        command, variables = [sys.executable, *args], {**os.environ, **environment}
        return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout

    return run


def row(*cells: object) -> None:
    """Print a row of a markdown table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(*cells: object) -> None:
    """Print the head of a markdown table."""
    print()
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)
