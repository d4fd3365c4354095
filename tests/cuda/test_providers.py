"""Who makes products, without a GPU: torch on memory of the CPU, what kernels are told, and pretended devices."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from host_arrays import view

import normkit as nk
from normkit.backends.cuda import launching, runtime
from normkit.backends.cuda.driver import HOST
from normkit.backends.cuda.polar import polar
from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.lowering import lower
from normkit.backends.cuda.polar.memory import Place, Places
from normkit.backends.cuda.polar.ops import Gemm, SymGemm
from normkit.backends.cuda.polar.providers import choice, products
from normkit.backends.cuda.polar.providers.launches import Array, flat
from normkit.backends.cuda.polar.providers.torch_products import TorchProducts
from normkit.errors import BackendError

PE = nk.polar_schedule("pe8", steps=5, safety=1.05)


def test_importing_the_polar_core_brings_no_cuda_and_no_torch() -> None:
    code = "import sys, normkit.backends.cuda.polar.lift; print(*{'numba', 'numba.cuda', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


@pytest.mark.parametrize(
    "storage, bound", [("float32", 1e-5), ("float16", 2e-2), ("bfloat16", 0.1), ("float64", 1e-12)]
)
def test_torch_agrees_with_numpy(storage: str, bound: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch, whose products are compared, is not installed")
    G = np.random.default_rng(0).standard_normal((2, 12, 30))
    T = {}
    for name in ("numpy", "torch"):
        providers = {"torch": TorchProducts(HOST)} if name == "torch" else {}
        monkeypatch.setattr(device(HOST), "providers", {**providers, "numpy": device(HOST).providers["numpy"]})
        T[name] = np.full(G.shape, np.nan)
        info = polar(view(G), view(T[name]), schedule=PE, storage=storage, segments=(2, 2, 1))
        assert info.providers["SymGemm"] == name
    assert np.linalg.norm(T["torch"] - T["numpy"]) <= bound * np.linalg.norm(T["numpy"])


def plan(storage: str = "float16", shape: tuple[int, int, int] = (2, 100, 300)) -> Any:
    return lower(shape, PE.coefficients, (3, 2), storage, "float32", "float32")


def test_what_product_kernels_are_told() -> None:
    made = plan()
    at = Places(made, 1 << 20, {})
    for op in made.ops:
        if not isinstance(op, SymGemm | Gemm):
            continue
        for name in products.kernels():
            provider = products.Products(name, 0, (9, 0), 132)
            reason = provider.why_not(op, at)
            if name == "tile":
                assert "is for float32" in reason
            elif name == "wgmma" and isinstance(op, Gemm):
                assert "symmetric" in reason
            else:
                assert reason is None
                kernel, told = products.kernels()[name](op), products.operands(op, at)
                arguments = dict(zip([each for each, _ in kernel.parameters], kernel.arguments(**told), strict=True))
                a, out = at[op.A], at[op.out]
                assert (arguments["rows"], arguments["inner"]) == (100, op.sides[2])
                assert (arguments["a"], arguments["c"]) == (a.address, out.address)
                assert arguments["beta"] == np.float32(op.beta) and (op.D is not None or arguments["d"] == 0)
                assert out.strides[0] == arguments["rows"] * arguments["ld_out"]  # batches are stacks


@pytest.mark.parametrize(
    "capability, storage, name, match",
    [
        ((8, 0), "float16", "wgmma", "does not run on compute capability 8.0"),
        ((10, 0), "float16", "wgmma", "does not run on compute capability 10.0"),
        ((7, 5), "float16", "mma", "does not run on compute capability 7.5"),
        ((9, 0), "float32", "mma", "is for"),
        ((9, 0), "float64", "tile", "is for float32"),
    ],
    ids=str,
)
def test_refusals(capability: tuple[int, int], storage: str, name: str, match: str) -> None:
    made = plan(storage)
    op = next(op for op in made.ops if isinstance(op, SymGemm))
    assert match in products.Products(name, 0, capability, 132).why_not(op, Places(made, 1 << 20, {}))


def test_rows_that_are_not_aligned_are_refused() -> None:
    made = lower((1, 16, 33), PE.coefficients, (5,), "float16", "float16", "float16", direct=True)
    last, at = made.ops[-1], Places(made, 1 << 20, {"T": Place(1 << 22, (1, 16, 33), (16 * 33, 33, 1), "float16")})
    assert "multiples of 16 bytes" in products.Products("mma", 0, (9, 0), 132).why_not(last, at)


def test_arrays_with_negative_strides_begin_at_their_lowest_address() -> None:
    x = np.zeros((4, 6), np.float32)[::-1, ::-2]
    array, start = flat(Place(x.ctypes.data, (1, *x.shape), (24, -6, -2), "float32"))
    assert array == Array(x.ctypes.data - 4 * (3 * 6 + 2 * 2), 3 * 6 + 2 * 2 + 1, "float32") and start == 22


def pretend(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (9, 0), free: int = 1 << 30) -> list[Any]:
    """A GPU of which only what allocates and asks is there."""
    calls: list[Any] = []

    class Memory:
        def __init__(self, nbytes: int) -> None:
            if nbytes > free:
                raise MemoryError("CUDA_ERROR_OUT_OF_MEMORY")
            self.handle = 4096

    def driver(name: str, *arguments: Any) -> Any:
        calls.append((name, *arguments))
        return {"cuMemGetInfo": (free, 2 * free), "cuStreamCreate": 77, "cuStreamEndCapture": "graph"}.get(name, "made")

    gpu = SimpleNamespace(
        compute_capability=capability,
        properties=SimpleNamespace(multiprocessor_count=132),
        default_stream=None,
        allocate=lambda nbytes, stream: Memory(nbytes),
    )
    monkeypatch.setattr(runtime, "core", lambda: SimpleNamespace(Device=lambda number: gpu))
    monkeypatch.setattr(runtime, "stream", lambda handle: handle)
    monkeypatch.setattr(runtime, "driver", driver)
    return calls


def test_old_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, (6, 1))
    with pytest.raises(BackendError, match=r"GPU 3 has compute capability 6.1; .* 7.5 and later"):
        runtime.GPU(3)


def test_too_little_memory_says_how_much_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, free=1000)
    with pytest.raises(BackendError, match=r"workspace of 5000 bytes on GPU 0, where 1000 of 2000 are free"):
        runtime.GPU(0).workspace(5000, 0, None)


def test_a_workspace_is_kept_for_its_stream_and_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    gpu = runtime.GPU(0)
    first = gpu.workspace(5000, 7, None)[1]
    assert gpu.workspace(4000, 7, None)[1] is first
    assert gpu.workspace(4000, 8, None)[1] is not first
    assert gpu.workspace(6000, 7, None)[1] is not first


def test_what_libraries_use_lies_behind_the_matrices_of_each_workspace() -> None:
    made = plan()
    at = Places(made, 1 << 20, {})
    ends = [at[each].address + made.batch * each.nbytes for op in made.ops for each in op.writes if not each.outside]
    assert max(ends) <= at.scratch == (1 << 20) + made.nbytes and at.scratch % 256 == 0
    assert runtime.GPU.scratch >= 32 << 20


def test_the_context_is_given_back_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = pretend(monkeypatch)
    gpu = runtime.GPU(0)
    calls.clear()
    with pytest.raises(ValueError), gpu.current():
        raise ValueError
    names = [call[0] for call in calls]
    assert names[1:] == ["cuDevicePrimaryCtxRetain", "cuCtxPushCurrent", "cuCtxPopCurrent", "cuDevicePrimaryCtxRelease"]


def test_graphs_run_calls_first_and_are_captured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cuda.bindings", reason="cuda-bindings, whose enumerations are used, is not installed")
    calls, made = pretend(monkeypatch), []
    graph = runtime.GPU(0).captured(
        [lambda handle: made.append(("a", handle)), lambda handle: made.append(("b", handle))]
    )
    calls.clear()
    for _ in range(3):
        graph(5)
    assert made == [("a", 5), ("b", 5), ("a", 77), ("b", 77)]
    assert [call for call in calls if call[0] == "cuGraphLaunch"] == [("cuGraphLaunch", "made", 5)] * 2


def test_a_failed_capture_leaves_no_stream_in_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cuda.bindings", reason="cuda-bindings, whose enumerations are used, is not installed")
    calls = pretend(monkeypatch)
    ran: list[int] = []

    def fails(handle: int) -> None:
        ran.append(handle)
        if len(ran) > 1:
            raise BackendError("no")

    graph = runtime.GPU(0).captured([fails])
    graph(5)
    with pytest.raises(BackendError):
        graph(5)
    assert [call[0] for call in calls][-2:] == ["cuStreamEndCapture", "cuStreamDestroy"]


def test_kernels_of_this_package_compile_without_spills_and_take_the_words_they_are_given() -> None:
    offline = pytest.importorskip("normkit.backends.cuda.offline", reason="numba-cuda is not installed")
    if offline.tool("ptxas") is None:
        pytest.skip("ptxas (nvidia-cuda-nvcc, of the test extra) is not installed")
    import re

    from normkit.backends.cuda.language import cuda
    from normkit.backends.cuda.polar.providers.own import launches, shifted

    offline._pretend((9, 0))
    seen = set()
    for storage, given in (("float16", "float32"), ("bfloat16", "bfloat16"), ("float64", "float64")):
        made = lower(
            (2, 64, 256), PE.coefficients, (3, 2), storage, given, given, gained=True, paired=True, checked=True
        )
        big, one = (Place(4096, (2, *each), (each[0] * each[1], each[1], 1), given) for each in ((64, 256), (1, 1)))
        outside = {"G": big, "T": big} | {
            name: Place(4096, one.shape, one.strides, "float64") for name in ("gain", "sums")
        }
        at = Places(made, 1 << 24, outside)
        every = [launch for op in made.ops if not isinstance(op, SymGemm | Gemm) for launch in launches(op, at)]
        every.append(shifted(at[next(op for op in made.ops if isinstance(op, SymGemm)).out], 1.0))
        for launch in every:
            kinds = tuple(launching._kind(each) for each in launch.arguments)
            if (launch.kernel, kinds) in seen:
                continue
            seen.add((launch.kernel, kinds))
            text, _ = cuda.compile_ptx(launch.kernel, launching.signature(kinds), cc=(9, 0), device=False)
            built = offline.assemble(text, (9, 0))
            assert len(re.findall(r"^\s*\.param \.", text, re.M)) == len(launching.words(launch.arguments))
            assert (built.spills, built.stack) == (0, 0) and built.registers <= 80, (launch.kernel, built)
            assert built.ptx_version <= offline.NEWEST_PTX
    assert len(seen) > 15


@pytest.mark.parametrize("provider", ["wgmma", "mma"])
def test_a_plan_is_launched_in_order(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the host does for a GPU, down to the launches; only the driver is pretended, so cuBLASLt refuses."""
    pytest.importorskip("cuda.core", reason="cuda-core is not installed")
    pretend(monkeypatch)
    launched: list[tuple[Any, ...]] = []

    class Code:
        @staticmethod
        def from_ptx(text: bytes) -> Any:
            return Code

        @staticmethod
        def get_kernel(name: str) -> str:
            return name

    fake = SimpleNamespace(
        ObjectCode=Code,
        LaunchConfig=lambda grid, block, shmem_size: (grid, block, shmem_size),
        launch=lambda stream, config, kernel, *arguments: launched.append((stream, config, kernel, len(arguments))),
        Stream=SimpleNamespace(from_handle=lambda handle: handle),
    )
    monkeypatch.setattr(launching, "core", lambda: fake)
    monkeypatch.setattr(products, "_loaded", lambda kernel, *rest: kernel.name)
    monkeypatch.setattr(products, "_tensor_map", lambda address, box: address)
    monkeypatch.setattr("normkit.backends.cuda.polar.job.device", lambda number: runtime.GPU(0))
    monkeypatch.setenv(choice.VARIABLE, provider)
    launching.compiled.cache_clear()
    launching.stream.cache_clear()
    x = SimpleNamespace(
        address=1 << 30, shape=(2, 96, 200), strides=(19200, 200, 1), dtype="float32", device=0, stream=9
    )
    x.owner = None
    info = polar(x, x, schedule=PE, storage="float16", segments=(3, 2))  # type: ignore[arg-type]
    launching.compiled.cache_clear()
    launching.stream.cache_clear()
    products_made = [op for op in info.plan.ops if isinstance(op, SymGemm | Gemm)]
    names = [call[2] for call in launched]
    assert {call[0] for call in launched} == {9}
    assert sum(str(name).startswith("symgemm") for name in names) == sum(
        isinstance(op, SymGemm) for op in products_made
    )
    assert sum(str(name).startswith("gemm_mma") for name in names) == sum(isinstance(op, Gemm) for op in products_made)
    assert len(launched) == len(info.plan.ops) + 1  # a norm takes two
    assert info.providers == {"SymGemm": provider, "Gemm": "mma"} | dict.fromkeys(
        ("Norm", "ScaleCast", "AddI", "CopyOut"), "kernels"
    )


def test_names_of_the_driver_are_right() -> None:
    """What is called by name, or looked up in an enumeration, exists in cuda-bindings: no GPU is needed to know."""
    library = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")
    import re
    from pathlib import Path

    files = [runtime.__file__, launching.__file__, products.__file__]
    source = "\n".join(Path(file).read_text(encoding="utf-8") for file in files)
    called = set(re.findall(r'driver\(\s*"(\w+)"', source))
    looked_up = set(re.findall(r"library\.(\w+(?:\.CU_\w+)?)", source))
    assert len(called) > 9 and len(looked_up) > 1
    for name in called | looked_up:
        found: Any = library
        for part in name.split("."):
            found = getattr(found, part)
