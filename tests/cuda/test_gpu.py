"""The polar core on a GPU, skipped without one: providers against NumPy, over shapes, types, streams and graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu_arrays import DeviceView, poisoned, sent, why_not
from host_arrays import view

import normkit as nk
from normkit.backends.cuda.polar import polar
from normkit.backends.cuda.polar.certificate import nuclear_bounds
from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.lift import LiftedPolar
from normkit.backends.cuda.polar.providers.choice import VARIABLE
from normkit.errors import BackendError, NonFiniteError

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PE = nk.polar_schedule("pe8", steps=5, safety=1.05)
TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-4, "float64": 1e-11}
SHAPES = [(1, 1), (1, 4097), (7, 5), (33, 65), (64, 64), (100, 257), (127, 129), (3, 128, 384), (65, 40, 50)]
SHAPES += [(513, 255), (1000, 1001), (2, 768, 768), (1024, 4097), (2049, 1025), (4097, 4097)]
PROVIDERS = ["cublaslt", "wgmma", "mma", "tile", "torch"]


def reference(G: Any) -> Any:
    T = np.full(G.shape, np.nan)
    polar(view(G.astype(np.float64)), view(T), schedule=PE, storage="float64", segments=(1,) * 5)
    return T


def off(T: DeviceView, exact: Any) -> float:
    return float(np.linalg.norm(T.numbers() - exact) / np.linalg.norm(exact))


def poison(stream: int = 0) -> None:
    """Fill the workspace of a stream with NaN: nothing may be read before it is written, padding included."""
    from normkit.backends.cuda.launching import driver

    gpu: Any = device(0)
    if stream in gpu._rooms:
        address, size, _ = gpu._rooms[stream]
        with gpu.current():
            driver("cuMemsetD8Async", address, 0xFF, size, stream)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
def test_shapes(shape: tuple[int, ...]) -> None:
    G = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    exact = reference(G)
    for storage in ("float16", "bfloat16", "float32"):
        T = poisoned(shape, "float32")
        polar(sent(G, "float32"), T, schedule=PE, storage=storage)
        poison()
        info = polar(sent(G, "float32"), T, schedule=PE, storage=storage)
        info.check()
        assert off(T, exact) < TOLERANCE[storage], (storage, info.providers)


@pytest.mark.parametrize("storage", list(TOLERANCE))
@pytest.mark.parametrize("provider", PROVIDERS)
def test_providers_agree(provider: str, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if provider == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setenv(VARIABLE, provider)
    for shape in ((96, 200), (3, 257, 130), (2, 512, 640)):
        G = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
        T = poisoned(shape, "float32")
        info = polar(sent(G, "float32"), T, schedule=PE, storage=storage, segments=(2, 2, 1))
        if info.providers["SymGemm"] != provider:
            pytest.skip(f"{provider} does not serve {storage} here: {info.providers}")
        assert off(T, reference(G)) < TOLERANCE[storage]


@pytest.mark.parametrize("given", ["float16", "bfloat16", "float32", "float64"])
def test_types_in_and_out(given: str) -> None:
    G = sent(np.random.default_rng(2).standard_normal((2, 150, 70)), given)
    T = poisoned((2, 150, 70), given)
    polar(G, T, schedule=PE, storage="float32")
    assert off(T, reference(G.numbers())) < {"bfloat16": 2.0**-7, "float16": 2.0**-9}.get(given, 1e-4)


def test_the_last_product_writes_to_the_result() -> None:
    G = np.random.default_rng(3).standard_normal((128, 512))
    T = poisoned(G.shape, "float16")
    info = polar(sent(G, "float16"), T, schedule=PE, storage="float16")
    assert "CopyOut" not in info.providers and off(T, reference(G)) < 2e-2


def test_layouts() -> None:
    from normkit.backends.cuda.language import cuda

    base = np.random.default_rng(4).standard_normal((3, 80, 60)).astype(np.float32)
    whole = cuda.to_device(base)
    for part, array in ((whole[:, ::2, 1::3], base[:, ::2, 1::3]), (whole[1].T, base[1].T)):
        T = poisoned(array.shape, "float32")
        polar(DeviceView(part, "float32"), T, schedule=PE, storage="float32")
        assert off(T, reference(array)) < 1e-4


def test_the_same_bits_every_time() -> None:
    G = sent(np.random.default_rng(5).standard_normal((2, 300, 500)), "float32")
    for storage in ("float16", "float32"):
        runs = []
        for _ in range(3):
            T, sums = poisoned((2, 300, 500), "float32"), poisoned((2,), "float64")
            polar(G, T, schedule=PE, storage=storage, sums=sums)
            poison()
            runs.append((T.bits(), sums.bits()))
        for again in runs[1:]:
            np.testing.assert_array_equal(runs[0][0], again[0])
            np.testing.assert_array_equal(runs[0][1], again[1])


def test_gains_sums_and_in_place() -> None:
    G = np.random.default_rng(6).standard_normal((3, 90, 40)).astype(np.float32)
    exact, gain = reference(G), np.array([1.0, -2.0, 0.0])
    on, sums = sent(G, "float32"), poisoned((3,), "float64")
    polar(on, on, schedule=PE, storage="float32", gain=sent(gain, "float64"), sums=sums)
    np.testing.assert_allclose(on.numbers(), gain[:, None, None] * exact, atol=1e-4)
    np.testing.assert_allclose(sums.numbers(), np.einsum("bij,bij->b", G, exact), rtol=1e-5)


def test_zero_and_what_is_not_finite() -> None:
    G = np.random.default_rng(7).standard_normal((4, 30, 50)).astype(np.float32)
    G[0], G[2, 3, 3], G[3, 0, 0] = 0, np.nan, np.inf
    T = poisoned(G.shape, "float32")
    info = polar(sent(G, "float32"), T, schedule=PE, storage="float16")
    with pytest.raises(NonFiniteError, match="matrix 2 of 4"):
        info.check()
    found = T.numbers()
    assert not found[0].any() and np.isfinite(found[1]).all() and np.isnan(found[2:]).all()


@pytest.mark.parametrize("power", [-120, 100])
def test_powers_of_two_change_no_bit(power: int) -> None:
    G = np.random.default_rng(8).standard_normal((70, 90)).astype(np.float32)
    bits = []
    for scaled in (G, np.ldexp(G, power)):
        T = poisoned(G.shape, "float32")
        polar(sent(scaled, "float32"), T, schedule=PE, storage="float16")
        bits.append(T.bits())
    np.testing.assert_array_equal(*bits)


def test_streams() -> None:
    from normkit.backends.cuda.language import cuda

    G = np.random.default_rng(9).standard_normal((4, 200, 300)).astype(np.float32)
    handles = [cuda.stream() for _ in range(4)]
    numbers = [int(getattr(each.handle, "value", each.handle)) for each in handles]
    results = [poisoned(each.shape, "float32", number) for each, number in zip(G, numbers, strict=True)]
    inputs = [sent(each, "float32", number) for each, number in zip(G, numbers, strict=True)]
    cuda.synchronize()
    for x, T in zip(inputs, results, strict=True):  # all at once: workspaces are apart
        polar(x, T, schedule=PE, storage="float32")
    for stream, T, exact in zip(handles, results, reference(G), strict=True):
        stream.synchronize()
        assert off(T, exact) < 1e-4


def test_graphs() -> None:
    from normkit.backends.cuda.language import cuda

    rng = np.random.default_rng(10)
    stream = cuda.stream()
    number = int(getattr(stream.handle, "value", stream.handle))
    x, T = sent(np.zeros((2, 128, 256)), "float32", number), poisoned((2, 128, 256), "float32", number)
    for _ in range(4):  # the first call runs, the second captures, the others replay
        G = rng.standard_normal((2, 128, 256)).astype(np.float32)
        x.owner.copy_to_device(G, stream=stream)
        info = polar(x, T, schedule=PE, storage="float16", graph=True)
        stream.synchronize()
        info.check()
        assert off(T, reference(G)) < 2e-2


def test_torch_captures_it() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    G = torch.randn(128, 256, device="cuda")
    T = torch.full_like(G, float("nan"))
    side = torch.cuda.Stream()

    def call() -> None:
        number = torch.cuda.current_stream().cuda_stream
        pair = [DeviceView(each, "float32", number) for each in (G, T)]
        polar(*(_of_torch(each) for each in pair), schedule=PE, storage="float16")

    with torch.cuda.stream(side):
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):
        call()
    G.normal_()
    graph.replay()
    torch.cuda.synchronize()
    exact = reference(G.cpu().numpy())
    assert np.linalg.norm(T.cpu().numpy() - exact) < 2e-2 * np.linalg.norm(exact)


def _of_torch(each: DeviceView) -> Any:
    from normkit.backends.cuda.interop import View

    tensor = each.owner
    return View(tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), each.dtype, 0, each.stream, tensor)


@pytest.mark.parametrize("accuracy, storage", [(0.1, "float16"), (1e-3, "float32"), (None, "float64")])
def test_accuracies(accuracy: float | None, storage: str) -> None:
    G = np.random.default_rng(11).standard_normal((2, 60, 200)).astype(np.float32)
    U, _, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    T = poisoned(G.shape, "float32")
    info = polar(sent(G, "float32"), T, accuracy=accuracy)
    assert info.reached and info.plan.storage == storage
    error = np.linalg.norm(T.numbers() - U @ Vt, axis=(1, 2)).max() / np.sqrt(60)
    assert error <= (accuracy or 1e-6)


def test_any_rank_for_the_maps() -> None:
    G = np.random.default_rng(12).standard_normal((2, 40, 70)).astype(np.float32)
    G[1, 20:] = G[1, :20]
    T, sums, ones = poisoned(G.shape, "float32"), poisoned((2,), "float64"), sent(np.ones(2), "float64")
    LiftedPolar().apply(sent(G, "float32"), T, ones, sums)
    np.testing.assert_allclose(sums.numbers(), np.linalg.norm(G.astype(float), "nuc", axis=(1, 2)), rtol=1e-5)


def test_certificates() -> None:
    G = np.random.default_rng(13).standard_normal((2, 300, 500)).astype(np.float32)
    x, T = sent(G, "float32"), poisoned(G.shape, "float32")
    polar(x, T, accuracy=1e-3)
    found, nuclear = nuclear_bounds(x, T), np.linalg.norm(G.astype(np.float64), "nuc", axis=(1, 2))
    assert (found.lower <= nuclear).all() and (nuclear <= found.upper).all() and (found.gap < 0.02).all()


def test_too_little_memory_changes_nothing() -> None:
    gpu: Any = device(0)
    T = poisoned((1, 4), "float32")
    with pytest.raises(BackendError, match="needs a workspace of"), gpu.current():
        gpu.workspace(1 << 46, 0, None)
    assert np.isnan(T.numbers()).all()


def test_two_devices() -> None:
    x = sent(np.ones((2, 3)), "float32")
    with pytest.raises(BackendError, match="GPU 0 and the result on GPU 1"):
        polar(x, DeviceView(x.owner, "float32", 0, 1), schedule=PE)
