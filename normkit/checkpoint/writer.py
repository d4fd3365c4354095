"""What takes the arrays of a checkpoint, and what tells one output from another."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from normkit.checkpoint.contents import Array, Checkpoint, Entry
from normkit.codegen.cache import stamp
from normkit.errors import DTypeError, FileError, ShapeError


def digest(checkpoints: Iterable[Checkpoint], options: Mapping[str, Any]) -> str:
    """Return what an output is made from, as a short text: the files (name, size, time), the options, and normkit."""
    files = [
        (str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns)
        for checkpoint in checkpoints
        for file in checkpoint.files
    ]
    said = json.dumps([files, options, stamp()], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


class Writer(ABC):
    """Takes the arrays of a checkpoint, in any order.

    Attributes
    ----------
    done : dict
        The arrays that are there already, with the notes that were written beside them.
    note : what JSON holds
        What `places.finish` gives a later run if this one is killed while its files take their places.
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries, self.done = dict(entries), dict[str, Any]()
        self.note: Any = None

    def write(self, name: str, array: Array, note: Any = None) -> None:
        """Write an array; `note` (what JSON holds) comes back as ``done[name]`` if a later run goes on.

        Raises
        ------
        ShapeError, DTypeError
            If it is not what was announced under that name.
        FileError
            If the disk takes no more.
        """
        entry = self.entries[name]
        if not entry.raw and array.dtype.name != entry.dtype:
            raise DTypeError(f"{name!r} was announced as {entry.dtype}; got {array.dtype.name}")
        if array.nbytes != entry.size or (array.shape != entry.shape and not entry.raw):
            raise ShapeError(f"{name!r} was announced with shape {entry.shape}; got {array.shape}")
        self._put(entry, array, note)
        self.done[name] = note

    @abstractmethod
    def _put(self, entry: Entry, array: Array, note: Any) -> None: ...

    @abstractmethod
    def read(self, name: str) -> Array:
        """Return an array that has been written to a file of tensors."""

    def finish(self) -> None:
        """Raise `FileError` unless all arrays are there."""
        missing = [name for name in self.entries if name not in self.done]
        if missing:
            raise FileError(f"{len(missing)} arrays have not been written, the first is {missing[0]!r}")
