"""What every benchmark shares: contenders timed in turns, medians, processes timed from outside."""

from __future__ import annotations

import json
import math
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


HELD = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Variables that hold OpenBLAS to the kernels of an older processor."""


class Worker:
    """A live process that waits for questions, each a line of JSON, and answers with a line; see `serve`.

    Thread pools of different libraries disturb each other inside one process, so that rivals live in one each. All run
    the kernels that their libraries choose for this processor, whatever the environment holds OpenBLAS to.
    """

    def __init__(self, *args: str) -> None:
        pipe, variables = subprocess.PIPE, {name: value for name, value in os.environ.items() if name not in HELD}
        self._process = subprocess.Popen([sys.executable, *args], stdin=pipe, stdout=pipe, text=True, env=variables)

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker {self._process.args} ended with code {self._process.wait()}")
        return json.loads(answer)

    def close(self) -> None:
        self._process.communicate()


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer the questions on stdin until it closes; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            said = answer(json.loads(line))
        except Exception as error:  # a contender that fails is a result of the benchmark
            said = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), file=answers, flush=True)


def seconds(run: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def steady(run: Callable[[], Any], least: float = 0.1) -> float:
    """Return the seconds of a call amid others: a short one repeats, since after a pause threads sleep."""
    first = seconds(run)
    return first if first > 2 * least else statistics.median(seconds(run) for _ in range(math.ceil(least / first)))


def alternate(workers: Mapping[str, Worker], rounds: int, budget: float = math.inf) -> dict[str, float]:
    """Return median seconds of live processes in turns: `rounds` each, but only 3 once `budget` seconds are spent.

    A pause lets the threads of the one before stop spinning.
    """
    times: dict[str, list[float]] = {name: [] for name in workers}
    end = time.perf_counter() + budget
    for turn in range(rounds):
        if turn >= 3 and time.perf_counter() > end:
            break
        for name, worker in workers.items():
            time.sleep(0.15)
            times[name].append(worker.ask(do="go")["seconds"])
    return {name: statistics.median(values) for name, values in times.items()}


def row(*cells: object) -> None:
    """Print a row of a markdown table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(*cells: object) -> None:
    """Print the head of a markdown table."""
    print()
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)
