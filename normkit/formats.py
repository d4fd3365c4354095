"""Array formats: bytes in, named arrays out, and back: .npy, .npz, .safetensors, and text (.csv, .txt).

Nothing is ever unpickled. A format is told by its first bytes, so that a stream needs no name.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from normkit.errors import FileError, MissingExtra
from normkit.textformat import read_text, text_of

Array = NDArray[Any]

FORMATS = ("npy", "npz", "csv", "txt", "safetensors")
SEVERAL = ("npz", "safetensors")
"""Formats that hold several arrays under names."""

BROKEN = (ValueError, EOFError, OSError, KeyError, RuntimeError, SyntaxError, TypeError, MemoryError, zlib.error)
"""What NumPy, zipfile and safetensors raise for truncated and foreign bytes."""


@dataclass(frozen=True)
class Contents:
    """Named arrays and how they were stored.

    `row` tells that a text held a vector in one line; `metadata` is what a .safetensors file says beside its arrays.
    """

    arrays: Mapping[str, Array]
    format: str
    row: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


def sniff(head: bytes) -> str:
    """Return the format that the first bytes of a file show; text if nothing else."""
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "npz"
    return "safetensors" if head[8:9] == b"{" and b"\0" in head[:8] else "txt"


def decode(stream: BinaryIO, format: str, where: str, name: str) -> Contents:
    """Read named arrays from a seekable stream; `where` names it in errors, `name` names a single array.

    Raises
    ------
    FileError
        If the bytes are not a whole file of that format, or hold pickled objects.
    MissingExtra
        If the format needs a package that is not installed.
    """
    try:
        if format == "npy":
            contents = Contents({name: _npy(stream)}, format)
        elif format == "npz":
            contents = Contents(_npz(stream), format)
        elif format == "safetensors":
            contents = _safetensors(stream.read())
        else:
            array, kind, row = read_text(stream.read())
            contents = Contents({name: array}, kind, row)
    except (FileError, MissingExtra):
        raise
    except (*BROKEN, zipfile.BadZipFile) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{where} is not a whole .{format} file of numbers ({why[:120]}); write it again") from error
    if not contents.arrays:
        raise FileError(f"{where} holds no arrays")
    return contents


def _npy(stream: BinaryIO) -> Array:
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _npz(stream: BinaryIO) -> dict[str, Array]:
    with zipfile.ZipFile(stream) as archive:
        arrays = {}
        for member in archive.namelist():
            if not member.endswith(".npy"):
                raise FileError(f"the archive holds {member!r}, which is no array; an .npz holds .npy members only")
            with archive.open(member) as file:
                arrays[member.removesuffix(".npy")] = _npy(file)  # type: ignore[arg-type]
        return arrays


# --- safetensors ------------------------------------------------------------------------------------------------

TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
OTHER = {"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool"}


def _safetensors(data: bytes) -> Contents:
    deserialize = _package("safetensors").deserialize
    try:
        parts = deserialize(data)
    except Exception as error:
        # The library's own error class derives from Exception alone.
        raise ValueError(str(error)) from error
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    arrays = {
        name: np.frombuffer(part["data"], stored_dtype(part["dtype"])).reshape(part["shape"]) for name, part in parts
    }
    return Contents(arrays, "safetensors", metadata=header.get("__metadata__", {}))


def stored_dtype(code: str) -> np.dtype[Any]:
    """Return the dtype of a tensor's code; `MissingExtra` for bfloat16 without ml_dtypes."""
    name = {**TYPES, **OTHER}.get(code)
    if name is None:
        raise FileError(f"a tensor of type {code} has no place here; store float16, bfloat16, float32 or float64")
    if name != "bfloat16":
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError as error:
        raise MissingExtra("bfloat16 tensors need ml_dtypes: pip install ml_dtypes") from error
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def _package(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(".safetensors files need an extra: pip install 'normkit[safetensors]'") from error


# --- writing ----------------------------------------------------------------------------------------------------


def check_storable(arrays: Iterable[tuple[str, Array]], format: str) -> None:
    """Raise `FileError` if the arrays do not fit a format."""
    arrays = list(arrays)
    if len(arrays) > 1 and format not in SEVERAL:
        raise FileError(f"a .{format} file holds one array, the input has {len(arrays)}; write .npz or .safetensors")
    for name, array in arrays:
        if format in ("csv", "txt") and array.ndim not in (1, 2):
            raise FileError(f"a .{format} file holds a vector or a matrix; {name} has shape {array.shape}: write .npy")
        if format in ("npy", "npz") and array.dtype.name == "bfloat16":
            raise FileError(f"a .{format} file cannot hold bfloat16 ({name}); write .safetensors")


def encode(stream: BinaryIO, contents: Contents) -> None:
    """Write arrays in their format; reading them back gives the same bits (text: the same float64 values)."""
    if contents.format == "npz":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, array in contents.arrays.items():
                with archive.open(name + ".npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
    elif contents.format == "safetensors":
        save = _package("safetensors.numpy").save
        whole = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in contents.arrays.items()}
        stream.write(save(whole, dict(contents.metadata) or None))
    else:
        (array,) = contents.arrays.values()
        if contents.format == "npy":
            np.lib.format.write_array(stream, array, allow_pickle=False)
        else:
            stream.write(text_of(array, "," if contents.format == "csv" else " ", contents.row).encode())
