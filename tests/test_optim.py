"""The optimizer on dicts of NumPy arrays: momentum, decay, schedules, state; what it refuses, it refuses whole."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trajectories import Arrays, distance, draw, gradients, run

import normkit as nk
from normkit.errors import DTypeError, FileError, NonFiniteError, ParameterError, ShapeError
from normkit.optim import (
    EMA,
    MVR1,
    MVR2,
    Coupled,
    Decoupled,
    HeavyBall,
    Independent,
    LionMomentum,
    Momentum,
    Pipeline,
    SteepestDescent,
    pipeline_named,
    recipes,
    schedules,
)

Array = np.ndarray[Any, Any]
NORMS = nk.Modular({"tall": "l2->linf", "wide": "l2->linf"}, outer="linf")
SMALL = {"w": (2, 3), "b": (4,)}
MIXED = nk.Modular({"w": "l2->linf", "b": "linf"})


def row_steps(u: Array) -> Array:
    made: Array = u / np.linalg.norm(u, axis=1, keepdims=True)
    return made


def state_of(opt: SteepestDescent) -> dict[tuple[str, str], bytes]:
    arrays = opt.state_dict()["arrays"]
    return {(name, slot): array.tobytes() for name, slots in arrays.items() for slot, array in slots.items()}


# --- momentum ---------------------------------------------------------------------------------------------------------


def naive(form: Momentum, grads: list[Array]) -> list[Array]:
    """Return the directions of a momentum form by its definition, one gradient after the other."""
    made, b = [], np.zeros_like(grads[0])
    for t, g in enumerate(grads, 1):
        if isinstance(form, LionMomentum):
            made.append(form.beta1 * b + (1 - form.beta1) * g)
            b = form.beta2 * b + (1 - form.beta2) * g
        elif isinstance(form, HeavyBall):
            b = g if t == 1 else form.beta * b + (1 - form.dampening) * g
            made.append(g + form.beta * b if form.nesterov else b)
        elif isinstance(form, EMA):
            b = sum(form.beta ** (t - s) * (1 - form.beta) * grads[s - 1] for s in range(1, t + 1))
            if form.debias and form.nesterov:
                made.append(form.beta * b / (1 - form.beta ** (t + 1)) + (1 - form.beta) * g / (1 - form.beta**t))
            elif form.nesterov:
                made.append(form.beta * b + (1 - form.beta) * g)
            else:
                made.append(b / (1 - form.beta**t) if form.debias else b)
    return made


FORMS: dict[str, Momentum] = {
    "ema": EMA(0.8),
    "ema_nesterov": EMA(0.8, nesterov=True),
    "ema_debias": EMA(0.8, debias=True),
    "ema_nesterov_debias": EMA(0.8, nesterov=True, debias=True),
    "heavy_ball": HeavyBall(0.8),
    "heavy_ball_nesterov": HeavyBall(0.8, nesterov=True),
    "heavy_ball_dampening": HeavyBall(0.8, dampening=0.3),
    "heavy_ball_of_nothing": HeavyBall(0.0),
    "lion": LionMomentum(0.7, 0.9),
}


@pytest.mark.parametrize("name", FORMS)
def test_momentum_forms_are_their_definitions(name: str) -> None:
    """Through an optimizer whose map is the identity: what it subtracts is the direction itself."""
    grads = [g["tall"] for g in gradients(steps=6, dtype=np.float64)]
    opt = SteepestDescent(Pipeline(FORMS[name]), lr=1.0)
    weights = {"w": np.zeros((7, 4))}
    for g, wanted in zip(grads, naive(FORMS[name], grads), strict=True):
        new = opt.step(weights, {"w": g})
        assert np.allclose(weights["w"] - new["w"], wanted, rtol=1e-12, atol=1e-13)
        weights = new


def test_an_lmo_step_does_not_tell_an_average_from_a_heavy_ball_and_a_sharp_one_does() -> None:
    weights, grads = draw(dtype=np.float64), gradients(steps=5, dtype=np.float64)
    lmo = [run(SteepestDescent(NORMS, lr=0.1, momentum=form), weights, grads) for form in (EMA(0.75), HeavyBall(0.75))]
    steps = []
    for form in (EMA(0.75), HeavyBall(0.75)):
        opt = SteepestDescent(NORMS, lr=0.1, convention="sharp", momentum=form)
        before = run(opt, weights, grads[:-1])
        after = opt.step(before, grads[-1])
        steps.append({name: after[name] - before[name] for name in after})
    # B of the heavy ball starts as G, that of the average as (1 - beta) G: the same up to 1 - beta throughout.
    assert distance(*lmo) < 1e-12
    assert distance({k: s / 0.25 for k, s in steps[0].items()}, steps[1]) < 1e-12


@pytest.mark.parametrize("bad", [-0.1, 1.0, 2, float("nan"), "0.9", True])
def test_momentum_is_in_zero_to_one(bad: Any) -> None:
    for make in (EMA, HeavyBall, LionMomentum, MVR1):
        with pytest.raises(ParameterError, match="0, 1"):
            make(bad)


def test_previous_gradients_are_asked_for_and_checked_before_anything_moves() -> None:
    opt = SteepestDescent(MIXED, lr=0.1, momentum=MVR2(0.9))
    weights, g = draw(SMALL), draw(SMALL, 1)
    before = {name: w.copy() for name, w in weights.items()}
    bad = draw(SMALL, 2)
    bad["b"][2] = np.inf
    for previous, error in ((None, ParameterError), ({"w": g["w"]}, ShapeError), (bad, NonFiniteError)):
        with pytest.raises(error):
            opt.step(weights, g, previous=previous, out=weights)
    with pytest.raises(ShapeError, match="previous gradient 'b'"):
        opt.step(weights, g, previous={"w": g["w"], "b": g["b"][:3]}, out=weights)
    assert not state_of(opt) and opt.steps == 0
    assert all(np.array_equal(weights[name], before[name]) for name in weights)


# --- conventions and decay --------------------------------------------------------------------------------------------

CONVENTIONS: dict[str, nk.Convention] = {
    "sharp": nk.Sharp(2.0),
    "lmo": nk.LMO(0.3),
    "trust": nk.TrustRegion(0.3, sharpness=2.0),
    "power": nk.PowerStep(2.0, power=3),
    "frank_wolfe": nk.FrankWolfe(3.0, rate=0.25),
}


@pytest.mark.parametrize("outer", ["linf", "l2", "l1"])
@pytest.mark.parametrize("name", CONVENTIONS)
def test_steps_are_those_of_the_conventions(name: str, outer: str) -> None:
    """Coupled through the outer norm or array by array: W + lr * step, whatever way the engine takes."""
    norm = nk.Modular({"w": "l2->linf", "b": "linf"}, outer=outer, scales={"b": 2})
    weights, g = draw(SMALL, dtype=np.float64), draw(SMALL, 1, np.float64)
    made = SteepestDescent(norm, convention=CONVENTIONS[name], lr=0.5).step(weights, g)
    wanted = CONVENTIONS[name].step(norm, weights, g)
    for key in weights:
        assert np.allclose(made[key], weights[key] + 0.5 * wanted[key], rtol=1e-12, atol=1e-14)


def test_decays_are_their_formulas() -> None:
    W, g = np.array([[4.0, -8.0]]), {"w": np.array([[3.0, 4.0]])}
    step = -0.5 * np.array([[0.6, 0.8]])

    def after(decay: Any) -> Array:
        made: Array = SteepestDescent("l2->linf", lr=0.5, weight_decay=decay).step({"w": W}, g)["w"]
        return made

    assert np.allclose(after(None), W + step)
    assert np.allclose(after(0.1), 0.95 * W + step)
    assert np.allclose(after(Decoupled(0.1)), 0.95 * W + step)
    assert np.allclose(after(Independent(0.1)), 0.9 * W + step)
    assert np.allclose(after(Independent(0.1, base=2.0)), (1 - 0.1 * 0.25) * W + step)
    pulled = g["w"] + 0.5 * W
    assert np.allclose(after(Coupled(0.5)), W - 0.5 * pulled / np.linalg.norm(pulled))


def test_going_up_is_going_down_the_negative_gradient() -> None:
    weights, grads = draw(dtype=np.float64), gradients(steps=4, dtype=np.float64)
    options: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": Coupled(0.1)}
    up = run(SteepestDescent(NORMS, maximize=True, **options), weights, grads)
    down = run(SteepestDescent(NORMS, **options), weights, [{k: -g for k, g in each.items()} for each in grads])
    assert all(np.array_equal(up[name], down[name]) for name in up)


def test_schedules_are_followed_step_by_step() -> None:
    cases: list[tuple[Any, list[float]]] = [
        (0.5, [0.5] * 6),
        (schedules.linear(1.0, 4, end=0.5), [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]),
        (schedules.cosine(1.0, 4), [1.0, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0.0, 0.0]),
        (schedules.trapezoid(1.0, 6, 3), [1.0, 1.0, 1.0, 0.75, 0.5, 0.25]),
        (schedules.inverse_root(1.0, 2), [1.0, 1.0, (2 / 3) ** 0.5, 0.5**0.5, 0.4**0.5, 3**-0.5]),
        (schedules.warmup(schedules.linear(1.0, 4), 2), [0.5, 0.75, 0.5, 0.25, 0.0, 0.0]),
        (lambda t: t / 8, [t / 8 for t in range(1, 7)]),
    ]
    for lr, rates in cases:
        opt, weights = SteepestDescent("l2->linf", lr=lr), {"w": np.zeros((1, 2))}
        for rate in rates:
            new = opt.step(weights, {"w": np.array([[0.0, 2.0]])})
            assert np.isclose(weights["w"][0, 1] - new["w"][0, 1], rate, rtol=1e-12, atol=1e-15), str(opt.lr)
            weights = new


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf"), "0.1", None, True])
def test_learning_rates_that_are_none_are_refused(lr: Any) -> None:
    with pytest.raises(ParameterError, match="learning rate"):
        SteepestDescent("l2->linf", lr=lr)


def test_a_schedule_that_turns_negative_is_refused_at_its_step() -> None:
    opt = SteepestDescent(MIXED, lr=lambda t: 2.0 - t, momentum=0.9)
    weights = opt.step(draw(SMALL), draw(SMALL, 1))
    weights = opt.step(weights, draw(SMALL, 2))
    kept = state_of(opt)
    with pytest.raises(ParameterError, match="step 3"):
        opt.step(weights, draw(SMALL, 3))
    assert state_of(opt) == kept and opt.steps == 2


# --- in place, names, nesting ----------------------------------------------------------------------------------------

UPDATES: dict[str, Callable[[], SteepestDescent]] = {
    "apart": lambda: SteepestDescent(MIXED, lr=0.1, momentum=0.9, weight_decay=0.1),
    "coupled": lambda: SteepestDescent(MIXED, convention="sharp", lr=0.1, momentum=HeavyBall(0.9)),
    "pipeline": lambda: SteepestDescent(pipeline_named("adamw"), lr=0.1, weight_decay=0.1),
    "clipped": lambda: recipes.spectral_clipped(0.1, rate=0.5, norm=MIXED),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UPDATES)
def test_in_place_has_the_bits_of_out_of_place_and_inputs_stay(name: str, dtype: Any) -> None:
    one, two = UPDATES[name](), UPDATES[name]()
    weights, place = draw(SMALL, dtype=dtype), draw(SMALL, dtype=dtype)
    for step in range(4):
        g = draw(SMALL, 10 + step, dtype)
        given = {k: x.tobytes() for k, x in (weights | {f"g{k}": x for k, x in g.items()}).items()}
        new = one.step(weights, g)
        made = two.step(place, g, out=place)
        assert given == {k: x.tobytes() for k, x in (weights | {f"g{k}": x for k, x in g.items()}).items()}
        for key in new:
            assert made[key] is place[key] and new[key].dtype == dtype
            assert new[key].tobytes() == place[key].tobytes(), (key, step)
        weights = new
    assert state_of(one) == state_of(two)


def test_nested_names_and_layouts_that_are_not_contiguous() -> None:
    rng = np.random.default_rng(0)
    flat = {"a/w": rng.standard_normal((3, 2)), "a/v": rng.standard_normal((2, 3)), "u": rng.standard_normal((3, 3))}
    grads = {name: rng.standard_normal(w.shape) for name, w in flat.items()}
    options: dict[str, Any] = {"lr": 0.1, "momentum": 0.9}
    wanted = run(SteepestDescent("l2->linf", **options), flat, [grads, grads])

    def nest(x: Arrays) -> dict[str, Any]:
        odd = {name: np.repeat(np.asfortranarray(each), 2, axis=0)[::2] for name, each in x.items()}
        return {"a": {"w": odd["a/w"], "v": odd["a/v"]}, "u": odd["u"]}

    place = nest(flat)
    opt = SteepestDescent("l2->linf", **options)
    for _ in range(2):
        made = opt.step(place, nest(grads), out=place)
    assert made["a"]["w"] is place["a"]["w"] and list(made) == ["a", "u"] and list(made["a"]) == ["w", "v"]
    for name, each in (("a/w", made["a"]["w"]), ("a/v", made["a"]["v"]), ("u", made["u"])):
        assert np.array_equal(each, wanted[name])


def test_names_that_do_not_fit_are_listed() -> None:
    weights, g = draw(SMALL), draw(SMALL, 1)
    opt = SteepestDescent(MIXED, lr=0.1)
    with pytest.raises(ShapeError, match="lack 'b'"):
        opt.step({"w": weights["w"]}, g)
    with pytest.raises(ShapeError, match="have 'extra'"):
        opt.step(weights | {"extra": weights["w"]}, g)
    with pytest.raises(ShapeError, match="the gradients lack 'b'"):
        opt.step(weights, {"w": g["w"]})
    with pytest.raises(ShapeError, match="gradients have 'extra'"):
        opt.step(weights, g | {"extra": g["w"]})
    with pytest.raises(ShapeError, match=r"\(2, 3\) and a gradient of shape \(3, 2\)"):
        opt.step(weights, g | {"w": g["w"].T})
    with pytest.raises(ShapeError, match="out= lacks 'b'"):
        opt.step(weights, g, out={"w": weights["w"]})
    with pytest.raises(ParameterError, match="empty"):
        SteepestDescent("rms->rms", lr=0.1).step({}, {})
    with pytest.raises(DTypeError, match="'b'"):
        opt.step(weights, g | {"b": np.arange(4)})
    with pytest.raises(ParameterError, match="twice"):
        opt.step({"a/w": weights["w"], "a": {"w": weights["w"]}}, g)


def test_frozen_arrays_need_no_gradient_and_are_passed_through() -> None:
    opt = SteepestDescent("l2->linf", lr=0.1, frozen=["b"], weight_decay=0.5)
    weights = draw(SMALL)
    made = opt.step(weights, {"w": weights["w"]})
    assert made["b"] is weights["b"] and not np.array_equal(made["w"], weights["w"])
    out = {name: np.zeros_like(w) for name, w in weights.items()}
    made = opt.step(weights, {"w": weights["w"]}, out=out)
    assert made["b"] is out["b"] and np.array_equal(out["b"], weights["b"])
    assert list(opt.state_dict()["arrays"]) == []


def test_a_gradient_of_zero_moves_nothing() -> None:
    weights, zero = draw(SMALL), {name: np.zeros(shape, np.float32) for name, shape in SMALL.items()}
    for convention in ("lmo", "sharp"):
        made = SteepestDescent(MIXED, convention=convention, lr=0.1, momentum=0.9).step(weights, zero)
        assert all(np.array_equal(made[name], weights[name]) for name in weights)


# --- whole or not at all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", UPDATES)
def test_a_bad_entry_is_named_and_nothing_changes(name: str, bad: float) -> None:
    opt = UPDATES[name]()
    weights = draw(SMALL)
    opt.step(weights, draw(SMALL, 1), out=weights)
    before, kept = {k: w.tobytes() for k, w in weights.items()}, state_of(opt)
    g = draw(SMALL, 2)
    g["w"][1, 2] = bad
    out = {k: w.copy() for k, w in weights.items()}
    with pytest.raises(NonFiniteError, match=r"the gradient 'w' holds (nan|inf) at index \[1, 2\]"):
        opt.step(weights, g, out=weights)
    with pytest.raises(NonFiniteError):
        opt.step(weights, g, out=out)
    assert {k: w.tobytes() for k, w in weights.items()} == before == {k: w.tobytes() for k, w in out.items()}
    assert state_of(opt) == kept and opt.steps == 1


def test_the_index_of_a_bad_entry_far_into_a_large_array() -> None:
    g = np.zeros((3, 1 << 20), np.float32)
    g[2, 77] = np.nan
    for each in (g, np.asfortranarray(g)):
        with pytest.raises(NonFiniteError, match=r"\[2, 77\]"):
            SteepestDescent("l2->linf", lr=0.1).step({"w": np.zeros_like(g)}, {"w": each})


def test_weights_that_a_decay_looks_at_must_be_finite_before_anything_moves() -> None:
    opt = recipes.spectral_clipped(0.1, rate=0.5, norm=MIXED)
    weights = draw(SMALL)
    weights["b"][1] = np.nan
    before = weights["w"].copy()
    with pytest.raises(NonFiniteError, match="the weights 'b'"):
        opt.step(weights, draw(SMALL, 1), out=weights)
    assert np.array_equal(weights["w"], before) and not state_of(opt)


def test_norms_without_a_dualize_map_are_refused_before_anything_moves() -> None:
    norm = nk.Modular({"b": "linf", "w": "linf->l1"})
    opt, weights = SteepestDescent(norm, lr=0.1, momentum=0.9), draw(SMALL)
    with pytest.raises(nk.NoClosedForm, match="'w'"):
        opt.step(weights, draw(SMALL, 1), out=weights)
    assert not state_of(opt)


# --- half precision ---------------------------------------------------------------------------------------------------


def half(name: str) -> Any:
    if name == "bfloat16":
        return pytest.importorskip("ml_dtypes", reason="bfloat16 in NumPy needs ml_dtypes").bfloat16
    return np.float16


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_stepped_in_float32_behind_it(dtype: str) -> None:
    """Steps below half an ulp of the weights add up, as they would in float32; rounding is only in what comes back."""
    kind = half(dtype)
    opt, wide = (SteepestDescent("l2->linf", lr=1e-4, momentum=0.9) for _ in range(2))
    weights, master = {"w": np.ones((2, 2), kind)}, {"w": np.ones((2, 2), np.float32)}
    g = {"w": np.array([[3.0, 4.0], [-5.0, 12.0]])}
    for _ in range(100):
        weights = opt.step(weights, {"w": g["w"].astype(kind)})
        master = wide.step(master, {"w": g["w"].astype(np.float32)})
    assert weights["w"].dtype == kind
    assert np.array_equal(weights["w"], master["w"].astype(kind))
    assert not np.array_equal(weights["w"], np.ones((2, 2), kind))
    assert all(x.dtype == np.float32 for x in opt.state_dict()["arrays"]["w"].values())


def test_weights_changed_outside_count() -> None:
    opt = SteepestDescent("l2->linf", lr=0.25)
    weights = opt.step({"w": np.ones((1, 2), np.float16)}, {"w": np.array([[0.0, 1.0]], np.float16)})
    weights["w"][0, 0] = 5.0
    made = opt.step(weights, {"w": np.array([[0.0, 1.0]], np.float16)})
    assert made["w"].tolist() == [[5.0, 0.5]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_pipelines_of_half_precision(dtype: str) -> None:
    kind = half(dtype)
    for name in ("adamw", "normuon", "adamuon", "sinkgd", "swan"):
        weights, wide = draw({"w": (3, 4)}, dtype=kind), draw({"w": (3, 4)}, dtype=kind)
        wide = {"w": wide["w"].astype(np.float32)}
        one, two = (SteepestDescent(pipeline_named(name), lr=0.01) for _ in range(2))
        for step in range(3):
            g = draw({"w": (3, 4)}, step, kind)
            weights, wide = one.step(weights, g), two.step(wide, {"w": g["w"].astype(np.float32)})
        assert weights["w"].dtype == kind
        assert np.allclose(weights["w"].astype(np.float32), wide["w"], atol=0.02), name


# --- state ------------------------------------------------------------------------------------------------------------

KEEPERS: dict[str, Callable[[], SteepestDescent]] = {
    "ema": lambda: SteepestDescent(MIXED, lr=schedules.linear(0.1, 9), momentum=EMA(0.9, nesterov=True, debias=True)),
    "mvr": lambda: SteepestDescent(MIXED, lr=0.1, momentum=MVR1(0.9)),
    "adam": lambda: SteepestDescent(
        "l2->linf", lr=0.1, momentum=HeavyBall(0.9), pipelines={"b": pipeline_named("adamw", weight_decay=0.1)}
    ),
    "rows": lambda: SteepestDescent(pipeline_named("normuon"), lr=0.1, frozen=["b"]),
}


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize("name", KEEPERS)
def test_a_run_goes_on_bit_for_bit(name: str, ending: str, tmp_path: Path) -> None:
    if ending == "safetensors":
        pytest.importorskip("safetensors", reason="the format needs safetensors")
    whole, first, second = (KEEPERS[name]() for _ in range(3))
    grads = gradients(SMALL, 6)
    wanted = run(whole, draw(SMALL), grads)
    weights = run(first, draw(SMALL), grads[:3])
    path = str(tmp_path / f"state.{ending}")
    first.save(path)
    with pytest.raises(FileError):
        first.save(path)
    first.save(path, force=True)
    second.load(path)
    assert second.steps == 3 and state_of(second) == state_of(first)
    made = run(second, weights, grads[3:])
    assert all(made[key].tobytes() == wanted[key].tobytes() for key in wanted)


def test_half_precision_and_slashes_survive_files(tmp_path: Path) -> None:
    """Master weights are float32; names keep their dots, slashes and colons."""
    names = {"a/b.c": (2, 2), "x::y": (2, 2)}
    opt = SteepestDescent("l2->linf", lr=0.1, momentum=0.9)
    opt.step(draw(names, dtype=np.float16), draw(names, 1, np.float16))
    for ending in ("npz", "safetensors"):
        path = str(tmp_path / f"s.{ending}")
        opt.save(path)
        other = SteepestDescent("l2->linf", lr=0.1, momentum=0.9)
        other.load(path)
        assert state_of(other) == state_of(opt)


def test_a_state_is_a_copy() -> None:
    opt = SteepestDescent(MIXED, lr=0.1, momentum=0.9)
    weights = opt.step(draw(SMALL), draw(SMALL, 1))
    state = opt.state_dict()
    kept = {k: x.copy() for k, x in ((name, slots["momentum"]) for name, slots in state["arrays"].items())}
    opt.step(weights, draw(SMALL, 2))
    assert all(np.array_equal(state["arrays"][name]["momentum"], kept[name]) for name in kept)
    other = SteepestDescent(MIXED, lr=0.1, momentum=0.9)
    other.load_state_dict(state)
    other.step(weights, draw(SMALL, 2))
    assert all(np.array_equal(state["arrays"][name]["momentum"], kept[name]) for name in kept)


def test_damaged_and_foreign_states_are_refused(tmp_path: Path) -> None:
    opt = SteepestDescent(MIXED, lr=0.1, momentum=0.9)
    opt.step(draw(SMALL), draw(SMALL, 1))
    path = tmp_path / "state.npz"
    opt.save(str(path))
    kept = state_of(opt)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(path.read_bytes()[:-40])
    np.savez(tmp_path / "foreign.npz", w=np.zeros(3))
    np.savez(tmp_path / "odd.npz", **{"normkit.optim": np.frombuffer(b"[1, 2]", np.uint8)})
    np.savez(tmp_path / "text.npz", **{"normkit.optim": np.frombuffer(b"\xff{", np.uint8)})
    for name in ("damaged", "foreign", "odd", "text", "missing"):
        with pytest.raises((FileError, ParameterError)):
            opt.load(str(tmp_path / f"{name}.npz"))
    for state in ({}, {"step": 1}, None, opt.state_dict() | {"format": 99}, opt.state_dict() | {"arrays": 3}):
        with pytest.raises(ParameterError):
            opt.load_state_dict(state)  # type: ignore[arg-type]
    assert state_of(opt) == kept and opt.steps == 1


def test_the_state_of_another_model_is_refused() -> None:
    opt = SteepestDescent("l2->linf", lr=0.1, momentum=0.9)
    opt.step(draw({"w": (2, 3), "v": (3, 3)}), draw({"w": (2, 3), "v": (3, 3)}, 1))
    for shapes, said in (({"w": (2, 3)}, "'v'"), ({"w": (4, 3), "v": (3, 3)}, r"momentum of shape \(2, 3\) for 'w'")):
        other = SteepestDescent("l2->linf", lr=0.1, momentum=0.9)
        other.load_state_dict(opt.state_dict())
        with pytest.raises(ShapeError, match=said):
            other.step(draw(shapes), draw(shapes, 1))


# --- documentation ----------------------------------------------------------------------------------------------------

MODULES = ["decay", "momentum", "named", "optimizer", "pipeline", "schedules", "variance"]
MODULES += [f"recipes.{name}" for name in ("basic", "muon", "scion")]
MODULES += [f"stages.{name}" for name in ("maps", "moments", "scales", "specmuon")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    with np.printoptions(legacy=False):
        result = doctest.testmod(import_module(f"normkit.optim.{name}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0 and result.attempted > 0
