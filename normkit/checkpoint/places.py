"""Files that take their places together: a record of what is to be done outlives a crash in between."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from normkit.errors import FileError
from normkit.files import mode, replacing

Moves = Iterable[tuple[Path, Path]]
"""Finished files, each with the place that it is to take."""


def take_places(place: Path, moves: Moves, clear: Iterable[Path] = (), note: Any = None) -> None:
    """Let files take their places, in their order, and remove those to `clear`.

    `place` is the main one of the places: under its name lies the record. `note` (what JSON holds) is for a run that
    finds this one killed on the way.
    """
    record = _record(place)
    said = {"moves": [[str(part), str(to)] for part, to in moves], "clear": [*map(str, clear)], "note": note}
    with replacing(record) as stream:
        stream.write(json.dumps(said).encode())
    _carry_out(record)


def finish(place: Path) -> Any:
    """Carry out what a run that was killed had begun; return its note, or None if there was nothing.

    Raises
    ------
    FileError
        If a file can still not take its place.
    """
    record = _record(place)
    return _carry_out(record) if record.exists() else None


def _record(place: Path) -> Path:
    return place.parent / f".{place.name}.part.places"


def _carry_out(record: Path) -> Any:
    try:
        said = json.loads(record.read_bytes())
        for part, place in said["moves"]:
            # A file that is gone has taken its place before the crash.
            with contextlib.suppress(FileNotFoundError):
                os.chmod(part, mode(Path(place)))
                os.replace(part, place)
        for path in said["clear"]:
            Path(path).unlink(missing_ok=True)
        record.unlink()
    except OSError as error:
        raise FileError(
            f"cannot put {error.filename2 or error.filename or record} in place: {error.strerror or error}; the files "
            "are whole: clear the way and run the command again"
        ) from error
    return said["note"]
