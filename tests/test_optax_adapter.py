"""`normkit.optax` against the NumPy optimizer, formulas written out, and what optax composes it with."""

from __future__ import annotations

import doctest
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import normkit as nk
from normkit.optim import (
    EMA,
    MVR1,
    Coupled,
    Decoupled,
    FrankWolfeDecay,
    HeavyBall,
    Independent,
    LionMomentum,
    SpectralClipped,
    schedules,
)
from normkit.optim import SteepestDescent as Numpy

os.environ.setdefault("JAX_PLATFORMS", "cpu")
jax = pytest.importorskip("jax", reason="the optax adapter needs the extra jax")
optax = pytest.importorskip("optax", reason="the optax adapter needs the extra jax")

import jax.numpy as jnp  # noqa: E402

from normkit.optax import in_out, project, scale_by_dualize, steepest_descent  # noqa: E402

SHAPES = {"a": (4, 6), "deep": {"b": (3, 2), "c": (3, 2)}}
NAMES = {"a": "rms->rms", "deep/b": "rows(linf, l2)", "deep/c": "max"}
STEPS = 20


def is_shape(x: Any) -> bool:
    return isinstance(x, tuple)


def drawn(shapes: Any, seed: int = 0) -> Any:
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda shape: draw.standard_normal(shape).astype(np.float32), shapes, is_leaf=is_shape)


START = drawn(SHAPES)
GRADIENTS = [drawn(SHAPES, seed) for seed in range(1, STEPS + 1)]


def compiled(optimizer: Any) -> Any:
    @jax.jit
    def step(params: Any, state: Any, gradients: Any) -> Any:
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return step


def run(optimizer: Any, start: Any = START, gradients: Any = GRADIENTS) -> Any:
    step, params, state = compiled(optimizer), start, optimizer.init(start)
    for each in gradients:
        params, state = step(params, state, each)
    return params


def numpy_run(method: Numpy, start: Any = START, gradients: Any = GRADIENTS) -> Any:
    for each in gradients:
        start = method.step(start, each)
    return start


def near(found: Any, expected: Any, rtol: float = 1e-6, atol: float = 1e-6) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(np.asarray(x), y, rtol, atol), found, expected)


def both(norm: Any, rtol: float = 1e-6, via: Any = "callback", **options: Any) -> None:
    options = {"lr": 0.02, "accuracy": None, **options}
    near(run(steepest_descent(norm, via=via, **options)), numpy_run(Numpy(norm, **options)), rtol, rtol)


# --- the same steps as the NumPy optimizer ----------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["max", "rms->rms", "rows(linf, l2)"])
def test_a_norm_of_every_leaf(spec: str) -> None:
    both(spec, momentum=0.9, weight_decay=0.1)


def test_vectors_in_l2() -> None:
    shapes = {"w": (5,), "v": (3,)}
    start, gradients = drawn(shapes), [drawn(shapes, seed) for seed in range(1, STEPS + 1)]
    options: dict[str, Any] = {"convention": "sharp", "lr": 0.1, "momentum": 0.9}
    near(run(steepest_descent("l2", **options), start, gradients), numpy_run(Numpy("l2", **options), start, gradients))


@pytest.mark.parametrize("convention", ["lmo", "sharp"])
@pytest.mark.parametrize("outer", ["linf", "l2", "l1"])
def test_a_norm_of_the_whole_model(outer: str, convention: str) -> None:
    both(nk.Modular(NAMES, outer=outer, scales={"a": 2}), convention=convention, momentum=0.5, weight_decay=0.1)


CONVENTIONS = pytest.mark.parametrize(
    "convention",
    [
        pytest.param(nk.LMO(2.0), id="lmo"),
        pytest.param(nk.TrustRegion(0.5, sharpness=3.0), id="trust-region"),
        pytest.param(nk.PowerStep(2.0, power=3), id="power"),
        pytest.param(nk.FrankWolfe(3.0, rate=0.5), id="frank-wolfe"),
        pytest.param(nk.LayerwiseSmooth(1.0, {"a": 0.5, "deep/b": 1.0, "deep/c": 2.0}), id="layerwise"),
    ],
)


