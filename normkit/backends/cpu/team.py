"""A team of threads that runs one compiled function together, in step: every member calls it, barriers hold them.

A product of matrices takes a millisecond or less, so between two of them there is no time for Python. All members enter
the compiled function once, each with its number; where one needs what the others wrote, all wait at a barrier.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from normkit.backends.cpu.jit import F, cached
from normkit.backends.cpu.pool import executor

SPINS = 100000
"""Looks at the barrier, some milliseconds, before a waiting member sleeps between looks.

A core that sleeps wakes slowly, above all a virtual one: with a tenth of this a 256 x 256 matrix took 1.7 times as
long.
"""
NAP = 30
"""Microseconds between looks then."""

_lock = threading.Lock()
"""One team at a time: two that each held half of the threads would wait for each other for ever."""


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def _add_atomically(typing_context: Any, address: Any, amount: Any) -> tuple[Any, Callable[..., Any]]:
    """Add to the int64 at an address, for all threads at once; return what stood there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, arguments[1], "seq_cst")

    return types.int64(types.intp, types.int64), generate


def _nap(typing_context: Any) -> tuple[Any, Callable[..., Any]]:
    """Sleep for `NAP` microseconds, where the system has a call for that."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if os.name == "posix":
            number = ir.IntType(32)
            kind = ir.FunctionType(number, [number])
            function = builder.module.globals.get("usleep") or ir.Function(builder.module, kind, "usleep")
            builder.call(function, [number(NAP)])
        return context.get_dummy_value()

    return types.void(), generate


_add: Any = intrinsic(_add_atomically)
_sleep: Any = intrinsic(_nap)


def shared(**options: Any) -> Callable[[F], F]:
    """Return a decorator for what a team runs: no GIL, and no exception, for which the other members would wait.

    A division by zero gives an infinity or NaN.
    """
    return cached(nogil=True, error_model="numpy", **options)


def inner(**options: Any) -> Callable[[F], F]:
    """Return `shared` for what only compiled code calls: without a way in from Python, which takes time to compile."""
    return shared(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)


@shared()
def barrier(state: Any, members: int) -> None:
    """Wait until every member has come here. `state`: the int64 array of the team, (arrived, passed)."""
    if members == 1:
        return
    arrived, passed = state.ctypes.data, state.ctypes.data + 64
    turn = _add(passed, 0)
    if _add(arrived, 1) == members - 1:
        _add(arrived, -members)
        _add(passed, 1)
        return
    spins = 0
    while _add(passed, 0) == turn:
        spins += 1
        if spins > SPINS:
            _sleep()


@shared()
def claimed(queue: Any) -> int:
    """Return the next task of a queue, an int64 array that holds the number of those taken."""
    return int(_add(queue.ctypes.data, 1))


def members(tasks: int) -> int:
    """Return how many threads a team for a number of tasks has: as many as numba may use."""
    return max(1, min(int(numba.get_num_threads()), tasks))


def run(function: Callable[..., Any], size: int, *arguments: Any) -> None:
    """Call ``function(member, size, state, *arguments)`` on every member of a team, and wait for all.

    `function` is compiled, does not hold the GIL, and cannot raise: a member that left would keep the others waiting.
    """
    state = np.zeros(16, np.int64)
    if size == 1:
        function(0, 1, state, *arguments)
        return
    with _lock:
        _run(function, size, state, arguments)


def _run(function: Callable[..., Any], size: int, state: Any, arguments: tuple[Any, ...]) -> None:
    others = [executor().submit(function, member, size, state, *arguments) for member in range(1, size)]
    try:
        function(0, size, state, *arguments)
    finally:
        for other in others:
            other.result()
