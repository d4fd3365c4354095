"""Arrays in device memory as views: capsules are read where they lie, and what cannot be taken says so."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from normkit.backends.cuda import dlpack, interop
from normkit.errors import BackendError, DTypeError

GRADIENT = np.random.default_rng(5).standard_normal((4, 6, 5))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("cut", ["whole", "sliced", "transposed"])
def test_a_capsule_is_read_as_its_array_says(dtype: str, cut: str) -> None:
    whole = GRADIENT.astype(dtype)
    array = {"whole": whole, "sliced": whole[1:, ::2, 1:4], "transposed": whole.transpose(2, 0, 1)}[cut]
    capsule = array.__dlpack__()
    found = dlpack.described(capsule)
    assert found.address == array.ctypes.data
    assert found.shape == array.shape
    assert found.strides == tuple(each // array.itemsize for each in array.strides)
    assert found.dtype == dtype and found.device == (dlpack.CPU, 0)


def test_capsules_of_other_libraries() -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    tensor = torch.arange(12.0).reshape(3, 4).to(torch.bfloat16)[:, 1:]
    capsule = tensor.__dlpack__()
    found = dlpack.described(capsule)
    assert (found.address, found.shape, found.strides) == (tensor.data_ptr(), (3, 3), (4, 1))
    assert found.dtype == "bfloat16"
    assert dlpack.described(torch.arange(3).__dlpack__()).dtype == "int64"


def test_a_consumed_capsule_is_refused() -> None:
    capsule = GRADIENT.__dlpack__()

    class Once:
        def __dlpack__(self, **options: Any) -> Any:
            return capsule

        def __dlpack_device__(self) -> tuple[int, int]:
            return dlpack.CPU, 0

    np.from_dlpack(Once())
    with pytest.raises(ValueError, match="PyCapsule"):
        dlpack.described(capsule)
    with pytest.raises(DTypeError, match="cannot be read through DLPack"):
        interop.view(Once())


class Interface:
    """An array that speaks the CUDA array interface, as CuPy's do; its memory is nowhere."""

    def __init__(self, **told: Any) -> None:
        self.__cuda_array_interface__ = {"shape": (3, 4), "typestr": "<f4", "data": (512, False), "version": 3} | told


def test_the_cuda_array_interface() -> None:
    found = interop.view(Interface())
    assert (found.address, found.shape, found.strides, found.dtype) == (512, (3, 4), (4, 1), "float32")
    assert found.contiguous and found.stream == interop.LEGACY
    assert found.__cuda_array_interface__["strides"] is None, "explicit strides cost numba another compilation"
    turned = interop.view(Interface(strides=(4, 12), stream=77))
    assert turned.strides == (1, 3) and not turned.contiguous and turned.stream == 77
    assert turned.__cuda_array_interface__["strides"] == (4, 12)
    assert interop.view(Interface(shape=(1, 4), strides=(999, 4))).contiguous, "one row has no stride"


def test_bfloat16_goes_by_its_bits() -> None:
    array = Interface(typestr="<V2")
    array.dtype = np.dtype(ml_dtypes.bfloat16)  # type: ignore[attr-defined]
    found = interop.view(array)
    assert found.dtype == "bfloat16" and found.__cuda_array_interface__["typestr"] == "<u2"


def test_entries_that_are_no_floats_are_refused() -> None:
    with pytest.raises(DTypeError, match="the gradient has dtype <i8; expected float16"):
        interop.view(Interface(typestr="<i8"), "the gradient")


def test_other_devices_are_refused() -> None:
    class Metal:
        def __dlpack__(self, **options: Any) -> Any:
            return GRADIENT.__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return 8, 0

    assert not interop.on_device(Metal())
    with pytest.raises(BackendError, match="in memory that no CUDA kernel reads"):
        interop.view(Metal())


def test_arrays_of_the_cpu_are_not_on_a_device() -> None:
    assert not interop.on_device(GRADIENT) and not interop.on_device([1.0]) and not interop.on_device(3.0)
    assert interop.on_device(Interface())


def test_tensors_of_a_gradient_graph_are_refused() -> None:
    torch = pytest.importorskip("torch", reason="torch is an extra")
    with pytest.raises(DTypeError, match=r"part of a gradient graph: give x\.detach\(\)"):
        interop.view(torch.ones(3, requires_grad=True))
    with pytest.raises(BackendError, match="is on cpu; expected the memory of a GPU"):
        interop.view(torch.ones(3))
    with pytest.raises(DTypeError, match="expected a dense one"):
        interop.view(torch.eye(3).to_sparse())


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ({}, {"data": (512 + 47, False)}, True),
        ({}, {"data": (512 + 48, False)}, False),
        ({"strides": (-16, 4), "data": (544, False)}, {"data": (480, False)}, True),
        ({"strides": (-16, 4), "data": (544, False)}, {"data": (560, False)}, False),
        ({"shape": (0, 4)}, {}, False),
    ],
    ids=["last byte", "next byte", "backwards", "after backwards", "empty"],
)
def test_arrays_that_share_memory(first: Any, second: Any, shared: bool) -> None:
    """3 x 4 float32 from 512 on end before 560."""
    u, v = interop.view(Interface(**first)), interop.view(Interface(**second))
    assert interop.overlapping(u, v) is interop.overlapping(v, u) is shared
