"""The recipe of optax.contrib.muon follows it on the same gradients: 20 steps in float32, to 1e-6."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from trajectories import Arrays, distance, draw, gradients, msign, run

from normkit.optim import recipes

jax = pytest.importorskip("jax", reason="parity with optax needs jax")
optax = pytest.importorskip("optax", reason="parity with optax needs optax")
contrib = pytest.importorskip("optax.contrib", reason="parity with optax needs optax.contrib")


def by_optax(transformation: Any, weights: Arrays, grads: list[Arrays]) -> Arrays:
    """Return the weights after a run of a transformation."""
    state = transformation.init(weights)
    for g in grads:
        updates, state = transformation.update(g, state, weights)
        weights = {name: np.asarray(w) for name, w in optax.apply_updates(weights, updates).items()}
    return weights


def exact(x: Any, *args: Any, **kwargs: Any) -> Any:
    return jax.numpy.asarray(msign(x).astype(np.float32))


CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "plain": {"nesterov": False},
    "decay": {"weight_decay": 0.2},
    "consistent_rms": {"consistent_rms": 0.2},
    "adaptive": {"adaptive": True},
    "adaptive_plain_decay": {"adaptive": True, "nesterov": False, "weight_decay": 0.2},
}


@pytest.mark.parametrize("case", CASES)
def test_muon_with_an_exact_polar_factor(case: str, monkeypatch: Any) -> None:
    """optax keeps matrices in x out: the wide one has the larger scale."""
    monkeypatch.setattr(import_module("optax.contrib._muon"), "orthogonalize_via_newton_schulz", exact)
    weights, grads = draw(), gradients()
    options = {"beta": 0.9, **CASES[case]}
    lr = 0.002 if CASES[case].get("adaptive") else 0.02
    theirs = by_optax(contrib.muon(lr, **options), weights, grads)
    assert distance(run(recipes.optax_muon(lr, **options), weights, grads), theirs) < 1e-6


def test_bias_correction_enters_the_direction() -> None:
    """With Nesterov the correction of optax changes the mix of gradient and average, so it is no matter of scale."""
    weights, grads = draw(), gradients(steps=4)
    ours = run(recipes.optax_muon(0.02), weights, grads)
    without = recipes.muon(0.02, adjust="none", weight_decay=0)
    without.norm = recipes.optax_muon(0.02).norm
    assert distance(run(without, weights, grads), ours) > 1e-4


def test_newton_schulz_of_optax_is_another_optimizer() -> None:
    weights, grads = draw(), gradients()
    theirs = by_optax(contrib.muon(0.02, beta=0.9), weights, grads)
    apart = distance(run(recipes.optax_muon(0.02, beta=0.9), weights, grads), theirs)
    assert 0.02 < apart / distance(weights, theirs) < 0.3
