"""Arrays of other libraries in device memory, as an address, a shape and a stream: nothing is copied.

Torch tensors are read by their methods, which know their stream; what has ``__cuda_array_interface__`` (CuPy, numba) by
that; all others by DLPack. Results are allocated by the caller's library, so that they are arrays of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda import dlpack
from normkit.backends.cuda.availability import simulated
from normkit.backends.cuda.driver import HOST
from normkit.errors import BackendError, DTypeError

TYPES = {"<f2": "float16", "<f4": "float32", "<f8": "float64"}
BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
STORED = {"bfloat16": "uint16"}
"""How kernels see entry types that numba has not: by their bits."""
LEGACY = 1
"""The stream that waits for all others, in the numbering of DLPack and of the CUDA array interface."""


@dataclass(frozen=True)
class View:
    """An array in device memory.

    Attributes
    ----------
    address : int
        Of the first entry.
    shape, strides : tuple of int
        Strides are in entries.
    dtype : str
        ``float16``, ``bfloat16``, ``float32`` or ``float64``.
    device : int
        The number of the GPU.
    stream : int
        Handle of the stream in whose order the entries are written; 1 is the legacy default stream.
    owner : object
        Keeps the memory; the array itself.
    """

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    device: int
    stream: int
    owner: Any = None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def contiguous(self) -> bool:
        """Whether the last axis runs fastest, without gaps; axes of length 1 have no say."""
        axes = zip(self.strides, dlpack.contiguous(self.shape), self.shape, strict=True)
        return all(have == want or length <= 1 for have, want, length in axes)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """What numba reads; bfloat16 as its bits."""
        size = BYTES[self.dtype]
        strides = None if self.contiguous else tuple(size * each for each in self.strides)
        stored = np.dtype(STORED.get(self.dtype, self.dtype)).str
        return {"shape": self.shape, "typestr": stored, "data": (self.address, False), "strides": strides, "version": 3}

    def numba(self) -> Any:
        """Return the array as kernels take it, a device array of numba; in the simulator the simulator's own."""
        from normkit.backends.cuda.compat import SIMULATED, cuda

        return self.owner if SIMULATED else cuda.as_cuda_array(self)


def on_device(x: Any) -> bool:
    """Tell whether x is an array in the memory of a GPU."""
    if _is_simulated(x):
        return True
    where = getattr(x, "__dlpack_device__", None)
    if where is not None:
        try:
            return where()[0] in (dlpack.CUDA, dlpack.CUDA_MANAGED)
        except (RuntimeError, TypeError, ValueError, BufferError):
            return hasattr(x, "__cuda_array_interface__")
    return not isinstance(x, np.ndarray) and hasattr(x, "__cuda_array_interface__")


def _is_simulated(x: Any) -> bool:
    return simulated() and type(x).__module__.startswith("numba.cuda.simulator")


