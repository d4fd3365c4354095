"""Norms of named arrays against a conic solver that knows definitions only, and what a mapping may do wrong."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from oracles import express, oracle_value

import normkit as nk
from normkit import blockwise, named
from normkit.plot import plot_ball

Arrays = dict[str, np.ndarray[Any, Any]]

# --- the brute force --------------------------------------------------------------------------------------------


def pieces(norm: Any) -> list[tuple[str, Any, float]]:
    """Return (name, norm, scale) as the test declared them, not as the code under test stores them."""
    return [(name, nk.norm(part), scale) for name, (part, scale) in norm.items()]


def solve(declared: Any, outer: str, G: Arrays, sharpness: float) -> float:
    """Minimise <G, D> + (sharpness/2) outer(s_l N_l(D_l))^2 by a conic solver, one variable per number in between."""
    steps = {name: cp.Variable(g.shape) for name, g in G.items()}
    sizes = cp.Variable(len(G), nonneg=True)
    constraints = []
    for place, (name, norm, scale) in enumerate(pieces(declared)):
        size, more = express(norm, steps[name])
        constraints += [*more, scale * size <= sizes[place]]
    whole, more = express(nk.norm(outer), sizes)
    bound = cp.Variable(nonneg=True)
    pairing = sum(cp.sum(cp.multiply(G[name], step)) for name, step in steps.items())
    problem = cp.Problem(cp.Minimize(pairing + sharpness / 2 * cp.square(bound)), [*constraints, *more, whole <= bound])
    problem.solve(solver=cp.CLARABEL)
    assert problem.status in ("optimal", "optimal_inaccurate")
    return float(problem.value)


def objective(declared: Any, outer: str, G: Arrays, D: Arrays, sharpness: float) -> float:
    """Evaluate the same objective at a step, every norm by the solver's definition of it."""
    sizes = np.array([scale * oracle_value(norm, np.asarray(D[name])) for name, norm, scale in pieces(declared)])
    whole = oracle_value(nk.norm(outer), sizes)
    return float(sum(np.sum(G[name] * D[name]) for name in G) + sharpness / 2 * whole**2)


MODELS: dict[str, Any] = {
    "two matrices": {"a": ("rms->rms", 1.0), "b": ("spectral", 2.0)},
    "matrix and bias": {"w": ("rows(linf, l2)", 0.5), "b": ("rms", 3.0)},
    "three kinds": {"w": ("rms->rms", 1.5), "v": ("linf", 1.0), "u": ("lp(3)", 0.25)},
    "sparse": {"w": ("nuclear", 1.0), "v": ("l1", 2.0), "u": ("topk(2)", 1.0)},
}
OUTERS = ["linf", "l1", "l2", "lp(3)", "ksupport(2)", "topk(2)", "linf + l2", "owl([2, 1])"]
SHAPES = {"a": (3, 2), "b": (2, 3), "w": (2, 3), "v": (4,), "u": (3,)}


def gradients(declared: Any, seed: int = 0) -> Arrays:
    draw = np.random.default_rng(seed)
    vectors = [name for name, (part, _) in declared.items() if nk.norm(part).ndim == 1]
    return {name: draw.standard_normal((4,) if name in vectors else SHAPES[name]) for name in declared}


def modular(declared: Any, outer: str) -> nk.Modular:
    return nk.Modular(
        {name: part for name, (part, _) in declared.items()},
        outer=outer,
        scales={name: scale for name, (_, scale) in declared.items() if scale != 1.0},
    )


def excess(declared: Any, outer: str, G: Arrays, D: Arrays, sharpness: float) -> float:
    """Return by how much a step misses the least objective, relative to it."""
    least = solve(declared, outer, G, sharpness)
    return (objective(declared, outer, G, D, sharpness) - least) / abs(least)


CASES = [(model, outer) for model in MODELS for outer in OUTERS if outer != "owl([2, 1])" or len(MODELS[model]) == 2]


