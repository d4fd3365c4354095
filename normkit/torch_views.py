"""Where a step of torch parameters is computed: on views of NumPy, or with torch's operations on their device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, Protocol

import numpy as np
import torch

from normkit import device
from normkit.backends.cuda import CUDA
from normkit.codegen.plan import Program
from normkit.errors import BackendError, DTypeError, NoClosedForm, ParameterError
from normkit.standalone import function
from normkit.torch_tensors import Dualize, Tensor, numpy_dtype, through_cpu

PATHS = ("auto", "numpy", "torch", "cuda")


class Views(Protocol):
    """How tensors become the arrays of the engine, and back; the bytes are shared."""

    def array(self, tensor: torch.Tensor) -> Any:
        """Return the array of a tensor."""
        ...

    def tensor(self, array: Any) -> torch.Tensor:
        """Return the tensor of an array."""
        ...

    def written(self, tensors: Iterable[torch.Tensor]) -> None:
        """Tell autograd that tensors were written to."""
        ...


class NumPyViews:
    """Tensors in the memory of the CPU as NumPy arrays; bfloat16 by way of its bits."""

    def array(self, tensor: torch.Tensor) -> Any:
        """Return a view."""
        bare = tensor.detach()
        if bare.dtype != torch.bfloat16:
            return bare.numpy()
        return bare.view(torch.int16).numpy().view(numpy_dtype(bare.dtype))

    def tensor(self, array: Any) -> torch.Tensor:
        """Return a view."""
        if array.dtype.name != "bfloat16":
            return torch.from_numpy(array)
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)

    def written(self, tensors: Iterable[torch.Tensor]) -> None:
        """Count a version up, as torch's own operations in place do: a stale graph is then an error of backward()."""
        for tensor in tensors:
            torch.autograd.graph.increment_version(tensor)


def printed(program: Program, accuracy: float | None) -> Dualize:
    """Return the dualize map of a norm as it is printed for torch, or by way of the CPU where it is not printed."""
    try:
        if accuracy is None:
            return function(program, "torch", exact=True)
        return function(program, "torch", accuracy=accuracy)
    except NoClosedForm:
        return through_cpu(program, accuracy)


def on_gpu(program: Program, accuracy: float | None) -> Dualize:
    """Return the dualize map of a norm by the kernels of the back end ``cuda``."""

    def dualize(items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        made = device.dualize(program, items, nan_policy="propagate", accuracy=accuracy)
        return made.array, torch.as_tensor(made.numbers)

    return dualize


class TensorViews:
    """Tensors on any device; `maps` computes dualize maps there."""

    def __init__(self, maps: Callable[[Program, float | None], Dualize] = printed) -> None:
        self.maps = maps

    def array(self, tensor: torch.Tensor) -> Any:
        """Return a wrapper."""
        return Tensor(tensor.detach(), self.maps)

    def tensor(self, array: Any) -> torch.Tensor:
        """Return what is wrapped."""
        if not isinstance(array, Tensor):
            raise DTypeError(
                "a stage keeps an array of NumPy for a tensor; use path='numpy' on the CPU, or other stages"
            )
        made: torch.Tensor = array.tensor
        return made

    def written(self, tensors: Iterable[torch.Tensor]) -> None:
        """Do nothing: torch has counted."""


def views(path: str, tensors: Iterable[torch.Tensor]) -> Views:
    """Return views for a path.

    ``auto`` takes NumPy where all tensors are in the memory of the CPU, kernels of the GPU where all are in that of a
    GPU and the back end ``cuda`` runs, and torch's operations otherwise.
    """
    if path not in PATHS:
        raise ParameterError(f"unknown path {path!r}; known: {', '.join(PATHS)}")
    where = {tensor.device.type: str(tensor.device) for tensor in tensors}
    away = [name for kind, name in where.items() if kind != "cpu"]
    if path == "numpy" and away:
        raise ParameterError(f"path='numpy' needs parameters in the memory of the CPU; some are on {away[0]}")
    if path == "cuda" and where:
        _check_gpu(where)
    kernels = path == "cuda" or (path == "auto" and set(where) == {"cuda"} and CUDA().is_available())
    if kernels:
        return TensorViews(on_gpu)
    return TensorViews() if away or path == "torch" else NumPyViews()


def _check_gpu(where: dict[str, str]) -> None:
    if others := [name for kind, name in where.items() if kind != "cuda"]:
        raise ParameterError(f"path='cuda' needs parameters in the memory of a GPU; some are on {others[0]}")
    if (why := CUDA().why_not()) is not None:
        raise BackendError(f"path='cuda' needs the back end cuda: {why}; see normkit doctor")


class Kept(MutableMapping[str, Any]):
    """What is kept for one parameter, as arrays of the engine; it lies in the state of the optimizer, as tensors."""

    def __init__(self, state: MutableMapping[Any, dict[str, Any]], parameter: torch.Tensor, how: Views) -> None:
        self._state, self._parameter, self._how = state, parameter, how

    def __getitem__(self, slot: str) -> Any:
        return self._how.array(self._held()[slot])

    def __setitem__(self, slot: str, array: Any) -> None:
        self._state.setdefault(self._parameter, {})[slot] = self._how.tensor(array)

    def __delitem__(self, slot: str) -> None:
        del self._held()[slot]

    def __iter__(self) -> Iterator[str]:
        return (slot for slot, value in self._held().items() if isinstance(value, torch.Tensor))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _held(self) -> dict[str, Any]:
        return self._state.get(self._parameter, {})
