"""Calls from compiled code to functions known by address: BLAS and LAPACK as SciPy was linked to them.

Addresses differ from process to process, so compiled code receives them as arguments and none is written into numba's
cache on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _call_pointer(typing_context: Any, address: Any, pointers: Any) -> tuple[Any, Callable[..., Any]]:
    """Call the void function at an integer address; its arguments are pointers, given as integers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function, addresses = arguments
        pointer = ir.IntType(8).as_pointer()
        function_type = ir.FunctionType(ir.VoidType(), [pointer] * len(signature.args[1]))
        values = [builder.extract_value(addresses, i) for i in range(len(signature.args[1]))]
        callee = builder.inttoptr(function, function_type.as_pointer())
        builder.call(callee, [builder.inttoptr(value, pointer) for value in values])
        return context.get_dummy_value()

    return types.void(address, pointers), generate


call: Any = intrinsic(_call_pointer)