@pytest.mark.parametrize(("model", "outer"), CASES)
def test_steepest_descent_is_the_solvers_minimum(model: str, outer: str) -> None:
    declared, sharpness = MODELS[model], 1.75
    N, G = modular(declared, outer), gradients(MODELS[model])
    D = nk.steepest_descent(N, G, sharpness=sharpness)
    least = solve(declared, outer, G, sharpness)
    assert objective(declared, outer, G, D, sharpness) == pytest.approx(least, rel=2e-5)
    assert -(float(N.dual(G)) ** 2) / (2 * sharpness) == pytest.approx(least, rel=2e-5)
    T = nk.dualize(N, G)
    certificate = nk.certify(N, G, T)
    assert certificate.kind != "estimate"
    assert certificate.holds(1e-9)
    if certificate.kind == "exact":
        assert float(N(T)) == pytest.approx(1.0, rel=1e-9)
    lmo = nk.lmo(N, G, radius=0.3)
    assert all(np.allclose(lmo[name], -0.3 * T[name], rtol=1e-12) for name in G)


@pytest.mark.parametrize("outer", ["l2", "lp(3)"])
def test_the_minimiser_is_the_solvers_where_it_is_unique(outer: str) -> None:
    declared = {"w": ("fro", 2.0), "v": ("lp(3)", 0.5), "u": ("l2", 1.0)}
    G, sharpness = gradients(declared, 3), 0.8
    D = nk.steepest_descent(modular(declared, outer), G, sharpness=sharpness)
    steps = {name: cp.Variable(g.shape) for name, g in G.items()}
    sizes = cp.hstack([2 * cp.norm(steps["w"], "fro"), 0.5 * cp.pnorm(steps["v"], 3), cp.norm(steps["u"], 2)])
    whole = cp.norm(sizes, 2) if outer == "l2" else cp.pnorm(sizes, 3)
    pairing = sum(cp.sum(cp.multiply(G[name], steps[name])) for name in G)
    cp.Problem(cp.Minimize(pairing + sharpness / 2 * cp.square(whole))).solve(solver=cp.CLARABEL)
    for name in G:
        assert np.allclose(D[name], steps[name].value, atol=2e-4 * np.max(np.abs(D[name])))


Fault = Callable[[nk.Modular, Arrays, float], Arrays]


def wrong_sign(N: nk.Modular, G: Arrays, sharpness: float) -> Arrays:
    return {name: -step for name, step in nk.steepest_descent(N, G, sharpness=sharpness).items()}


def dropped_scale(N: nk.Modular, G: Arrays, sharpness: float) -> Arrays:
    bare = nk.Modular({name: norm.of if isinstance(norm, nk.Scaled) else norm for name, norm in N.parts.items()})
    return nk.steepest_descent(bare, G, sharpness=sharpness)


def scale_once(N: nk.Modular, G: Arrays, sharpness: float) -> Arrays:
    """The frequent slip: the shared step carries the scale, the direction does not."""
    eta = float(N.dual(G)) / sharpness
    return {name: -eta * nk.dualize(norm.of, G[name]) for name, norm in N.parts.items()}


def wrong_outer(N: nk.Modular, G: Arrays, sharpness: float) -> Arrays:
    return nk.steepest_descent(nk.Modular(N.parts, outer="l2"), G, sharpness=sharpness)


def each_by_itself(N: nk.Modular, G: Arrays, sharpness: float) -> Arrays:
    return {name: nk.steepest_descent(norm, G[name], sharpness=sharpness) for name, norm in N.parts.items()}


FAULTS = [wrong_sign, dropped_scale, scale_once, wrong_outer, each_by_itself]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_brute_force_sees_planted_faults(fault: Fault) -> None:
    declared = {"w": ("rms", 2.0), "b": ("l2", 0.5)}
    G = {"w": np.array([1.0, -2.0, 0.5]), "b": np.array([0.3, 0.4])}
    N = modular(declared, "linf")
    assert excess(declared, "linf", G, nk.steepest_descent(N, G, sharpness=2.0), 2.0) < 1e-5
    assert excess(declared, "linf", G, fault(N, G, 2.0), 2.0) > 1e-2


# --- the formulas of the paper ------------------------------------------------------------------------------------


