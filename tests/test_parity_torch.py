"""Recipes and pipelines follow torch.optim on the same gradients: 20 steps in float32, to 1e-6."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from trajectories import Arrays, distance, draw, gradients, msign, run

import normkit as nk
from normkit.optim import SteepestDescent, pipeline_named, recipes

torch = pytest.importorskip("torch", reason="parity with torch.optim needs torch")

TO = 1e-6
VECTORS = {"tall": (7, 4), "wide": (4, 7), "bias": (5,)}


def by_torch(make: Any, weights: Arrays, grads: list[Arrays], after: Any = None) -> Arrays:
    """Return the weights after a run of an optimizer of torch."""
    named = {name: torch.nn.Parameter(torch.from_numpy(w.copy())) for name, w in weights.items()}
    opt = make(list(named.values()))
    for g in grads:
        for name, parameter in named.items():
            parameter.grad = torch.from_numpy(g[name].copy())
        opt.step()
        if after is not None:
            after(opt)
    return {name: parameter.detach().numpy() for name, parameter in named.items()}


SGD: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "dampening": {"momentum": 0.9, "dampening": 0.3},
    "dampening_without_momentum": {"dampening": 0.3},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "decay": {"momentum": 0.9, "weight_decay": 0.1},
    "maximize": {"momentum": 0.9, "weight_decay": 0.1, "maximize": True},
}


@pytest.mark.parametrize("case", SGD)
def test_sgd(case: str) -> None:
    options = SGD[case]
    weights, grads = draw(VECTORS), gradients(VECTORS)
    theirs = by_torch(lambda p: torch.optim.SGD(p, lr=0.05, **options), weights, grads)
    norm = nk.Modular({"tall": "fro", "wide": "fro", "bias": "l2"}, outer="l2")
    assert distance(run(recipes.sgd(0.05, norm=norm, **options), weights, grads), theirs) < TO
    own = dict(options)
    opt = SteepestDescent(pipeline_named("sgd", lr=0.05, **{k: own.pop(k) for k in list(own) if k != "maximize"}), lr=1)
    opt.maximize = options.get("maximize", False)
    assert distance(run(opt, weights, grads), theirs) < TO


def exact(grad: Any, *args: Any, **kwargs: Any) -> Any:
    return torch.from_numpy(msign(grad.numpy()).astype(np.float32))


ADJUST = ["original", "match_rms_adamw", "spectral_unclamped", None]


def takes(adjust: str | None) -> bool:
    """Tell whether the installed torch knows an adjustment."""
    return adjust is None or f'"{adjust}"' in inspect.getsource(torch.optim._muon)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("adjust", ADJUST)
def test_muon_with_an_exact_polar_factor(adjust: str | None, nesterov: bool, monkeypatch: Any) -> None:
    """Exact in place of torch's five steps in bfloat16; `exact` also writes nothing to the momentum, as 2.15 does."""
    if not takes(adjust):
        pytest.skip(f"torch {torch.__version__} has no adjust_lr_fn {adjust!r}")
    monkeypatch.setattr(torch.optim._muon, "_zeropower_via_newtonschulz", exact)
    weights, grads = draw(), gradients()
    options = {"lr": 0.02, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.1}
    theirs = by_torch(lambda p: torch.optim.Muon(p, adjust_lr_fn=adjust, **options), weights, grads)
    assert distance(run(recipes.muon(adjust=adjust, **options), weights, grads), theirs) < TO


def test_defaults_of_muon_are_those_of_torch() -> None:
    theirs = inspect.signature(torch.optim.Muon).parameters
    ours = inspect.signature(recipes.muon).parameters
    for name in ("lr", "momentum", "nesterov", "weight_decay"):
        assert ours[name].default == theirs[name].default, name


def test_five_steps_in_bfloat16_are_another_optimizer() -> None:
    """What is left of parity with torch's own iteration; recorded in docs/optim.md."""
    weights, grads = draw(), gradients()
    options = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}
    theirs = by_torch(lambda p: torch.optim.Muon(p, **options), weights, grads)
    moved = distance(weights, theirs)
    apart = distance(run(recipes.muon(**options), weights, grads), theirs)
    assert 0.02 < apart / moved < 0.3


def test_torch_normalizes_a_bfloat16_momentum_in_place_before_2_15() -> None:
    """torch 2.9.0 to 2.14.1, nesterov=False, bfloat16: the momentum comes back with length 1. So no parity there."""
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if not (2, 9) <= version < (2, 15):
        pytest.skip(f"torch {torch.__version__} has no such fault")
    parameter = torch.nn.Parameter(torch.zeros(4, 7, dtype=torch.bfloat16))
    opt = torch.optim.Muon([parameter], nesterov=False)
    parameter.grad = torch.full_like(parameter, 100.0)
    opt.step()
    kept = opt.state[parameter]["momentum_buffer"].float()
    assert abs(float(kept.norm()) - 1.0) < 0.02  # 0.05 times the gradient has length 26


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("name", ["adamw", "adam"])
def test_adam(name: str, decay: float) -> None:
    weights, grads = draw(VECTORS), gradients(VECTORS)
    options = {"betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": decay}
    theirs = by_torch(
        lambda p: {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[name](p, lr=0.01, **options), weights, grads
    )
    assert distance(run(SteepestDescent(pipeline_named(name, **options), lr=0.01), weights, grads), theirs) < TO
