"""Random points of the unit sphere, and points of the ball that are nearest in the norm itself."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from oracles import express

import normkit as nk

SHAPES: dict[str, Any] = {"l1": 5, "linf": 5, "ksupport(2)": 5, "max(linf, l2)": 5, "owl([3, 2, 1])": 3}
SHAPES |= {"rms->rms": (4, 3), "nuclear": (3, 4), "rows(linf, l2)": (3, 2), "schatten(3)": (3, 3)}


@pytest.mark.parametrize("law", ["auto", "extreme", "gaussian"])
@pytest.mark.parametrize("spec", SHAPES)
def test_points_lie_on_the_sphere(spec: str, law: Any) -> None:
    shape = SHAPES[spec] if isinstance(SHAPES[spec], tuple) else (SHAPES[spec],)
    W = nk.initialize(spec, (7, *shape), seed=1, law=law)
    assert np.allclose(nk.value(spec, W), 1.0, rtol=1e-9)
    assert len({tuple(item.ravel().round(9)) for item in W}) > (1 if spec != "l1" or law == "gaussian" else 0)
    assert np.array_equal(W, nk.initialize(spec, (7, *shape), seed=1, law=law))
    assert nk.initialize(spec, shape, seed=np.random.default_rng(3), dtype="float32").dtype == np.float32


def test_every_registered_norm_has_a_point() -> None:
    for name, cls in nk.norms().items():
        for norm in list(cls.examples())[:1]:
            free = (4,) if norm.ndim == 1 else (4, 4)
            shape = tuple(own or length for own, length in zip(norm.shape, free, strict=True))
            if norm.subspace is not None:
                continue  # its points are symmetric or block-diagonal matrices, which no plain Gaussian is
            try:
                W = nk.initialize(norm, shape, seed=0)
            except nk.NoClosedForm:
                continue
            try:
                assert float(norm(W)) == pytest.approx(1.0, rel=1e-6), name
            except nk.NoClosedForm:
                assert nk.certify(norm, W, W).kind != "exact"


def test_semi_orthogonal_and_signs() -> None:
    W = nk.initialize("rms->rms", (4, 3), seed=0)
    assert np.allclose(W.T @ W, 4 / 3 * np.eye(3))
    assert set(np.abs(nk.initialize("linf", (9,), seed=0))) == {1.0}
    assert nk.initialize("max(spectral, 4*max)", (3, 3), seed=0).shape == (3, 3)
    with pytest.raises(nk.NoClosedForm):
        nk.initialize("max(spectral, 4*max)", (3, 3), seed=0, law="extreme")


@pytest.mark.parametrize("outer", ["linf", "l2", "l1", "2*linf"])
def test_models_start_on_the_sphere_with_every_block(outer: str) -> None:
    N = nk.Modular({"block": {"w": "rms->rms"}, "b": "rms"}, outer, scales={"b": 3})
    W = nk.initialize(N, {"block": {"w": (4, 3)}, "b": (5,)}, seed=2)
    assert float(N(W)) == pytest.approx(1.0)
    sizes = [float(nk.value("rms->rms", W["block"]["w"])), 3 * float(nk.value("rms", W["b"]))]
    assert sizes[0] == pytest.approx(sizes[1])
    assert list(W) == ["block", "b"]


@pytest.mark.parametrize("spec", SHAPES)
def test_no_point_of_the_ball_is_nearer(spec: str) -> None:
    shape = SHAPES[spec] if isinstance(SHAPES[spec], tuple) else (SHAPES[spec],)
    W = np.random.default_rng(4).standard_normal(shape)
    radius = 0.4 * float(nk.value(spec, W))
    V = nk.project(spec, W, radius=radius)
    assert float(nk.value(spec, V)) == pytest.approx(radius)
    variable = cp.Variable(shape)
    inside, first = express(nk.norm(spec), variable)
    away, second = express(nk.norm(spec), W - variable)
    least = cp.Problem(cp.Minimize(away), [*first, *second, inside <= radius]).solve(solver=cp.CLARABEL)
    assert float(nk.value(spec, W - V)) == pytest.approx(float(least), rel=1e-5)
    assert np.array_equal(nk.project(spec, V, radius=2 * radius), V)


@pytest.mark.parametrize("outer", ["linf", "2*linf", "l2", "l1"])
def test_models_are_projected(outer: str) -> None:
    draw = np.random.default_rng(5)
    W = {"w": 3 * draw.standard_normal((3, 4)), "b": 0.01 * draw.standard_normal(4)}
    before = {name: w.copy() for name, w in W.items()}
    N = nk.Modular({"w": "rms->rms", "b": "rms"}, outer, scales={"b": 2})
    V = nk.project(N, W, radius=0.5)
    assert float(N(V)) == pytest.approx(0.5)
    assert float(N({name: W[name] - V[name] for name in W})) == pytest.approx(float(N(W)) - 0.5)
    assert all(np.array_equal(W[name], before[name]) for name in W)
    assert np.array_equal(V["b"], W["b"]) == outer.endswith("linf")
    again = nk.project(N, V, radius=0.5)
    assert all(np.allclose(again[name], V[name], rtol=1e-12) for name in W)
    zero = {name: np.zeros_like(w) for name, w in W.items()}
    assert not any(v.any() for v in nk.project(N, zero).values())


WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: nk.initialize("l2", (3,), law="uniform"), nk.ParameterError, "unknown law 'uniform'; known: auto"),
    (lambda: nk.initialize("rms->rms", (3,)), nk.ShapeError, r"rms->rms needs a matrix.*shape \(3,\)"),
    (lambda: nk.initialize("l2", (-3,)), nk.ShapeError, "no negative lengths"),
    (lambda: nk.initialize("l2", {"a": (3,)}), nk.ShapeError, "is a tuple of lengths"),
    (lambda: nk.initialize("l2", (3,), dtype=int), nk.DTypeError, "has dtype int64"),
    (lambda: nk.initialize(nk.Modular({"a": "l2"}), {"b": (3,)}), nk.ShapeError, "mapping of shapes lacks 'a'"),
    (lambda: nk.project("l2", [1.0], radius=0.0), nk.ParameterError, "radius must be a positive"),
    (lambda: nk.project("l2", [np.nan]), nk.NonFiniteError, "holds nan"),
    (lambda: nk.project(nk.Modular({"a": "l2"}), {"a": np.array([np.inf])}), nk.NonFiniteError, "'a' holds inf"),
]


@pytest.mark.parametrize(("make", "error", "said"), WRONG)
def test_wrong_input(make: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make()
