"""A run in a folder: NAME.json and NAME-FIGURE.png, .svg; each whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from normkit.errors import FileError
from normkit.files import replacing
from normkit.studies.kit.ink import canvas
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Study

KINDS = (".png", ".svg")


def folder(path: str) -> Path:
    """Return a folder to write to, made where it is missing.

    Raises
    ------
    FileError
        If it cannot be made, or is a file.
    """
    place = Path(path)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot write to the folder {path}: {error.strerror or error}") from error
    return place


def journal(place: Path, study: Study, form: str) -> Path:
    """Return where the finished cells of a run are kept until it is complete."""
    return place / f".{study.name}.{form}.cells"


def write(place: Path, study: Study, outcome: Outcome, document: dict[str, Any]) -> list[Path]:
    """Write a run and its pictures, and return their paths."""
    made = [place / f"{study.name}.json"]
    with replacing(made[0]) as stream:
        stream.write((json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
    for figure in outcome.figures:
        drawn = canvas(figure)
        for kind in KINDS:
            made.append(place / f"{study.name}-{figure.id}{kind}")
            # Without a date, so that the same run gives the same file.
            facts: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".png": {"Software": None}}
            with replacing(made[-1]) as stream:
                drawn.savefig(stream, format=kind[1:], dpi=130, metadata=facts[kind])
    return made