@CONVENTIONS
def test_conventions_as_objects(convention: nk.Convention) -> None:
    both(nk.Modular(NAMES, outer="l2"), convention=convention, momentum=0.9)


@pytest.mark.parametrize(
    "momentum",
    [
        pytest.param(EMA(0.9, nesterov=True), id="nesterov"),
        pytest.param(EMA(0.9, nesterov=True, debias=True), id="nesterov-debias"),
        pytest.param(EMA(0.9, debias=True), id="debias"),
        pytest.param(HeavyBall(0.9, dampening=0.25), id="heavy-ball"),
        pytest.param(HeavyBall(0.9, nesterov=True), id="heavy-ball-nesterov"),
        pytest.param(LionMomentum(), id="lion"),
    ],
)
def test_momentum_forms(momentum: Any) -> None:
    both("rows(linf, l2)", 5e-6, convention="sharp", momentum=momentum)


@pytest.mark.parametrize(
    "decay",
    [
        pytest.param(Decoupled(0.3), id="decoupled"),
        pytest.param(Independent(0.01, base=0.1), id="independent"),
        pytest.param(Coupled(0.3), id="coupled"),
        pytest.param(SpectralClipped(5.0, bound=0.5), id="clipped"),
        pytest.param(FrankWolfeDecay(), id="frank-wolfe"),
    ],
)
def test_weight_decays(decay: Any) -> None:
    both("max", momentum=0.5, weight_decay=decay)


def test_the_accuracy_reaches_the_kernels() -> None:
    g, optimizer = drawn({"w": (40, 30)}), steepest_descent("rms->rms", lr=1.0, accuracy=0.3)
    updates, _ = optimizer.update(g, optimizer.init(g))
    near(updates, nk.lmo(nk.Modular({"w": "rms->rms"}), g, accuracy=0.3))
    assert np.abs(np.asarray(updates["w"]) - nk.lmo("rms->rms", g["w"])).max() > 1e-3


def test_a_schedule_counts_from_zero_as_in_optax() -> None:
    lr = optax.linear_schedule(0.1, 0.0, 10)
    near(run(steepest_descent("max", lr=lr)), numpy_run(Numpy("max", lr=lambda step: float(lr(step - 1)))))


def test_double_precision() -> None:
    with jax.enable_x64(True):
        start, gradients = jax.tree.map(np.float64, START), [jax.tree.map(np.float64, g) for g in GRADIENTS[:5]]
        options: dict[str, Any] = {"lr": 0.1, "momentum": EMA(0.9, debias=True), "weight_decay": 0.1, "accuracy": None}
        found = run(steepest_descent("rms->rms", **options), start, gradients)
        assert found["a"].dtype == np.float64
        near(found, numpy_run(Numpy("rms->rms", **options), start, gradients), 1e-12, 1e-12)


# --- the maps in JAX --------------------------------------------------------------------------------------------------


def test_printed_maps_of_every_leaf() -> None:
    both("rows(linf, l2)", 2e-6, via="jax", momentum=0.9, weight_decay=0.1)
    both("rms->rms", 2e-6, via="jax", momentum=0.9, weight_decay=0.1)


@CONVENTIONS
def test_printed_maps_of_the_whole_model(convention: nk.Convention) -> None:
    norm = nk.Modular(NAMES, outer="l2", scales={"a": 2})
    both(norm, 2e-6, via="jax", convention=convention, momentum=0.9)
    optimizer = steepest_descent(norm, lr=0.1, via="jax", convention=convention)
    assert "callback" not in str(jax.make_jaxpr(optimizer.update)(START, optimizer.init(START), START))


@pytest.mark.parametrize("outer", ["linf", "l1"])
def test_printed_maps_under_outer_norms(outer: str) -> None:
    both(nk.Modular(NAMES, outer=outer, scales={"a": 2}), 2e-6, via="jax", convention="sharp")


