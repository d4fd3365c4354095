"""What normkit says of a machine: of this one, and of drivers that answer in other ways."""

from __future__ import annotations

import ctypes
import json
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import normkit as nk
from normkit.backends.cuda.availability import PACKAGES, Machine
from normkit.backends.cuda.driver import Device, Driver, ask
from normkit.cli import main

PINNED = dict.fromkeys(PACKAGES, "1.0") | {"nvidia-nvvm": "13.0.88", "numba-cuda": "0.30.4"}
H200 = Device(0, "NVIDIA H200", (9, 0), 132, 150_000_000_000)


class Library:
    """A driver library with the functions that are called, which write as the real ones do."""

    def __init__(self, version: int = 13000, started: int = 0, devices: tuple[tuple[str, int, int], ...] = ()) -> None:
        self.version, self.started, self.devices = version, started, devices

    def cuDriverGetVersion(self, out: Any) -> int:
        out._obj.value = self.version
        return 0

    def cuInit(self, flags: int) -> int:
        return self.started

    def cuGetErrorString(self, code: int, out: Any) -> int:
        out._obj.value = b"unknown error"
        return 0

    def cuDeviceGetCount(self, out: Any) -> int:
        out._obj.value = len(self.devices)
        return 0

    def cuDeviceGet(self, out: Any, ordinal: int) -> int:
        out._obj.value = ordinal
        return 0

    def cuDeviceGetName(self, out: Any, length: int, handle: Any) -> int:
        ctypes.memmove(out, self.devices[handle.value][0].encode() + b"\0", len(self.devices[handle.value][0]) + 1)
        return 0

    def cuDeviceTotalMem_v2(self, out: Any, handle: Any) -> int:
        out._obj.value = 2**37
        return 0

    def cuDeviceGetAttribute(self, out: Any, attribute: int, handle: Any) -> int:
        _, major, minor = self.devices[handle.value]
        out._obj.value = {75: major, 76: minor, 16: 132}[attribute]
        return 0


def test_a_driver_is_read() -> None:
    found = ask(Library(devices=(("NVIDIA H200", 9, 0), ("Tesla T4", 7, 5))))
    assert found.version == (13, 0) and found.missing is None
    assert found.devices == (
        Device(0, "NVIDIA H200", (9, 0), 132, 2**37),
        Device(1, "Tesla T4", (7, 5), 132, 2**37),
    )


@pytest.mark.parametrize(
    ("library", "said"),
    [
        (Library(started=100), "cannot start (cuInit: error 100, unknown error)"),
        (Library(), "sees no GPU"),
    ],
    ids=["cannot start", "no device"],
)
def test_a_driver_without_a_gpu_says_why(library: Library, said: str) -> None:
    found = ask(library)
    assert said in (found.missing or "") and found.devices == ()
    assert Machine(found, PINNED).why_not() == found.missing


@pytest.mark.parametrize(
    ("driver", "packages", "said"),
    [
        (Driver((13, 0), (H200,)), PINNED | {"numba-cuda": None}, "numba-cuda is not installed; pip install"),
        (Driver((12, 8), (H200,)), PINNED, "supports CUDA 12.8, but the compiler nvidia-nvvm 13.0.88 makes code for"),
        (Driver((13, 0), (Device(0, "Tesla V100", (7, 0), 80, 1),)), PINNED, "found Tesla V100 (7.0)"),
    ],
    ids=["no numba-cuda", "old driver", "old device"],
)
def test_the_first_thing_that_is_missing_is_named(driver: Driver, packages: Any, said: str) -> None:
    assert said in (Machine(driver, packages).why_not() or "")


def test_a_missing_compiler_is_named() -> None:
    found = Machine(Driver((13, 0), (H200,)), PINNED | {"nvidia-nvvm": None}, compiles=False)
    assert "libNVVM" in (found.why_not() or "") and "normkit[cuda]" in (found.why_not() or "")


def test_a_machine_with_everything_has_no_reason() -> None:
    older = Device(0, "Tesla V100", (7, 0), 80, 1)
    found = Machine(Driver((13, 1), (older, H200)), PINNED | {"nvidia-nvvm": None})
    assert found.why_not() is None and found.device == H200
    assert Machine(Driver((13, 0), (H200,)), PINNED).why_not() is None


def test_the_command_says_what_is_here() -> None:
    run = CliRunner().invoke(main, ["doctor"], standalone_mode=False)
    assert run.exception is None
    told = {line.split()[0]: line.split()[1:] for line in run.output.splitlines() if len(line.split()) > 1}
    assert told["numpy"] == [version("numpy")] and told["cpu"] == ["yes"]
    document = json.loads(CliRunner().invoke(main, ["doctor", "--json"], standalone_mode=False).output)
    assert document["backends"]["reference"] is None
    assert set(document) == {"machine", "packages", "extras", "backends", "gpu", "providers"}
    assert document["gpu"]["why not"] == document["backends"]["cuda"]


def test_without_a_gpu_the_back_end_says_so() -> None:
    from normkit.backends.cuda.availability import why_not

    if (why := why_not()) is None:
        pytest.skip("there is a GPU: tests/cuda/test_gpu.py runs the back end")
    with pytest.raises(nk.errors.BackendError, match="no back end 'cuda' here: ") as caught:
        nk.dualize("linf", [1.0, 2.0], backend="cuda")
    assert why in str(caught.value) and "normkit doctor" in str(caught.value)
    assert nk.dualize("linf", [1.0, -2.0]).tolist() == [1.0, -1.0], "auto stays on the CPU"


def test_providers_say_why_they_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from normkit.backends.cuda.polar.providers import products, status

    class Absent:
        def why_not(self, op: Any, at: Any) -> str:
            return "not installed"

    # The real kernels of an A100, which has no wgmma; what needs a driver is absent.
    own = {name: products.Products(name, 0, (8, 0), 108) for name in ("wgmma", "mma", "tile")}
    monkeypatch.setattr(status, "why_not", lambda: None)
    monkeypatch.setattr(
        status, "device", lambda number: SimpleNamespace(providers=own | {"cublaslt": Absent(), "torch": Absent()})
    )
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'normkit[cuda]'")
    found = status.status()
    assert list(found) == ["wgmma", "cublaslt", "mma", "torch", "tile"]
    assert found["mma"] is None and found["torch"] == "not installed"
    assert "does not run on compute capability 8.0" in (found["wgmma"] or "")
    assert found["tile"] is not None, "tiles are of float32"
