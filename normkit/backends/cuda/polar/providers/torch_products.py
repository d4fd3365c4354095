"""Products by torch, if it is loaded: where no cuBLASLt is at hand, and as a second opinion."""

from __future__ import annotations

import sys
from typing import Any

from normkit.backends.cuda.driver import HOST
from normkit.backends.cuda.polar.memory import Place, Places
from normkit.backends.cuda.polar.ops import Gemm, Op, SymGemm
from normkit.backends.cuda.polar.providers import Call
from normkit.backends.cuda.polar.stored import raw


class TorchProducts:
    """Products of torch, on tensors over memory that is not torch's."""

    name = "torch"
    tile = None

    def __init__(self, device: int) -> None:
        self._device = device

    def why_not(self, op: Op, at: Places) -> str | None:
        """Return why not: this program does not use torch, or its torch sees no GPU."""
        if not isinstance(op, SymGemm | Gemm):
            return "it makes products alone"
        torch = sys.modules.get("torch")
        if torch is None:
            return "torch is not loaded"
        return None if self._device == HOST or torch.cuda.is_available() else "this torch sees no GPU"

    def bind(self, op: Op, at: Places) -> Call:
        """Return the call of a batched product."""
        assert isinstance(op, SymGemm | Gemm)
        torch = sys.modules["torch"]
        A, B, out = (self._tensor(torch, at[each]) for each in (op.A, op.B, op.out))
        D = out if op.D is None else self._tensor(torch, at[op.D])
        right = B.mT if isinstance(op, SymGemm) or op.turned else B
        diagonal = out.diagonal(dim1=-2, dim2=-1)
        gamma = op.gamma if isinstance(op, SymGemm) else 0.0

        def call(stream: int) -> None:
            with _on(torch, stream, self._device):
                torch.baddbmm(D, A, right, beta=op.beta, alpha=op.alpha, out=out)
                if gamma:
                    diagonal.add_(gamma)

        return call

    def _tensor(self, torch: Any, place: Place) -> Any:
        if self._device == HOST:
            made = torch.from_numpy(raw(place).view("int16") if place.dtype == "bfloat16" else raw(place))
        else:
            made = torch.as_tensor(_Interface(place), device=f"cuda:{self._device}")
        return made.view(torch.bfloat16) if place.dtype == "bfloat16" else made


def _on(torch: Any, stream: int, device: int) -> Any:
    if device == HOST:
        return torch.no_grad()
    return torch.cuda.stream(torch.cuda.ExternalStream(stream, device=device))


class _Interface:
    """What torch reads to see device memory at an address as a tensor; bfloat16 by its bits."""

    def __init__(self, place: Place) -> None:
        kind, size = {
            "float16": ("<f2", 2),
            "bfloat16": ("<i2", 2),
            "float32": ("<f4", 4),
            "float64": ("<f8", 8),
        }[place.dtype]
        self.__cuda_array_interface__ = {
            "shape": place.shape,
            "strides": tuple(size * each for each in place.strides),
            "typestr": kind,
            "data": (place.address, False),
            "version": 3,
        }
