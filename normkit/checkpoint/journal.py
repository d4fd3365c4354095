"""A journal beside a file that is being written: which arrays are in it, so that a later run can go on.

A line of JSON for each: its name, the CRC of its bytes, and a note. The first line says what the arrays are made from.
A line counts if it is whole; an array counts if its bytes have the CRC, whatever reached the disk before a crash.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from normkit.errors import FileError

try:
    import fcntl
except ImportError:  # Windows: there is no guard against two processes
    fcntl = None  # type: ignore[assignment]


class Journal:
    """The journal of an output, held open and locked; `lines` are those of an earlier run with the same key."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self.stream = open(path, "a+b")  # noqa: SIM115 (closed by __exit__)
        if fcntl is not None:
            try:
                fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self.stream.close()
                raise FileError(f"another process is writing what {path} belongs to; wait for it to end") from error
        self.lines = self._lines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()

    def _lines(self) -> dict[str, dict[str, Any]]:
        self.stream.seek(0)
        whole = self.stream.read().rpartition(b"\n")[0]
        found: list[dict[str, Any]] = []
        with contextlib.suppress(ValueError):
            for line in whole.splitlines():
                found.append(json.loads(line))
        self.stream.truncate(len(whole) + bool(whole))  # what a crash cut off would spoil the next line
        if not found or found[0] != {"key": self.key}:
            return {}
        return {line["name"]: line for line in found[1:]}

    def begin(self) -> None:
        """Forget the earlier run."""
        self.lines = {}
        self.stream.truncate(0)
        self._append({"key": self.key})

    def add(self, name: str, crc: int, note: Any) -> None:
        """Say that an array is whole; its bytes have been handed to the system."""
        self._append({"name": name, "crc": crc, "note": note})

    def _append(self, line: dict[str, Any]) -> None:
        self.stream.write(json.dumps(line).encode() + b"\n")
        self.stream.flush()