def test_printed_maps_to_an_accuracy() -> None:
    g = {"w": np.linalg.qr(drawn((40, 30)))[0].astype(np.float32) * np.linspace(0.1, 1, 30, dtype=np.float32)}
    found, _ = (up := scale_by_dualize("spectral", accuracy=0.05, via="jax")).update(g, up.init(g))
    away = np.linalg.norm(np.asarray(found["w"]) - nk.dualize("spectral", g["w"])) / np.sqrt(30)
    assert 1e-3 < away < 0.1


def test_printed_maps_of_a_bad_gradient_are_nan() -> None:
    """The entry that is sorted out by the norm counts, too."""
    optimizer = steepest_descent(nk.Modular({"a": "max", "b": "dual(topk(1))"}), lr=0.1, via="jax")
    g = {"a": START["a"], "b": np.array([np.nan, 1.0, 2.0], np.float32)}
    updates, _ = optimizer.update(g, optimizer.init(g))
    assert all(bool(jnp.isnan(u).all()) for u in jax.tree.leaves(updates))


def test_printed_maps_in_double_precision() -> None:
    with jax.enable_x64(True):
        g = {"w": START["a"].astype(np.float64)}
        found, _ = (up := scale_by_dualize("rms->rms", accuracy=None, via="jax")).update(g, up.init(g))
        np.testing.assert_allclose(np.asarray(found["w"]), nk.dualize("rms->rms", g["w"]), rtol=1e-12)


def test_auto_is_the_callback_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def text(spec: str, via: Any) -> str:
        optimizer = steepest_descent(spec, lr=0.1, via=via)
        return str(jax.make_jaxpr(optimizer.update)(START, optimizer.init(START)))

    assert "callback" in text("max", "auto")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "callback" not in text("max", "auto")
    assert "callback" in text("max", "callback")


@pytest.mark.parametrize(
    "options, message",
    [
        pytest.param({"accuracy": jnp.float32(0.1)}, "static_args=.*or leave it to via='callback'", id="accuracy"),
        pytest.param({"weight_decay": SpectralClipped(0.1)}, "SpectralClipped.* has no JAX form", id="clipped"),
    ],
)
def test_what_has_no_printed_map(options: dict[str, Any], message: str) -> None:
    optimizer = steepest_descent("max", lr=0.1, via="jax", **options)
    with pytest.raises(nk.ParameterError, match=message):
        optimizer.update(START, optimizer.init(START), START)
    with pytest.raises(nk.ParameterError, match="unknown via 'gpu'; known: 'auto', 'callback', 'jax'"):
        steepest_descent("max", lr=0.1, via="gpu")  # type: ignore[arg-type]


# --- formulas written out ---------------------------------------------------------------------------------------------


def test_sign_descent_with_momentum_and_decay_as_a_formula() -> None:
    w, b = START["a"].astype(np.float64), np.zeros((4, 6))
    for g in GRADIENTS:
        b = 0.9 * b + 0.1 * g["a"]
        w = (1 - 0.02 * 0.1) * w - 0.02 * np.sign(b)
    found = run(steepest_descent("max", lr=0.02, momentum=0.9, weight_decay=0.1))
    np.testing.assert_allclose(np.asarray(found["a"]), w, rtol=1e-5, atol=1e-6)


def test_small_decay_under_a_schedule_is_not_lost_to_rounding() -> None:
    """1 - lr rate in float32 would take 1.19e-7 away, not 1e-7."""
    ones = {"w": jnp.ones(4)}
    optimizer = steepest_descent("linf", lr=lambda count: jnp.float32(1e-4), weight_decay=1e-3)
    updates, _ = optimizer.update({"w": jnp.zeros(4)}, optimizer.init(ones), ones)
    np.testing.assert_allclose(np.asarray(updates["w"]), -1e-7, rtol=1e-5)


