"""Sharpness against enumeration, eigenvalues and random search that shares nothing with it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.linalg import norm

import normkit as nk
from normkit.curvature import ascent, exact, upper
from normkit.curvature.space import space

Floats = np.ndarray[Any, Any]
KINDS = ("psd", "rank2", "indefinite", "negative", "diagonal")
TIGHT = 1e-9


def hessian(kind: str, n: int, seed: int = 0) -> Floats:
    draw = np.random.default_rng([seed, n])
    A = draw.standard_normal((n, 2 if kind == "rank2" else n))
    if kind in ("psd", "rank2"):
        return A @ A.T
    if kind == "indefinite":
        return A + A.T
    return -(A @ A.T) if kind == "negative" else np.diag(draw.standard_normal(n))


def truth(H: Floats, size: Any, dual: Any, seed: int = 0) -> tuple[float, float]:
    """Maximise <x, Hx> / N(x)^2 and N*(Hx) / N(x) by random search that narrows down around the best points."""
    draw = np.random.default_rng(seed)
    found = []
    for objective in (lambda x: np.einsum("ki,ki->k", x @ H, x) / size(x) ** 2, lambda x: dual(x @ H) / size(x)):
        points = draw.standard_normal((3000, len(H)))
        for radius in 0.7 ** np.arange(50):
            points = points / norm(points, axis=1, keepdims=True)
            kept = points[np.argsort(-objective(points))[:12]]
            points = np.concatenate([kept, *(kept + radius * draw.standard_normal((40, *kept.shape)))])
        found.append(float(objective(points).max()))
    return found[0], found[1]


def check(found: nk.Sharpness, spec: Any, H: Floats, shape: tuple[int, ...]) -> None:
    """Witnesses lie on the sphere and attain the lower bounds; the three numbers stand in their order."""
    N = nk.norm(spec)
    for extremum in (found.sphere, found.operator):
        assert N(extremum.witness) == pytest.approx(1, abs=1e-12)
        assert extremum.lower <= extremum.upper
    x, z = found.sphere.witness, found.operator.witness
    assert float(np.vdot(x, H @ x.ravel())) == pytest.approx(found.sphere.lower, rel=1e-12, abs=1e-14)
    assert N.dual((H @ z.ravel()).reshape(shape)) == pytest.approx(found.operator.lower, rel=1e-12)
    assert found.directional.lower == max(0.0, found.sphere.lower)
    assert abs(found.sphere.lower) <= found.operator.lower * (1 + 1e-9)


# --- exact norms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_l2_is_the_spectrum(kind: str) -> None:
    H = hessian(kind, 6)
    values = np.linalg.eigvalsh(H)
    found = nk.sharpness(H, "l2")
    check(found, "l2", H, (6,))
    assert found.sphere.kind == found.operator.kind == "exact"
    assert found.sphere.lower == pytest.approx(values[-1], rel=1e-12)
    assert found.operator.lower == pytest.approx(np.abs(values).max(), rel=1e-12)
    assert nk.sharpness(H, "rms").sphere.lower == pytest.approx(6 * values[-1], rel=1e-12)


def grid(n: int, steps: int) -> Floats:
    """Points of the surface of the cube, all faces at a spacing of 2/steps."""
    axis = np.linspace(-1, 1, steps + 1)
    points = np.array(list(product(axis, repeat=n)))
    return points[np.abs(points).max(axis=1) == 1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_linf_is_the_best_of_the_cube(kind: str, seed: int) -> None:
    """The vertices are enough for H_ii >= 0 and for the operator norm; else a fine grid comes close from below."""
    H = hessian(kind, 4, seed)
    found = nk.sharpness(H, "linf")
    check(found, "linf", H, (4,))
    assert found.sphere.kind == found.operator.kind == "exact"
    corners = np.array(list(product((-1.0, 1.0), repeat=4)))
    assert found.operator.lower == pytest.approx(np.abs(corners @ H).sum(axis=1).max(), rel=1e-12)
    at_corners = np.einsum("ki,ij,kj->k", corners, H, corners).max()
    points = grid(4, 16)
    at_points = np.einsum("ki,ij,kj->k", points, H, points).max()
    slack = np.abs(H).sum() * (1 / 16) ** 2  # half a spacing from a stationary point costs the square of it
    assert max(at_corners, at_points) - 1e-12 <= found.sphere.lower <= at_points + slack
    if (np.diag(H) >= 0).all():
        assert found.sphere.lower == pytest.approx(at_corners, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_l1_is_the_best_of_the_cross_polytope(kind: str, seed: int) -> None:
    H = hessian(kind, 4, seed)
    found = nk.sharpness(H, "l1")
    check(found, "l1", H, (4,))
    assert found.sphere.kind == found.operator.kind == "exact"
    assert found.operator.lower == np.abs(H).max()
    if kind in ("psd", "rank2"):
        assert found.sphere.lower == pytest.approx(np.diag(H).max(), rel=1e-12)
    points = grid(4, 16)
    points = points / np.abs(points).sum(axis=1, keepdims=True)
    at_points = np.einsum("ki,ij,kj->k", points, H, points).max()
    slack = np.abs(H).max() * (4 / 16) ** 2
    assert max(np.diag(H).max(), at_points) - 1e-12 <= found.sphere.lower <= at_points + slack


def test_the_two_senses_differ_where_the_hessian_is_indefinite() -> None:
    exchange = np.array([[0.0, 1.0], [1.0, 0.0]])
    found = nk.sharpness(exchange, "linf")
    assert (found.directional.lower, found.operator.lower) == (2, 2)
    tilted = np.array([[0.0, 1.0], [1.0, -1.0]])
    found = nk.sharpness(tilted, "linf")
    assert (found.directional.lower, found.operator.lower) == (1, 3)  # 2ab - b^2 at (1, 1); |b| + |a - b| at (1, -1)
    found = nk.sharpness(exchange, "l1")
    assert (found.directional.lower, found.operator.lower) == (0.5, 1)
    for spec, least in (("l1", -1 / 3), ("l2", -1.0), ("linf", -1.0), ("lp(3)", -1.0)):
        found = nk.sharpness(-np.eye(3), spec)
        assert (found.directional.lower, found.directional.upper, found.directional.kind) == (0, 0, "exact")
        assert not np.any(found.directional.witness)
        assert found.sphere.lower == pytest.approx(least, rel=1e-6), spec
        assert found.operator.lower > 0.99


def test_weighted_forms_and_models_of_one_exponent_are_exact() -> None:
    w, H = np.array([1.0, 2.0, 0.5]), hessian("psd", 3)
    scaled = H / w / w[:, None]
    corners = np.array(list(product((-1.0, 1.0), repeat=3)))
    box = nk.sharpness(H, nk.WeightedLinf(w.tolist()))
    assert box.sphere.kind == "exact"
    assert box.sphere.lower == pytest.approx(np.einsum("ki,ij,kj->k", corners, scaled, corners).max(), rel=1e-12)
    model = nk.Modular({"a": "linf", "b": "linf"}, scales={"a": 2})
    factors = np.array([2.0, 2.0, 1.0])
    found = nk.sharpness(H, model, {"a": (2,), "b": (1,)})
    inner = H / factors / factors[:, None]
    assert found.sphere.kind == "exact"
    assert found.sphere.lower == pytest.approx(np.einsum("ki,ij,kj->k", corners, inner, corners).max(), rel=1e-12)
    euclid = nk.sharpness(H, nk.Modular({"a": "fro", "b": "rms"}, outer="l2"), {"a": (1, 2), "b": (1,)})
    assert euclid.operator.lower == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=1e-12)
    mixed = nk.sharpness(H, nk.Modular({"a": "l2", "b": "linf"}), {"a": (2,), "b": (1,)})
    assert mixed.sphere.kind != "exact" or mixed.sphere.lower == mixed.sphere.upper


@pytest.mark.parametrize("spec", ["spectral", "nuclear", "schatten(4)", "rms->rms", "schatten(3/2)"])
@pytest.mark.parametrize("kind", ["psd", "indefinite", "negative"])
def test_gauges_of_singular_values_are_exact_for_one_sided_products(spec: str, kind: str) -> None:
    A = hessian(kind, 4)
    values = np.linalg.eigvalsh(A)[::-1]
    for shape, hvp in (((4, 2), lambda X: A @ X), ((2, 4), lambda X: X @ A), ((4, 6), lambda X: A @ X)):
        found = nk.sharpness(hvp, spec, shape)
        check(found, spec, np.kron(A, np.eye(shape[1])) if shape[0] == 4 else np.kron(np.eye(2), A), shape)
        assert (found.sphere.kind, found.operator.kind) == ("exact", "exact")
        assert found.products == shape[0] * shape[1]
        if spec == "spectral" and kind == "psd":
            assert found.sphere.lower == pytest.approx(values[: min(shape)].sum(), rel=1e-12)
            assert found.operator.lower == pytest.approx(values[: min(shape)].sum(), rel=1e-12)
        # the same norm by products alone gets as far and no further
        if kind == "psd":
            again = nk.sharpness(hvp, spec, shape, dense=0)
            assert again.sphere.upper == np.inf
            assert again.sphere.lower == pytest.approx(found.sphere.lower, rel=1e-4)
            assert again.sphere.lower <= found.sphere.lower * (1 + 1e-9)


# --- norms without a closed answer ----------------------------------------------------------------------------------

SIZES: dict[str, tuple[Any, Any]] = {
    "rows(linf, l2)": (lambda X: norm(X, axis=-1).max(axis=-1), lambda G: norm(G, axis=-1).sum(axis=-1)),
    "cols(l1, linf)": (lambda X: abs(X).max(axis=-2).sum(axis=-1), lambda G: abs(G).sum(axis=-2).max(axis=-1)),
    "spectral": (lambda X: norm(X, 2, axis=(-2, -1)), lambda G: norm(G, "nuc", axis=(-2, -1))),
    "max(fro, 3/2*max)": (lambda X: np.maximum(norm(X, axis=(-2, -1)), 1.5 * abs(X).max(axis=(-2, -1))), None),
}


@pytest.mark.parametrize("spec", list(SIZES))
@pytest.mark.parametrize("kind", KINDS)
def test_brackets_hold_the_truth(spec: str, kind: str) -> None:
    H = hessian(kind, 4, seed=5)
    size, dual = SIZES[spec]
    found = nk.sharpness(H, spec, (2, 2))
    check(found, spec, H, (2, 2))
    flat = [lambda x, f=f: f(x.reshape(-1, 2, 2)) for f in (size, dual or nk.norm(spec).dual)]
    sphere, operator = truth(H, *flat)
    above, wide = upper.upper_bounds(space(spec, (2, 2)), H)
    assert found.sphere.upper <= above + TIGHT * abs(above)
    assert above >= sphere - TIGHT * abs(sphere)
    assert wide >= operator * (1 - TIGHT)
    assert found.sphere.lower >= sphere - (2e-2 if kind == "negative" else 1e-5) * abs(sphere)
    assert found.operator.lower >= operator * (1 - 1e-5)


@pytest.mark.parametrize("outer", ["linf", "l2"])
@pytest.mark.parametrize("kind", ["psd", "indefinite"])
def test_brackets_of_models_hold_the_truth(outer: str, kind: str) -> None:
    H = hessian(kind, 6, seed=7)
    N, shapes = nk.Modular({"w": "spectral", "b": "linf"}, outer, {"w": 2}), {"w": (2, 2), "b": (2,)}

    def size(x: Floats) -> Floats:
        parts = [2 * norm(x[:, :4].reshape(-1, 2, 2), 2, axis=(1, 2)), abs(x[:, 4:]).max(axis=1)]
        return norm(parts, np.inf if outer == "linf" else 2, axis=0)

    def dual(g: Floats) -> Floats:
        parts = [norm(g[:, :4].reshape(-1, 2, 2), "nuc", axis=(1, 2)) / 2, abs(g[:, 4:]).sum(axis=1)]
        return norm(parts, 1 if outer == "linf" else 2, axis=0)

    def hvp(W: dict[str, Floats]) -> dict[str, Floats]:
        y = H @ np.concatenate([W["w"].ravel(), W["b"]])
        return {"w": y[:4].reshape(2, 2), "b": y[4:]}

    found = nk.sharpness(hvp, N, shapes)
    sphere, operator = truth(H, size, dual)
    assert found.products == 6
    assert set(found.sphere.witness) == {"w", "b"}
    assert N(found.sphere.witness) == pytest.approx(1)
    bounds = upper.upper_bounds(space(N, shapes), H)
    for extremum, number, bound in zip((found.sphere, found.operator), (sphere, operator), bounds, strict=True):
        # conditional gradients come within 1/k of a maximum that is no extreme point
        assert number * (1 - (1e-5 if kind == "psd" else 1e-3)) <= extremum.lower <= extremum.upper
        assert number <= bound * (1 + TIGHT)
    matrix = nk.sharpness(H, N, shapes)
    assert matrix.sphere.lower == pytest.approx(found.sphere.lower, rel=1e-9)


@pytest.mark.parametrize("kind", ["psd", "indefinite", "rank2"])
def test_large_cubes_are_bracketed(kind: str) -> None:
    """Beyond enumeration: for H >= 0 the diagonal bound is within pi/2 of the truth, hence of a good lower bound."""
    H = hessian(kind, 40)
    found = nk.sharpness(H, "linf")
    check(found, "linf", H, (40,))
    assert found.sphere.kind == "certified"
    assert found.sphere.upper < np.abs(H).sum() * 0.95
    if kind != "indefinite":
        assert found.sphere.upper <= np.pi / 2 * found.sphere.lower * (1 + 1e-6)


# --- the iterations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["linf", "rows(linf, l2)", "spectral", "lp(3)"])
def test_the_power_iteration_ascends(spec: str) -> None:
    """N*(Hx) never falls for any symmetric H, <x, Hx> never for H >= 0: the two claims of the docstring."""
    N = nk.norm(spec)
    shape = (4,) if N.ndim == 1 else (2, 2)
    for seed, kind in product(range(5), ("psd", "indefinite")):
        H = hessian(kind, 4, seed)
        x = nk.initialize(N, shape, seed=seed)
        images, curvatures = [], []
        for _ in range(15):
            Hx = (H @ x.ravel()).reshape(shape)
            images.append(float(N.dual(Hx)))
            curvatures.append(float(np.vdot(x, Hx)))
            x = nk.dualize(N, Hx)
        assert (np.diff(images) >= -1e-12 * images[-1]).all()
        assert kind != "psd" or (np.diff(curvatures) >= -1e-12 * curvatures[-1]).all()


def test_products_alone_give_lower_bounds_that_are_attained() -> None:
    calls = []
    H = hessian("indefinite", 80)

    def hvp(x: Floats) -> Floats:
        calls.append(x.copy())
        x[:] = np.nan  # what a caller does to its copy is its own affair
        return H @ calls[-1]

    found = nk.sharpness(hvp, "linf", (80,), steps=30)
    check(found, "linf", H, (80,))
    assert found.products == len(calls)
    assert found.sphere.kind == found.operator.kind == "lower"
    dense = nk.sharpness(H, "linf")
    assert found.sphere.lower <= dense.sphere.upper
    assert found.sphere.lower >= 0.9 * dense.sphere.lower
    again = nk.sharpness(lambda x: H @ x, "linf", (80,), steps=30)
    assert again.sphere.lower == found.sphere.lower
    assert np.array_equal(again.sphere.witness, found.sphere.witness)
    wide = nk.sharpness(lambda x: H @ x, "l2", (80,))
    assert wide.sphere.lower == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=1e-3)
    assert wide.sphere.lower <= np.linalg.eigvalsh(H)[-1] * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 2.0**-1030])
def test_scale_free(scale: float) -> None:
    H = hessian("indefinite", 5)
    for spec, dense in product(("linf", "lp(3)"), (64, 0)):
        one = nk.sharpness(lambda x: H @ x, spec, (5,), dense=dense)
        other = nk.sharpness(lambda x: (H @ x) * scale, spec, (5,), dense=dense)
        for name in ("sphere", "operator"):
            left, right = getattr(one, name), getattr(other, name)
            assert right.lower == pytest.approx(left.lower * scale, rel=1e-6, abs=0)
            assert np.isinf(right.upper) if not dense else right.upper == pytest.approx(left.upper * scale, rel=1e-6)


def test_zero_and_float32() -> None:
    zero = nk.sharpness(np.zeros((3, 3)), "lp(3)")
    assert (zero.sphere.lower, zero.sphere.upper, zero.operator.upper) == (0, 0, 0)
    assert nk.sharpness(lambda x: 0 * x, "lp(3)", (3,), dense=0).operator.lower == 0
    H = hessian("psd", 5).astype(np.float32)
    seen = set()

    def hvp(x: Floats) -> Floats:
        seen.add(x.dtype)
        return H @ x

    like = np.zeros(5, np.float32)
    for dense in (0, 64):
        found = nk.sharpness(hvp, "linf", like, dense=dense)
        assert found.sphere.witness.dtype == np.float32
        assert found.sphere.lower == pytest.approx(nk.sharpness(H, "linf").sphere.lower, rel=1e-5)
    assert seen == {np.dtype(np.float32)}


def test_products_of_another_library_keep_their_type() -> None:
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    N, like = nk.Modular({"a/w": "spectral", "b": "l2"}), {"a": {"w": torch.zeros(2, 2)}, "b": torch.zeros(3)}
    found = nk.sharpness(lambda W: {"a": {"w": A @ W["a"]["w"]}, "b": W["b"]}, N, like)
    assert found.sphere.lower == pytest.approx(5 + 1, rel=1e-5)
    assert found.sphere.witness["a"]["w"].dtype == torch.float32


# --- bad input ------------------------------------------------------------------------------------------------------


def test_what_is_no_hessian_is_refused() -> None:
    H = hessian("psd", 3)
    skewed = H + np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]) * np.abs(H).max() / 4
    with pytest.raises(
        nk.ParameterError, match=r"not symmetric: its entries \[0, 1\] and \[1, 0\] differ by 0\.\d+ of"
    ):
        nk.sharpness(skewed, "linf")
    assert nk.sharpness(skewed, "linf", symmetry=0.5).sphere.kind == "exact"
    for dense in (0, 64):
        with pytest.raises(nk.ParameterError, match="not symmetric"):
            nk.sharpness(lambda x: skewed @ x, "linf", (3,), dense=dense)
        with pytest.raises(nk.NonFiniteError, match=r"the Hessian-vector product holds nan at index \[1\]"):
            nk.sharpness(lambda x: np.array([1.0, np.nan, 1.0]), "linf", (3,), dense=dense)
        with pytest.raises(nk.ShapeError, match=r"product has shape \(2,\); expected \(3,\)"):
            nk.sharpness(lambda x: x[:2], "linf", (3,), dense=dense)
    with pytest.raises(nk.NonFiniteError, match=r"the Hessian holds inf at index \[0, 0\]"):
        nk.sharpness(np.full((2, 2), np.inf), "linf")
    with pytest.raises(nk.ShapeError, match=r"symmetric matrix \(4, 4\)"):
        nk.sharpness(np.eye(3), "spectral", (2, 2))
    with pytest.raises(nk.ParameterError, match="needs like="):
        nk.sharpness(lambda x: x, "linf")
    with pytest.raises(nk.ParameterError, match="starts must be a whole number of at least 1; got 0"):
        nk.sharpness(np.eye(2), "linf", starts=0)
    with pytest.raises(nk.NonFiniteError, match="beyond the range of float64"):
        nk.sharpness(np.full((3, 3), 1e308), "linf")
    with pytest.raises(nk.ShapeError, match="the Hessian-vector product lacks 'b'"):
        nk.sharpness(lambda W: {"a": W["a"]}, nk.Modular({"a": "l2", "b": "linf"}), {"a": (2,), "b": (2,)})
    with pytest.raises(nk.NoClosedForm):
        nk.sharpness(np.eye(4), "linf->l1", (2, 2))


# --- planted faults -------------------------------------------------------------------------------------------------


def test_a_wrong_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that are bounded by half of what they may be; a cube of vertices alone; starts without ascent."""
    monkeypatch.setattr(upper, "entry_bounds", lambda of: np.full(of.size, 0.5))
    with pytest.raises(AssertionError):
        test_brackets_hold_the_truth("rows(linf, l2)", "diagonal")
    monkeypatch.undo()
    monkeypatch.setattr(exact, "_on_faces", lambda H, inner, on=exact._on_faces: on(H, inner[:0]))
    with pytest.raises(AssertionError):
        for seed in range(4):
            test_linf_is_the_best_of_the_cube("negative", seed)
    monkeypatch.undo()
    monkeypatch.setattr(ascent, "_power", lambda best, apply, start, *rest: best.see(start, apply(start)))
    monkeypatch.setattr(ascent, "_climb", lambda *given: None)
    with pytest.raises(AssertionError):
        test_brackets_hold_the_truth("rows(linf, l2)", "indefinite")


# --- what it is for -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["linf", "l1", "l2", "spectral"])
def test_sharp_steps_with_the_exact_sharpness_never_climb(spec: str) -> None:
    draw = np.random.default_rng(4)
    N = nk.norm(spec)
    shape = (4,) if N.ndim == 1 else (4, 3)
    A = hessian("psd", 4, seed=9)
    sharp = nk.sharpness(lambda X: A @ X, N, shape).directional
    assert sharp.is_exact
    X = draw.standard_normal(shape)
    convention, losses = nk.Sharp(sharp.upper), []
    for _ in range(25):
        losses.append(float(np.vdot(X, A @ X)) / 2)
        step = convention.step(N, X, A @ X)
        least = convention.guaranteed(N, X, A @ X, smoothness=sharp.upper)
        X = X + step
        assert float(np.vdot(X, A @ X)) / 2 <= losses[-1] - least + 1e-9 * losses[0]
    assert losses[-1] < losses[0]
    # A third of the sharpness climbs along the witness: the number is no larger than it must be.
    W = sharp.witness
    D = nk.Sharp(sharp.upper / 3).step(N, W, A @ W)
    assert np.vdot(W + D, A @ (W + D)) > np.vdot(W, A @ W)
