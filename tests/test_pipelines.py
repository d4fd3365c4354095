"""Updates that are no norm's steepest descent: their stages against formulas written out here, and their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from trajectories import Arrays, distance, draw, gradients, msign, run

import normkit as nk
from normkit.errors import ParameterError, ShapeError
from normkit.optim import PIPELINES, Dualize, Pipeline, SpecMuonA, SpecMuonB, SteepestDescent, pipeline_named
from normkit.optim.named import options_of
from normkit.optim.stage import At, Slots
from normkit.optim.stages.specmuon import _relaxation

Array = np.ndarray[Any, Any]
Kept = dict[str, Any]


def follow(direction: Callable[[Array, Kept, int], Array], lr: float, weights: Arrays, grads: list[Arrays]) -> Arrays:
    now = {name: np.float64(w) for name, w in weights.items()}
    kept: dict[str, Kept] = {name: {} for name in now}
    for step, g in enumerate(grads, 1):
        now = {name: now[name] - lr * direction(np.float64(g[name]), kept[name], step) for name in now}
    return now


def check(pipeline: Pipeline, direction: Callable[[Array, Kept, int], Array], lr: float = 0.02) -> None:
    weights, grads = draw(), gradients()
    made = run(SteepestDescent(pipeline, lr=lr), weights, grads)
    assert distance(made, follow(direction, lr, weights, grads)) < 2e-6


def averaged(kept: Kept, key: str, beta: float, x: Any) -> Any:
    kept[key] = beta * kept.get(key, 0.0) + (1 - beta) * x
    return kept[key]


def scaled(u: Array, size: float) -> Array:
    made: Array = u * size / np.linalg.norm(u)
    return made


# --- formulas ---------------------------------------------------------------------------------------------------------


def test_normuon_of_the_code() -> None:
    """Row second moments of the orthogonalized Nesterov average, the Frobenius norm put back, sqrt(max(1, m/n))."""

    def normuon(g: Array, kept: Kept, step: int) -> Array:
        u = msign(0.05 * g + 0.95 * averaged(kept, "m", 0.95, g))
        v = averaged(kept, "v", 0.9, np.mean(u**2, axis=1, keepdims=True))
        return scaled(u / (np.sqrt(v) + 1e-10), np.linalg.norm(u)) * max(1, g.shape[0] / g.shape[1]) ** 0.5

    check(pipeline_named("normuon", beta2=0.9), normuon)


def test_normuon_of_the_paper() -> None:
    """The step has a root mean square of 0.2: lr * 0.2 sqrt(mn) / |O|_F."""

    def normuon(g: Array, kept: Kept, step: int) -> Array:
        u = msign(averaged(kept, "m", 0.95, g))
        v = averaged(kept, "v", 0.9, np.mean(u**2, axis=1, keepdims=True))
        return scaled(u / (np.sqrt(v) + 1e-8), 0.2 * np.sqrt(g.size))

    check(pipeline_named("normuon", beta2=0.9, eps=1e-8, nesterov=False, rms=0.2), normuon)


@pytest.mark.parametrize("code", [False, True], ids=["paper", "code"])
def test_adamuon(code: bool) -> None:
    """The paper orthogonalizes signs; the code the average itself, with Nesterov and a corrected second moment."""

    def adamuon(g: Array, kept: Kept, step: int) -> Array:
        m = averaged(kept, "m", 0.9, g)
        o = msign(0.9 * m + 0.1 * g) if code else msign(np.sign(m))
        v = averaged(kept, "v", 0.95, o**2) / (1 - 0.95**step if code else 1)
        return scaled(o / (np.sqrt(v) + 1e-8), 0.2 * np.sqrt(g.size))

    options = {"nesterov": True, "sign": False, "debias": True} if code else {}
    check(pipeline_named("adamuon", beta=0.9, **options), adamuon)


@pytest.mark.parametrize("rms", [None, 1.0])
def test_swan(rms: float | None) -> None:
    """(X X')^(-1/2) X of standardized rows, by an eigendecomposition; of the tall side from the other side."""

    def swan(g: Array, kept: Kept, step: int) -> Array:
        x = (g - g.mean(axis=1, keepdims=True)) / g.std(axis=1, keepdims=True)
        values, vectors = np.linalg.eigh(x.T @ x)
        inverse = np.where(values > 1e-8 * values[-1], 1 / np.sqrt(np.maximum(values, 1e-300)), 0.0)
        white = x @ (vectors * inverse) @ vectors.T
        return white if rms is None else scaled(white, rms * np.sqrt(g.size))

    check(pipeline_named("swan", rms=rms), swan)


def test_sinkgd() -> None:
    def sinkgd(g: Array, kept: Kept, step: int) -> Array:
        m, n = g.shape
        for _ in range(3):
            g = g * np.sqrt(n) / np.linalg.norm(g, axis=1)[:, None]
            g = g * np.sqrt(m) / np.linalg.norm(g, axis=0)[None, :]
        return g

    check(pipeline_named("sinkgd", steps=3), sinkgd)


def test_the_fixed_points_of_sinkgd_have_equal_rows_and_columns() -> None:
    made = SteepestDescent(pipeline_named("sinkgd", steps=200), lr=1.0).step(
        {"w": np.zeros((3, 5))}, draw({"w": (3, 5)}, dtype=np.float64)
    )["w"]
    assert np.allclose(np.linalg.norm(made, axis=1), np.sqrt(5))
    assert np.allclose(np.linalg.norm(made, axis=0), np.sqrt(3))


@pytest.mark.parametrize("norm", ["spectral", "l2->linf"])
def test_momentum_after_the_map(norm: str) -> None:
    def post(g: Array, kept: Kept, step: int) -> Array:
        t = msign(g) if norm == "spectral" else g / np.linalg.norm(g, axis=1, keepdims=True)
        kept["b"] = 0.9 * kept.get("b", 0.0) + t
        return np.asarray(kept["b"])

    check(pipeline_named("map_first", norm=norm), post)


def test_lion_and_sgd_as_pipelines_are_the_recipes() -> None:
    from normkit.optim import recipes

    weights, grads = draw(), gradients()
    pairs = [
        (
            pipeline_named("lion", betas=[0.8, 0.9], weight_decay=0.1),
            recipes.lion(0.01, betas=(0.8, 0.9), weight_decay=0.1),
        ),
        (pipeline_named("signsgd", momentum=0.9), recipes.signsgd(0.01, momentum=0.9)),
        (pipeline_named("sgd", momentum=0.9), recipes.sgd(0.01, momentum=0.9)),
    ]
    for pipeline, recipe in pairs:
        made = run(SteepestDescent(pipeline, lr=0.01), weights, grads)
        assert distance(made, run(recipe, weights, grads)) < 1e-6, pipeline.name


@pytest.mark.parametrize("name", ["adamw", "normuon", "adamuon", "swan", "sinkgd", "specmuon_a"])
def test_pipelines_are_no_dualize_map(name: str) -> None:
    """The second step is not a multiple of a subgradient of any norm fixed by the first: scale-free, yet state decides.

    Two runs whose last gradient is the same differ in their last step, or (stateless) the map is not even cyclically
    monotone: <G - H, T(G) - T(H)> < 0 for some pair, which no dualize map allows.
    """
    first, second = draw(seed=4), draw(seed=5)
    loss = {"loss": 1.0} if name.startswith("specmuon") else {}
    steps = []
    for before in (first, second):
        opt = SteepestDescent(pipeline_named(name), lr=1.0)
        middle = opt.step(draw(), before, **loss)
        steps.append({k: w - middle[k] for k, w in opt.step(middle, first, **loss).items()})
    stateful = distance(*steps) > 1e-3
    assert stateful or violated(name), name


def violated(name: str) -> bool:
    def mapped(g: Array) -> Array:
        opt = SteepestDescent(pipeline_named(name), lr=1.0)
        return -opt.step({"w": np.zeros_like(g)}, {"w": g})["w"]

    rng = np.random.default_rng(0)
    for _ in range(300):
        g = rng.standard_normal((3, 4)) * np.exp(rng.standard_normal((3, 4)))
        h = g + 0.3 * rng.standard_normal((3, 4)) * np.abs(g)
        if np.sum((g - h) * (mapped(g) - mapped(h))) < -1e-9:
            return True
    return False


# --- SpecMuon ---------------------------------------------------------------------------------------------------------


def at(loss: float, lr: float = 0.1, step: int = 1, weights: Any = None, loss_at: Any = None) -> At:
    return At("w", step, lr, np.zeros((3, 4)) if weights is None else weights, loss=loss, loss_at=loss_at)


def modes(G: Array, made: Array) -> Array:
    """Return u_i' made v_i of the singular vectors of G."""
    left, _, right = np.linalg.svd(G, full_matrices=False)
    return np.einsum("mi,mn,in->i", left, made, right)


def test_specmuon_a_with_all_modes_is_parallel_to_the_polar_factor() -> None:
    G = draw({"w": (3, 4)}, dtype=np.float64)["w"]
    made = SpecMuonA(k=3).apply(G, Slots({}), at(2.0))
    assert np.allclose(made, np.vdot(made, msign(G)) / 3 * msign(G), atol=1e-7)
    assert np.allclose(modes(G, made), 1 / (1 + 0.1 / (2 * np.sqrt(2.0))), rtol=1e-6)


@pytest.mark.parametrize("tail", ["scaled", "polar"])
def test_specmuon_a_shrinks_and_relaxes_as_written(tail: str) -> None:
    """0 < r' <= r, the new r between r' and L, and the tail as it says; from factors that differ."""
    G = draw({"w": (3, 4)}, dtype=np.float64)["w"]
    held: dict[str, Array] = {"factors": np.array([0.3, 2.5])}
    before, level = held["factors"].copy(), np.sqrt(1.7 + 1e-8)
    made = SpecMuonA(k=2, tail=tail, xi=0.3).apply(G, Slots(held), at(1.7))  # type: ignore[arg-type]
    shrunk = modes(G, made)[:2] * level
    s = np.linalg.svd(G, compute_uv=False) / np.linalg.norm(G)
    assert np.allclose(shrunk, before / (1 + 0.05 / (s[:2] + 1e-8) * s[:2] / level), rtol=1e-6)
    assert np.all((shrunk > 0) & (shrunk <= before))
    assert np.isclose(modes(G, made)[2], s[2] if tail == "scaled" else 1.0, rtol=1e-6)
    low, high = np.minimum(shrunk, level), np.maximum(shrunk, level)
    assert np.all((held["factors"] >= low * (1 - 1e-7)) & (held["factors"] <= high * (1 + 1e-7)))
    mixed = 0.7 * shrunk**2 + 0.3 * before**2 + 0.7 * (shrunk - before) ** 2
    chi = np.clip((level - np.sqrt(mixed)) / (level - shrunk + 1e-8), 0, 1)
    assert np.allclose(held["factors"], chi * shrunk + (1 - chi) * level, rtol=1e-6)


def test_factors_of_specmuon_a_do_not_part() -> None:
    """h_j s_j = lr s_j/(s_j + eps) is the same for all modes, whatever their singular values."""
    opt = SteepestDescent(pipeline_named("specmuon_a", k=3), lr=0.05)
    target = draw({"w": (3, 4)}, seed=9, dtype=np.float64)["w"]
    weights = draw({"w": (3, 4)}, dtype=np.float64)
    for _ in range(50):
        gap = weights["w"] - target
        weights = opt.step(weights, {"w": gap}, loss=float(np.sum(gap**2)) / 2)
    factors = opt.state_dict()["arrays"]["w"]["0.factors"]
    assert factors.shape == (3,) and np.ptp(factors) < 1e-5 * factors.mean()


def test_specmuon_b_follows_its_formula() -> None:
    """A second transcription of the interpretation: the step O first, corrected mode by mode, then the factors."""
    target, lr = draw({"w": (3, 4)}, seed=9, dtype=np.float64)["w"], 0.05
    opt = SteepestDescent(Pipeline(SpecMuonB(beta=0.9, k=2)), lr=lr)
    weights = draw({"w": (3, 4)}, dtype=np.float64)
    W, M, r = weights["w"].copy(), np.zeros((3, 4)), None
    for _ in range(12):
        G = W - target
        weights = opt.step(
            weights, {"w": weights["w"] - target}, loss=lambda w: float(np.sum((w["w"] - target) ** 2)) / 2
        )
        M = 0.9 * M + 0.1 * G
        base = -lr * msign(M)
        E = np.sqrt(np.sum(G**2) / 2 + 1e-8)
        U, s, Vt = np.linalg.svd(G / (np.linalg.norm(G) + 1e-8))
        r = np.full(2, E) if r is None else r
        new, step = r.copy(), base.copy()
        for i in range(2):
            h = 0.2 / s[i]
            new[i] = r[i] / (1 + h / 2 * (s[i] / E) ** 2)
            step += (new[i] / E - 1) * (U[:, i] @ base @ Vt[i]) * np.outer(U[:, i], Vt[i])
        reached = np.sqrt(np.sum((W + step - target) ** 2) / 2 + 1e-8)
        for i in range(2):
            D = ((new[i] / E) * (U[:, i] @ base @ Vt[i])) ** 2 / (0.2 / s[i])
            a, b = (new[i] - reached) ** 2, 2 * reached * (new[i] - reached)
            inner = b * b - 4 * a * (reached**2 - new[i] ** 2 - 0.95 * D)
            x = 0.0 if a == 0 or inner < 0 else min(1.0, max(0.0, (-b - np.sqrt(inner)) / (2 * a)))
            assert 0 < new[i] <= r[i]
            r[i] = x * new[i] + (1 - x) * reached
        W = W + step
        assert np.allclose(weights["w"], W, rtol=1e-9, atol=1e-11)
    assert np.allclose(opt.state_dict()["arrays"]["w"]["0.factors"], r)


def test_specmuon_b_relaxes_to_the_smaller_root() -> None:
    """(x r~ + (1 - x) E+)^2 = r~^2 + psi D at a root within (0, 1); its ends, and 0 without a root, elsewhere."""
    shrunk, dissipated = np.array([0.5, 0.5, 0.5, 2.0, 1.0, 0.5]), np.array([0.0, 0.1, 0.6, 0.1, 0.1, 5.0])
    made = _relaxation(shrunk, 1.0, dissipated)
    for x, r, d in zip(made, shrunk, dissipated, strict=True):
        roots = np.roots([(r - 1) ** 2, 2 * (r - 1), 1 - r**2 - d]) if r != 1 else np.zeros(1)
        wanted = float(np.clip(np.min(roots.real), 0, 1)) if np.isrealobj(roots) else 0.0
        assert np.isclose(x, wanted, atol=1e-7), (r, d)
    assert made[0] > 0.99 and 0.5 < made[1] < 0.99 and 0 < made[2] < 0.5 and made[5] == 0.0


@pytest.mark.parametrize("name", ["specmuon_a", "specmuon_b"])
def test_specmuon_needs_a_loss_that_is_not_negative(name: str) -> None:
    opt = SteepestDescent(pipeline_named(name), lr=0.1)
    weights, g = draw({"w": (3, 4)}), draw({"w": (3, 4)}, 1)
    with pytest.raises(ParameterError, match="loss="):
        opt.step(weights, g)
    with pytest.raises(ParameterError, match="negative"):
        opt.step(weights, g, loss=lambda w: -1.0)
    with pytest.raises(ShapeError, match="matrix"):
        SteepestDescent(pipeline_named(name), lr=0.1).step(draw({"w": (3,)}), draw({"w": (3,)}), loss=lambda w: 1.0)


@pytest.mark.parametrize("name", PIPELINES)
def test_zero_gradients_move_nothing(name: str) -> None:
    weights = draw({"w": (3, 4)})
    made = SteepestDescent(pipeline_named(name), lr=0.1).step(
        weights, {"w": np.zeros((3, 4), np.float32)}, loss=lambda w: 1.0
    )
    assert np.array_equal(made["w"], weights["w"]) and np.isfinite(made["w"]).all()


# --- names ------------------------------------------------------------------------------------------------------------


def test_unknown_names_and_options_list_the_known() -> None:
    with pytest.raises(ParameterError, match=r"'adamm' \(did you mean 'adam'\?\); known: 'adamw', 'adam', 'sgd'"):
        pipeline_named("adamm")
    with pytest.raises(
        ParameterError, match=r"no option 'beta' \(did you mean 'betas'\?\); it takes 'betas', 'eps', and"
    ):
        pipeline_named("adamw", beta=0.9)
    with pytest.raises(ParameterError, match="pair"):
        pipeline_named("adamw", betas=0.9)
    with pytest.raises(ParameterError, match="not negative"):
        pipeline_named("adamw", weight_decay=-1)


@pytest.mark.parametrize("name", PIPELINES)
def test_every_name_says_what_it_is_and_takes_its_options(name: str) -> None:
    pipeline = pipeline_named(name, lr=0.5, weight_decay=0.25)
    assert pipeline.rate(1, 9.0) == 0.5 and pipeline.decay is not None
    text = str(pipeline)
    assert text.startswith(f"{name}: ")
    assert ("no norm's steepest descent" in text) == (name not in ("sgd", "signsgd", "lion"))
    for option in options_of(name):
        with pytest.raises((ParameterError, nk.SpecError)):
            pipeline_named(name, **{option: "nonsense"})


def test_no_decay_is_not_the_decay_of_the_model() -> None:
    weights, g = {"w": np.full((2, 2), 8.0), "b": np.full(2, 8.0)}, {"w": np.zeros((2, 2)), "b": np.zeros(2)}
    made = SteepestDescent(
        "rms->rms", lr=0.5, weight_decay=0.5, pipelines={"b": pipeline_named("adamw", weight_decay=0)}
    ).step(weights, g)
    assert made["w"][0, 0] == 6.0 and made["b"][0] == 8.0


def test_a_pipeline_that_does_not_take_an_array_is_refused_before_others_move() -> None:
    opt = SteepestDescent("rms->rms", lr=0.1, momentum=0.9, pipelines={"b": Pipeline(Dualize("spectral"))})
    weights = draw({"w": (2, 3), "b": (4,)})
    before = {name: w.copy() for name, w in weights.items()}
    with pytest.raises(ShapeError, match="'b'"):
        opt.step(weights, draw({"w": (2, 3), "b": (4,)}, 1), out=weights)
    assert all(np.array_equal(weights[name], before[name]) for name in weights) and not opt.state_dict()["arrays"]
