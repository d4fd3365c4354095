"""The back end ``cuda``: kernels of numba.cuda for duality maps, and the orthogonalization core on NVIDIA GPUs.

Nothing here imports numba.cuda before a kernel is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.codegen.plan import Plan

if TYPE_CHECKING:
    from normkit.backends.cuda.hosted import HostedKernel


class CUDA:
    """The back end ``cuda``: for arrays in device memory, and for NumPy arrays through copies."""

    name = "cuda"

    def is_available(self) -> bool:
        """Tell whether a GPU, its driver and the packages of ``normkit[cuda]`` are there; see `why_not`."""
        return self.why_not() is None

    def why_not(self) -> str | None:
        """Return what is missing and what to do about it, None if nothing is."""
        from normkit.backends.cuda.availability import why_not

        return why_not()

    def owns(self, array: Any) -> bool:
        """Take arrays in the memory of a GPU."""
        from normkit.backends.cuda.interop import on_device

        return on_device(array)

    def compile(self, plan: Plan, dtype: np.dtype[Any], accuracy: float | None = None) -> HostedKernel:
        """Return the kernel of a plan for NumPy arrays, which are copied to the GPU and back."""
        from normkit.backends.cuda.hosted import HostedKernel

        return HostedKernel(plan, dtype, accuracy)