def view(x: Any, what: str = "the array", dtype: str | None = None) -> View:
    """Return an array in device memory as a `View`.

    Parameters
    ----------
    dtype : str, optional
        What the entries are, where the array holds their bits only.

    Raises
    ------
    DTypeError
        For entries that are no floats, a tensor of a gradient graph, and layouts without strides.
    BackendError
        For an array that is not in the memory of a GPU.
    """
    if _is_simulated(x):
        entries = tuple(each // x.dtype.itemsize for each in x.strides)
        place = x._ary.ctypes.data
        return View(place, tuple(x.shape), entries, dtype or _float(x.dtype.name, what), HOST, LEGACY, x)
    if _library(x) == "torch":
        return _of_torch(x, what)
    if hasattr(x, "__cuda_array_interface__"):
        return _of_interface(x, what, dtype)
    return _of_dlpack(x, what)


def _float(name: str, what: str) -> str:
    if name not in BYTES:
        raise DTypeError(f"{what} has dtype {name}; expected float16, bfloat16, float32 or float64")
    return name


def _of_torch(x: Any, what: str) -> View:
    torch = sys.modules["torch"]
    if x.requires_grad and torch.is_grad_enabled():
        raise DTypeError(f"{what} is part of a gradient graph: give x.detach(), or call under torch.no_grad()")
    if x.layout is not torch.strided:
        raise DTypeError(f"{what} is a tensor of layout {x.layout}; expected a dense one: x.to_dense()")
    name = _float(str(x.dtype).removeprefix("torch."), what)
    if not x.is_cuda:
        raise BackendError(f"{what} is on {x.device}; expected the memory of a GPU: x.cuda()")
    index = x.device.index or 0
    stream = int(torch.cuda.current_stream(x.device).cuda_stream)
    # Torch calls the legacy default stream 0; 0 has no meaning in the other two protocols.
    return View(x.data_ptr(), tuple(x.shape), tuple(x.stride()), name, index, stream or LEGACY, x)


def _of_interface(x: Any, what: str, dtype: str | None) -> View:
    told = x.__cuda_array_interface__
    kind = getattr(getattr(x, "dtype", None), "name", "")
    name = dtype or _float("bfloat16" if kind == "bfloat16" else TYPES.get(told["typestr"], told["typestr"]), what)
    shape = tuple(told["shape"])
    strides = told.get("strides")
    entries = dlpack.contiguous(shape) if strides is None else tuple(each // BYTES[name] for each in strides)
    index = getattr(getattr(x, "device", None), "id", 0)
    return View(told["data"][0] or 0, shape, entries, name, int(index), told.get("stream") or LEGACY, x)


def _of_dlpack(x: Any, what: str) -> View:
    try:
        capsule = x.__dlpack__(stream=LEGACY)
        told = dlpack.described(capsule)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise DTypeError(f"{what}, a {_name(x)}, cannot be read through DLPack: {said}") from error
    kind, index = told.device
    if kind not in (dlpack.CUDA, dlpack.CUDA_MANAGED):
        raise BackendError(f"{what}, a {_name(x)}, is in memory that no CUDA kernel reads (DLPack device {kind})")
    return View(told.address, told.shape, told.strides, _float(told.dtype, what), index, LEGACY, (x, capsule))


def empty_like(x: Any) -> Any:
    """Return a new array of the library, shape, dtype and device of x, its last axis fastest; entries are arbitrary.

    What torch and CuPy make like an array has that array's strides: reshaped, it may be another array.
    """
    if type(x).__module__.startswith("numba."):
        from normkit.backends.cuda.room import room

        return room(x.shape, x.dtype)
    space = getattr(x, "__array_namespace__", None)
    library = space() if space is not None else sys.modules[_library(x)]
    make: Callable[..., Any] = library.empty_like
    if _library(x) == "torch":
        return make(x, memory_format=library.contiguous_format)
    return make(x, order="C") if _library(x) == "cupy" else make(x)


def writeable(x: Any) -> bool:
    """Tell whether the entries of x may be written to: those of JAX may not."""
    return _library(x) not in ("jax", "jaxlib")


def asynchronous(x: Any) -> bool:
    """Tell whether the library of x runs in the order of the stream that it named, so that nobody has to wait."""
    return _library(x) in ("torch", "cupy", "numba")


def overlapping(u: View, v: View) -> bool:
    """Tell whether two arrays may share memory."""
    if simulated():
        return np.may_share_memory(u.owner._ary, v.owner._ary)
    if not (all(u.shape) and all(v.shape)) or u.device != v.device:
        return False
    (first, last), (start, end) = _extent(u), _extent(v)
    return first < end and start < last


def _extent(x: View) -> tuple[int, int]:
    """Return the addresses of the first byte and of the one after the last."""
    spans = [stride * (length - 1) for stride, length in zip(x.strides, x.shape, strict=True)]
    below, above = (sum(pick(0, each) for each in spans) for pick in (min, max))
    return x.address + BYTES[x.dtype] * below, x.address + BYTES[x.dtype] * (above + 1)


def copy(target: Any, source: Any) -> None:
    """Write the entries of an array to another of the same library, shape and dtype, in the order of their stream."""
    if _library(target) == "torch":
        target.copy_(source)
    elif _library(target) == "numba":
        from normkit.backends.cuda.device_kernel import copy as copied

        copied(view(target), view(source))  # numba's own copies want equal strides
    else:
        target[...] = source


def to_host(x: Any) -> NDArray[np.float64]:
    """Return the entries in the memory of the CPU, as float64."""
    if _library(x) == "torch":
        return np.asarray(x.detach().double().cpu().numpy())
    bring = getattr(x, "copy_to_host", None) or getattr(x, "get", None)
    return np.asarray(x if bring is None else bring(), np.float64)


def _library(x: Any) -> str:
    return type(x).__module__.partition(".")[0]


def _name(x: Any) -> str:
    return f"{_library(x)}.{type(x).__name__}"
