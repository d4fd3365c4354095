"""Groups of threads that take turns: one runs at a time, until it waits. Runs are reproducible, deadlocks are seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class Deadlock(RuntimeError):
    """Every group of a block that is still at work waits for something that nobody is left to do."""


class _Abandoned(BaseException):
    """Ends a group because another one has failed."""


class Scheduler:
    """Runs one function per group, each on a thread of its own, one at a time.

    Parameters
    ----------
    groups : int
        How many there are.
    order : {"forward", "reverse", "rotate"}
        Of the groups that may go on the first one goes, or the last one, or the next one after the one that waits.
    """

    def __init__(self, groups: int, order: str) -> None:
        self.order = list(range(groups))[:: -1 if order == "reverse" else 1]
        self.rotate = order == "rotate"
        self.turns = [threading.Semaphore(0) for _ in range(groups)]
        self.ready: list[Callable[[], bool] | None] = [lambda: True for _ in range(groups)]
        self.waits = [""] * groups
        self.error: BaseException | None = None
        self.done = threading.Event()

    def run(self, bodies: Sequence[Callable[[], None]]) -> None:
        """Run all bodies to their end.

        Raises
        ------
        Deadlock
            If all that are left wait in vain.
        Exception
            What a body raises; the others are then given up.
        """
        threads = [threading.Thread(target=self._body, args=(i, body)) for i, body in enumerate(bodies)]
        for thread in threads:
            thread.start()
        self._pass_on(-1)
        for thread in threads:
            thread.join()
        if self.error is not None:
            raise self.error

    def wait(self, group: int, ready: Callable[[], bool], what: str) -> None:
        """Let others run until `ready()`; go on at once where it holds already."""
        if ready():
            return
        self.ready[group], self.waits[group] = ready, what
        self._pass_on(group)
        self.turns[group].acquire()
        if self.error is not None:
            raise _Abandoned

    def _body(self, group: int, body: Callable[[], None]) -> None:
        self.turns[group].acquire()
        try:
            if self.error is None:
                body()
        except _Abandoned:
            pass
        except BaseException as error:  # raised again by `run`
            self._fail(error)
        finally:
            self.ready[group] = None
            if self.error is None:
                self._pass_on(group)

    def _pass_on(self, last: int) -> None:
        order = self.order[last + 1 :] + self.order[: last + 1] if self.rotate else self.order
        left = [group for group in order if self.ready[group] is not None]
        for group in left:
            ready = self.ready[group]
            if ready is not None and ready():
                self.turns[group].release()
                return
        if left:
            waits = "; ".join(f"group {group} waits for {self.waits[group]}" for group in sorted(left))
            self._fail(Deadlock(f"no group can go on: {waits}"))

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        for turn in self.turns:
            turn.release()


class Barrier:
    """A barrier of threads, named or of the whole block, as often as it is used."""

    def __init__(self) -> None:
        self.arrived = self.turn = 0

    def arrive(self, threads: int, needed: int) -> Callable[[], bool]:
        """Count threads in; return what tells whether this use of the barrier is complete."""
        turn = self.turn
        self.arrived += threads
        if self.arrived == needed:
            self.arrived, self.turn = 0, turn + 1
        return lambda: self.turn != turn
