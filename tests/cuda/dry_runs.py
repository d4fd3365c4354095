"""What a kernel would launch on a device, compiled to PTX without one: arrays are NumPy's, launches are compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numba.cuda.dispatcher
import numpy as np
import pytest
from numba import typeof

from normkit.backends.cuda.compat import cuda
from normkit.backends.cuda.maps import batch as batches
from normkit.backends.cuda.maps.formats import STORED
from normkit.backends.cuda.maps.kernel import CUDAKernel
from normkit.backends.cuda.maps.pairing import pairing
from normkit.backends.cuda.maps.run import Arena, Run, Sizes
from normkit.codegen.plan import Plan


class HostArray(np.ndarray):
    """A NumPy array with the one method of device arrays that nodes call."""

    def copy_to_host(self, stream: Any = 0) -> np.ndarray[Any, Any]:
        return np.asarray(self).copy()


class HostArena(Arena):
    def take(self, size: int, dtype: str) -> Any:
        return np.zeros(max(1, size), dtype).view(HostArray)


@dataclass(frozen=True)
class Dry(Run):
    """Compiles what it is asked to launch of some templates; `made` holds the PTX by kernel and signature."""

    made: dict[Any, str] = field(default_factory=dict)
    templates: tuple[str, ...] = ()
    opt: bool = True

    def upload(self, array: Any) -> Any:
        return np.ascontiguousarray(array).view(HostArray)

    def launch(self, kernel: Any, blocks: Any, *arguments: Any, width: int = 0) -> None:
        taken: list[Any] = []

        class Catch:
            def __getitem__(self, configuration: Any) -> Any:
                return lambda *typed: taken.extend(typed)

        super().launch(Catch(), blocks, *arguments, width=width)
        signature = tuple(typeof(np.asarray(a) if isinstance(a, np.ndarray) else a) for a in taken)
        key = (kernel.py_func.__module__, kernel.py_func.__name__, signature)
        if key not in self.made and key[0].startswith(self.templates):
            self.made[key] = cuda.compile_ptx(kernel.py_func, signature, cc=(9, 0), device=False, opt=self.opt)[0]


class FakeDevice:
    compute_capability = (9, 0)


def compiled(
    monkeypatch: pytest.MonkeyPatch, plan: Plan, kind: str, length: int, templates: tuple[str, ...], opt: bool
) -> dict[Any, str]:
    """Return the PTX of the kernels of some templates that value and map of 3 vectors launch, at once and by chunks."""
    # numba-cuda asks the driver for the device when a kernel calls a device function, also where cc is given
    monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", lambda: FakeDevice)
    monkeypatch.setattr(batches, "address", lambda data: 0)
    made: dict[Any, str] = {}
    for line in (1 << 14, 4):
        run = Dry(Sizes(line=line, chunk=4), HostArena(), 0, made, templates, opt)
        kernel = CUDAKernel(plan, kind)
        data = [np.zeros(3 * length, STORED[kind]).view(HostArray) for _ in range(2)]
        x, out = (batches.rows(each, 3, length, kind=kind) for each in data)
        kernel._launch(run, x, out, run.floats(3))
        kernel._launch(run, x, None, run.floats(3))
        pairing(run, x, out, run.floats(3))
    return made
