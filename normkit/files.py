"""Files and streams of arrays: read whole or not at all, written whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from normkit.errors import FileError
from normkit.formats import FORMATS, Contents, check_storable, decode, encode, sniff

STREAM = "-"
KINDS = ", ".join(f".{name}" for name in FORMATS)


def read(path: str) -> Contents:
    """Return the named arrays of a file, or of standard input for ``-``.

    The suffix tells the format; a stream and a file with another suffix are told by their first bytes. A single array
    takes the file's stem as its name.

    Raises
    ------
    FileError
        If the file cannot be read or is not whole.
    MissingExtra
        If its format needs a package that is not installed.
    """
    if path == STREAM:
        data = sys.stdin.buffer.read()
        return decode(BytesIO(data), sniff(data[:16]), "the standard input", "array")
    try:
        with open(path, "rb") as stream:
            format = _suffix(path)
            if format is None:
                format = sniff(stream.read(16))
                stream.seek(0)
            return decode(stream, format, path, Path(path).stem)
    except FileError as error:
        raise FileError(str(error) if path in str(error) else f"{path}: {error}") from error
    except OSError as error:
        raise FileError(
            f"cannot read {path}: {error.strerror or error}; expected a {KINDS} file, or - for a stream"
        ) from error


def _suffix(path: str | Path) -> str | None:
    suffix = Path(path).suffix.lower().removeprefix(".")
    return suffix if suffix in FORMATS else None


@dataclass(frozen=True)
class Output:
    """A place that was found fit to take arrays; `path` is None for standard output."""

    path: Path | None
    like: Contents

    def write(self, contents: Contents) -> None:
        """Write the arrays, whole or not at all."""
        contents = replace(contents, format=self.like.format, row=self.like.row, metadata=self.like.metadata)
        if self.path is None:
            encode(sys.stdout.buffer, contents)
            sys.stdout.buffer.flush()
        else:
            with replacing(self.path) as stream:
                encode(stream, contents)


def output(path: str, contents: Contents, *, force: bool = False) -> Output:
    """Return where arrays like the given ones go, checked before anything is computed.

    Raises
    ------
    FileError
        If the folder is missing or not writable, the file exists and `force` is off, or its format cannot hold them.
    """
    if path == STREAM:
        check_storable(contents.arrays.items(), contents.format)
        if sys.stdout.isatty() and contents.format not in ("csv", "txt"):
            raise FileError(f"standard output is a terminal and .{contents.format} is binary; give -o FILE or a pipe")
        return Output(None, contents)
    format = _suffix(path)
    if format is None:
        raise FileError(f"cannot tell the format of {path!r}; end it in one of {KINDS}")
    check_storable(contents.arrays.items(), format)
    return Output(target(path, force=force), replace(contents, format=format))


def target(path: str, *, force: bool = False) -> Path:
    """Return the file that a path names (through links), if it may be written.

    Raises
    ------
    FileError
        If its folder is missing or not writable, or the file exists and `force` is off.
    """
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise FileError(f"cannot write {path}: it is a folder; give a file name")
    if not place.parent.is_dir():
        raise FileError(f"cannot write {path}: the folder {place.parent} does not exist; make it first")
    if place.exists() and not place.is_file():
        raise FileError(f"cannot write {path}: it is not a plain file; for a pipe use -o -")
    if place.exists() and not force:
        raise FileError(f"{path} exists; give another name, or --force to overwrite it")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise FileError(f"cannot write {path}: the folder {place.parent} is not writable")
    return place


@contextmanager
def replacing(place: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of another when the block ends, and is gone if the block fails.

    It lies in the same folder, so that taking the place is one step of the file system.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            yield stream
        os.chmod(temporary, mode(place))
        os.replace(temporary, place)
        temporary = None
    except OSError as error:
        raise FileError(f"cannot write {place}: {error.strerror or error}; nothing was changed") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def mode(place: Path) -> int:
    """Return the permissions of a file that exists, or those that a new file gets."""
    if place.exists():
        return place.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
