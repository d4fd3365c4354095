"""Checkpoints in several .safetensors files, with an index that says which array lies where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from normkit.checkpoint.contents import Checkpoint, strict_json
from normkit.checkpoint.safetensors import header, read
from normkit.errors import FileError

SUFFIX = ".index.json"
EXPECTED = 'expected {"metadata": {...}, "weight_map": {name: file}}'


def open_sharded(path: str) -> Checkpoint:
    """Return the arrays of all files that an index names, unread, in the order of the index.

    Raises
    ------
    FileError
        If the index, or a file, is not whole, or they do not agree on which array lies where.
    """
    index = _index(path)
    shards = index["weight_map"]
    folder = Path(path).parent
    found = {file: header(folder / file) for file in dict.fromkeys(shards.values())}
    for file, (entries, _) in found.items():
        said = {name for name, where in shards.items() if where == file}
        if said != entries.keys():
            missing, extra = sorted(said - entries.keys()), sorted(entries.keys() - said)
            what = f"lacks {missing[0]!r}, which" if missing else f"holds {extra[0]!r}, which"
            how = "names for it" if missing else "does not name for it"
            raise FileError(f"{folder / file} {what} {path} {how}; write the checkpoint again")
    metadata: dict[str, str] = {}
    for _, held in found.values():
        metadata.update(held)
    entries = {name: found[file][0][name] for name, file in shards.items()}
    return Checkpoint(path, "safetensors", entries, read, metadata, shards, index.get("metadata", {}))


def _index(path: str) -> dict[str, Any]:
    try:
        index: dict[str, Any] = strict_json(Path(path).read_bytes())
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FileError(f"{path} is no index of a checkpoint: {error}; {EXPECTED}") from error
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not (isinstance(shards, dict) and isinstance(index.get("metadata", {}), Mapping)):
        raise FileError(f"{path} is no index of a checkpoint; {EXPECTED}")
    for name, file in shards.items():
        # A name with a folder in it could lead anywhere, and so could what is written under it.
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
            raise FileError(f"{path}: the file of {name!r} is a .safetensors file beside the index; got {file!r}")
    return index
