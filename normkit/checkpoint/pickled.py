"""Checkpoints that torch wrote, read by torch alone, with ``weights_only``: nothing in them is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from normkit.checkpoint.contents import Array, Checkpoint, Entry
from normkit.errors import FileError, MissingExtra, ParameterError
from normkit.foreign import from_foreign
from normkit.memory import same_arrays
from normkit.names import flat

HINT = "save the state dict alone: torch.save(model.state_dict(), path)"


def open_torch(path: str) -> Checkpoint:
    """Return the tensors of a state dict, mapped into memory, not read; nested dicts are joined by ``/``.

    Raises
    ------
    FileError
        If it is no state dict, or not one that ``weights_only`` loads.
    MissingExtra
        Without torch.
    """
    if not Path(path).exists():
        raise FileError(f"cannot read {path}: there is no such file")
    try:
        import torch
    except ImportError as error:
        raise MissingExtra(f"{path} needs torch: pip install 'normkit[torch]'") from error
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:
        # torch raises RuntimeError, UnpicklingError, EOFError, ... for foreign, old and dangerous files
        raise FileError(f"torch does not load {path} with weights_only and mmap ({_short(error)}); {HINT}") from error
    try:
        tensors = dict(flat(held, path))
    except ParameterError as error:
        raise FileError(f"{error}; {HINT}") from error
    strange = [name for name, tensor in tensors.items() if not isinstance(tensor, torch.Tensor)]
    if strange:
        kind = type(tensors[strange[0]]).__name__
        raise FileError(f"{path} holds {strange[0]!r}, a {kind}, which is no tensor; {HINT}")
    entries = {name: _entry(name, tensor, Path(path)) for name, tensor in tensors.items()}

    def read(entry: Entry) -> Array:
        tensor = tensors[entry.name].detach()
        return np.array(from_foreign(tensor, f"the tensor {entry.name!r} of {path}"))

    return Checkpoint(path, "torch", entries, read, aliases=same_arrays(tensors))


def _entry(name: str, tensor: Any, path: Path) -> Entry:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Entry(name, tuple(tensor.shape), dtype, tensor.numel() * tensor.element_size(), path)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
