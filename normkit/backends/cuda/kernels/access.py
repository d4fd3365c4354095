"""Float32 memory for kernels that run anywhere: by address on a device, by array in numba's simulator.

The simulator knows neither addresses nor PTX. There an operand is a flat float32 array, and these two functions are
plain Python; everything else of a kernel is the same source.
"""

from __future__ import annotations

from typing import Any

from normkit.backends.cuda.compat import SIMULATED
from normkit.backends.cuda.language import device, uint64

if SIMULATED:

    @device
    def load_if(matrix: Any, index: Any, condition: Any) -> Any:
        """Return entry `index` of a matrix where the condition holds, else 0."""
        return matrix[index] if condition else matrix.dtype.type(0)

    @device
    def store_if(matrix: Any, index: Any, value: Any, condition: Any) -> None:
        """Store an entry of a matrix where the condition holds."""
        if condition:
            matrix[index] = value

else:
    from normkit.backends.cuda.instructions import load_f32_if, store_f32_if

    @device
    def load_if(matrix: Any, index: Any, condition: Any) -> Any:
        """Return entry `index` of a matrix where the condition holds, else 0."""
        return load_f32_if(matrix + uint64(4) * uint64(index), condition)

    @device
    def store_if(matrix: Any, index: Any, value: Any, condition: Any) -> None:
        """Store an entry of a matrix where the condition holds."""
        store_f32_if(matrix + uint64(4) * uint64(index), value, condition)