def test_the_dualize_map_ascends_and_composes_to_an_lmo() -> None:
    g = GRADIENTS[0]["a"]
    u, _, vt = np.linalg.svd(g, full_matrices=False)
    maximiser = np.sqrt(4 / 6) * u @ vt
    up = scale_by_dualize("rms->rms", accuracy=None)
    found, _ = up.update({"w": g}, up.init({"w": g}))
    np.testing.assert_allclose(np.asarray(found["w"]), maximiser, atol=1e-6)
    down = optax.chain(up, optax.scale_by_learning_rate(0.5))
    found, _ = jax.jit(down.update)({"w": g}, down.init({"w": g}))
    np.testing.assert_allclose(np.asarray(found["w"]), -0.5 * maximiser, atol=1e-6)


def test_project_keeps_weights_in_the_ball() -> None:
    bounded = optax.chain(optax.sgd(1.0), project("rms->rms", radius=1.5))
    found = run(bounded)
    sizes = [np.sqrt(w.shape[1] / w.shape[0]) * np.linalg.norm(w, 2) for w in jax.tree.leaves(found)]
    assert max(sizes) <= 1.5 * (1 + 1e-5) and max(sizes) > 1.49


# --- layouts ----------------------------------------------------------------------------------------------------------


def test_kernels_of_flax_take_the_steps_of_their_transposes() -> None:
    shapes = {"conv": (5, 2, 3, 3), "dense": (4, 6), "seq": (5, 2, 3)}
    torch_like, turns = drawn(shapes), {"conv": (2, 3, 1, 0), "dense": (1, 0), "seq": (2, 1, 0)}
    flax_like = {name: x.transpose(turns[name]) for name, x in torch_like.items()}
    parts = {
        "conv": nk.Matricize("rms->rms", "o i h w", "o", "i h w"),
        "dense": 2 * nk.norm("rms->rms"),
        "seq": nk.Matricize("rms->rms", "o i w", "o", "i w"),
    }
    there = nk.lmo(nk.Modular(parts), torch_like)
    plain = nk.Modular(dict.fromkeys(parts, "rms->rms"), scales={"dense": 2})
    here = steepest_descent(plain, lr=1.0, accuracy=None, layout="in out")
    found, _ = here.update(flax_like, here.init(flax_like))
    near(found, {name: x.transpose(turns[name]) for name, x in there.items()})


def test_layout_turns_matrices_only_and_twice_is_not_at_all() -> None:
    assert str(in_out(in_out("rms->rms"))) == "rms->rms"
    with pytest.raises(nk.ParameterError, match="a layout is one of matrices; l2 takes 1 axes"):
        in_out("l2")
    with pytest.raises(nk.ParameterError, match="Name its axes with Matricize"):
        in_out("spectral", 6)
    with pytest.raises(nk.ParameterError, match="unknown layout 'io'; known: 'out in', 'in out'"):
        steepest_descent("l2", lr=1.0, layout="io")  # type: ignore[arg-type]


# --- a model ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    datasets = pytest.importorskip("sklearn.datasets", reason="the digits come with scikit-learn")
    x, y = datasets.load_digits(return_X_y=True)
    return (x[:256] / 16).astype(np.float32), y[:256]


MLP = {"hidden": {"w": (16, 64), "b": (16,)}, "out": {"w": (10, 16), "b": (10,)}}
MLP_NORM = {"hidden/w": "rms->rms", "hidden/b": "linf", "out/w": "l1->rms", "out/b": "linf"}


def loss(params: Any, batch: tuple[Any, Any]) -> Any:
    x, y = batch
    h = jax.nn.relu(x @ params["hidden"]["w"].T + params["hidden"]["b"])
    scores = h @ params["out"]["w"].T + params["out"]["b"]
    return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean()


def start_of_mlp() -> Any:
    return jax.tree.map(lambda w: 0.3 * w, drawn(MLP))


