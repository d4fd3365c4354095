"""What options of other libraries mean: scales as numbers, updates by formulas of their own, trajectories."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trajectories import Arrays, distance, draw, gradients, msign, run

import normkit as nk
from normkit import rosetta
from normkit.errors import ParameterError
from normkit.optim import Coupled, FrankWolfeDecay, HeavyBall, Independent, SteepestDescent, from_config
from normkit.optim.translation import OPTIMIZERS

# --- scales ----------------------------------------------------------------------------------------------------------

AT = {  # update: the scale for (out, in) = (4096, 1024), and for (1024, 4096)
    "sqrt(m/n) polar(G)": (2.0, 0.5),
    "sqrt(max(1, m/n)) polar(G)": (2.0, 1.0),
    "0.2 sqrt(max(m, n)) polar(G)": (12.8, 12.8),
    "sqrt(max(m, n)) polar(G)": (64.0, 64.0),
    "polar(G)": (1.0, 1.0),
    "sqrt(m) polar(G)": (64.0, 32.0),
}


def scale(spec: str, shape: tuple[int, int]) -> float:
    """What dualize makes of a matrix with one entry, whose polar factor is itself."""
    one = np.zeros(shape, np.float32)
    one[3, 5] = 7.0
    made = nk.dualize(spec, one, accuracy=1e-3)
    assert np.count_nonzero(np.abs(made) > 1e-3) == 1
    return float(made[3, 5])


@pytest.mark.parametrize("entry", rosetta.SCALES, ids=lambda entry: entry.options[0].rstrip("*"))
def test_scales_of_orthogonalized_updates(entry: rosetta.Entry) -> None:
    assert entry.spec is not None
    tall, wide = AT[entry.update]
    assert np.isclose(scale(entry.spec, (4096, 1024)), tall, rtol=2e-3)
    assert np.isclose(scale(entry.spec, (1024, 4096)), wide, rtol=2e-3)


def test_a_wrong_scale_is_seen() -> None:
    assert not np.isclose(scale("spectral/sqrt(Max(1, n/m))", (4096, 1024)), 2.0, rtol=2e-3)


def size(x: np.ndarray, axis: int) -> np.ndarray:
    return np.sqrt((x * x).sum(axis, keepdims=True))


UPDATES = {  # of G (m, n), written out
    "scion:ColNorm": lambda g: np.sqrt(len(g)) * g / size(g, 0),
    "scion:ColNorm(normalized=True)": lambda g: np.sqrt(len(g)) * g / size(g, 0) / g.shape[1],
    "scion:ColNorm(transpose=True)": lambda g: np.sqrt(g.shape[1]) * g / size(g, 1),
    "scion:RowNorm": lambda g: g / size(g, 1) / np.sqrt(g.shape[1]),
    "scion:RowNorm(normalized=False)": lambda g: g / size(g, 1),
    "rmnp:RMNP": lambda g: np.sqrt(max(1, len(g) / g.shape[1])) * g / size(g, 1),
    "scion:Sign": lambda g: np.sign(g) / g.shape[1],
    "signsgd:signSGD": lambda g: np.sign(g),
    "scion:BiasRMS": lambda g: g / np.sqrt(np.mean(g * g)),
}


@pytest.mark.parametrize("option", UPDATES)
def test_updates_in_other_norms(option: str) -> None:
    entry = rosetta.lookup(option)
    assert entry.spec is not None
    for shape in ((5,),) if option == "scion:BiasRMS" else ((6, 4), (4, 6)):
        g = np.random.default_rng(0).standard_normal(shape)
        assert np.allclose(nk.dualize(entry.spec, g), UPDATES[option](g), atol=1e-12)


def test_every_geometry_is_checked_and_every_option_is_named_once() -> None:
    assert {entry.update for entry in rosetta.SCALES} == set(AT)
    assert {rosetta.lookup(option).update for option in UPDATES} == {entry.update for entry in rosetta.GEOMETRIES}
    names = [name for entry in rosetta.entries() for name in entry.names]
    assert len(names) == len(set(names))
    assert all(entry.spec is None for entry in rosetta.NONE)
    with pytest.raises(ParameterError, match="Close to it: torch:original"):
        rosetta.lookup("torch:orginal")


def test_one_word_means_three_scales() -> None:
    words = ("dion:spectral_norm", "eo:spectral", "scion:Spectral(normalized=False)")
    assert len({rosetta.lookup(word).spec for word in words}) == 3


def test_the_page_shows_the_tables() -> None:
    page = (Path(__file__).parents[1] / "docs" / "conventions.md").read_text("utf-8")
    assert "\n".join(rosetta.tables()).strip() in page, "run: python docs/generate.py"


# --- optimizers ------------------------------------------------------------------------------------------------------


def matrices(translation: Any) -> SteepestDescent:
    return SteepestDescent(**translation)


def by_formula(update: Any, keep: float, lr: float, weights: Arrays, grads: list[Arrays]) -> Arrays:
    """W <- keep W - lr update(name, G), the update holding its own momentum."""
    weights = {name: np.float64(w) for name, w in weights.items()}
    for g in grads:
        weights = {name: keep * w - lr * update(name, np.float64(g[name])) for name, w in weights.items()}
    return weights


class Average:
    """B <- b B + a G; what is orthogonalized, and with which scale of the shape."""

    def __init__(self, a: float, b: float, nesterov: tuple[float, float] | None, scaled: Any) -> None:
        self.a, self.b, self.nesterov, self.scaled, self.held = a, b, nesterov, scaled, {}

    def __call__(self, name: str, g: np.ndarray) -> np.ndarray:
        self.held[name] = self.b * self.held.get(name, 0.0) + self.a * g
        u = self.held[name]
        if self.nesterov is not None:
            u = self.nesterov[0] * g + self.nesterov[1] * u
        return self.scaled(u)


def polar(scale_of: Any) -> Any:
    return lambda u: scale_of(*u.shape) * msign(u)


CASES: dict[str, tuple[str, dict[str, Any], Any, float]] = {
    # name: optimizer, options, update by hand, what remains of W
    "kellerjordan": (
        "muon.SingleDeviceMuon",
        {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.5},
        lambda: Average(0.1, 0.9, (0.1, 0.9), polar(lambda m, n: max(1, m / n) ** 0.5)),
        1 - 0.02 * 0.5,
    ),
    "scion": (
        "scion.Scion",
        {"lr": 0.02, "momentum": 0.1, "norm": "Spectral", "scale": 50.0},
        lambda: Average(0.1, 0.9, None, polar(lambda m, n: 50 * (m / n) ** 0.5)),
        1 - 0.02,
    ),
    "scion sign": (
        "scion.Scion",
        {"lr": 0.02, "momentum": 0.1, "norm": "Sign", "norm_kwargs": {"normalized": False}, "unconstrained": True},
        lambda: Average(0.1, 0.9, None, np.sign),
        1.0,
    ),
    "scion rows": (
        "scion.Scion",
        {"lr": 0.02, "norm": "RowNorm", "norm_kwargs": {"normalized": True}, "scale": 3.0},
        lambda: Average(1.0, 0.0, None, lambda u: 3 * UPDATES["scion:RowNorm"](u)),
        1 - 0.02,
    ),
    "dion": (
        "dion.Muon",
        {"lr": 0.02, "mu": 0.9, "weight_decay": 0.5, "nesterov": True, "adjust_lr": "rms_norm"},
        lambda: Average(1.0, 0.9, (1.0, 0.9), polar(lambda m, n: 0.2 * max(m, n) ** 0.5)),
        1 - 0.02 * 0.5,
    ),
    "emerging_optimizers": (
        "emerging_optimizers.Muon",
        {
            "lr": 0.02,
            "momentum": 0.9,
            "weight_decay": 0.01,
            "weight_decay_method": "independent",
            "extra_scale_factor": 0.2,
        },
        lambda: Average(0.1, 0.9, None, polar(lambda m, n: 0.2 * max(m, n) ** 0.5)),
        1 - 0.01,
    ),
    "timm": (
        "timm.optim.Muon",
        {"lr": 0.02, "momentum": 0.9, "nesterov": True, "adjust_lr_fn": "rms_to_rms"},
        lambda: Average(0.1, 0.9, (0.1, 0.9), polar(lambda m, n: (m / n) ** 0.5)),
        1.0,
    ),
    "heavyball": (
        "heavyball.Muon",
        {"lr": 0.02, "betas": (0.9, 0.99), "heavyball_momentum": True, "nesterov": True},
        lambda: Average(1.0, 0.9, (1.0, 0.9), polar(lambda m, n: max(1, m / n) ** 0.5)),
        1.0,
    ),
    "pytorch_optimizer 4.0": (
        "pytorch_optimizer-4.0.Muon",
        {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.0, "use_adjusted_lr": True},
        lambda: Average(0.1, 0.9, (0.1, 0.9), polar(lambda m, n: max(1, m / n) ** 0.5)),
        1.0,
    ),
    "pytorch_optimizer 4.1": (
        "pytorch_optimizer-4.1.Muon",
        {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.0, "use_adjusted_lr": True},
        lambda: Average(0.1, 0.9, (0.1, 0.9), polar(lambda m, n: 0.2 * max(m, n) ** 0.5)),
        1.0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_translations_follow_the_formulas(case: str) -> None:
    optimizer, options, update, keep = CASES[case]
    weights, grads = draw(dtype=np.float64), gradients(steps=8, dtype=np.float64)
    theirs = by_formula(update(), keep, 0.02, weights, grads)
    ours = run(matrices(from_config(optimizer, **options)), weights, grads)
    assert distance(ours, theirs) < 1e-9
    other = run(matrices(from_config(optimizer, **{**options, "lr": 0.021})), weights, grads)
    assert distance(other, theirs) > 1e-5


@pytest.mark.parametrize("adjust", [None, "original", "match_rms_adamw"])
def test_muon_of_torch_with_an_exact_factor(adjust: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="parity with torch.optim.Muon needs torch")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    factor = lambda x, *_: torch.from_numpy(msign(x.numpy()).astype(np.float32))  # noqa: E731
    monkeypatch.setattr(import_module("torch.optim._muon"), "_zeropower_via_newtonschulz", factor)
    options = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.3, "adjust_lr_fn": adjust}
    weights, grads = draw(), gradients(steps=8)
    held = {name: torch.nn.Parameter(torch.from_numpy(w.copy())) for name, w in weights.items()}
    opt = torch.optim.Muon(held.values(), **options)
    for g in grads:
        for name, p in held.items():
            p.grad = torch.from_numpy(g[name])
        opt.step()
    theirs = {name: p.detach().numpy() for name, p in held.items()}
    assert distance(run(matrices(from_config("torch.optim.Muon", **options)), weights, grads), theirs) < 1e-6


@pytest.mark.parametrize("root", [None, 0.2])
def test_muon_of_optax_with_an_exact_factor(root: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    optax = pytest.importorskip("optax", reason="parity with optax needs optax")
    contrib = pytest.importorskip("optax.contrib", reason="parity with optax needs optax.contrib")
    exact = lambda x, *_: np.float32(msign(x))  # noqa: E731
    monkeypatch.setattr(import_module("optax.contrib._muon"), "orthogonalize_via_newton_schulz", exact)
    options = {"beta": 0.9, "weight_decay": 0.3, "consistent_rms": root}
    theirs, grads = draw(), gradients(steps=8)
    made = from_config("optax.contrib.muon", learning_rate=0.02, **options)
    # optax keeps matrices in x out
    opt = SteepestDescent(**{**made, "norm": f"transpose({made.norm})"})
    ours = run(opt, theirs, grads)
    transformation = contrib.muon(0.02, **options)
    state = transformation.init(theirs)
    for g in grads:
        updates, state = transformation.update(g, state, theirs)
        theirs = {name: np.asarray(w) for name, w in optax.apply_updates(theirs, updates).items()}
    assert distance(ours, theirs) < 1e-6


def test_parts_of_translations() -> None:
    made = from_config("dion.Muon", mu=0.8)
    assert made.momentum == HeavyBall(0.8) and made.norm == "rms->rms" and made.lr == 0.01
    assert from_config("scion.Scion", norm="Sign").weight_decay == FrankWolfeDecay()
    assert from_config("scion.Scion", norm="Sign").momentum is None
    eo = from_config("emerging_optimizers.Muon", weight_decay_method="independent")
    assert eo.weight_decay == Independent(0.01)
    assert from_config("pytorch_optimizer-4.1.Muon", weight_decouple=False).weight_decay == Coupled(0.01)
    noted = from_config("torch.optim.Muon", ns_steps=10)
    assert len(noted.notes) == 1 and "accuracy=" in noted.notes[0]
    assert dict(noted).keys() == {"norm", "convention", "lr", "momentum", "weight_decay"}


DEFAULTS = [name for name in OPTIMIZERS if name not in ("scion.Scion", "optax.contrib.muon", "heavyball.Muon")]


@pytest.mark.parametrize("optimizer", DEFAULTS)
def test_defaults_are_translated(optimizer: str) -> None:
    g = draw(seed=3)
    assert run(matrices(from_config(optimizer)), draw(), [g]).keys() == g.keys()


@pytest.mark.parametrize(
    ("optimizer", "options", "said"),
    [
        ("torch.optim.Adam", {}, "no translation of 'torch.optim.Adam'"),
        ("torch.optim.Muon", {"nestrov": True}, "no option 'nestrov'"),
        ("torch.optim.Muon", {"adjust_lr_fn": "mine"}, "not in the table"),
        ("scion.Scion", {}, "scion:Auto"),
        ("dion.Muon", {"flatten": True}, "Matricize"),
        ("dion.Muon", {"distributed_mesh": object()}, "shards"),
        ("optax.contrib.muon", {}, "needs a learning rate"),
        ("optax.contrib.muon", {"learning_rate": 0.1, "adaptive": True}, "no norm unless its scale is 1"),
        ("heavyball.Muon", {}, r"G \+ EMA\(G\)"),
        ("heavyball.Muon", {"nesterov": False, "ortho_scale_mode": "graft"}, "Euclidean length"),
        ("timm.optim.Muon", {"algo": "adamuon"}, "second moments"),
        ("emerging_optimizers.Muon", {"weight_decay_method": "mine"}, "unknown form of weight decay"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_what_cannot_be_translated_is_refused(optimizer: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        from_config(optimizer, **options)


@pytest.mark.parametrize("module", ["normkit.rosetta", "normkit.optim.translation"])
def test_examples_run(module: str) -> None:
    assert doctest.testmod(import_module(module)).failed == 0
