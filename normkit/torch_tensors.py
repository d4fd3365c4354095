"""Tensors as the engine sees them: views of NumPy in the memory of the CPU, elsewhere arrays that answer in torch.

The engine writes momentum, decay and weights with NumPy's functions. In the memory of the CPU tensors are NumPy arrays
of the same bytes. Elsewhere `Tensor` carries out the same functions where the tensor is, through NumPy's protocols for
that (NEP 13 and NEP 18), so that no formula is written twice. What it cannot carry out raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from normkit.codegen.plan import Program
from normkit.descent import dualize_with_value
from normkit.errors import DTypeError
from normkit.foreign import Elsewhere, from_foreign, to_foreign

Dualize = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""From items, numbered by the first axis, to their dualize maps and dual norms."""

NAMES = {torch.float16: "float16", torch.float32: "float32", torch.float64: "float64", torch.bfloat16: "bfloat16"}


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """Return the dtype of NumPy, or of ml_dtypes, of the same name."""
    if dtype not in NAMES:
        raise DTypeError(f"{dtype} has no norm here; expected float16, bfloat16, float32 or float64")
    return np.dtype(NAMES[dtype]) if dtype != torch.bfloat16 else from_foreign(torch.zeros(1, dtype=dtype), "").dtype


def torch_dtype(dtype: Any) -> torch.dtype:
    """Return the dtype of torch of the same name."""
    made: torch.dtype = getattr(torch, np.dtype(dtype).name)
    return made


def through_cpu(program: Program, accuracy: float | None) -> Dualize:
    """Return the dualize map of a norm by the kernels of the CPU: for every norm, at the price of two copies."""

    def dualize(items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        made = dualize_with_value(program, from_foreign(items.cpu(), "the gradient"), accuracy=accuracy)
        return to_foreign(made.array, items).to(items.device), torch.as_tensor(np.asarray(made.dual_norm))

    return dualize


class Tensor(NDArrayOperatorsMixin, Elsewhere):
    """A torch tensor that NumPy's functions run on where it is.

    `maps` gives the dualize map of a norm to an accuracy as a function of tensors.
    """

    def __init__(self, tensor: torch.Tensor, maps: Callable[[Program, float | None], Dualize] = through_cpu) -> None:
        self.tensor, self.maps = tensor, maps

    # --- what arrays know of themselves -----------------------------------------------------------------------------

    shape = property(lambda self: tuple(self.tensor.shape))
    ndim = property(lambda self: self.tensor.ndim)
    size = property(lambda self: self.tensor.numel())
    dtype = property(lambda self: numpy_dtype(self.tensor.dtype))
    device = property(lambda self: str(self.tensor.device))
    flags = property(lambda self: np.empty(0).flags)
    """A tensor counts as contiguous: reshaping copies where it has to."""

    def __len__(self) -> int:
        return len(self.tensor)

    def __iter__(self) -> Iterator[Tensor]:
        return (self._like(part) for part in self.tensor)

    def __getitem__(self, index: Any) -> Tensor:
        return self._like(self.tensor[self._bare(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tensor[self._bare(index)] = self._bare(value)

    def __float__(self) -> float:
        return float(self.tensor)

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(from_foreign(self.tensor.detach().cpu(), "the tensor"), dtype)

    def reshape(self, *shape: Any) -> Tensor:
        """Return the entries in another shape."""
        return self._like(self.tensor.reshape(*shape))

    def astype(self, dtype: Any, copy: bool = True) -> Tensor:
        """Return the entries in another dtype."""
        return self._like(self.tensor.to(torch_dtype(dtype), copy=copy))

    def copy(self) -> Tensor:
        """Return a copy."""
        return self._like(self.tensor.clone())

    def all(self) -> Tensor:
        """Tell whether all entries are true."""
        return self._like(self.tensor.all())

    def sum(self, axis: Any = None, **options: Any) -> Tensor:
        """Return the sum of entries."""
        made: Tensor = np.sum(self, axis=axis, **options)
        return made

    def mean(self, axis: Any = None, **options: Any) -> Tensor:
        """Return the mean of entries."""
        made: Tensor = np.mean(self, axis=axis, **options)
        return made

    # --- what NumPy's functions do with them --------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        run = getattr(torch, _NAMED.get(ufunc.__name__, ufunc.__name__), None)
        dtype = options.pop("dtype", None)
        options.pop("casting", None)
        if run is None or method != "__call__" or options:
            raise DTypeError(_unknown(f"{ufunc.__name__}.{method}", self.device))
        given = [self._operand(x) for x in inputs]
        if dtype is not None:
            given = [x.to(torch_dtype(dtype)) for x in given]
        return self._result(run(*given), out)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        run = FUNCTIONS.get(function)
        if run is None:
            raise DTypeError(_unknown(function.__name__, self.device))
        options = {_SPELLED.get(key, key): self._bare(value) for key, value in options.items() if key not in _MOOT}
        if options.get("dtype") is not None:
            options["dtype"] = torch_dtype(options["dtype"])
        made = run(*(self._bare(x) for x in inputs), **options)
        return self._like(made) if isinstance(made, torch.Tensor) else made

    def dualize(self, program: Program, accuracy: float | None, out: Any) -> NDArray[np.float64]:
        """Write the dualize maps of items to `out`; return their dual norms."""
        made, dual_norms = self.maps(program, accuracy)(self.tensor)
        out.tensor.copy_(made)
        return np.asarray(dual_norms.detach().cpu().to(torch.float64))

    def _like(self, tensor: torch.Tensor) -> Tensor:
        return Tensor(tensor, self.maps)

    def _bare(self, x: Any) -> Any:
        """Return what torch takes in the place of an argument."""
        if isinstance(x, Tensor):
            return x.tensor
        if isinstance(x, np.ndarray):
            return torch.as_tensor(x, device=self.tensor.device)
        return type(x)(self._bare(part) for part in x) if isinstance(x, list | tuple) else x

    def _operand(self, x: Any) -> torch.Tensor:
        """Return an operand as a tensor; numbers of Python do not decide the dtype, as in NumPy."""
        bare = self._bare(x)
        if isinstance(bare, float):
            return torch.tensor(bare, dtype=torch.float64)
        return bare if isinstance(bare, torch.Tensor) else torch.as_tensor(bare)

    def _result(self, made: torch.Tensor, out: Any) -> Any:
        if out is None:
            return self._like(made)
        out[0].tensor.copy_(made)
        return out[0]


def _copy(out: torch.Tensor, x: torch.Tensor, where: Any = True) -> None:
    out.copy_(x if where is True else torch.where(where, x.to(out.dtype), out))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.empty_like: torch.empty_like,
    np.zeros_like: torch.zeros_like,
    np.ones_like: torch.ones_like,
    np.copyto: _copy,
    np.stack: torch.stack,
    np.concatenate: torch.cat,
    np.sum: torch.sum,
    np.mean: torch.mean,
    np.where: torch.where,
    np.clip: torch.clamp,
    np.swapaxes: torch.swapaxes,
    np.einsum: torch.einsum,
    np.linalg.norm: torch.linalg.norm,
}
_NAMED = {"equal": "eq", "power": "pow", "invert": "bitwise_not"}
_SPELLED = {"axis": "dim", "keepdims": "keepdim"}
_MOOT = ("order", "subok")


def _unknown(name: str, device: str) -> str:
    return f"np.{name} is not carried out on tensors ({device}); use path='numpy' on the CPU, or other stages"
