"""The CPU machine: hand-written loops with generated scalars, compiled by numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.codegen.plan import Plan

if TYPE_CHECKING:
    from normkit.backends.cpu.kernel import CPUKernel


class CPU:
    """The back end ``cpu``."""

    name = "cpu"

    def is_available(self) -> bool:
        """Return True."""
        return True

    def owns(self, array: Any) -> bool:
        """Take NumPy arrays."""
        return isinstance(array, np.ndarray)

    def compile(self, plan: Plan, dtype: np.dtype[Any], accuracy: float | None = None) -> CPUKernel:
        """Return the kernel of a plan for a dtype; its loops are compiled at their first call."""
        from normkit.backends.cpu.kernel import CPUKernel

        kernel = CPUKernel(plan, dtype, accuracy)
        kernel.node  # noqa: B018  (a plan without loops is refused here)
        return kernel
