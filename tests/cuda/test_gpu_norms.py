"""Norms on arrays of other libraries in the memory of a GPU, skipped without one: types, streams, optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu_arrays import why_not

import normkit as nk
from normkit.errors import BackendError, DTypeError, NonFiniteError, ShapeError

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

G = np.random.default_rng(0).standard_normal((3, 48, 80))
SPECS = ["max", "entries(l1)", "rows(linf, l2)", "cols(l1, l2)", "entries(topk(5))", "max(fro, 4*max)", "rms->rms"]
ROUNDING = {"float64": 1e-10, "float32": 1e-4, "float16": 4e-3, "bfloat16": 3e-2}


def torch() -> Any:
    found = pytest.importorskip("torch", reason="torch is not installed")
    if not found.cuda.is_available():
        pytest.skip("this torch has no CUDA")
    return found


@pytest.mark.parametrize("dtype", list(ROUNDING))
@pytest.mark.parametrize("spec", SPECS)
def test_torch_tensors(spec: str, dtype: str) -> None:
    t = torch()
    g = t.tensor(G, dtype=getattr(t, dtype), device="cuda")
    exact = g.cpu().double().numpy()
    made = nk.dualize(spec, g)
    assert (made.device, made.dtype, made.shape) == (g.device, g.dtype, g.shape)
    expected = nk.dualize(spec, exact)
    assert np.abs(made.cpu().double().numpy() - expected).max() <= ROUNDING[dtype] * np.abs(expected).max()
    np.testing.assert_allclose(nk.dual_value(spec, g), nk.dual_value(spec, exact), rtol=ROUNDING[dtype])
    np.testing.assert_allclose(nk.value(spec, g), nk.value(spec, exact), rtol=ROUNDING[dtype])
    assert nk.certify(spec, g, made).gap.max() <= 4 * ROUNDING[dtype]
    step = nk.steepest_descent(spec, g, sharpness=2.0).cpu().double().numpy()
    lengths = -np.asarray(nk.dual_value(spec, exact)).reshape(3, 1, 1) / 2.0
    assert np.abs(step - lengths * expected).max() <= 2 * ROUNDING[dtype] * np.abs(lengths * expected).max()
    assert bool((g.cpu().double() == t.tensor(exact)).all()), "the gradient was written to"


def test_layouts_streams_and_results() -> None:
    t = torch()
    whole = t.randn(100, 300, device="cuda", dtype=t.float64)
    for g in (whole.T, whole[::2, 3:250:5], whole.reshape(4, 25, 300).transpose(0, 1)):
        expected = nk.dualize("rows(linf, l2)", g.cpu().numpy())
        np.testing.assert_allclose(nk.dualize("rows(linf, l2)", g).cpu().numpy(), expected, atol=1e-13)
    own = t.cuda.Stream()
    with t.cuda.stream(own):
        late = t.zeros(64, 64, device="cuda")
        t.cuda._sleep(50_000_000)
        late += 2.0
        made = nk.dualize("max", late)
    own.synchronize()
    assert bool((made == 1.0).all()), "kernels ran before the caller's stream had come so far"
    out = t.full_like(whole, t.nan)
    assert nk.dualize("max", whole, out=out) is out and bool((out == t.sign(whole)).all())
    assert nk.lmo("max", whole, radius=0.5, out=whole) is whole and bool((whole == -0.5 * out).all())


def test_torch_mistakes() -> None:
    t = torch()
    g = t.ones(4, 5, device="cuda")
    with pytest.raises(DTypeError, match=r"give x\.detach\(\)"):
        nk.dualize("max", g.clone().requires_grad_())
    with pytest.raises(BackendError, match="which the back end 'cpu' does not read"):
        nk.dualize("max", g, backend="cpu")
    with pytest.raises(ShapeError, match="needs a matrix"):
        nk.dualize("max", g[0])
    bad = g.clone()
    bad[2, 3] = float("inf")
    kept = t.zeros_like(g)
    with pytest.raises(NonFiniteError, match=r"inf at index \[2, 3\]"):
        nk.dualize("max", bad, out=kept)
    assert not bool(kept.any())
    if t.cuda.device_count() > 1:
        with pytest.raises(BackendError, match="both must be on one"):
            nk.dualize("max", g, out=t.zeros_like(g, device="cuda:1"))


def test_the_same_bits_every_time() -> None:
    t = torch()
    g = t.randn(7, 1000, 333, device="cuda")
    for spec in ("entries(l2)", "rows(linf, l2)", "cols(l1, l2)", "entries(topk(9))"):
        first, value = nk.dualize(spec, g), nk.value(spec, g)
        assert all(bool((nk.dualize(spec, g) == first).all()) for _ in range(5)), spec
        assert all((nk.value(spec, g) == value).all() for _ in range(5)), spec


def test_the_optimizer_of_torch() -> None:
    t = torch()
    from normkit.torch import SteepestDescent

    results = {}
    for path in ("torch", "cuda"):
        t.manual_seed(0)
        model = t.nn.Sequential(t.nn.Linear(64, 32, bias=False), t.nn.ReLU(), t.nn.Linear(32, 10, bias=False))
        opt = SteepestDescent(model.cuda(), norm="max", lr=0.01, momentum=0.9, path=path)
        x, y = t.randn(64, 64).cuda(), t.randint(10, (64,)).cuda()
        for _ in range(3):
            opt.zero_grad()
            t.nn.functional.cross_entropy(model(x), y).backward()
            opt.step()
        results[path] = [p.detach().cpu() for p in model.parameters()]
    for ours, theirs in zip(results["cuda"], results["torch"], strict=True):
        assert t.allclose(ours, theirs, atol=1e-6)


def test_other_libraries() -> None:
    from normkit.backends.cuda.compat import cuda

    d = cuda.to_device(G)
    made = nk.dualize("rows(linf, l2)", d)
    assert type(made) is type(d)
    np.testing.assert_allclose(made.copy_to_host(), nk.dualize("rows(linf, l2)", G), atol=1e-13)
    np.testing.assert_allclose(nk.dualize("max", G, backend="cuda"), np.sign(G))
    jax = pytest.importorskip("jax", reason="jax is not installed")
    if jax.default_backend() != "gpu":
        pytest.skip("this jax has no GPU")
    for shape in (G.shape, (3, 2, 24, 80)):  # with two batch axes, reshaping copies
        single = G.astype(np.float32).reshape(shape)
        g = jax.numpy.asarray(single)
        made = nk.dualize("rows(linf, l2)", g)
        assert type(made) is type(g) and made.shape == shape
        np.testing.assert_allclose(np.asarray(made), nk.dualize("rows(linf, l2)", single), atol=1e-6)
