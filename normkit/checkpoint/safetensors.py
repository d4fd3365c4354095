"""The header of a .safetensors file, read and checked without reading the arrays, and made before they are there.

Eight bytes with the length of the header, the header in JSON (name -> dtype, shape, first and last byte), the arrays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from normkit.checkpoint.contents import Array, Checkpoint, Entry, strict_json
from normkit.errors import FileError
from normkit.formats import OTHER, TYPES, stored_dtype

LONGEST = 100_000_000
"""Bytes that a header may have."""
ALIGN = 8
NAMES = {**TYPES, **OTHER, "U16": "uint16", "U32": "uint32", "U64": "uint64", "C64": "complex64"}
CODES = {name: code for code, name in NAMES.items()}
BITS = {code: 8 * np.dtype(name).itemsize for code, name in NAMES.items() if name != "bfloat16"}
BITS |= {"BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8}
BITS |= {"F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}


# --- reading --------------------------------------------------------------------------------------------------------


def open_safetensors(path: str) -> Checkpoint:
    """Return the arrays of a file, unread.

    Raises
    ------
    FileError
        If the header is not whole, or what it says does not cover the file exactly.
    """
    entries, metadata = header(Path(path))
    return Checkpoint(path, "safetensors", entries, read, metadata)


def header(path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return the entries of a file, in the order of their bytes, and its metadata."""
    try:
        whole = os.path.getsize(path)
        with open(path, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if whole < 8 or length > min(LONGEST, whole - 8):
                raise _broken(path, f"its header is said to have {length} bytes, the file has {whole}")
            text = stream.read(length)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    table = _table(path, text)
    metadata = table.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(held, str) for held in metadata.values())):
        raise _broken(path, "__metadata__ is no table of texts")
    entries = [_entry(path, name, said, 8 + length) for name, said in table.items()]
    entries.sort(key=lambda entry: (entry.start, entry.size))
    at = 8 + length
    for entry in entries:
        if entry.start != at:
            where = "overlaps another one" if entry.start < at else "leaves a hole before it"
            raise _broken(path, f"the array {entry.name!r} begins at byte {entry.start}, expected {at}: it {where}")
        at += entry.size
    if at != whole:
        raise _broken(path, f"its arrays end at byte {at}, the file at {whole}")
    return {entry.name: entry for entry in entries}, metadata


def _table(path: Path, text: bytes) -> dict[str, Any]:
    try:
        table = strict_json(text)
    except ValueError as error:
        raise _broken(path, f"its header is no JSON, {error}") from error
    if not isinstance(table, dict):
        raise _broken(path, "its header is no table")
    return table


def _entry(path: Path, name: str, said: Any, first: int) -> Entry:
    fields = said if isinstance(said, dict) else {}
    code: Any = fields.get("dtype")
    shape, offsets = _lengths(fields.get("shape")), _lengths(fields.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _broken(path, f"the array {name!r} is not described by a dtype, a shape and two offsets")
    if not isinstance(code, str) or code not in BITS:
        raise FileError(f"{path}: the array {name!r} has the unknown dtype {code!r}; known: {', '.join(BITS)}")
    size, wanted = offsets[1] - offsets[0], BITS[code] * prod(shape)
    if 8 * size != wanted:
        raise _broken(path, f"the array {name!r}, {code} {shape}, has {size} bytes, expected {wanted / 8:g}")
    return Entry(name, shape, NAMES.get(code, code), size, path, first + offsets[0])


def _lengths(found: Any) -> tuple[int, ...] | None:
    whole = isinstance(found, list) and all(type(each) is int and each >= 0 for each in found)
    return tuple(found) if whole else None


def _broken(path: Path, why: str) -> FileError:
    return FileError(f"{path} is not a whole .safetensors file: {why}; write it again")


def read(entry: Entry) -> Array:
    """Return an array, read into memory of its own; one of a dtype that NumPy has not as its bytes.

    Raises
    ------
    FileError
        If the file is gone, or has become shorter.
    MissingExtra
        For bfloat16 without ml_dtypes.
    """
    data = np.empty(entry.size, np.uint8)
    view, at = data.data, 0
    try:
        with open(entry.file, "rb", buffering=0) as stream:
            stream.seek(entry.start)
            while at < entry.size:
                got = stream.readinto(view[at:])
                if not got:
                    raise FileError(f"{entry.file} ends inside the array {entry.name!r}; has it been changed?")
                at += got
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read {entry.name!r} of {entry.file}: {error.strerror or error}") from error
    if entry.raw:
        return data
    dtype = stored_dtype(CODES[entry.dtype]) if CODES[entry.dtype] in TYPES else np.dtype(entry.dtype)
    array = data.view(dtype.newbyteorder("<")).reshape(entry.shape)
    return array if array.dtype.isnative else array.astype(dtype)


# --- writing --------------------------------------------------------------------------------------------------------


def layout(path: Path, entries: Iterable[Entry], metadata: Mapping[str, str]) -> tuple[bytes, dict[str, Entry]]:
    """Return the head of a file that is to hold arrays, and where each will lie; wide dtypes first, for alignment."""
    table: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    placed, at = [], 0
    for entry in sorted(entries, key=lambda entry: -BITS[CODES.get(entry.dtype, entry.dtype)]):
        code = CODES.get(entry.dtype, entry.dtype)
        table[entry.name] = {"dtype": code, "shape": list(entry.shape), "data_offsets": [at, at + entry.size]}
        placed.append(replace(entry, file=path, start=at))
        at += entry.size
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGN)
    head = len(text).to_bytes(8, "little") + text
    return head, {entry.name: replace(entry, start=len(head) + entry.start) for entry in placed}
