"""What a checkpoint holds: the names, shapes and dtypes of its arrays, and how each is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.formats import stored_dtype

Array = NDArray[Any]


@dataclass(frozen=True)
class Entry:
    """An array of a checkpoint that has not been read.

    Attributes
    ----------
    name, shape
        Of the array.
    dtype : str
        NumPy's name of its dtype, or, where NumPy has none, that of the format, such as ``F8_E4M3``: the array is then
        read and written as its bytes.
    size : int
        In bytes.
    file : Path
        Where it lies.
    start : int
        Its first byte in the file, in formats whose arrays lie there as they are.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    file: Path
    start: int = 0

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Entry:
        """Return what is known of an array that is nowhere yet."""
        return cls(name, shape, dtype.name, dtype.itemsize * prod(shape), Path())

    @property
    def raw(self) -> bool:
        """Whether NumPy has no such dtype."""
        return self.dtype[:1].isupper()

    @property
    def like(self) -> Array:
        """Zeros of its shape and dtype (bytes, if it is `raw`) that take no memory: what can be known of it unread.

        Raises
        ------
        MissingExtra
            For bfloat16 without ml_dtypes.
        """
        dtype = stored_dtype("BF16") if self.dtype == "bfloat16" else np.dtype(np.uint8 if self.raw else self.dtype)
        return np.broadcast_to(np.zeros((), dtype), self.shape)


@dataclass(frozen=True)
class Checkpoint(Mapping[str, Array]):
    """A mapping of names to arrays, each of which is read when it is asked for, and never kept.

    Attributes
    ----------
    path : str
        As it was given.
    format : str
        ``safetensors``, ``npz``, ``npy`` or ``torch``.
    entries : mapping of str to Entry
        What is known of every array, in their order in the file.
    metadata : mapping of str to str
        What a .safetensors file says beside its arrays (of a sharded one, what all its files say).
    shards : mapping of str to str, or None
        The file of every array, of a sharded checkpoint.
    index_metadata : mapping
        What the index of a sharded checkpoint says beside that.
    aliases : mapping of str to str
        Names of arrays that are other names of an array with an earlier name.
    """

    path: str
    format: str
    entries: Mapping[str, Entry]
    read: Callable[[Entry], Array] = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)
    shards: Mapping[str, str] | None = None
    index_metadata: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        return self.read(self.entries[name])

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array, by name."""
        return {name: entry.shape for name, entry in self.entries.items()}

    @property
    def counts(self) -> frozenset[str]:
        """The names of the arrays of integers or truth values: counters and masks, which no update moves."""
        return frozenset(
            name for name, entry in self.entries.items() if not entry.raw and entry.like.dtype.kind in "iub"
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it lies in, each once; the index of a sharded one first."""
        return tuple(dict.fromkeys((Path(self.path), *(entry.file for entry in self.entries.values()))))


def bytes_of(array: Array) -> memoryview:
    """Return the bytes of an array as they are stored: row by row, the lowest first; without a copy where possible."""
    whole = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return whole.reshape(-1).view(np.uint8).data


def strict_json(text: bytes) -> Any:
    """Return what JSON says; `ValueError` for what is no JSON, or names something twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, held in pairs:
            if name in found:
                raise ValueError(f"it names {name!r} twice")
            found[name] = held
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
