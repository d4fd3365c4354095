"""Tensor maps, with a driver that holds its caller to what its reference requires."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from normkit.backends.cuda import tensor_map
from normkit.backends.cuda.tensor_map import Box
from normkit.errors import BackendError

BOX = Box((72, 400), 160, (64, 128))


class Library:
    """The driver: memory at 4096, copies that arrive when they are waited for; refuses what the real one refuses."""

    def __init__(self) -> None:
        self.under_way: list[int] = []
        self.arrived: list[int] = []
        self.told: dict[str, Any] = {}

    def cuTensorMapEncodeTiled(self, out: Any, kind: int, rank: int, address: Any, *rest: Any) -> int:
        sizes, strides, box, steps, interleave, swizzle, promotion, fill = rest
        self.told = {"kind": kind, "rank": rank, "interleave": interleave, "swizzle": swizzle, "fill": fill}
        self.told |= {
            "promotion": promotion,
            "address": address.value,
            "sizes": tuple(sizes),
            "strides": tuple(strides),
        }
        self.told |= {"box": tuple(box), "steps": tuple(steps)}
        widths = [array._type_ for array in (sizes, strides, box, steps)]
        if ctypes.addressof(out) % 64 or ctypes.sizeof(out) != 128 or address.value % 16 or strides[0] % 16:
            return 1
        if widths != [ctypes.c_uint64] * 2 + [ctypes.c_uint32] * 2:
            return 1
        out[:] = range(100, 116)
        return 0

    def cuMemAlloc_v2(self, out: Any, size: Any) -> int:
        out._obj.value = 4096
        return int(size.value != 128)

    def cuMemcpyHtoD_v2(self, to: Any, words: Any, size: Any) -> int:
        self.under_way = list(words)
        return int((to.value, size.value) != (4096, 128))

    def cuStreamSynchronize(self, stream: Any) -> int:
        self.arrived = self.under_way
        return int(stream is not None)

    def cuGetErrorString(self, code: int, out: Any) -> int:
        out._obj.value = b"invalid argument"
        return 0


def test_the_driver_is_told_of_the_matrix() -> None:
    library = Library()
    for _ in range(9):  # the aligned place is not a matter of luck
        tensor_map.encoded(256, BOX, library)
    shape = {"address": 256, "sizes": (72, 400), "strides": (160,), "box": (64, 128), "steps": (1, 1), "rank": 2}
    assert {name: library.told[name] for name in shape} == shape


def test_numbers_are_those_of_the_driver() -> None:
    names = pytest.importorskip(
        "cuda.bindings.driver", reason="its enumerations are the reference: pip install cuda-bindings"
    )
    library = Library()
    tensor_map.encoded(256, BOX, library)
    for name, member in {
        "kind": names.CUtensorMapDataType.CU_TENSOR_MAP_DATA_TYPE_UINT16,
        "interleave": names.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE,
        "swizzle": names.CUtensorMapSwizzle.CU_TENSOR_MAP_SWIZZLE_128B,
        "promotion": names.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
        "fill": names.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
    }.items():
        assert library.told[name] == int(member)


def test_a_map_has_arrived_when_its_address_is_known() -> None:
    library = Library()
    assert tensor_map.stored(256, BOX, library) == 4096
    assert library.arrived == list(range(100, 116))


def test_what_the_driver_refuses_is_an_error() -> None:
    with pytest.raises(BackendError, match="cuTensorMapEncodeTiled failed: error 1, invalid argument"):
        tensor_map.stored(8, BOX, Library())
