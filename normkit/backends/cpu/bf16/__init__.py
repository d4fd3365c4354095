"""Products of float32 matrices through bfloat16: factors rounded to 8 bits, sums in float32, by the AVX-512 BF16 dot.

The unit roundoff of bfloat16 is 2^-8, so an entry of a result is off by 2^-7 sum |a||b| at most, to first order,
besides the rounding of the sums. The other modules compile only where `available` says so.
"""

from __future__ import annotations

import functools
import platform


@functools.cache
def available() -> bool:
    """Return whether the processor, as numba compiles for it, has the AVX-512 BF16 instructions.

    False too where numba is told to compile for another processor (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES) or not at all.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    from numba.core import config
    from numba.core.registry import cpu_target

    if vars(config)["DISABLE_JIT"]:
        return False
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return {"+avx512f", "+avx512bf16"} <= set(features.split(","))
