"""The register of models: what an instruction does to a group. Models of memory and of registers follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from normkit.testing.simt.block import Group
from normkit.testing.simt.formats import to_bits, to_float

F = TypeVar("F", bound=Callable[..., Any])

MODELS: dict[str, Callable[..., Any]] = {}


def model(name: str) -> Callable[[F], F]:
    """Register the model of an instruction.

    It is called with the group, then the parameters that the instruction carries in ``simt_model`` after the name,
    then the operands: scalars, or vectors over the lanes. It returns one value, a tuple, or None.
    """

    def register(function: F) -> F:
        if name in MODELS:
            raise ValueError(f"the instruction {name!r} has a model already")
        MODELS[name] = function
        return function

    return register


@model("lead")
def lead(group: Group, condition: Any) -> bool:
    """Tell whether a lane of the group satisfies the condition."""
    return bool(np.any(condition))


@model("first_lane")
def first_lane(group: Group, value: Any) -> Any:
    """Return the value of the first lane; that of other warps in the group is the same by the rules of kernels."""
    return np.asarray(value).reshape(-1)[0]


@model("group_barrier")
def group_barrier(group: Group, name: Any, threads: Any) -> None:
    """bar.sync: a group that holds several barriers' threads (lanes of several names) is in step anyway."""
    names = np.unique(name)
    if len(names) == 1:
        group.barrier(int(names[0]), int(threads))


@model("shared_address")
def shared_address(group: Group, array: Any, index: Any) -> Any:
    """Return the address of an element of a shared array."""
    return np.uint32(array.ctypes.data - group.block.shared.data.ctypes.data + index * array.itemsize)


def _load(group: Group, address: Any, condition: Any, size: int) -> Any:
    on = group.each(condition, bool)
    out = np.zeros((group.lanes, size), np.uint8)
    if on.any():
        data, places = group.block.memory.find(group.each(address, np.uint64)[on], size)
        out[on] = data[places]
    return out


def _store(group: Group, address: Any, values: Any, condition: Any) -> None:
    on = group.each(condition, bool)
    if on.any():
        data, places = group.block.memory.find(group.each(address, np.uint64)[on], values.shape[1])
        data[places] = values[on]


def _bytes(group: Group, values: Any, dtype: Any) -> Any:
    columns = [group.each(value, dtype) for value in values]
    return np.stack(columns, 1).view(np.uint8)


@model("load_f32_if")
def load_f32_if(group: Group, address: Any, condition: Any) -> Any:
    """Return a float32 of global memory where the condition holds, else 0."""
    return _load(group, address, condition, 4).view(np.float32)[:, 0]


@model("store_f32_if")
def store_f32_if(group: Group, address: Any, value: Any, condition: Any) -> None:
    """Store a float32 to global memory where the condition holds."""
    _store(group, address, _bytes(group, [value], np.float32), condition)


@model("load_16_if")
def load_16_if(group: Group, address: Any, condition: Any) -> Any:
    """Return 16 bytes of global memory as four words where the condition holds, else zeros."""
    return tuple(_load(group, address, condition, 16).view(np.uint32).T.copy())


@model("store_16_if")
def store_16_if(group: Group, address: Any, a: Any, b: Any, c: Any, d: Any, condition: Any) -> None:
    """Store four words to global memory where the condition holds."""
    _store(group, address, _bytes(group, [a, b, c, d], np.uint32), condition)


@model("load_shared_u32")
def load_shared_u32(group: Group, address: Any) -> Any:
    """Return a word of shared memory."""
    return group.block.shared.read(group.each(address, np.int64), 4).view(np.uint32)[:, 0]


@model("store_shared_u32")
def store_shared_u32(group: Group, address: Any, value: Any) -> None:
    """Store a word to shared memory."""
    group.block.shared.write(group.each(address, np.int64), _bytes(group, [value], np.uint32))


@model("load_shared_16")
def load_shared_16(group: Group, address: Any) -> Any:
    """Return 16 bytes of shared memory as four words."""
    return tuple(group.block.shared.read(group.each(address, np.int64), 16).view(np.uint32).T.copy())


@model("store_shared_16")
def store_shared_16(group: Group, address: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    """Store four words to shared memory."""
    group.block.shared.write(group.each(address, np.int64), _bytes(group, [a, b, c, d], np.uint32))


@model("min_i32")
def min_i32(group: Group, a: Any, b: Any) -> Any:
    """Return the smaller one."""
    return np.minimum(a, b)


@model("max_i32")
def max_i32(group: Group, a: Any, b: Any) -> Any:
    """Return the larger one."""
    return np.maximum(a, b)


@model("divide_u32")
def divide_u32(group: Group, a: Any, b: Any) -> Any:
    """Return the quotient, rounded down."""
    return np.asarray(a, np.uint32) // np.asarray(b, np.uint32)


@model("permute")
def permute(group: Group, a: Any, b: Any, selector: Any) -> Any:
    """prmt: byte i of the result is the byte of (a, b), 0 to 7, that nibble i of the selector names."""
    bytes_ = _bytes(group, [a, b], np.uint32)
    nibbles = (group.each(selector, np.uint32)[:, None] >> np.arange(0, 16, 4, dtype=np.uint32)) & np.uint32(7)
    return np.take_along_axis(bytes_, nibbles.astype(np.int64), 1).view(np.uint32)[:, 0]


@model("pack")
def pack(group: Group, dtype: str, high: Any, low: Any) -> Any:
    """Return two float32 rounded to a 16-bit type, in one word."""
    words = [to_bits(group.each(value, np.float32), dtype).astype(np.uint32) for value in (high, low)]
    return (words[0] << np.uint32(16)) | words[1]


@model("unpack")
def unpack(group: Group, dtype: str, word: Any) -> Any:
    """Return the low and the high half of a word as float32."""
    halves = to_float(_bytes(group, [word], np.uint32).view(np.uint16), dtype)
    return halves[:, 0], halves[:, 1]