def test_the_modular_problem_of_layers_with_a_shared_step() -> None:
    """dW_l = -(eta / s_l) U_l V_l', eta = (1/lambda) sum_k tr(S_k) / s_k, by singular values."""
    draw = np.random.default_rng(5)
    G = {"a": draw.standard_normal((4, 3)), "b": draw.standard_normal((3, 5))}
    scales, sharpness = {"a": 2.0, "b": 0.5}, 3.0
    svds = {name: np.linalg.svd(g, full_matrices=False) for name, g in G.items()}
    eta = sum(svds[name][1].sum() / scales[name] for name in G) / sharpness
    D = nk.steepest_descent(nk.Modular(dict.fromkeys(G, "spectral"), scales=scales), G, sharpness=sharpness)
    for name, (u, _, v) in svds.items():
        assert np.allclose(D[name], -eta / scales[name] * u @ v, rtol=1e-9, atol=1e-12)


def test_layers_decouple_for_l2_and_one_wins_for_l1() -> None:
    draw = np.random.default_rng(6)
    G = {"a": draw.standard_normal(3), "b": draw.standard_normal(4), "c": draw.standard_normal(2)}
    parts, scales = {"a": "linf", "b": "l2", "c": "lp(3)"}, {"a": 2, "c": "1/3"}
    D = nk.steepest_descent(nk.Modular(parts, outer="l2", scales=scales), G, sharpness=0.7)
    for name, scale in (("a", 2.0), ("b", 1.0), ("c", 1 / 3)):
        alone = nk.steepest_descent(parts[name], G[name], sharpness=0.7 * scale**2)
        assert np.allclose(D[name], alone, rtol=1e-12)
    T = nk.dualize(nk.Modular(parts, outer="l1"), G)
    best = max(G, key=lambda name: float(nk.dual_value(parts[name], G[name])))
    assert {name for name, t in T.items() if t.any()} == {best}
    assert np.array_equal(T[best], nk.dualize(parts[best], G[best]))


def test_ties_between_blocks_take_the_first_declared() -> None:
    G = {"y": np.array([3.0, 4.0]), "x": np.array([0.0, 5.0])}
    T = nk.dualize(nk.Modular({"x": "l2", "y": "l2"}, outer="l1"), G)
    assert list(T) == ["y", "x"]
    assert np.array_equal(T["x"], [0.0, 1.0])
    assert not T["y"].any()
    assert not np.signbit(T["y"]).any()


def test_zero_gradients() -> None:
    N = nk.Modular({"w": "rms->rms", "b": "rms"}, outer="l2")
    zero = {"w": np.zeros((2, 3)), "b": np.zeros(4)}
    for D in (nk.dualize(N, zero), nk.steepest_descent(N, zero), nk.lmo(N, zero)):
        assert not any(d.any() for d in D.values())
    certificate = nk.certify(N, zero, zero)
    assert (certificate.kind, certificate.gap, certificate.holds()) == ("exact", 0.0, True)
    half = zero | {"b": np.ones(4)}
    assert not nk.dualize(N, half)["w"].any()
    assert nk.certify(N, half, nk.dualize(N, half)).holds(1e-12)


# --- the norm as an object --------------------------------------------------------------------------------------------


def test_the_dual_is_an_involution_and_equality_is_structural() -> None:
    parts = {"w": "rms->rms", "b": "2*rms", "c": "max(linf, l2)"}
    N = nk.Modular(parts, outer="ksupport(2)", scales={"b": 0.1})
    assert N.dual.dual == N
    assert hash(N.dual.dual) == hash(N)
    assert nk.Modular({"b": "rms"}, scales={"b": 2}) == nk.Modular({"b": "2*rms"})
    assert nk.Modular(parts, outer="ksupport(2)") != N
    assert pickle.loads(pickle.dumps(N)) == N
    assert str(nk.Modular({"b": "rms"}, scales={"b": 2})) == "modular({'b': 2*rms}, outer=linf)"
    assert 3 * nk.Modular({"b": "rms"}) == nk.Modular({"b": "3*rms"}) == nk.Modular({"b": "rms"}) * 3
    assert (nk.Modular({"b": "rms"}) / 4).dual == nk.Modular({"b": "rms/4"}, outer="linf").dual
    assert nk.cost_class(nk.Modular({"w": "rms->rms", "b": "rms"})) == "svd"


