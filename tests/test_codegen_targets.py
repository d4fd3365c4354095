"""What `nk.codegen` prints, imported from a file and compared with `nk.dualize` and its certificates."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit.standalone import function
from normkit.targets.vocabulary import TARGETS

VECTORS = ["l1", "l2", "linf", "lp(3)", "rms", "topk(2)", "ksupport(2)", "dual(ksupport(2))", "owl([3,2,1,1,0])"]
VECTORS += ["dual(owl([3,2,1,1,0]))", "max(l1, 6/5*l2)", "l1 + l2", "max(linf, 3/4*l1)", "lovasz(sqrt(n))", "2*l1/n"]
MATRICES = ["fro", "spectral", "nuclear", "schatten(4)", "kyfan(2)", "max", "rms->rms", "l1->rms", "l2->linf"]
MATRICES += [
    "l1->linf",
    "rms->linf",
    "rows(linf, l2)",
    "cols(l1, topk(2))",
    "rows(topk(2), l1)",
    "entries(owl([3,2,1]))",
]
MATRICES += ["lift(ksupport(2))", "spectral/sqrt(Max(1, m/n))", "transpose(rms->rms)", "spectral + 1/10*nuclear"]
MATRICES += ["dual(rms->rms)", "max(spectral, 1/2*fro)"]
ARRAYS = ["matricize(rms->rms, 'o i h w', 'o', 'i h w')", "matricize(l1->rms, '(h=2 d) i', 'd', 'h i')"]
ARRAYS += ["slices(spectral, 'o i h w', 'h w', linf)"]
FIXED = [
    "wlp(3/2, [1, 2, 1/2, 4, 1, 3])",
    "groups(l1, l2, [[0, 3], [1, 2, 5], [4]])",
    "atoms([[1, 0], [1, 1], [0, 3]])",
]
FIXED += [
    "quotient(l1, [[1, 0, 2, -1], [0, 1, 1, 1]])",
    "sandwich(nuclear, [[2, 1], [0, 1]], [[1, 0, 2], [0, 1, 0], [1, 1, 0]])",
]
FIXED += ["linmap(topk(2), [[2, 1, 0], [-1, 1, 0], [0, 1, 3]])", "sgl([[0, 1, 2], [3, 4], [5]], 1, 1/2, [1, 2, 1])"]
LOOPED = ["max(topk(2), 1/2*l1)", "topk(2) + 2*l2", "orlicz(cosh(x) - 1)", "orlicz(Max(0, x - 1/3)**2)"]
LOOPED += ["dual(orlicz(Max(0, x - 1/3)**2))", "amemiya(x**2 + x)"]
EVERY = [*VECTORS, *MATRICES, *ARRAYS, *FIXED]
IMPORTS = {"numpy": {"numpy"}, "numba": {"numba", "numpy"}, "torch": {"torch"}, "jax": {"jax"}}


def library(target: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]:
    """Return (array -> the target's own, the target's own -> array, what compiles a function quickly), or skip."""
    if target == "torch":
        torch = pytest.importorskip("torch", reason="the target is torch")
        return torch.tensor, lambda made: made.numpy(), lambda made: made
    if target == "jax":
        jax = pytest.importorskip("jax", reason="the target is jax")
        return jax.numpy.asarray, np.asarray, jax.jit
    return (lambda made: made), np.asarray, lambda made: made


def imported(text: str, folder: Path) -> ModuleType:
    path = folder / "printed.py"
    path.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location("printed", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shapes(norm: nk.Norm) -> list[tuple[int, ...]]:
    """A wide and a tall shape that the norm takes."""
    found = []
    for free in ((4, 5, 2, 2), (6, 4, 2, 3)):
        lengths = iter(free if norm.ndim > 1 else free[1:])
        shape = tuple(next(lengths) if length is None else length for length in norm.shape)
        found.append(tuple(6 if "entries(owl" in str(norm) and at == 0 else size for at, size in enumerate(shape)))
    if "owl" in str(norm):
        found = [(3, 1) if norm.ndim == 2 else (5,)]
    return sorted(set(found))


def inputs(norm: nk.Norm, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(sum(shape))
    plain, outer = rng.normal(size=shape), np.ones(shape)
    for axis, size in enumerate(shape):
        outer *= rng.normal(size=size).reshape([-1 if at == axis else 1 for at in range(len(shape))])
    found = {"plain": plain, "zero": np.zeros(shape), "ties": np.sign(plain), "rank one": outer}
    found["sparse"] = np.where(plain > 0.3, plain, 0.0)
    found["rounded"] = np.round(2 * rng.normal(size=shape))
    found["wild"] = plain * np.exp(40 * rng.normal(size=shape))
    return found


def agrees(norm: nk.Norm, G: np.ndarray, T: np.ndarray, size: Any, rtol: float) -> None:
    """The dual norm is that of `nk.dual_value`, and T is a maximiser by its certificate; zero gives zero."""
    wanted = nk.dual_value(norm, G, backend="reference")
    assert T.shape == G.shape and T.dtype == G.dtype
    np.testing.assert_allclose(np.asarray(size, np.float64), wanted, rtol=rtol, atol=0)
    assert nk.certify(norm, G, T, backend="reference").holds(rtol)
    items = T.reshape(-1, *T.shape[T.ndim - norm.ndim :])
    assert not any(t.any() for g, t in zip(G.reshape(items.shape), items, strict=True) if not g.any())


@pytest.mark.parametrize("spec", EVERY)
@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
def test_printed_maps_are_those_of_dualize(target: str, spec: str, tmp_path: Path) -> None:
    there, back, compiled = library(target)
    norm, kind = nk.norm(spec), np.float32 if target == "jax" else np.float64
    printed = imported(nk.codegen(norm, target, exact=True), tmp_path).dualize_with_dual_norm
    rtol = 2e-5 if target == "jax" else 1e-9
    for shape in shapes(norm)[: 1 if target == "jax" else 2]:
        given = inputs(norm, shape)
        if target == "jax":
            del given["wild"]  # so many orders of magnitude are none of float32
        G = np.stack(list(given.values())).astype(kind)
        T, size = map(back, compiled(printed)(there(G)))
        agrees(norm, G, T, size, rtol)
        if target != "jax":
            one, its = map(back, printed(there(G[0])))
            assert its.shape == ()
            np.testing.assert_allclose(one, T[0], rtol=0, atol=1e-12)
        if nk.cost_class(norm) != "svd" and "linmap" not in spec:
            # What a linear map or a decomposition makes equal is equal up to rounding, which breaks the tie.
            wanted = nk.dualize(norm, G, backend="reference")
            np.testing.assert_allclose(T, wanted, rtol=0, atol=rtol * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize(
    "spec", ["l2", "lp(3)", "dual(ksupport(2))", "l1 + l2", "rms->rms", "schatten(4)", "rows(linf, l2)"]
)
@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("scale", [1e30, 1e-20])
def test_scales_at_the_ends_of_float32(scale: float, target: str, spec: str, tmp_path: Path) -> None:
    there, back, _ = library(target)
    norm = nk.norm(spec)
    G = np.random.default_rng(3).normal(size=(4, 6) if norm.ndim == 2 else 6).astype(np.float32)
    printed = imported(nk.codegen(norm, target, exact=True), tmp_path).dualize_with_dual_norm
    plain, size = map(back, printed(there(G)))
    far = G * np.float32(scale)
    T, long = map(back, printed(there(far)))
    assert T.dtype == np.float32
    np.testing.assert_allclose(T, plain, rtol=0, atol=1e-5)
    np.testing.assert_allclose(long / scale, size, rtol=1e-5)
    powers, _ = map(back, printed(there(G * np.float32(2.0**60))))
    assert np.array_equal(powers, plain), "a power of two changes no bit"


# --- polar factors by products --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (2, 3, 16, 16)], ids=str)
def test_products_keep_their_accuracy_on_the_stated_domain(target: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    there, back, _ = library(target)
    rng = np.random.default_rng(7)
    left, _, right = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    sigma = np.geomspace(1, 3e-2, left.shape[-1])
    G = ((left * sigma) @ right).astype(np.float32)
    printed = imported(nk.codegen("spectral", target, accuracy=1e-2, lower=1e-3), tmp_path).dualize_with_dual_norm
    T, size = map(back, printed(there(G)))
    exact = left @ right
    reached = np.linalg.norm(T - exact, axis=(-2, -1))
    assert np.all(reached <= 1e-2 * np.sqrt(len(sigma)))
    assert np.all(np.linalg.norm(T, 2, axis=(-2, -1)) <= 1 + 1e-5)
    whole = sigma.sum()
    assert np.all(size <= whole * (1 + 1e-5)) and np.all(size >= whole * (1 - 1e-2))


@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
def test_products_give_a_partial_isometry(target: str, tmp_path: Path) -> None:
    there, back, _ = library(target)
    rng = np.random.default_rng(8)
    left, right = rng.normal(size=(20, 3)), rng.normal(size=(3, 30))
    G = np.stack([left @ right, np.zeros((20, 30)), rng.normal(size=(20, 30))]).astype(np.float32)
    T, size = map(
        back, imported(nk.codegen("rms->rms", target, accuracy=1e-3), tmp_path).dualize_with_dual_norm(there(G))
    )
    u, s, vt = np.linalg.svd(G[0].astype(np.float64))
    wanted = np.sqrt(20 / 30) * u[:, :3] @ vt[:3]
    assert np.linalg.norm(T[0] - wanted) <= 1e-3 * np.sqrt(3)
    assert not T[1].any() and size[1] == 0
    np.testing.assert_allclose(size[0], np.sqrt(20 / 30) * s[:3].sum(), rtol=1e-3)


def test_products_are_for_polar_factors_alone() -> None:
    assert "_svd(" in nk.codegen("schatten(4)", "torch") and "_svd(" not in nk.codegen("spectral", "torch")
    assert "_svd(" in nk.codegen("spectral", "torch", exact=True)
    assert "_svd(" in nk.codegen("spectral", "numpy") and "_svd(" not in nk.codegen("spectral", "numpy", accuracy=0.1)


# --- what single targets promise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["rms->rms", "rows(linf, l2)", "dual(ksupport(2))"])
def test_jax_jit_and_vmap(spec: str) -> None:
    jax = pytest.importorskip("jax", reason="the target is jax")
    norm, printed = nk.norm(spec), function(spec, "jax", exact=True)
    G = np.random.default_rng(1).normal(size=(4, 3, 5) if norm.ndim == 2 else (4, 5)).astype(np.float32)
    for run in (jax.jit(printed), jax.vmap(printed), jax.jit(jax.vmap(printed))):
        T, size = map(np.asarray, run(G))
        agrees(norm, G, T, size, 2e-5)
    fast = jax.jit(function(spec, "jax"))
    assert fast(G)[0].dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_torch_types_and_gradients(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="the target is torch")
    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    G = torch.randn(6, 4).to(kind).requires_grad_()
    T, size = function("rms->rms", "torch")(G)
    assert T.dtype == kind and size.dtype == (torch.float64 if dtype == "float64" else torch.float32)
    assert not T.requires_grad and G.grad is None
    wanted = nk.dualize("rms->rms", G.detach().double().numpy())
    assert float(np.abs(T.double().numpy() - wanted).max()) < (1e-2 if dtype in ("float16", "bfloat16") else 1e-3)
    W = torch.randn(6, 4, requires_grad=True)
    (W * function("linf", "torch")(W)[0]).sum().backward()
    assert torch.equal(W.grad, torch.sign(W.detach())), "the map is a constant to autograd"


def test_torch_compile() -> None:
    torch = pytest.importorskip("torch", reason="the target is torch")
    G = torch.randn(5, 7, generator=torch.Generator().manual_seed(2))
    for spec in ("rms->rms", "rows(linf, l2)"):
        printed = function(spec, "torch")
        run = torch.compile(printed, backend="eager", fullgraph=True)
        assert torch.allclose(run(G)[0], printed(G)[0])


@pytest.mark.parametrize("spec", ["rms->rms", "max(topk(2), 1/2*l1)", "rows(owl([3,2,1,1]), l2)"])
def test_numba(spec: str) -> None:
    norm, printed = nk.norm(spec), function(spec, "numba")
    for G in inputs(norm, (4, 3) if norm.ndim == 2 else (6,)).values():
        T, size = printed(G)
        agrees(norm, G, T, size, 1e-9)


def test_numba_from_a_file(tmp_path: Path) -> None:
    made = imported(nk.codegen("linf", "numba", map="sharp"), tmp_path)
    step = made.steepest_descent(np.array([3.0, -4.0, 0.0], dtype=np.float32), 2.0)
    assert step.dtype == np.float32 and step.tolist() == [-3.5, 3.5, 0.0]
    with pytest.raises(TypeError, match="floating-point"):
        made.dualize(np.array([1, 2]))


def test_numba_by_products() -> None:
    G = np.random.default_rng(4).normal(size=(4, 7))
    T, size = function("spectral", "numba", accuracy=1e-3)(G)
    np.testing.assert_allclose(T, nk.dualize("spectral", G), atol=2e-3)
    np.testing.assert_allclose(size, nk.dual_value("spectral", G), rtol=1e-3)


@pytest.mark.parametrize("spec", LOOPED)
@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_roots_and_searches_are_printed_where_loops_are(target: str, spec: str, tmp_path: Path) -> None:
    there, back, _ = library(target)
    norm = nk.norm(spec)
    if target == "torch" and "topk" in spec:
        with pytest.raises(nk.NoClosedForm, match=r"not printed for torch; it is for numpy, numba"):
            nk.codegen(norm, target)
        return
    printed = imported(nk.codegen(norm, target), tmp_path).dualize_with_dual_norm
    G = np.stack(list(inputs(norm, (6,)).values()))
    T, size = map(back, printed(there(G)))
    agrees(norm, G, T, size, 1e-9)
    np.testing.assert_allclose(T, nk.dualize(norm, G, backend="reference"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("spec", ["rms->rms", "l2"])
def test_steps_have_their_sign_and_length(target: str, spec: str, tmp_path: Path) -> None:
    there, back, _ = library(target)
    norm = nk.norm(spec)
    G = np.random.default_rng(6).normal(size=(2, 3, 4)).astype(np.float32)
    text = nk.codegen(norm, target, map="lmo", exact=True)
    step = back(imported(text, tmp_path).lmo(there(G), radius=0.5))
    np.testing.assert_allclose(step, nk.lmo(norm, G, radius=0.5), atol=1e-5)
    text = nk.codegen(norm, target, map="sharp", exact=True)
    step = back(imported(text, tmp_path).steepest_descent(there(G), sharpness=4.0))
    np.testing.assert_allclose(step, nk.steepest_descent(norm, G, sharpness=4.0), atol=1e-5)
    assert step.dtype == np.float32


# --- the text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_texts_import_their_target_alone_and_are_clean(target: str, tmp_path: Path) -> None:
    names = [*EVERY, *(LOOPED if target in ("numpy", "numba") else [])]
    for at, spec in enumerate(names):
        text = nk.codegen(spec, target)
        roots = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert roots <= IMPORTS[target] | {"math"}
        (tmp_path / f"printed_{at}.py").write_text(text, "utf-8")
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    done = subprocess.run([ruff, "check", "--isolated", "--no-cache", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_the_file_imports_without_warnings_or_normkit(target: str, tmp_path: Path) -> None:
    pytest.importorskip(target, reason="the target is not installed")
    (tmp_path / "printed.py").write_text(nk.codegen("rms->rms", target), "utf-8")
    code = "import sys, printed; assert not any(name.startswith('normkit') for name in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("spec", [r"rms->rms", "owl([3,2,1])", "amemiya(x**2 + x)"])
def test_the_head_says_where_the_code_comes_from(spec: str) -> None:
    norm = nk.norm(spec)
    head = ast.get_docstring(ast.parse(nk.codegen(norm, "numpy")))
    assert head is not None
    for said in (
        str(norm),
        str(norm.dual),
        "normkit codegen --norm",
        "Sign:",
        "Zero, ties:",
        "Formula:",
        norm.theorem.name,
    ):
        assert said in head, said
    assert f"[{norm.theorem.source}] " in head


def test_the_head_repeats_the_command() -> None:
    head = " ".join(
        (ast.get_docstring(ast.parse(nk.codegen("spectral", "jax", accuracy=0.1, map="lmo"))) or "").split()
    )
    assert "normkit codegen --norm spectral --target jax --accuracy 0.1 --map lmo" in head
    assert "singular values in [0.001, 1]" in head


# --- the library entry, and errors ----------------------------------------------------------------------------------


def test_function_is_made_once_and_lies_in_the_cache() -> None:
    first = function("rms->rms", "numpy", accuracy=1e-2)
    assert first is function("rms->rms", "numpy", accuracy=1e-2)
    assert Path(inspect.getsourcefile(inspect.unwrap(first)) or "").name.startswith("printed_numpy_")
    T, size = first(np.eye(3))
    assert np.abs(T - np.eye(3)).max() < 1e-2 and abs(size - 3) < 3e-2


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nk.codegen("l2", "cupy"), nk.ParameterError, "numpy, numba, torch, jax; got the target 'cupy'"),
    (lambda: nk.codegen("l2", "numpy", map="sharpen"), nk.ParameterError, "map is one of dualize, lmo, sharp"),
    (lambda: nk.codegen("spectral", "jax", exact=True, accuracy=0.1), nk.ParameterError, "one or the other"),
    (lambda: nk.codegen("spectral", "numpy", lower=0.1), nk.ParameterError, "belongs to an accuracy"),
    (lambda: nk.codegen("spectral", "numpy", accuracy=2.0), nk.ParameterError, "between 0 and 1"),
    (lambda: nk.codegen("linf->l1", "numpy"), nk.NoClosedForm, "closed form|NP-hard"),
    (lambda: nk.codegen("orlicz(cosh(x) - 1)", "jax"), nk.NoClosedForm, "numpy, numba, torch"),
    (lambda: nk.codegen(nk.Modular({"a": nk.norm("l2")}), "numpy"), nk.SpecError, "named arrays"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG, ids=[str(at) for at in range(len(WRONG))])
def test_errors_say_what_works(call: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_printed_functions_refuse_what_they_cannot_take() -> None:
    printed = function("owl([3,2,1])", "numpy")
    with pytest.raises(ValueError, match=r"items of shape \(3\)"):
        printed(np.ones(4))
    with pytest.raises(TypeError, match="floating-point"):
        printed(np.ones(3, dtype=int))
    with pytest.raises(ValueError, match="2 or more axes"):
        function("fro", "numpy")(np.ones(3))
