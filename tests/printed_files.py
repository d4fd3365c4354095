"""Files that `nk.codegen` prints, imported and compared with `nk.dualize` and its certificates."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import normkit as nk

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
FIXED += ["rowblocks(l2, spectral, l1->rms, [1, 2])", "rowblocks(linf, rms->rms, [2, 2, 1])"]
LOOPED = ["max(topk(2), 1/2*l1)", "topk(2) + 2*l2", "orlicz(cosh(x) - 1)", "orlicz(Max(0, x - 1/3)**2)"]
LOOPED += ["dual(orlicz(Max(0, x - 1/3)**2))", "amemiya(x**2 + x)"]
EVERY = [*VECTORS, *MATRICES, *ARRAYS, *FIXED]
FAR = ["l2", "lp(3)", "dual(ksupport(2))", "l1 + l2", "rms->rms", "schatten(4)", "rows(linf, l2)"]
SHAPES = [(24, 40), (40, 24), (2, 3, 16, 16)]


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
    found["wild"] = plain * np.exp(150 * rng.normal(size=shape))
    return found


def agrees(norm: nk.Norm, G: np.ndarray, T: np.ndarray, size: Any, rtol: float) -> None:
    """The dual norm is that of `nk.dual_value`, and T is a maximiser by its certificate; zero gives zero."""
    wanted = nk.dual_value(norm, G, backend="reference")
    assert T.shape == G.shape and T.dtype == G.dtype
    np.testing.assert_allclose(np.asarray(size, np.float64), wanted, rtol=rtol, atol=0)
    assert nk.certify(norm, G, T, backend="reference").holds(rtol)
    items = T.reshape(-1, *T.shape[T.ndim - norm.ndim :])
    assert not any(t.any() for g, t in zip(G.reshape(items.shape), items, strict=True) if not g.any())


def check_maps(target: str, spec: str, tmp_path: Path) -> None:
    """The printed map is that of `nk.dualize`, for batches of all kinds of items."""
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


def check_scale(scale: float, target: str, spec: str, tmp_path: Path) -> None:
    """Nothing depends on the scale, up to the ends of float32."""
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


def check_products(target: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Polar factors by products keep the promise of the head."""
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


def check_rank(target: str, tmp_path: Path) -> None:
    """A rank deficient matrix gives a partial isometry."""
    there, back, _ = library(target)
    rng = np.random.default_rng(8)
    left, right = rng.normal(size=(20, 3)), rng.normal(size=(3, 30))
    G = np.stack([left @ right, np.zeros((20, 30)), rng.normal(size=(20, 30))]).astype(np.float32)
    u, s, vt = np.linalg.svd(G[0].astype(np.float64))
    wanted = np.sqrt(20 / 30) * u[:, :3] @ vt[:3]
    for text in (nk.codegen("rms->rms", target, accuracy=1e-3), nk.codegen("rms->rms", target, exact=True)):
        T, size = map(back, imported(text, tmp_path).dualize_with_dual_norm(there(G)))
        assert np.linalg.norm(T[0] - wanted) <= 1e-3 * np.sqrt(3)
        assert not T[1].any() and size[1] == 0
        np.testing.assert_allclose(size[0], np.sqrt(20 / 30) * s[:3].sum(), rtol=1e-3)


def check_steps(target: str, spec: str, tmp_path: Path) -> None:
    """lmo and steepest_descent have their sign and length."""
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
