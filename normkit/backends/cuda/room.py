"""Device memory, or an error that says how much of it is missing."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from normkit.backends.cuda.compat import cuda
from normkit.errors import BackendError


def room(shape: int | tuple[int, ...], dtype: Any, give_back: Callable[[], None] = lambda: None) -> Any:
    """Return a device array of arbitrary entries; `give_back` frees what can be spared, where there is too little.

    Raises
    ------
    BackendError
        If there is too little memory all the same, with how much is needed.
    """
    try:
        return cuda.device_array(shape, dtype)
    except Exception as error:
        if not _lacks_memory(error):
            raise
    give_back()
    try:
        return cuda.device_array(shape, dtype)
    except Exception as error:
        if not _lacks_memory(error):
            raise
        needed = prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
        free, total = cuda.current_context().get_memory_info()
        raise BackendError(
            f"{needed} bytes of device memory more are needed, where {free} of {total} are free: split the batch, or "
            "free memory"
        ) from error


def _lacks_memory(error: Exception) -> bool:
    """Tell whether an error of the driver, whose classes differ from version to version, is about memory."""
    return "OUT_OF_MEMORY" in str(error).upper()
