"""Opening a checkpoint: its name tells the format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from normkit.checkpoint.arrays import open_npy, open_npz
from normkit.checkpoint.contents import Checkpoint
from normkit.checkpoint.pickled import open_torch
from normkit.checkpoint.safetensors import open_safetensors
from normkit.checkpoint.sharded import SUFFIX, open_sharded
from normkit.errors import FileError

OPEN: dict[str, Callable[[str], Checkpoint]] = {
    ".safetensors": open_safetensors,
    SUFFIX: open_sharded,
    ".npz": open_npz,
    ".npy": open_npy,
    ".pt": open_torch,
    ".pth": open_torch,
}


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Return the arrays of a file, unread: of .safetensors, its .index.json, .npz, .npy, or .pt and .pth by torch.

    Parameters
    ----------
    path : str or Path
        A file whose name ends in one of these.

    Returns
    -------
    Checkpoint
        A mapping of names to arrays. Only names, shapes and dtypes have been read, and checked against the file.

    Raises
    ------
    FileError
        If the file cannot be read, is not whole, holds no arrays or one name twice, or is of another format.
    MissingExtra
        If its format needs a package that is not installed.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from normkit.checkpoint import open_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/w.npz", a=np.ones((2, 3)), b=np.zeros(3))
    ...     weights = open_checkpoint(f"{folder}/w.npz")
    ...     weights.shapes, weights["a"].sum()
    ({'a': (2, 3), 'b': (3,)}, np.float64(6.0))
    """
    text = str(path)
    suffix = next((suffix for suffix in OPEN if text.lower().endswith(suffix)), None)
    if suffix is None:
        raise FileError(f"cannot tell the format of {text!r}; a checkpoint ends in one of {', '.join(OPEN)}")
    made = OPEN[suffix](text)
    if not made:
        raise FileError(f"{text} holds no arrays")
    return made