def test_a_small_network_on_digits_follows_the_numpy_optimizer(digits: tuple[Any, Any]) -> None:
    norm, start = nk.Modular(MLP_NORM), start_of_mlp()
    options: dict[str, Any] = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01, "accuracy": None}
    here, there = steepest_descent(norm, **options), Numpy(norm, **options)
    slopes = jax.jit(jax.value_and_grad(loss))

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(params, digits)
        updates, state = here.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, value

    params, state, weights, values = start, here.init(start), start, []
    for _ in range(STEPS):
        params, state, value = step(params, state)
        gradients = jax.tree.map(np.asarray, slopes(weights, digits)[1])
        weights = there.step(weights, gradients)
        values.append(float(value))
    near(params, weights, 1e-4, 1e-4)
    assert values[-1] < 0.3 * values[0]

    def body(carry: Any, _: Any) -> Any:
        params, state, value = step(*carry)
        return (params, state), value

    (scanned, last), many = jax.lax.scan(body, (start, here.init(start)), None, length=STEPS)
    near(scanned, params, 1e-5, 1e-5)
    np.testing.assert_allclose(many, values, rtol=1e-5)
    assert int(last.count) == STEPS


def test_adam_for_biases_by_multi_transform(digits: tuple[Any, Any]) -> None:
    start = start_of_mlp()
    labels = jax.tree.map(lambda w: "norm" if w.ndim == 2 else "adam", start)
    adam = optax.adam(0.01)
    mixed = optax.multi_transform({"norm": steepest_descent("rms->rms", lr=0.1, accuracy=None), "adam": adam}, labels)
    gradients = jax.grad(loss)(start, digits)
    updates, _ = mixed.update(gradients, mixed.init(start), start)
    alone, _ = adam.update(gradients, adam.init(start), start)
    near(updates["hidden"]["b"], alone["hidden"]["b"])
    near(updates["out"]["w"], nk.lmo("rms->rms", np.asarray(gradients["out"]["w"]), radius=0.1))


# --- what optax composes ----------------------------------------------------------------------------------------------


def test_an_injected_learning_rate_changes_without_a_new_trace() -> None:
    optimizer = optax.inject_hyperparams(steepest_descent)("max", lr=0.1)
    traces: list[int] = []

    @jax.jit
    def step(params: Any, state: Any, gradients: Any) -> Any:
        traces.append(1)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(START)
    first, state = step(START, state, GRADIENTS[0])
    state.hyperparams["lr"] = jnp.asarray(0.5, jnp.float32)
    second, state = step(START, state, GRADIENTS[0])
    near(first["a"], START["a"] - 0.1 * np.sign(GRADIENTS[0]["a"]))
    near(second["a"], START["a"] - 0.5 * np.sign(GRADIENTS[0]["a"]))
    assert len(traces) == 1


def test_all_numbers_may_be_injected() -> None:
    options: dict[str, Any] = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1, "accuracy": 0.01}
    injected = optax.inject_hyperparams(steepest_descent)("rms->rms", **options)
    near(run(injected, gradients=GRADIENTS[:3]), run(steepest_descent("rms->rms", **options), gradients=GRADIENTS[:3]))
    static = optax.inject_hyperparams(steepest_descent, static_args=("norm",))(nk.norm("max"), lr=0.02)
    near(run(static, gradients=GRADIENTS[:3]), run(steepest_descent("max", lr=0.02), gradients=GRADIENTS[:3]))


def test_the_mean_of_several_gradients_by_multi_steps() -> None:
    several = optax.MultiSteps(steepest_descent("max", lr=0.1), every_k_schedule=2)
    found = run(several, gradients=GRADIENTS[:2])
    mean = (GRADIENTS[0]["a"] + GRADIENTS[1]["a"]) / 2
    near(found["a"], START["a"] - 0.1 * np.sign(mean))


