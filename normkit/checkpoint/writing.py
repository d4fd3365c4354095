"""Writing a checkpoint one array at a time: whole or not at all, and .safetensors so that a later run can go on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from normkit.checkpoint.arrays import MEMBER, write_npy
from normkit.checkpoint.contents import Array, Checkpoint, Entry
from normkit.checkpoint.journal import Journal
from normkit.checkpoint.safetensors import BITS, CODES
from normkit.checkpoint.sharded import SUFFIX
from normkit.checkpoint.tensors import Part, TensorWriter
from normkit.checkpoint.writer import Writer
from normkit.errors import FileError
from normkit.files import replacing, target


@contextmanager
def writing(path: str, like: Checkpoint, key: str = "", *, force: bool = False) -> Iterator[Writer]:
    """Yield a writer for arrays of the names, shapes and dtypes of a checkpoint; the file is there when the block ends.

    The format is that of the path: .safetensors, .safetensors.index.json (with the files of a sharded `like`), .npz or
    .npy. If the block raises an `Exception`, nothing is left. If it is interrupted (or the process killed), a
    .safetensors output stays as hidden ``.part`` files with a journal, and a later call with the same key has the
    arrays that are complete in `Writer.done`.

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

    Raises
    ------
    FileError
        If there is no such place, or its format cannot hold the arrays; before anything is written.
    """
    suffix = next((end for end in (SUFFIX, ".safetensors", ".npz", ".npy") if path.lower().endswith(end)), None)
    _check(path, suffix, like)
    place = target(path, force=force)
    if suffix in (".npz", ".npy"):
        with replacing(place) as stream, _numpy_writer(stream, suffix, like.entries) as writer:
            yield writer
            writer.finish()
        return
    parts = _parts(place, like, force) if suffix == SUFFIX else [Part(place, like.entries.values(), like.metadata)]
    try:
        with Journal(place.parent / f".{place.name}.part.journal", key) as journal:
            tensors = TensorWriter(parts, journal)
            try:
                yield tensors
                tensors.finish()
                tensors.commit(place if suffix == SUFFIX else None, _index(like))
            except Exception:
                tensors.remove()
                raise
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {path}: {error.strerror or error}; nothing was changed") from error


def _check(path: str, suffix: str | None, like: Checkpoint) -> None:
    if suffix is None:
        kinds = ".safetensors, .safetensors.index.json, .npz or .npy"
        raise FileError(f"cannot write {path!r}; end it in {kinds} (torch formats are read, not written)")
    if suffix == SUFFIX and like.shards is None:
        raise FileError(f"cannot write {path}: the input is one file, so write one .safetensors file")
    if suffix == ".npy" and len(like) > 1:
        raise FileError(f"a .npy file holds one array, the input has {len(like)}; write .npz or .safetensors")
    numpy = suffix in (".npz", ".npy")
    for entry in like.entries.values():
        if numpy and (entry.raw or entry.dtype == "bfloat16"):
            raise FileError(f"a {suffix} file cannot hold {entry.dtype} ({entry.name}); write .safetensors")
        if not numpy and CODES.get(entry.dtype, entry.dtype) not in BITS:
            raise FileError(f"a .safetensors file cannot hold {entry.dtype} ({entry.name}); write .npz")


def _parts(place: Path, like: Checkpoint, force: bool) -> list[Part]:
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
    def __init__(self, entries: Mapping[str, Entry], stream: BinaryIO, archive: zipfile.ZipFile | None) -> None:
        super().__init__(entries)
        self.stream, self.archive = stream, archive

    def _put(self, entry: Entry, array: Array, note: Any) -> None:
        if self.archive is None:
            write_npy(self.stream, array)
        else:
            with self.archive.open(entry.name + MEMBER, "w", force_zip64=True) as member:
                write_npy(member, array)  # type: ignore[arg-type]


@contextmanager
def _numpy_writer(stream: BinaryIO, suffix: str | None, entries: Mapping[str, Entry]) -> Iterator[Writer]:
    if suffix == ".npy":
        yield _NumpyWriter(entries, stream, None)
        return
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        yield _NumpyWriter(entries, stream, archive)