def test_biduality_in_numbers() -> None:
    declared = MODELS["three kinds"]
    N, G = modular(declared, "lp(3)"), gradients(declared)
    assert float(nk.dual_value(N.dual, G)) == pytest.approx(float(N(G)), rel=1e-12)
    T = nk.dualize(N, G)
    assert float(sum(np.sum(T[name] * nk.dualize(N.dual, T)[name]) for name in G)) == pytest.approx(1.0)


def test_printed_formulas_are_the_computed_ones() -> None:
    N = nk.Modular({"w": "rms->rms", "b": "rms", "c": "rms"}, outer="ksupport(2)", scales={"b": 2})
    d = nk.derive(N)
    exact = {"w": [[3, 0], [0, 4]], "b": [1, 2], "c": [1, 1]}
    G = {name: np.array(entries, dtype=float) for name, entries in exact.items()}
    assert float(d.norm(exact)) == pytest.approx(float(N(G)), rel=1e-14)
    assert float(d.dual_norm(exact)) == pytest.approx(float(N.dual(G)), rel=1e-14)
    for made, own in ((d.dualize(exact), nk.dualize(N, G)), (d.update(exact), nk.steepest_descent(N, G))):
        for name in G:
            assert np.allclose(np.array(made[name].tolist(), dtype=float).reshape(G[name].shape), own[name], rtol=1e-13)
    assert d.check().holds
    assert "product rule" in d.text()
    assert "<math" in d.html() and d.latex() and d.json()["norm"] == str(N)
    assert "product rule" in [step.name for step in d.steps]


