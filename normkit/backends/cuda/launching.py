"""Kernels made into machine code and started through cuda.core, which raises the limit of shared memory.

Arrays go as the seven words that numba's compiler expects of one: no allocation, no typing at a launch. Streams are
handles, those of the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from normkit.backends.cuda.polar.ops import ITEMSIZE
from normkit.backends.cuda.polar.providers import Call
from normkit.backends.cuda.polar.providers.launches import THREADS, Array, Launch
from normkit.errors import BackendError, MissingExtra

DEFAULT_SHARED = 48 * 1024
"""Bytes of dynamic shared memory that need no leave."""


def core() -> Any:
    """Return cuda.core, under the name that its version has.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        import cuda.core as found

        if not hasattr(found, "launch"):
            import cuda.core.experimental as found
    except ImportError as error:
        raise MissingExtra("to launch kernels takes cuda-core: pip install 'normkit[cuda]'") from error
    return found


def driver(name: str, *arguments: Any) -> Any:
    """Call a function of the driver; return what it returns besides its status.

    Raises
    ------
    BackendError
        With the name of the status, unless it is success.
    """
    from cuda.bindings import driver as library

    status, *found = getattr(library, name)(*arguments)
    if int(status):
        raise BackendError(f"{name} failed: {status.name}")
    return found[0] if len(found) == 1 else tuple(found)


@lru_cache(256)
def stream(handle: int) -> Any:
    """Return a caller's stream as cuda.core takes it."""
    return core().Stream.from_handle(handle)


def started(kernel: Any, grid: tuple[int, ...], threads: int, shared: int, arguments: tuple[Any, ...]) -> Call:
    """Return a call that starts a kernel of cuda.core on a stream."""
    launch, config = core().launch, core().LaunchConfig(grid=grid, block=threads, shmem_size=shared)

    def call(handle: int) -> None:
        launch(stream(handle), config, kernel, *arguments)

    return call


def allow_shared(kernel: Any, nbytes: int, device: int) -> None:
    """Let a kernel have so many bytes of dynamic shared memory on a device."""
    if nbytes <= DEFAULT_SHARED:
        return
    from cuda.bindings import driver as library

    attribute = library.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    driver("cuKernelSetAttribute", attribute, nbytes, kernel.handle, device)


class ArrayLauncher:
    """Compiles kernels over arrays for a device, once for each signature."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self._capability = capability

    def prepare(self, launch: Launch) -> Call:
        """Return what starts a launch."""
        kernel = compiled(launch.kernel, tuple(_kind(each) for each in launch.arguments), self._capability)
        return started(kernel, (launch.blocks,), THREADS, 0, words(launch.arguments))


def words(arguments: tuple[Array | int | float, ...]) -> tuple[Any, ...]:
    """Return arguments as machine code takes them: of an array no owner, its length, entry size, address, stride.

    Examples
    --------
    >>> from normkit.backends.cuda.polar.providers.launches import Array
    >>> [int(word) for word in words((Array(4096, 5, "float32"),))]
    [0, 0, 5, 4, 4096, 5, 4]
    """
    found: list[Any] = []
    for each in arguments:
        if isinstance(each, Array):
            size = ITEMSIZE[each.dtype]
            found += [np.uint64(word) for word in (0, 0, each.length, size, each.address, each.length, size)]
        else:
            found.append(np.float64(each) if isinstance(each, float) else np.int64(each))
    return tuple(found)


def _kind(argument: Array | int | float) -> str:
    if isinstance(argument, Array):
        return argument.dtype
    return "factor" if isinstance(argument, float) else "count"


def signature(kinds: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the types of arguments in numba."""
    from numba import types

    from normkit.backends.cuda.kernels.entries import STORED

    numbers = {"factor": types.float64, "count": types.int64}
    return tuple(
        numbers[kind] if kind in numbers else types.Array(getattr(types, STORED[kind]), 1, "C") for kind in kinds
    )


@lru_cache(256)
def compiled(kernel: Callable[..., Any], kinds: tuple[str, ...], capability: tuple[int, int]) -> Any:
    """Return a kernel as cuda.core launches it: PTX, which the driver makes machine code of."""
    from normkit.backends.cuda.language import cuda

    text, _ = cuda.compile_ptx(kernel, signature(kinds), cc=capability, device=False)
    found = re.search(r"\.visible \.entry ([^\s(]+)", text)
    if found is None:
        raise BackendError("the compiler made no kernel")
    return core().ObjectCode.from_ptx(text.encode()).get_kernel(found.group(1))