def test_masked_leaves_pass_through() -> None:
    start = {"w": START["a"], "count": np.arange(3), "none": None}
    masked = optax.masked(steepest_descent("max", lr=0.1, momentum=0.9), {"w": True, "count": False, "none": None})
    gradients = {"w": GRADIENTS[0]["a"], "count": np.zeros(3, int), "none": None}
    found, state = masked.update(gradients, masked.init(start), start)
    near(found["w"], -0.1 * np.sign(GRADIENTS[0]["a"]))
    assert found["none"] is None and found["count"].dtype == gradients["count"].dtype
    assert len(jax.tree.leaves(state.inner_state.momentum)) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_entry_makes_the_whole_update_nan_and_apply_if_finite_skips_it(bad: float) -> None:
    plain = steepest_descent(nk.Modular(NAMES), lr=0.1, momentum=0.9)
    spoiled = jax.tree.map(np.copy, GRADIENTS[0])
    spoiled["deep"]["b"][1, 1] = bad
    updates, _ = jax.jit(plain.update)(spoiled, plain.init(START))
    assert all(bool(jnp.isnan(u).all()) for u in jax.tree.leaves(updates))
    careful = optax.apply_if_finite(plain, 3)
    near(run(careful, gradients=[spoiled, GRADIENTS[1]]), run(plain, gradients=[GRADIENTS[1]]))


def test_a_step_that_overflows_is_nan() -> None:
    optimizer = steepest_descent("max", lr=1e38, convention="sharp")
    updates, _ = optimizer.update(START, optimizer.init(START))
    assert bool(jnp.isnan(updates["a"]).all())


def test_vmap_over_models() -> None:
    optimizer = steepest_descent("rms->rms", lr=0.1, accuracy=None)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *GRADIENTS[:3])
    found, _ = jax.vmap(lambda g: optimizer.update(g, optimizer.init(g)))(stacked)
    alone, _ = optimizer.update(GRADIENTS[2], optimizer.init(START))
    near(jax.tree.map(lambda x: x[2], found), alone)


def test_one_callback_for_all_leaves() -> None:
    optimizer = steepest_descent(nk.Modular(NAMES), lr=0.1, momentum=0.9, weight_decay=SpectralClipped(0.1))
    text = str(jax.make_jaxpr(optimizer.update)(START, optimizer.init(START), START))
    assert text.count("pure_callback[") == 1


def test_the_state_goes_through_a_file(tmp_path: Path) -> None:
    optimizer = steepest_descent("max", lr=0.1, momentum=0.9)
    step = compiled(optimizer)
    params, state = step(START, optimizer.init(START), GRADIENTS[0])
    np.savez(tmp_path / "state.npz", *jax.tree.leaves(state))
    with np.load(tmp_path / "state.npz") as held:
        restored = jax.tree.unflatten(jax.tree.structure(state), [held[name] for name in held.files])
    one, two = step(params, state, GRADIENTS[1]), step(params, restored, GRADIENTS[1])
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_the_state_says_which_of_it_is_like_the_parameters() -> None:
    optimizer = steepest_descent("max", lr=0.1, momentum=0.9)
    state = optax.tree_utils.tree_map_params(optimizer, lambda x: x + 1.0, optimizer.init(START))
    assert float(state.momentum["a"][0, 0]) == 1.0 and int(state.count) == 0


# --- pytrees ----------------------------------------------------------------------------------------------------------


class Layer(NamedTuple):
    w: Any
    b: Any


def test_names_come_from_the_keys_of_any_pytree() -> None:
    tree = {"layers": [Layer(START["a"], None), Layer(GRADIENTS[0]["a"], jnp.ones(3))]}
    norm = nk.Modular({"layers/0/w": "max", "layers/1/w": "fro", "layers/1/b": "l2"}, scales={"layers/0/w": 2})
    optimizer = steepest_descent(norm, lr=1.0)
    found, _ = optimizer.update(tree, optimizer.init(tree))
    near(found["layers"][0].w, -np.sign(START["a"]) / 2)
    near(found["layers"][1].b, -np.ones(3) / np.sqrt(3))
    assert isinstance(found["layers"][0], Layer) and found["layers"][0].b is None


