"""The descent lemma and the layerwise constants, measured along paths of losses that are known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.linalg import norm

import normkit as nk

Floats = np.ndarray[Any, Any]


def logistic(seed: int = 0) -> tuple[Any, Any]:
    """Return F and gradF of a logistic loss on 5 features."""
    draw = np.random.default_rng(seed)
    X, y = draw.standard_normal((30, 5)), np.sign(draw.standard_normal(30))
    return (
        lambda w: float(np.logaddexp(0, -y * (X @ w)).mean()),
        lambda w: -(X.T @ (y / (1 + np.exp(y * (X @ w))))) / len(y),
    )


@pytest.mark.parametrize("spec", ["linf", "l2", "l1"])
def test_the_lemma_holds_with_the_measured_constant(spec: str) -> None:
    N = nk.norm(spec)
    H = np.random.default_rng(8).standard_normal((5, 5))
    H = H + H.T
    quadratic = (lambda x: float(x @ H @ x) / 2, lambda x: H @ x)
    points = list(np.random.default_rng(2).standard_normal((6, 5)))
    for F, g in (quadratic, logistic()):
        found = nk.descent_lemma(F, g, spec, points, pairs="all")
        assert found.resolved.all()
        assert len(found.pairs) == 30
        for (i, j), bend in zip(found.pairs, found.descent, strict=True):
            x, y = points[i], points[j]
            model = F(x) + g(x) @ (y - x)
            assert F(y) <= model + found.constant / 2 * N(y - x) ** 2 + 1e-12
            assert F(y) == pytest.approx(model + bend / 2 * N(y - x) ** 2, rel=1e-9)
        assert found.constant <= found.gradient_constant * (1 + 1e-9)
    sharp = nk.sharpness(H, spec)
    found = nk.descent_lemma(*quadratic, spec, points, pairs="all")
    assert found.constant <= sharp.sphere.upper * (1 + 1e-9)
    assert found.gradient_constant <= sharp.operator.upper * (1 + 1e-9)
    ends = nk.descent_lemma(*quadratic, spec, [np.zeros(5), sharp.sphere.witness])
    assert ends.constant == pytest.approx(sharp.sphere.lower, rel=1e-9)
    # What a constant that is too small would say:
    worst = points[0] + sharp.sphere.witness
    assert quadratic[0](worst) > (
        quadratic[0](points[0]) + quadratic[1](points[0]) @ (worst - points[0]) + 0.99 * sharp.sphere.lower / 2
    )


def test_rounding_is_told_from_curvature() -> None:
    H = np.diag([2.0, 1.0, 3.0])
    F, g = (lambda x: float(x @ H @ x) / 2 + 1e6), (lambda x: H @ x)
    x, d = np.ones(3), np.array([1.0, 0.0, 0.0])
    found = nk.descent_lemma(F, g, "l2", [x, x + d, x + (1 + 1e-9) * d, x + (1 + 1e-9) * d])
    assert found.resolved.tolist() == [True, False, False]
    assert found.constant == pytest.approx(2)
    assert np.isnan(found.descent[2])
    assert abs(found.descent[0] - 2) <= found.resolution[0]
    assert found.lipschitz[:2] == pytest.approx([2, 2], rel=1e-5)
    assert found.safe >= found.constant
    single = nk.descent_lemma(lambda x: np.float32(F(x)), g, "l2", [np.float32(x), np.float32(x + d)])
    assert not single.resolved.any()
    assert np.isnan(single.constant)
    with pytest.raises(nk.ParameterError, match="all 2 points are the same"):
        nk.descent_lemma(F, g, "l2", [x, x])
    with pytest.raises(nk.ParameterError, match="needs two points or more; got 1"):
        nk.descent_lemma(F, g, "l2", [x])
    with pytest.raises(nk.NonFiniteError, match="the loss at point 1 is nan"):
        nk.descent_lemma(lambda x: float("nan") if x[0] > 1 else 1.0, g, "l2", [x, x + d])
    with pytest.raises(nk.ShapeError, match="the gradient at point 0 has shape"):
        nk.descent_lemma(F, lambda x: x[:2], "l2", [x, x + d])


def test_models_and_layers() -> None:
    N = nk.Modular({"w": "spectral", "b": "linf"}, scales={"b": 2})
    draw = np.random.default_rng(0)
    points = [{"w": draw.standard_normal((2, 3)), "b": draw.standard_normal(4)} for _ in range(12)]

    def F(W: dict[str, Floats]) -> float:
        return float(np.cosh(W["w"]).sum() + 2 * (W["b"] ** 2).sum())

    def g(W: dict[str, Floats]) -> dict[str, Floats]:
        return {"w": np.sinh(W["w"]), "b": 4 * W["b"]}

    found = nk.descent_lemma(F, g, N, points)
    for (i, j), bend in zip(found.pairs, found.descent, strict=True):
        d = {name: points[j][name] - points[i][name] for name in points[i]}
        slope = sum(np.vdot(g(points[i])[name], d[name]) for name in d)
        assert F(points[j]) == pytest.approx(F(points[i]) + slope + bend / 2 * float(N(d)) ** 2)
    envelope = nk.fit_layerwise(g, N, points)
    L0, L1 = dict(envelope.L0), dict(envelope.L1)
    excess = []
    for x, y in pairwise(points):
        change = norm(np.sinh(y["w"]) - np.sinh(x["w"]), "nuc")
        allowed = L0["w"] + L1["w"] * norm(np.sinh(x["w"]), "nuc")
        excess.append(change / norm(y["w"] - x["w"], 2) - allowed)
    assert max(excess) == pytest.approx(0, abs=1e-9)  # the line touches, and is not exceeded
    regression = nk.fit_layerwise(g, N, points, method="regression")
    assert dict(regression.L0)["w"] + dict(regression.L1)["w"] * 5 < L0["w"] + L1["w"] * 5
    assert set(envelope.step(N, None, g(points[0]))) == {"w", "b"}
    line = nk.fit_layerwise(np.sinh, "l2", [np.array([t]) for t in (0.0, 1e-4, 2e-4)])
    assert pytest.approx(1, rel=1e-3) == line.L0 + line.L1 * 1e-4
    frozen = [{"w": W["w"], "b": points[0]["b"]} for W in points]
    with pytest.raises(nk.ParameterError, match="the layer 'b' does not move"):
        nk.fit_layerwise(g, N, frozen)
    with pytest.raises(nk.ParameterError, match="same at all points"):
        nk.fit_layerwise(lambda x: np.ones(5), "l2", [np.zeros(5), np.ones(5)])


def test_points_of_another_library() -> None:
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    path = nk.descent_lemma(lambda w: (w * w).sum(), lambda w: 2 * w, "linf", [torch.zeros(3), torch.ones(3)])
    assert path.constant == pytest.approx(6)


def test_a_wrong_measure_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slope at the wrong end, and an envelope that is the regression."""
    from normkit.curvature import layers, path

    honest = path.Path.between
    monkeypatch.setattr(path.Path, "between", lambda self, i, j: honest(self, j, i))
    with pytest.raises(AssertionError):
        test_the_lemma_holds_with_the_measured_constant("linf")
    monkeypatch.undo()
    line = layers._line
    monkeypatch.setattr(layers, "_line", lambda d, q, method, name: line(d, q, "regression", name))
    with pytest.raises(AssertionError):
        test_models_and_layers()
