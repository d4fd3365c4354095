"""Numbers as text: a vector or a matrix between commas (csv) or between spaces (txt), exact for float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.errors import FileError


def read_text(data: bytes) -> tuple[NDArray[np.float64], str, bool]:
    """Return the numbers of a text, its format (csv or txt), and whether they are a vector in one line.

    One line, or one number per line, is a vector; anything else a matrix. Empty lines and lines from # on are left out.

    Raises
    ------
    FileError
        For bytes that are no text, entries that are no numbers, rows of several lengths, or no numbers at all.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FileError("the input is neither .npy, .npz, .safetensors nor text") from error
    rows: list[list[float]] = []
    kind = "txt"
    for place, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        kind = "csv" if "," in text else kind
        rows.append([_number(entry, place) for entry in (text.split(",") if "," in text else text.split())])
        if len(rows[-1]) != len(rows[0]):
            have = f"line {place} has {len(rows[-1])} numbers, the first has {len(rows[0])}"
            raise FileError(f"{have}; a matrix needs rows of one length")
    if not rows:
        raise FileError("the input holds no numbers")
    array = np.array(rows, dtype=np.float64)
    vector = 1 in array.shape
    return array.reshape(-1) if vector else array, kind, vector and len(rows) == 1


def _number(entry: str, place: int) -> float:
    try:
        if "_" in entry or not entry.isascii():  # Python reads 1_000 and digits of all scripts
            raise ValueError(entry)
        return float(entry)
    except ValueError as error:
        what = f"line {place}: {entry.strip()[:40]!r} is not a number"
        raise FileError(f"{what}; a text holds numbers between commas or spaces") from error


def text_of(array: NDArray[Any], separator: str, row: bool) -> str:
    """Return a vector (in one line if `row`) or a matrix as lines of shortest decimals that read back exactly."""
    table = array.reshape(1, -1) if row and array.ndim == 1 else array.reshape(len(array), -1)
    rows = table.astype(np.float64).tolist()
    return "".join(separator.join(map(repr, entries)) + "\n" for entries in rows)