def test_a_tree_of_one_array_and_one_of_none() -> None:
    optimizer = steepest_descent("linf", lr=1.0, momentum=0.9)
    found, _ = optimizer.update(jnp.array([3.0, -4.0]), optimizer.init(jnp.zeros(2)))
    assert found.tolist() == [-1.0, 1.0]
    empty, state = jax.jit(optimizer.update)({"x": None}, optimizer.init({"x": None}))
    assert empty == {"x": None} and int(state.count) == 1


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_half_precision_is_stepped_in_float32(kind: str) -> None:
    start = jax.tree.map(lambda x: jnp.asarray(x, kind), START)
    gradients = jax.tree.map(lambda x: jnp.asarray(x, kind), GRADIENTS[0])
    optimizer = steepest_descent("rms->rms", lr=0.1, momentum=0.9, weight_decay=0.1, accuracy=None)
    updates, state = jax.jit(optimizer.update)(gradients, optimizer.init(start), start)
    wide = jax.tree.map(lambda x: np.asarray(x, np.float32), (start, gradients))
    exact, _ = optimizer.update(wide[1], optimizer.init(wide[0]), wide[0])
    assert updates["a"].dtype == kind and state.momentum["a"].dtype == np.float32
    near(jax.tree.map(lambda x: x.astype(np.float32), updates), exact, 2**-8, 1e-6)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_leaves_that_do_not_fit_are_all_named() -> None:
    optimizer = steepest_descent("rms->rms", lr=0.1)
    with pytest.raises(nk.ShapeError, match=r"the leaf 'b'.*\(also 'd'\).*the leaf 'c'"):
        optimizer.init({"a": jnp.ones((2, 2)), "b": jnp.ones(3), "c": jnp.ones((1, 2, 2)), "d": jnp.ones(3)})
    with pytest.raises(nk.DTypeError, match=r"'x/n' \(int32\).*optax.masked"):
        optimizer.init({"x": {"n": jnp.ones((2, 2), int)}})
    with pytest.raises(nk.ParameterError, match="names 'a/b' twice"):
        optimizer.init({"a": {"b": jnp.ones((2, 2))}, "a/b": jnp.ones((2, 2))})
    with pytest.raises(nk.ShapeError, match=r"the pytree lacks 'deep/c'\. The norm takes 3 named arrays"):
        steepest_descent(nk.Modular(NAMES), lr=0.1).init({"a": START["a"], "deep": {"b": START["deep"]["b"]}})
    with pytest.raises(nk.NoClosedForm):
        steepest_descent("linf->l1", lr=0.1).init(START)
    with pytest.raises(nk.ParameterError, match="L0 has no number for 'deep/b', 'deep/c'"):
        steepest_descent(nk.Modular(NAMES), lr=0.1, convention=nk.LayerwiseSmooth({"a": 1.0}, 0.0)).init(START)


@pytest.mark.parametrize(
    "options, what",
    [
        pytest.param({"weight_decay": 0.1}, "weight decay", id="decay"),
        pytest.param({"convention": nk.FrankWolfe(1.0)}, "this convention", id="frank-wolfe"),
    ],
)
def test_missing_parameters(options: dict[str, Any], what: str) -> None:
    optimizer = steepest_descent("max", lr=0.1, **options)
    with pytest.raises(ValueError, match=rf"{what} needs the parameters, and got none; call update\(updates, state, "):
        optimizer.update(START, optimizer.init(START))
    with pytest.raises(nk.ShapeError, match="the updates lack 'deep/b', 'deep/c'; expected the leaves of params"):
        optimizer.update({"a": START["a"]}, optimizer.init(START), START)


def test_other_gradients_than_parameters() -> None:
    optimizer = steepest_descent("max", lr=0.1, momentum=0.9)
    with pytest.raises(nk.ShapeError, match="the updates lack 'deep/b', 'deep/c'"):
        optimizer.update({"a": START["a"]}, optimizer.init(START))


