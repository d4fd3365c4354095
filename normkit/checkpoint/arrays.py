"""Checkpoints that NumPy wrote: .npz archives and single .npy files. Nothing is unpickled."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from normkit.checkpoint.contents import Array, Checkpoint, Entry
from normkit.errors import FileError
from normkit.formats import BROKEN

MEMBER = ".npy"


def open_npz(path: str) -> Checkpoint:
    """Return the arrays of an archive, unread.

    Raises
    ------
    FileError
        If it is no whole archive of arrays, or two have one name.
    """
    with _broken(path), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        for member in members:
            if not member.endswith(MEMBER):
                raise FileError(f"{path} holds {member!r}, which is no array; an .npz holds .npy members only")
            if members.count(member) > 1:
                raise FileError(
                    f"{path} names {member.removesuffix(MEMBER)!r} twice; every array has a name of its own"
                )
        entries = {}
        for member in members:
            name = member.removesuffix(MEMBER)
            with archive.open(member) as stream:
                entries[name] = _entry(stream, name, Path(path))
    return Checkpoint(path, "npz", entries, _read_member)


def open_npy(path: str) -> Checkpoint:
    """Return the one array of a file, unread; its name is the stem of the file."""
    with _broken(path), open(path, "rb") as stream:
        entry = _entry(stream, Path(path).stem, Path(path))
        if os.fstat(stream.fileno()).st_size != stream.tell() + entry.size:
            raise ValueError(f"{entry.size} bytes of entries expected")
    return Checkpoint(path, "npy", {entry.name: entry}, _read_file)


def _entry(stream: Any, name: str, path: Path) -> Entry:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject or dtype.kind not in "fiubc":
        raise FileError(f"{path}: the array {name!r} holds {dtype}, which is no number; nothing is unpickled")
    return Entry(name, shape, dtype.newbyteorder("=").name, dtype.itemsize * prod(shape), path)


def _read_member(entry: Entry) -> Array:
    with _broken(str(entry.file)), zipfile.ZipFile(entry.file) as archive, archive.open(entry.name + MEMBER) as stream:
        return _array(stream)


def _read_file(entry: Entry) -> Array:
    with _broken(str(entry.file)), open(entry.file, "rb") as stream:
        return _array(stream)


def _array(stream: Any) -> Array:
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def write_npy(stream: BinaryIO, array: Array) -> None:
    """Write an array behind NumPy's header."""
    np.lib.format.write_array(stream, array, allow_pickle=False)


@contextmanager
def _broken(path: str) -> Iterator[None]:
    """Make one error of all that NumPy and zipfile raise for what is not whole."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except (*BROKEN, zipfile.BadZipFile) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{path} is not a whole file of arrays ({why[:120]}); write it again") from error
