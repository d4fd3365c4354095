"""What `nk.codegen` prints for JAX; see test_codegen_targets.py for the other targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from printed_files import EVERY, FAR, SHAPES, agrees, check_maps, check_products, check_rank, check_scale, check_steps

import normkit as nk
from normkit.standalone import function

jax = pytest.importorskip("jax", reason="the target is jax")


@pytest.mark.parametrize("spec", EVERY)
def test_printed_maps_are_those_of_dualize(spec: str, tmp_path: Path) -> None:
    check_maps("jax", spec, tmp_path)


@pytest.mark.parametrize("spec", FAR)
def test_scales_at_the_ends_of_float32(spec: str, tmp_path: Path) -> None:
    check_scale(1e30, "jax", spec, tmp_path)
    check_scale(1e-20, "jax", spec, tmp_path)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_keep_their_accuracy_on_the_stated_domain(shape: tuple[int, ...], tmp_path: Path) -> None:
    check_products("jax", shape, tmp_path)


def test_products_give_a_partial_isometry(tmp_path: Path) -> None:
    check_rank("jax", tmp_path)


@pytest.mark.parametrize("spec", ["rms->rms", "l2"])
def test_steps_have_their_sign_and_length(spec: str, tmp_path: Path) -> None:
    check_steps("jax", spec, tmp_path)


@pytest.mark.parametrize("spec", ["rms->rms", "rows(linf, l2)", "dual(ksupport(2))"])
def test_jax_jit_and_vmap(spec: str) -> None:
    norm, printed = nk.norm(spec), function(spec, "jax", exact=True)
    G = np.random.default_rng(1).normal(size=(4, 3, 5) if norm.ndim == 2 else (4, 5)).astype(np.float32)
    for run in (jax.jit(printed), jax.vmap(printed), jax.jit(jax.vmap(printed))):
        T, size = map(np.asarray, run(G))
        agrees(norm, G, T, size, 2e-5)
    fast = jax.jit(function(spec, "jax"))
    assert fast(G)[0].dtype == np.float32