@pytest.mark.parametrize(
    "options, message",
    [
        pytest.param({"lr": -1.0}, "learning rate must be finite and not negative", id="negative"),
        pytest.param({"lr": schedules.constant(0.1)}, "give a schedule of optax", id="schedule"),
        pytest.param({"lr": "fast"}, "a number or a function of the step", id="text"),
        pytest.param({"lr": 0.1, "momentum": 1.0}, r"beta must be in \[0, 1\)", id="momentum"),
        pytest.param({"lr": 0.1, "momentum": MVR1()}, "no JAX form; known: a number, EMA, HeavyBall", id="mvr"),
        pytest.param({"lr": 0.1, "weight_decay": -1}, "weight decay must be", id="decay"),
        pytest.param({"lr": 2.0, "weight_decay": FrankWolfeDecay()}, r"lr in \[0, 1\]", id="average"),
        pytest.param({"lr": 0.1, "convention": "muon"}, "unknown convention 'muon'", id="convention"),
        pytest.param({"lr": 0.1, "accuracy": 0.0}, "accuracy must be a positive", id="accuracy"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(nk.ParameterError, match=message):
        steepest_descent("max", **options)


def test_without_jax_the_extra_is_named() -> None:
    code = (
        "import sys\nsys.modules['jax'] = None\nimport normkit as nk\n"
        "try:\n    import normkit.optax\nexcept nk.MissingExtra as error:\n    print(error)"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'normkit[jax]'" in made.stdout


@pytest.mark.parametrize("module", ["normkit.optax", "normkit.pytrees.layouts"])
def test_examples_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted and not result.failed


# --- rules ------------------------------------------------------------------------------------------------------------


class Assigned(NamedTuple):
    norm: Any
    pipelines: Any
    frozen: Any
    aliases: Any = None


class Rules:
    """What `normkit.optax` asks of rules."""

    def __init__(self, update: str = "adamw", **made: Any) -> None:
        self.update, self.made = update, made

    def assign(self, shapes: Any) -> Assigned:
        assert shapes == {"hidden/b": (16,), "hidden/w": (16, 64), "out/b": (10,), "out/w": (10, 16)}
        options = {"betas": [0.9, 0.95], "lr": 0.01}
        parts = (nk.Modular({"hidden/w": "rms->rms"}), {"hidden/b": (self.update, options)}, ("out/w", "out/b"))
        return Assigned(*parts, **self.made)


def test_rules_part_the_leaves() -> None:
    start, g = start_of_mlp(), drawn(MLP, 1)
    optimizer = steepest_descent(Rules(), lr=0.1, weight_decay=0.5, accuracy=None)
    found, _ = jax.jit(optimizer.update)(g, optimizer.init(start), start)
    near(found["hidden"]["w"], nk.lmo("rms->rms", g["hidden"]["w"], radius=0.1) - 0.05 * start["hidden"]["w"])
    near(found["hidden"]["b"], -0.01 * (np.sign(g["hidden"]["b"]) + 0.5 * start["hidden"]["b"]))
    assert not np.any(found["out"]["w"]) and not np.any(found["out"]["b"])
    own = steepest_descent(Rules("mine"), lr=0.1, pipelines={"mine": optax.sgd(2.0)})
    found, _ = own.update(g, own.init(start), start)
    near(found["hidden"]["b"], -2 * g["hidden"]["b"])


@pytest.mark.parametrize(
    "rules, options, message",
    [
        pytest.param(Rules("swan"), {}, r"'swan' is no optimizer.*pipelines=\{'swan'", id="unknown"),
        pytest.param(Rules("sgd"), {}, "'sgd' has no option 'betas' in optax", id="option"),
        pytest.param(Rules(), {"layout": "in out"}, "rules name the axes", id="layout"),
        pytest.param(Rules(), {"weight_decay": Independent(0.1)}, "no counterpart in the optimizers", id="decay"),
        pytest.param(Rules(aliases={"head": "table"}), {}, "tie 'head' to other leaves", id="tied"),
    ],
)
def test_rules_that_do_not_fit(rules: Rules, options: dict[str, Any], message: str) -> None:
    with pytest.raises(nk.ParameterError, match=message):
        steepest_descent(rules, lr=0.1, **options).init(start_of_mlp())