def test_printed_python_takes_dicts(tmp_path: Path) -> None:
    """The module is imported from a file, in a process that has no normkit, and gives what normkit gives."""
    parts = {"w": "rms->rms", "a/b": "rms", "c": "rms", "d": "lp(3)"}
    N = nk.Modular(parts, outer="l2", scales={"a/b": 2})
    draw = np.random.default_rng(3)
    G = {
        "w": draw.standard_normal((2, 3)),
        "a/b": np.zeros(2),
        "c": draw.standard_normal(3),
        "d": np.array([1.0, -2.0]),
    }
    (tmp_path / "printed.py").write_text(nk.derive(N).python())
    lists = {name: g.tolist() for name, g in G.items()}
    code = (
        "import sys, json, printed as p\n"
        f"G = {lists!r}\n"
        "print(json.dumps([p.norm(G), p.dual_norm(G), p.dualize(G), p.update(G, sharpness=2.0)]))\n"
        "assert 'normkit' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    value, dual_norm, T, D = json.loads(run.stdout)
    assert value == pytest.approx(float(N(G)), rel=1e-13)
    assert dual_norm == pytest.approx(float(N.dual(G)), rel=1e-13)
    for made, own in ((T, nk.dualize(N, G)), (D, nk.steepest_descent(N, G, sharpness=2.0))):
        assert list(made) == list(parts)
        assert all(np.allclose(made[name], own[name], rtol=1e-12, atol=1e-14) for name in parts)
    half = nk.derive(nk.Modular({"h": "linf->l1", "b": "rms"})).python()
    assert "def dualize" not in half and "def norm" not in half


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_compiled_once_called_on_mappings(backend: str) -> None:
    N = nk.Modular({"w": "rms->rms", "b": "rms", "c": "rms"}, outer="l2", scales={"b": 2})
    k = nk.compile(N, backend=backend)
    draw = np.random.default_rng(5)
    G = {"w": draw.standard_normal((3, 2)), "b": draw.standard_normal(4), "c": draw.standard_normal(4)}
    out = {name: np.empty_like(g) for name, g in G.items()}
    T, dual_norm = k.with_value(G, out=out)
    assert all(T[name] is out[name] for name in G)
    right = nk.dualize(N, G, backend=backend)
    assert all(np.array_equal(T[name], right[name]) and np.array_equal(k(G)[name], right[name]) for name in G)
    assert dual_norm == pytest.approx(nk.dual_value(N, G, backend=backend), rel=1e-14)
    assert k.value(T) == pytest.approx(1, rel=1e-12)
    assert k.source.count(nk.compile("rms", backend=backend).source) == 1  # once for the two of that norm
    assert "modular" in repr(k)
    with pytest.raises(nk.ShapeError, match="lacks 'b'"):
        k({"w": G["w"], "c": G["c"]})
    with pytest.raises(nk.NoClosedForm):
        nk.compile(nk.Modular({"h": "linf->l1"}))


def test_bounds_pass_through_the_outer_norm() -> None:
    X = np.random.default_rng(1).standard_normal((17, 17))
    b = np.array([3.0, -4.0])
    single = nk.bounds("linf->l1", X)
    assert single.lower < single.upper
    N = nk.Modular({"h": "linf->l1", "b": "l2"}, outer="l2", scales={"h": 2})
    found = nk.bounds(N, {"h": X, "b": b})
    assert found.lower == pytest.approx(np.hypot(2 * single.lower, 5))
    assert found.upper == pytest.approx(np.hypot(2 * single.upper, 5))
    assert found.kind == "certified" and isinstance(found.witness, dict)
    v = found.witness["h"]
    assert np.abs(X @ v).sum() / np.abs(v).max() == pytest.approx(single.lower)
    closed = nk.bounds(nk.Modular({"b": "l2"}), {"b": b})
    assert (closed.lower, closed.upper, closed.kind, closed.witness) == (5, 5, "exact", None)
    with pytest.raises(nk.NonFiniteError, match=r"the array 'h' holds nan at index \[0, 1\]"):
        nk.bounds(N, {"h": np.where(np.arange(289).reshape(17, 17) == 1, np.nan, X), "b": b})
    with pytest.raises(nk.ShapeError, match="lacks 'b'"):
        nk.bounds(N, {"h": X})


def test_what_a_norm_of_named_arrays_cannot_do_is_said(tmp_path: Path) -> None:
    N = nk.Modular({"b": "rms"})
    with pytest.raises(nk.ShapeError, match="Draw its outer norm"):
        plot_ball(N, str(tmp_path / "ball.svg"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(nk.ParameterError, match="outer='l1'"):
        N + N
    with pytest.raises(nk.NormkitError):
        nk.Rows(nk.L1(), N)


# --- arrays ------------------------------------------------------------------------------------------------------


def test_equal_shapes_in_one_batch_give_what_each_gives_alone() -> None:
    draw = np.random.default_rng(7)
    parts = {f"w{k}": ("rms->rms", "rms", "linf")[k % 3] for k in range(30)}
    scales = {name: 1 + k % 4 for k, name in enumerate(parts)}
    shapes = {"rms->rms": (3, 4), "rms": (5,), "linf": (5,)}
    dtypes = [np.float32, np.float64]
    G = {
        name: draw.standard_normal(shapes[part]).astype(dtypes[k // 3 % 2])
        for k, (name, part) in enumerate(parts.items())
    }
    T = nk.dualize(nk.Modular(parts, scales=scales), G)
    for name, part in parts.items():
        alone = nk.dualize(part, G[name])
        assert T[name].dtype == G[name].dtype
        assert np.allclose(T[name], alone / scales[name], rtol=1e-6, atol=1e-7)


def test_ten_thousand_small_arrays_run_as_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(8)
    G = {f"b{k}": draw.standard_normal(64).astype(np.float32) for k in range(10_000)}
    N = nk.Modular(dict.fromkeys(G, "rms"), scales={name: 1 + k % 3 for k, name in enumerate(G)})
    counts: list[int] = []
    stacked = named.stacked

    def counted(arrays: named.Named, places: list[int]) -> np.ndarray:
        counts.append(len(places))
        return stacked(arrays, places)

    monkeypatch.setattr(blockwise, "stacked", counted)
    T = nk.dualize(N, G)
    # the scales are 1, 2 and 3, and a norm times a scale is a norm of its own
    assert len(counts) <= 3 and sum(counts) == 10_000
    for k in (0, 1, 9_999):
        g = G[f"b{k}"].astype(np.float64)
        assert np.allclose(T[f"b{k}"], g / np.sqrt(np.mean(g * g)) / (1 + k % 3), rtol=1e-5)


def test_mappings_in_and_out(tmp_path: Path) -> None:
    G = {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([1.0, -1.0])}
    N = nk.Modular({"w": "rms->rms", "b": "rms"})
    wanted = nk.dualize(N, G)
    np.savez(tmp_path / "g.npz", **G)
    with np.load(tmp_path / "g.npz") as file:
        stored = nk.dualize(N, file)
    assert all(np.array_equal(stored[name], wanted[name]) for name in G)
    deep = {"block": {"w": G["w"]}, "b": G["b"]}
    made = nk.dualize(nk.Modular({"block": {"w": "rms->rms"}, "b": "rms"}), deep)
    assert list(made) == ["block", "b"]
    assert np.array_equal(made["block"]["w"], wanted["w"])
    assert nk.Modular({"block": {"w": "rms->rms"}}).names == ("block/w",)
    swapped = {name: g.astype(g.dtype.newbyteorder(">")) for name, g in G.items()}
    back = nk.dualize(N, swapped)
    assert all(back[name].dtype == swapped[name].dtype and np.array_equal(back[name], wanted[name]) for name in G)


def test_torch_state_dicts_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    G = {name: torch.randn_like(parameter) for name, parameter in model.state_dict().items()}
    before = {name: g.clone() for name, g in G.items()}
    N = nk.Modular({name: "rms->rms" if g.ndim == 2 else "rms" for name, g in G.items()})
    D = nk.steepest_descent(N, G, sharpness=2.0)
    assert all(type(d) is torch.Tensor and d.dtype == torch.float32 for d in D.values())
    assert all(torch.equal(G[name], before[name]) for name in G)
    plain = nk.steepest_descent(N, {name: g.numpy() for name, g in G.items()}, sharpness=2.0)
    assert all(np.array_equal(D[name].numpy(), plain[name]) for name in G)


def test_jax_pytrees_come_back_as_arrays() -> None:
    jax = pytest.importorskip("jax")
    G = {"dense": {"kernel": jax.numpy.ones((2, 3)), "bias": jax.numpy.ones(3)}}
    N = nk.Modular({"dense": {"kernel": "rms->rms", "bias": "rms"}})
    T = nk.dualize(N, G)
    assert isinstance(T["dense"]["kernel"], jax.Array)
    assert jax.tree.structure(T) == jax.tree.structure(G)
    assert [t.dtype for t in jax.tree.leaves(T)] == [g.dtype for g in jax.tree.leaves(G)]
    assert nk.certify(N, G, T).holds(1e-5)


def test_results_are_written_where_they_are_wanted() -> None:
    draw = np.random.default_rng(9)
    G = {"w": draw.standard_normal((200, 100)), "b": draw.standard_normal(4), "c": draw.standard_normal(4)}
    N = nk.Modular({"w": "rms->rms", "b": "rms", "c": "rms"}, outer="l2")
    wanted = nk.steepest_descent(N, G)
    out = {name: np.full_like(g, np.nan) for name, g in G.items()}
    made = nk.steepest_descent(N, G, out=out)
    assert all(made[name] is out[name] and np.array_equal(out[name], wanted[name]) for name in G)
    columns = {name: np.full_like(g, np.nan, order="F") for name, g in G.items()}
    nk.steepest_descent(N, G, out=columns)
    assert all(np.array_equal(columns[name], wanted[name]) for name in G)
    same = {name: g.copy() for name, g in G.items()}
    nk.steepest_descent(N, same, out=same)
    assert all(np.array_equal(same[name], wanted[name]) for name in G)


def test_accuracy_reaches_the_parts() -> None:
    draw = np.random.default_rng(10)
    G = {"w": draw.standard_normal((64, 32)), "v": draw.standard_normal((32, 96)), "b": draw.standard_normal(4)}
    N = nk.Modular({"w": "rms->rms", "v": "spectral", "b": "rms"})
    exact, short = nk.dualize(N, G), nk.dualize(N, G, accuracy=1e-2)
    for name, norm in N.parts.items():
        assert np.allclose(short[name], nk.dualize(norm, G[name], accuracy=1e-2), rtol=1e-12)
    assert 1e-6 < np.max(np.abs(short["w"] - exact["w"])) < 0.1
    with pytest.raises(nk.ParameterError, match="accuracy"):
        nk.dualize(N, G, accuracy=0.0)


@pytest.mark.parametrize("power", [-1000, -300, 300, 990])
def test_powers_of_two_change_nothing(power: int) -> None:
    draw = np.random.default_rng(11)
    G = {"w": draw.standard_normal((3, 4)), "b": draw.standard_normal(4)}
    N = nk.Modular({"w": "rms->rms", "b": "l1"}, outer="l2", scales={"w": 1e-200, "b": 1e200})
    far = {name: np.ldexp(g, power) for name, g in G.items()}
    wanted = nk.dualize(N, G)
    assert all(np.array_equal(t, wanted[name]) for name, t in nk.dualize(N, far).items())


def test_blocks_whose_dual_norm_overflows_still_have_a_map() -> None:
    G = {"a": np.full(64, 1e308), "b": np.full(4, 1e307)}
    N = nk.Modular({"a": "linf", "b": "linf"}, outer="l2")
    small = nk.dualize(N, {name: g * 1e-20 for name, g in G.items()})
    assert all(np.allclose(t, small[name], rtol=1e-12) for name, t in nk.dualize(N, G).items())
    with pytest.raises(nk.NonFiniteError, match="step overflows"):
        nk.steepest_descent(N, G)


def test_synthesis_parts_are_certified_by_their_witness() -> None:
    N = nk.Modular({"a": "infconv(spectral, 2*max)", "b": "l2"}, outer="l2", scales={"a": 3, "b": 0.5})
    G = {"a": np.array([[3.0, 1.0], [-2.0, 0.5]]), "b": np.array([1.0, 2.0])}
    certificate = nk.certify(N, G, nk.dualize(N, G))
    assert certificate.kind == "certified"
    assert certificate.holds(1e-9)
    assert float(certificate.norm) == pytest.approx(1.0)
    with pytest.raises(nk.NoClosedForm, match="'a'"):
        N(G)


def test_the_whole_of_a_model_with_no_closed_part_says_which() -> None:
    N = nk.Modular({"a": "linf->l1", "b": "l2"})
    with pytest.raises(nk.NoClosedForm, match=r"'a'.*linf->l1"):
        nk.dualize(N, {"a": np.eye(2), "b": np.ones(2)})


# --- bad input -----------------------------------------------------------------------------------------------------

FINE = {"w": np.ones((2, 3)), "b": np.ones(3)}
WRONG_MAPPINGS: list[tuple[Any, type[Exception], str]] = [
    ({"w": np.ones((2, 3))}, nk.ShapeError, "the gradient lacks 'b'. The norm takes 2 named arrays: 'w', 'b'."),
    (FINE | {"bb": np.ones(3)}, nk.ShapeError, "has 'bb'"),
    ({"w": FINE["w"], "bb": np.ones(3)}, nk.ShapeError, "lacks 'b' and has 'bb'.*Did you mean 'b'"),
    ({}, nk.ShapeError, "lacks 'w', 'b'"),
    (np.ones(3), nk.ShapeError, "must be a mapping.*got a ndarray.*'w', 'b'"),
    ({1: np.ones(3)}, nk.ShapeError, "the names of the gradient are texts; got 1"),
    (FINE | {"w": np.ones(3)}, nk.ShapeError, r"the gradient 'w' of shape \(3,\)"),
    (FINE | {"w": np.ones((2, 2, 3))}, nk.ShapeError, r"the gradient 'w' of shape \(2, 2, 3\).*Matricize.*Slices"),
    (FINE | {"b": np.ones(0)}, nk.ShapeError, r"the gradient 'b' of shape \(0,\)"),
    (FINE | {"b": np.ones(3, int)}, nk.DTypeError, "the gradient 'b' has dtype int64"),
    (FINE | {"b": np.array([1.0, np.nan, 2.0])}, nk.NonFiniteError, r"the gradient 'b' holds nan at index \[1\]"),
    (FINE | {"w": np.array([[1, 2, 3], [4, np.inf, 6.0]])}, nk.NonFiniteError, r"'w' holds inf at index \[1, 1\]"),
]


@pytest.mark.parametrize(("mapping", "error", "said"), WRONG_MAPPINGS)
def test_wrong_mappings(mapping: Any, error: type[Exception], said: str) -> None:
    N = nk.Modular({"w": "rms->rms", "b": "rms"})
    out = {name: np.full_like(g, 7.0) for name, g in FINE.items()}
    with pytest.raises(error, match=said):
        nk.steepest_descent(N, mapping)
    with pytest.raises(error):
        nk.dualize(N, mapping, out=out)


def test_nan_lets_itself_through_where_asked() -> None:
    N = nk.Modular({"w": "rms->rms", "b": "rms"})
    T = nk.dualize(N, FINE | {"b": np.array([1.0, np.nan, 2.0])}, nan_policy="propagate")
    assert all(np.isnan(t).all() for t in T.values())


def test_names_of_a_stack_find_their_nan() -> None:
    G = {f"b{k}": np.ones(4) for k in range(100)}
    G["b57"][2] = np.nan
    with pytest.raises(nk.NonFiniteError, match=r"'b57' holds nan at index \[2\]"):
        nk.dualize(nk.Modular(dict.fromkeys(G, "rms")), G)


WRONG_NORMS: list[tuple[dict[str, Any], str]] = [
    ({"parts": {}}, "at least one named part"),
    ({"parts": ["rms"]}, "must be a mapping"),
    ({"parts": {1: "rms"}}, "names of a modular norm are texts; got 1"),
    ({"parts": {"a": 3}}, "part 'a' of a modular norm is a norm or a spec; got a int"),
    ({"parts": {"a": "rms"}, "outer": "spectral"}, "must be monotone"),
    ({"parts": {"a": "rms"}, "outer": "linmap(l2, [[1, 0.9], [0, 1]])"}, "must be monotone"),
    ({"parts": {"a": "rms"}, "outer": "wlp(2, [1, 2, 3])"}, "takes 3 blocks; got 1"),
    ({"parts": {"a": "rms"}, "scales": {"b": 1}}, "name 'b'; its parts are 'a'"),
    ({"parts": {"a": "rms"}, "scales": {"a": 0}}, "the scale of 'a'.*positive number; got 0"),
    ({"parts": {"a": "rms"}, "scales": {"a": -2.0}}, "the scale of 'a'.*positive number; got -2"),
    ({"parts": {"a": "rms"}, "scales": {"a": float("nan")}}, "the scale of 'a'.*finite"),
    ({"parts": {"a": {"b": "rms"}, "a/b": "rms"}}, "names 'a/b' twice"),
    ({"parts": {"a": nk.Modular({"b": "rms"})}}, "part 'a' is itself a norm of named arrays"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG_NORMS)
def test_wrong_norms(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(nk.ParameterError, match=said):
        nk.Modular(**arguments)
    with pytest.raises(nk.SpecError, match="Did you mean 'rms'"):
        nk.Modular({"a": "rsm"})


@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_are_positive(number: float) -> None:
    N = nk.Modular({"w": "rms->rms", "b": "rms"})
    with pytest.raises(nk.ParameterError, match="sharpness must be a positive finite number"):
        nk.steepest_descent(N, FINE, sharpness=number)
    with pytest.raises(nk.ParameterError, match="radius must be a positive finite number"):
        nk.lmo(N, FINE, radius=number)


def test_certificates_tell_wrong_candidates() -> None:
    N = nk.Modular({"w": "rms->rms", "b": "rms"}, outer="linf", scales={"b": 2})
    T = nk.dualize(N, FINE)
    assert nk.certify(N, FINE, T).holds(1e-9)
    assert not nk.certify(N, FINE, {name: -t for name, t in T.items()}).holds(1e-3)
    assert not nk.certify(N, FINE, T | {"b": 2 * T["b"]}).holds(1e-3)
    with pytest.raises(nk.ShapeError, match="'w' and the candidate differ in shape"):
        nk.certify(N, FINE, T | {"w": T["w"].T})
