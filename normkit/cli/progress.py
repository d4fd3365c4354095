"""A progress bar on stderr: on a terminal only, for work longer than a second only."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self

WAIT, TICK, WIDTH = 1.0, 0.2, 30


class Progress:
    """Shows the share of `total` that is done, and what is under way; a thread draws, so that long steps tick too.

    Examples
    --------
    >>> with Progress(2) as progress:
    ...     progress.start("weight")
    ...     progress.advance(2)
    """

    def __init__(self, total: int) -> None:
        self.total, self.done, self.what = max(total, 1), 0, ""
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._draw, daemon=True) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self.thread:
            self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        if self.thread:
            self.thread.join()

    def start(self, what: str) -> None:
        """Name what is under way."""
        self.what = what

    def advance(self, amount: int) -> None:
        """Count an amount as done."""
        self.done += amount

    def _draw(self) -> None:
        seconds = WAIT
        if self.ended.wait(WAIT):
            return
        while not self.ended.wait(TICK):
            seconds += TICK
            full = WIDTH * self.done // self.total
            bar = "#" * full + "." * (WIDTH - full)
            print(
                f"\r\033[K[{bar}] {100 * self.done // self.total:3d} %  {seconds:.0f} s  {self.what[:30]}",
                end="",
                file=sys.stderr,
                flush=True,
            )
        print("\r\033[K", end="", file=sys.stderr, flush=True)
