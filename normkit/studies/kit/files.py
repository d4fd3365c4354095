"""A run in a folder: NAME.json and NAME-FIGURE.png, .svg; each whole or not at all, the pictures first."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from normkit.errors import FileError
from normkit.files import replacing
from normkit.studies.kit.ink import picture
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Study

KINDS = ("png", "svg")


def folder(path: str) -> Path:
    """Return a folder to write to, made where it is missing; found fit before anything is computed.

    Raises
    ------
    FileError
        If it cannot be made or written to, or is a file.
    """
    if not path:
        raise FileError("an empty folder name; give a folder, or . for this one")
    place = Path(path)
    if place.exists() and not place.is_dir():
        raise FileError(f"cannot write to the folder {path}: it is a file; give a folder")
    try:
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise FileError(f"cannot write to the folder {path}: {error.strerror or error}") from error
    return place


def journal(place: Path, study: Study, form: str) -> Path:
    """Return where the finished cells of a run are kept until it is complete."""
    return place / f".{study.name}.{form}.cells"


def text(document: dict[str, Any]) -> str:
    """Return the text of a document: strict JSON, without NaN."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(place: Path, study: Study, outcome: Outcome, document: dict[str, Any]) -> list[Path]:
    """Write a run and its pictures, and return their paths.

    Everything is drawn before the first byte is written; NAME.json comes last, so that where it is new all is.

    Raises
    ------
    FileError
        If a file cannot be written.
    """
    made: dict[Path, bytes] = {}
    for figure in outcome.figures:
        for kind in KINDS:
            stream = BytesIO()
            picture(figure, stream, kind)
            made[place / f"{study.name}-{figure.id}.{kind}"] = stream.getvalue()
    made[place / f"{study.name}.json"] = text(document).encode()
    for path, data in made.items():
        with replacing(path) as file:
            file.write(data)
    return list(made)
