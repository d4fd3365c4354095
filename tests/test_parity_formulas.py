"""Recipes follow the formulas of papers and published code, written out here: 20 steps in float32, to 1e-6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from trajectories import Arrays, distance, draw, gradients, msign, run

import normkit as nk
from normkit.errors import ParameterError
from normkit.optim import FrankWolfeDecay, SpectralClipped, SteepestDescent, recipes

TO = 1e-6
Array = np.ndarray[Any, Any]
Formula = Callable[[Array, Array, dict[str, Array]], Array]
"""From weights, gradient and what is kept to new weights, in float64."""


def follow(formula: Formula, weights: Arrays, grads: list[Arrays]) -> Arrays:
    """Return the weights after a run of a formula for each array."""
    now = {name: np.float64(w) for name, w in weights.items()}
    kept: dict[str, dict[str, Array]] = {name: {} for name in weights}
    for g in grads:
        now = {name: formula(now[name], np.float64(g[name]), kept[name]) for name in now}
    return now


def averaged(kept: dict[str, Array], beta: float, g: Array) -> Array:
    kept["b"] = beta * kept.get("b", np.zeros_like(g)) + (1 - beta) * g
    return kept["b"]


def check(opt: SteepestDescent, formula: Formula, to: float = TO, shapes: Any = None) -> None:
    given = {} if shapes is None else {"shapes": shapes}
    weights, grads = draw(**given), gradients(**given)
    assert distance(run(opt, weights, grads), follow(formula, weights, grads)) < to


# --- signs ------------------------------------------------------------------------------------------------------------


def test_lion() -> None:
    def lion(w: Array, g: Array, kept: dict[str, Array]) -> Array:
        m = kept.get("m", np.zeros_like(g))
        c = 0.9 * m + 0.1 * g
        kept["m"] = 0.99 * m + 0.01 * g
        return w - 1e-2 * (np.sign(c) + 0.1 * w)

    check(recipes.lion(1e-2, weight_decay=0.1), lion)


@pytest.mark.parametrize("beta", [0.0, 0.8])
def test_signsgd(beta: float) -> None:
    check(recipes.signsgd(1e-2, momentum=beta), lambda w, g, kept: w - 1e-2 * np.sign(averaged(kept, beta, g)))


# --- rows -------------------------------------------------------------------------------------------------------------


def rows(u: Array, eps: float = 0.0) -> Array:
    divided: Array = u / (np.linalg.norm(u, axis=1, keepdims=True) + eps)
    return divided


def test_rmnp_of_the_paper() -> None:
    """The paper adds an epsilon; lengths are near 1 here, so 1e-8 of it is within float32."""
    for eps in (0.0, 1e-8):
        check(recipes.rmnp_paper(0.02, beta=0.9), lambda w, g, kept, e=eps: w - 0.02 * rows(averaged(kept, 0.9, g), e))


def test_an_epsilon_matters_where_rows_are_short() -> None:
    """The published form is not scale-free: at lengths of its epsilon it halves the step."""
    G = {"w": np.full((2, 4), 5e-9, np.float32)}
    step = recipes.rmnp_paper(1.0, beta=0.0).step({"w": np.zeros((2, 4), np.float32)}, G)["w"]
    assert np.allclose(step, -0.5, atol=1e-6)
    assert np.allclose(rows(np.float64(G["w"]), 1e-8), 0.25, atol=1e-3)


@pytest.mark.parametrize("nesterov", [True, False])
def test_rmnp_of_the_code(nesterov: bool) -> None:
    def rmnp(w: Array, g: Array, kept: dict[str, Array]) -> Array:
        kept["b"] = 0.95 * kept.get("b", np.zeros_like(g)) + g
        u = g + 0.95 * kept["b"] if nesterov else kept["b"]
        return (1 - 0.02 * 0.1) * w - 0.02 * max(1, w.shape[0] / w.shape[1]) ** 0.5 * rows(u)

    check(recipes.rmnp_code(0.02, nesterov=nesterov, weight_decay=0.1), rmnp)


# --- Scion --------------------------------------------------------------------------------------------------------


def columns(g: Array, normalized: bool) -> Array:
    m, n = g.shape
    t: Array = np.sqrt(m) * g / np.linalg.norm(g, axis=0, keepdims=True)
    return t / n if normalized else t


def over_rows(g: Array, normalized: bool) -> Array:
    return rows(g) / np.sqrt(g.shape[1]) if normalized else rows(g)


def spectral(g: Array, normalized: bool, least: bool) -> Array:
    m, n = g.shape
    scale = np.sqrt(m / n) if normalized else np.sqrt(m)
    return (max(1.0, scale) if least else scale) * msign(g)


LMOS: list[tuple[str, dict[str, Any], Callable[[Array], Array]]] = [
    ("ColNorm", {}, lambda g: columns(g, False)),
    ("ColNorm", {"normalized": True}, lambda g: columns(g, True)),
    ("ColNorm", {"transpose": True}, lambda g: columns(g.T, False).T),
    ("ColNorm", {"transpose": True, "normalized": True}, lambda g: columns(g.T, True).T),
    ("RowNorm", {}, lambda g: over_rows(g, True)),
    ("RowNorm", {"normalized": False}, lambda g: over_rows(g, False)),
    ("RowNorm", {"transpose": True}, lambda g: over_rows(g.T, True).T),
    ("Spectral", {}, lambda g: spectral(g, True, False)),
    ("Spectral", {"max": True}, lambda g: spectral(g, True, True)),
    ("Spectral", {"normalized": False}, lambda g: spectral(g, False, False)),
    ("Spectral", {"normalized": False, "max": True}, lambda g: spectral(g, False, True)),
    ("Sign", {}, lambda g: np.sign(g) / g.shape[1]),
    ("Sign", {"normalized": False}, lambda g: np.sign(g)),
]


def constrained(lmo: Callable[[Array], Array]) -> Formula:
    return lambda w, g, kept: (1 - 0.05) * w - 0.05 * 3.0 * lmo(averaged(kept, 0.9, g))


@pytest.mark.parametrize("place", range(len(LMOS)), ids=[f"{n}-{'-'.join(o)}" for n, o, _ in LMOS])
def test_scion(place: int) -> None:
    name, options, lmo = LMOS[place]
    check(recipes.scion(recipes.scion_norm(name, **options), 0.05, momentum=0.1, scale=3.0), constrained(lmo))


def test_scion_of_vectors() -> None:
    opt = recipes.scion(recipes.scion_norm("BiasRMS"), 0.05, momentum=0.1, scale=3.0)
    check(opt, constrained(lambda g: g / np.sqrt(np.mean(g**2))), shapes={"b": (5,), "c": (3,)})


@pytest.mark.parametrize("axes", [3, 4])
def test_scion_of_convolutions(axes: int) -> None:
    def lmo(g: Array) -> Array:
        o, i, k = g.shape[:3]
        return np.sqrt(o / i) / (k if g.ndim == 3 else k**2) * msign(g.reshape(o, -1)).reshape(g.shape)

    opt = recipes.scion(recipes.scion_norm("SpectralConv", kernel=3, axes=axes), 0.05, momentum=0.1, scale=3.0)
    check(opt, constrained(lmo), shapes={"k": (6, 2, *[3] * (axes - 2))})


def test_scion_without_constraint_and_with_scales_by_name() -> None:
    norms = {"tall": recipes.scion_norm("Spectral"), "wide": recipes.scion_norm("Sign")}
    opt = recipes.scion(norms, 0.05, momentum=0.1, scale={"tall": 3.0, "wide": 50.0}, unconstrained=True)
    weights, grads = draw(), gradients()
    made = run(opt, weights, grads)
    for name, scale, lmo in (
        ("tall", 3.0, lambda g: spectral(g, True, False)),
        ("wide", 50.0, lambda g: np.sign(g) / 7),
    ):

        def formula(w: Array, g: Array, kept: dict[str, Array], s: float = scale, lmo: Any = lmo) -> Array:
            return w - 0.05 * s * lmo(averaged(kept, 0.9, g))

        alone = follow(formula, {name: weights[name]}, grads)
        assert distance({name: made[name]}, alone) < TO


def test_scion_norms_refuse_what_they_do_not_take() -> None:
    with pytest.raises(ParameterError, match="ColNorm"):
        recipes.scion_norm("Columns")
    with pytest.raises(ParameterError, match="takes normalized"):
        recipes.scion_norm("Sign", transpose=True)
    with pytest.raises(ParameterError, match="norm for each name"):
        recipes.scion("max", scale={"w": 1.0})


# --- polar factors ----------------------------------------------------------------------------------------------------

SCALES: dict[str, Callable[[int, int], float]] = {
    "rms_to_rms": lambda m, n: np.sqrt(m / n),
    "max_dim": lambda m, n: np.sqrt(max(m, n)),
    "none": lambda m, n: 1.0,
}


@pytest.mark.parametrize("adjust", SCALES)
def test_scales_of_muon_that_torch_has_not(adjust: str) -> None:
    def muon(w: Array, g: Array, kept: dict[str, Array]) -> Array:
        b = averaged(kept, 0.9, g)
        return (1 - 0.02 * 0.1) * w - 0.02 * SCALES[adjust](*w.shape) * msign(0.9 * b + 0.1 * g)

    check(recipes.muon(0.02, momentum=0.9, adjust=adjust, weight_decay=0.1), muon)


def test_polargrad_momentum_first() -> None:
    def polargrad(w: Array, g: Array, kept: dict[str, Array]) -> Array:
        m = averaged(kept, 0.9, g)
        return w - 2e-3 * np.sum(m * msign(m)) * msign(m)

    check(recipes.polargrad(2e-3, momentum=0.9), polargrad)


def test_polargrad_polar_first() -> None:
    def polargrad(w: Array, g: Array, kept: dict[str, Array]) -> Array:
        u = msign(g)
        return (1 - 2e-3 * 0.1) * w - 2e-3 * np.sum(g * u) * averaged(kept, 0.9, u)

    check(recipes.polargrad(2e-3, momentum=0.9, polar_first=True, weight_decay=0.1), polargrad)


def test_a_sharp_step_has_the_scale_twice() -> None:
    """optax applies it once; steepest descent of spectral/s is s^2 nuc(G) msign(G)."""
    weights, grads = draw(), gradients(steps=1)
    once = recipes.optax_muon(1.0, beta=0.0, adaptive=True).step(weights, grads[0])
    norm = recipes.optax_muon(1.0).norm
    twice = SteepestDescent(norm, outer="l2", convention="sharp", lr=1.0).step(weights, grads[0])
    for name, s in (("tall", 1.0), ("wide", np.sqrt(7 / 4))):
        assert np.allclose(twice[name] - weights[name], s * (once[name] - weights[name]), rtol=1e-4, atol=1e-5)


def mvr(beta: float, gamma: float, clip: float | None, before: Callable[[dict[str, Array], Array], Array]) -> Formula:
    def formula(w: Array, g: Array, kept: dict[str, Array]) -> Array:
        earlier = before(kept, g)
        c = g + gamma * beta / (1 - beta) * (g - earlier)
        if clip is not None:
            c = c * min(1.0, clip / np.linalg.norm(c))
        kept["g"] = g
        return w - 3e-3 * 0.2 * np.sqrt(max(w.shape)) * msign(averaged(kept, beta, c))

    return formula


@pytest.mark.parametrize("clip", [1.0, 1e3, None], ids=["clipped", "far", "unclipped"])
def test_mvr1(clip: float | None) -> None:
    kept_before = mvr(0.9, 0.1, clip, lambda kept, g: kept.get("g", np.zeros_like(g)))
    check(recipes.muon_mvr1(beta=0.9, gamma=0.1, clip=clip), kept_before)


def test_mvr1_without_correction_is_muon() -> None:
    weights, grads = draw(), gradients()
    muon = recipes.muon(3e-3, momentum=0.9, nesterov=False, weight_decay=0, adjust="match_rms_adamw")
    assert (
        distance(run(recipes.muon_mvr1(beta=0.9, gamma=0.0, clip=None), weights, grads), run(muon, weights, grads)) < TO
    )


def test_mvr2_unclipped_with_gamma_one_is_storm() -> None:
    """STORM: d <- g(X_t, batch_t) + beta (d - g(X_(t-1), batch_t)), d = (1 - beta) C_1 at first."""
    weights, grads, before = draw(), gradients(), gradients(seed=7)
    opt = recipes.muon_mvr2(beta=0.9, gamma=1.0, clip=None)
    now, d = {name: np.float64(w) for name, w in weights.items()}, dict.fromkeys(weights, np.zeros(1))
    for g, earlier in zip(grads, before, strict=True):
        weights = opt.step(weights, g, previous=earlier)
        for name in now:
            d[name] = np.float64(g[name]) + 0.9 * (d[name] - np.float64(earlier[name]))
            now[name] = now[name] - 3e-3 * 0.2 * np.sqrt(7) * msign(d[name])
    assert distance(weights, now) < TO


# --- decays and what they keep ----------------------------------------------------------------------------------------

KEPT = {
    "max": lambda w: np.max(np.abs(w)),
    "spectral": lambda w: np.linalg.norm(w, 2),
    "l2->linf": lambda w: np.max(np.linalg.norm(w, axis=1)),
}


@pytest.mark.parametrize("norm", KEPT)
def test_lion_of_any_norm_keeps_its_ball(norm: str) -> None:
    """N(X_t) <= (1 - lr wd)^t max(0, N(X_0) - 1/wd) + 1/wd: from outside it comes in at that rate, and stays."""
    lr, rate, size = 0.1, 0.5, KEPT[norm]
    opt = recipes.lion(lr, weight_decay=rate, norm=norm)
    weights = draw(dtype=np.float64, scale=10.0)
    first = {name: size(w) for name, w in weights.items()}
    for step, g in enumerate(gradients(steps=60, dtype=np.float64), 1):
        weights = opt.step(weights, g)
        for name, w in weights.items():
            bound = (1 - lr * rate) ** step * max(0.0, first[name] - 1 / rate) + 1 / rate
            assert size(w) <= bound * (1 + 1e-12), (name, step)
    assert all(size(w) > 0.2 / rate for w in weights.values())  # the bound is of the right size


def test_a_constant_gradient_settles_on_the_sphere() -> None:
    """The ball of decoupled decay is 1/rate: W -> -t/rate."""
    opt = SteepestDescent("spectral", lr=0.1, weight_decay=0.5)
    weights, g = draw(dtype=np.float64), draw(seed=3, dtype=np.float64)
    for _ in range(400):
        weights = opt.step(weights, g)
    for name, w in weights.items():
        assert np.allclose(w, -msign(g[name]) / 0.5, atol=1e-6)


def test_spectral_clipped_decay_settles_at_the_bound_and_a_step() -> None:
    """Every step adds lr along -msign(G), and decay takes lr rate (s - bound) away: s = bound + 1/rate."""
    opt = recipes.spectral_clipped(0.1, rate=2.0, bound=1.5, momentum=0.0)
    g = draw(seed=3, dtype=np.float64)
    weights = {name: np.zeros_like(x) for name, x in g.items()}
    for _ in range(300):
        weights = opt.step(weights, g)
    for w in weights.values():
        assert np.allclose(np.linalg.svd(w, compute_uv=False), 1.5 + 1 / 2.0, atol=1e-9)
    assert isinstance(opt.weight_decay, SpectralClipped)


def test_small_singular_values_are_not_decayed() -> None:
    W = np.diag([4.0, 0.5])
    made = recipes.spectral_clipped(1.0, rate=0.5, bound=1.0).step({"w": W}, {"w": np.zeros((2, 2))})["w"]
    assert np.allclose(made, np.diag([2.5, 0.5]))


def test_frank_wolfe_decay_is_the_frank_wolfe_step() -> None:
    weights, g = draw(dtype=np.float64), draw(seed=3, dtype=np.float64)
    made = SteepestDescent("rms->rms", convention=nk.LMO(3.0), lr=0.25, weight_decay=FrankWolfeDecay()).step(weights, g)
    for name, w in weights.items():
        step = nk.FrankWolfe(3.0, rate=0.25).step("rms->rms", w, g[name])
        assert np.allclose(made[name], w + step, rtol=1e-13)
        m, n = w.shape
        assert np.allclose(made[name], 0.75 * w - 0.75 * np.sqrt(m / n) * msign(g[name]), rtol=1e-9)


def test_frank_wolfe_rates_beyond_one_are_refused_before_anything_moves() -> None:
    opt = SteepestDescent("rms->rms", lr=1.5, momentum=0.9, weight_decay=FrankWolfeDecay())
    with pytest.raises(ParameterError, match=r"\[0, 1\]"):
        opt.step(draw(), draw(seed=3))
    assert opt.steps == 0 and not opt.state_dict()["arrays"]


def test_a_tree_of_modules_moves_by_its_own_norm() -> None:
    from normkit.modular import Linear, ReLU

    norm = (Linear("head", 2, 5) @ ReLU() @ Linear("body", 5, 3)).norm()
    weights = draw({"body": (5, 3), "head": (2, 5)}, dtype=np.float64)
    made = recipes.modula(norm, 0.1, momentum=0.0).step(weights, draw({"body": (5, 3), "head": (2, 5)}, 3, np.float64))
    moved = {name: made[name] - weights[name] for name in weights}
    assert abs(float(norm(moved)) - 0.1) < 1e-12
    for name, step in moved.items():  # equal masses: each layer has twice its RMS to RMS norm
        m, n = step.shape
        assert abs(np.sqrt(n / m) * np.linalg.norm(step, 2) - 0.05) < 1e-12, name


def test_unknown_scales_of_muon_are_listed() -> None:
    with pytest.raises(ParameterError, match="'match_rms_adamw'"):
        recipes.muon(adjust="spectral")
