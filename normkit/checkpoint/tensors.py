"""Tensor files under way: hidden ``.part`` files whose head is there, which take arrays in any order, and again."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from normkit.checkpoint.contents import Array, Entry, bytes_of
from normkit.checkpoint.journal import Journal
from normkit.checkpoint.safetensors import layout, read
from normkit.checkpoint.writer import Writer


class Part:
    """A file of tensors under way: its head is there, and room for all arrays; `passing` if it has no place to take."""

    def __init__(
        self,
        place: Path,
        entries: Iterable[Entry],
        metadata: Mapping[str, str],
        *,
        mark: str = "",
        passing: bool = False,
    ) -> None:
        self.place, self.path, self.passing = place, place.parent / f".{place.name}{mark}.part", passing
        self.head, self.entries = layout(self.path, entries, metadata)
        self.size = len(self.head) + sum(entry.size for entry in self.entries.values())

    def is_whole(self) -> bool:
        """Tell whether the file of an earlier run is this one."""
        try:
            with open(self.path, "rb") as stream:
                return os.fstat(stream.fileno()).st_size == self.size and stream.read(len(self.head)) == self.head
        except OSError:
            return False

    def begin(self) -> None:
        """Write the head, and make room."""
        with open(self.path, "wb") as stream:
            stream.write(self.head)
            stream.truncate(self.size)


class TensorWriter(Writer):
    """Writes tensors to their places in one or several files, and each into the journal."""

    def __init__(self, parts: list[Part], journal: Journal) -> None:
        super().__init__({name: entry for part in parts for name, entry in part.entries.items()})
        self.parts, self.journal = parts, journal
        if journal.lines and all(part.is_whole() for part in parts):
            self.done = {
                name: line["note"] for name, line in journal.lines.items() if self._is_whole(name, line["crc"])
            }
        else:
            journal.begin()
            for part in parts:
                part.begin()

    def _is_whole(self, name: str, crc: int) -> bool:
        return name in self.entries and zlib.crc32(bytes_of(read(self.entries[name]))) == crc

    def _put(self, entry: Entry, array: Array, note: Any) -> None:
        data = bytes_of(array)
        with open(entry.file, "r+b", buffering=0) as stream:
            stream.seek(entry.start)
            at = 0
            while at < len(data):
                at += stream.write(data[at:])
        self.journal.add(entry.name, zlib.crc32(data), note)

    def read(self, name: str) -> Array:
        """Return an array that has been written."""
        return read(self.entries[name])

    @property
    def moves(self) -> list[tuple[Path, Path]]:
        """The files that take a place, and their places."""
        return [(part.path, part.place) for part in self.parts if not part.passing]

    @property
    def passing(self) -> list[Path]:
        """The files that are in nobody's way any more when the others have their places."""
        return [part.path for part in self.parts if part.passing] + [self.journal.path]

    def remove(self) -> None:
        """Leave nothing that is under way."""
        for path in [*(part.path for part in self.parts), self.journal.path]:
            path.unlink(missing_ok=True)
