"""Writing a checkpoint one array at a time: whole or not at all, and .safetensors so that a later run can go on."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from normkit.checkpoint.arrays import MEMBER, write_npy
from normkit.checkpoint.contents import Array, Checkpoint, Entry
from normkit.checkpoint.journal import Journal
from normkit.checkpoint.places import take_places
from normkit.checkpoint.safetensors import BITS, CODES
from normkit.checkpoint.sharded import SUFFIX
from normkit.checkpoint.tensors import Part, TensorWriter
from normkit.checkpoint.writer import Writer
from normkit.errors import FileError
from normkit.files import target

NUMPY = (".npz", ".npy")
"""Formats that are written from their first byte to the last."""


@contextmanager
def writing(
    path: str,
    like: Checkpoint,
    key: str = "",
    *,
    force: bool = False,
    beside: Mapping[str, Checkpoint] | None = None,
    passing: Iterable[Entry] = (),
) -> Iterator[Writer]:
    """Yield a writer for arrays of the names, shapes and dtypes of a checkpoint; the file is there when the block ends.

    The format is that of the path: .safetensors, .safetensors.index.json (with the files of a sharded `like`), .npz or
    .npy. If the block raises an `Exception`, nothing is left. If it is interrupted (or the process killed), a
    .safetensors output stays as hidden ``.part`` files with a journal, and a later call with the same key has the
    arrays that are complete in `Writer.done`. If it is killed while several files take their places, `places.finish`
    ends that: they are replaced all or none.

    Parameters
    ----------
    path : str
        Where the checkpoint goes.
    like : Checkpoint
        What it is like; its metadata is kept.
    key : str
        What the arrays are made from; see `digest`. Arrays of an earlier run with another key are forgotten.
    force : bool
        Whether files may be overwritten.
    beside : mapping of str to Checkpoint, optional
        .safetensors files that are written, or overwritten, together with it, and what they are like. The arrays of all
        files have different names.
    passing : iterable of Entry
        Arrays that are written and read again on the way, and then gone.

    Raises
    ------
    FileError
        If there is no such place, or its format cannot hold the arrays; before anything is written.
    """
    suffix = next((end for end in (SUFFIX, ".safetensors", ".npz", ".npy") if path.lower().endswith(end)), None)
    _check(path, suffix, like)
    place = target(path, force=force)
    parts = _beside(place, beside or {}) + _passing(place, passing)
    if suffix not in NUMPY:
        parts += (
            _shards(place, like, force) if suffix == SUFFIX else [Part(place, like.entries.values(), like.metadata)]
        )
    else:
        key = os.urandom(16).hex()  # an archive cannot be gone on with
    names = [name for part in parts for name in part.entries] + [*like.entries] * (suffix in NUMPY)
    if len(set(names)) < len(names):
        raise FileError("two files that are written together have an array of the same name; rename one of them")
    try:
        with Journal(place.parent / f".{place.name}.part.journal", key) as journal:
            tensors = TensorWriter(parts, journal)
            try:
                with _numpy_writer(place, tensors, like) if suffix in NUMPY else nullcontext(tensors) as writer:
                    yield writer
                    writer.finish()
            except Exception:
                tensors.remove()
                raise
            moves = [*tensors.moves, *_last(place, suffix, like)]
            take_places(place, moves, tensors.passing, writer.note)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {path}: {error.strerror or error}; nothing was changed") from error


def _beside(place: Path, beside: Mapping[str, Checkpoint]) -> list[Part]:
    """Return the files that are written together with a place, under names that other outputs do not share."""
    mark = f".{crc32(str(place).encode()):08x}"
    return [
        Part(target(path, force=True), like.entries.values(), like.metadata, mark=mark) for path, like in beside.items()
    ]


def _passing(place: Path, entries: Iterable[Entry]) -> list[Part]:
    entries = list(entries)
    return [Part(place, entries, {}, mark=".passing", passing=True)] if entries else []


def _last(place: Path, suffix: str | None, like: Checkpoint) -> list[tuple[Path, Path]]:
    """Return what takes its place after all tensors: an archive, or the index that says that they are there."""
    part = place.parent / f".{place.name}.part"
    if suffix == SUFFIX:
        part.write_bytes(_index(like))
    return [(part, place)] if suffix in (SUFFIX, *NUMPY) else []


def _check(path: str, suffix: str | None, like: Checkpoint) -> None:
    if suffix is None:
        kinds = ".safetensors, .safetensors.index.json, .npz or .npy"
        raise FileError(f"cannot write {path!r}; end it in {kinds} (torch formats are read, not written)")
    if suffix == SUFFIX and like.shards is None:
        raise FileError(f"cannot write {path}: the input is one file, so write one .safetensors file")
    if suffix == ".npy" and len(like) > 1:
        raise FileError(f"a .npy file holds one array, the input has {len(like)}; write .npz or .safetensors")
    numpy = suffix in NUMPY
    for entry in like.entries.values():
        if numpy and (entry.raw or entry.dtype == "bfloat16"):
            raise FileError(f"a {suffix} file cannot hold {entry.dtype} ({entry.name}); write .safetensors")
        if not numpy and CODES.get(entry.dtype, entry.dtype) not in BITS:
            raise FileError(f"a .safetensors file cannot hold {entry.dtype} ({entry.name}); write .npz")


def _shards(place: Path, like: Checkpoint, force: bool) -> list[Part]:
    """Return the files of a sharded checkpoint, beside its index; none of them may be a file of the input."""
    assert like.shards is not None
    own = {file.resolve() for file in like.files}
    made = []
    for shard in dict.fromkeys(like.shards.values()):
        spot = target(str(place.parent / shard), force=force)
        if spot.resolve() in own:
            raise FileError(
                f"cannot write {spot}: it is a file of the input, and several files cannot be replaced in one step; "
                "write to another folder"
            )
        entries = [entry for name, entry in like.entries.items() if like.shards[name] == shard]
        made.append(Part(spot, entries, like.metadata))
    return made


def _index(like: Checkpoint) -> bytes:
    return json.dumps({"metadata": dict(like.index_metadata), "weight_map": dict(like.shards or {})}, indent=2).encode()


class _NumpyWriter(Writer):
    """Writes an archive, or one array, and passes on to a file of tensors what belongs there."""

    def __init__(
        self, entries: Mapping[str, Entry], stream: BinaryIO, archive: zipfile.ZipFile | None, tensors: TensorWriter
    ) -> None:
        super().__init__({**tensors.entries, **entries})
        self.stream, self.archive, self.tensors = stream, archive, tensors

    def read(self, name: str) -> Array:
        return self.tensors.read(name)

    def _put(self, entry: Entry, array: Array, note: Any) -> None:
        if entry.name in self.tensors.entries:
            self.tensors.write(entry.name, array, note)
        elif self.archive is None:
            write_npy(self.stream, array)
        else:
            with self.archive.open(entry.name + MEMBER, "w", force_zip64=True) as member:
                write_npy(member, array)  # type: ignore[arg-type]


@contextmanager
def _numpy_writer(place: Path, tensors: TensorWriter, like: Checkpoint) -> Iterator[Writer]:
    part = place.parent / f".{place.name}.part"
    try:
        with open(part, "wb") as stream:
            if place.suffix.lower() == ".npy":
                yield _NumpyWriter(like.entries, stream, None, tensors)
                return
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                yield _NumpyWriter(like.entries, stream, archive, tensors)
    except BaseException:
        part.unlink(missing_ok=True)
        tensors.remove()
        raise
