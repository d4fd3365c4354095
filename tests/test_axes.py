"""Norms whose axes are named, against loops over the indices of the array."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from oracles import oracle_dual, oracle_value

import normkit as nk

pytestmark = pytest.mark.filterwarnings("ignore:The problem has an expression with dimension greater than 2")
BACKENDS = ["reference", "cpu"]


def kernel(dtype: str = "float64") -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).standard_normal((4, 3, 2, 5)).astype(dtype)


def flattened(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The matrix (o, i h w), entry by entry."""
    o, i, h, w = x.shape
    rows = [[x[a, b, c, d] for b in range(i) for c in range(h) for d in range(w)] for a in range(o)]
    return np.array(rows)


def polar(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    left, _, right = np.linalg.svd(x, full_matrices=False)
    return np.asarray(left @ right)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_flattened_kernel_in_two_layouts(dtype: str, backend: str) -> None:
    """sqrt(out / (in h w)) msign of the flattened kernel: the scale counts the columns that were declared."""
    x = kernel(dtype)
    wanted = np.sqrt(4 / 30) * polar(flattened(x.astype(np.float64)))
    rtol = {"float64": 1e-12, "float32": 1e-5, "float16": 5e-3}[dtype]
    T = nk.dualize(nk.Matricize("rms->rms", "o i h w", rows="o", cols="i h w"), x, backend=backend)
    assert (T.dtype, T.shape) == (x.dtype, x.shape)
    assert np.allclose(flattened(T), wanted, rtol=rtol, atol=rtol)
    flax = np.ascontiguousarray(x.transpose(2, 3, 1, 0))
    layout = nk.Matricize("rms->rms", "h w i o", rows="o", cols="i h w")
    assert np.array_equal(nk.dualize(layout, flax, backend=backend).transpose(3, 2, 0, 1), T)
    view = x.transpose(2, 3, 1, 0)
    out = np.empty((5, 2, 3, 4), x.dtype).transpose(1, 0, 2, 3)
    assert np.array_equal(nk.dualize(layout, view, out=out, backend=backend).transpose(3, 2, 0, 1), T)


@pytest.mark.parametrize("backend", BACKENDS)
def test_in_out_matrices_keep_their_scale(backend: str) -> None:
    """A layout (in, out) has out rows: without the declaration sqrt(m/n) would be inverted."""
    x = np.random.default_rng(2).standard_normal((8, 2))
    N = nk.Matricize("rms->rms", "i o", rows="o", cols="i")
    assert np.allclose(nk.dualize(N, x, backend=backend), np.sqrt(2 / 8) * polar(x.T).T)
    assert float(N(x)) == pytest.approx(np.sqrt(8 / 2) * np.linalg.norm(x, 2))
    assert float(nk.value("rms->rms", x)) == pytest.approx(np.sqrt(2 / 8) * np.linalg.norm(x, 2))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("outer", ["linf", "l2", "l1"])
def test_slices_at_every_position(outer: str, backend: str) -> None:
    x = kernel()
    N = nk.Slices("rms->rms", "o i h w", over="h w", outer=outer)
    duals = np.array([[np.linalg.svd(x[:, :, c, d])[1].sum() for d in range(5)] for c in range(2)]) * np.sqrt(4 / 3)
    largest = np.array([[np.linalg.norm(x[:, :, c, d], 2) for d in range(5)] for c in range(2)]) * np.sqrt(3 / 4)
    orders = {"linf": 1, "l2": 2, "l1": np.inf}
    assert float(N.dual(x)) == pytest.approx(np.linalg.norm(duals.ravel(), orders[outer]))
    assert float(N(x)) == pytest.approx(np.linalg.norm(largest.ravel(), {"linf": np.inf, "l2": 2, "l1": 1}[outer]))
    shares = {"linf": np.ones((2, 5)), "l2": duals / np.linalg.norm(duals), "l1": duals == duals.max()}[outer]
    T = nk.dualize(N, x, backend=backend)
    for c in range(2):
        for d in range(5):
            assert np.allclose(T[:, :, c, d], shares[c, d] * np.sqrt(4 / 3) * polar(x[:, :, c, d]), atol=1e-12)
    assert nk.certify(N, x, T).holds(1e-9)


def test_per_position_and_flattened_are_two_norms_with_one_name_each() -> None:
    """Modula's k^2 sqrt(in/out) max over positions, Scion's k^2 sqrt(in/out) of the flattened kernel."""
    x = np.random.default_rng(3).standard_normal((4, 3, 3, 3))
    position = 9 * nk.Slices("rms->rms", "o i h w", over="h w")
    flat = nk.Matricize("9*sqrt(n/9/m)*spectral", "o i h w", rows="o", cols="i h w")
    most = max(np.linalg.norm(x[:, :, c, d], 2) for c in range(3) for d in range(3))
    assert float(position(x)) == pytest.approx(9 * np.sqrt(3 / 4) * most)
    assert float(flat(x)) == pytest.approx(9 * np.sqrt(3 / 4) * np.linalg.norm(x.reshape(4, 27), 2))
    assert float(flat(x)) > float(position(x))


def test_heads_experts_and_fused_blocks() -> None:
    draw = np.random.default_rng(4)
    W = draw.standard_normal((6, 4))
    heads = nk.dualize(nk.Slices("rms->rms", "(h=3 d) i", over="h"), W)
    for h in range(3):
        assert np.allclose(heads[2 * h : 2 * h + 2], np.sqrt(2 / 4) * polar(W[2 * h : 2 * h + 2]))
    interleaved = nk.dualize(nk.Slices("rms->rms", "(d h=3) i", over="h"), W)
    for h in range(3):
        assert np.allclose(interleaved[h::3], np.sqrt(2 / 4) * polar(W[h::3]))
    E = draw.standard_normal((2, 5, 3, 4))
    norm = nk.Slices(nk.Matricize("rms->rms", "i a o", rows="o", cols="i a"), "e i a o", over="e", outer="l2")
    T = nk.dualize(norm, E)
    sizes = [float(nk.dual_value("rms->rms", E[e].reshape(15, 4).T)) for e in range(2)]
    for e in range(2):
        alone = nk.dualize("rms->rms", E[e].reshape(15, 4).T).T.reshape(5, 3, 4)
        assert np.allclose(T[e], alone * sizes[e] / np.hypot(*sizes))


@pytest.mark.parametrize(
    "norm",
    [
        nk.Matricize("rms->rms", "o i h", rows="o", cols="i h"),
        nk.Matricize("rows(linf, l2)", "h o i", rows="o h", cols="i"),
        nk.Slices("spectral", "o i h", over="h", outer="l2"),
        nk.Slices("l1", "o i h", over="h o", outer="lp(3)"),
    ],
    ids=str,
)
def test_three_axes_against_a_conic_solver(norm: nk.Norm) -> None:
    x = np.random.default_rng(5).standard_normal((2, 3, 2))
    assert float(norm(x)) == pytest.approx(oracle_value(norm, x), rel=2e-6)
    assert float(norm.dual(x)) == pytest.approx(oracle_dual(norm, x), rel=2e-6)
    assert norm.dual.dual == norm
    assert nk.norm(str(norm)) == norm


def test_derivations_of_three_axes_evaluate() -> None:
    x = np.random.default_rng(6).integers(-3, 4, (2, 3, 2)).astype(float)
    for norm in (
        nk.Matricize("l2->linf", "o i h", rows="o", cols="i h"),
        nk.Slices("spectral", "o i h", over="h", outer="l2"),
        nk.Slices("linf", "o i h", over="o h", outer="l1"),
    ):
        d = nk.derive(norm)
        assert float(d.dual_norm(x.tolist())) == pytest.approx(float(norm.dual(x)), rel=1e-12)
        made = np.array(d.dualize(x.tolist()).tolist(), dtype=float)
        assert np.allclose(made, nk.dualize(norm, x), atol=1e-12)
        assert d.check().holds
        assert d.text() and d.html()


def test_columns_are_numbered_row_by_row() -> None:
    """Weights by column tell the order of three axes in one, in numbers and in formulas."""
    x = np.random.default_rng(9).integers(-3, 4, (2, 2, 3, 2)).astype(float)
    weights = np.arange(1.0, 13.0)
    norm = nk.Matricize(f"rows(l1, wlp(2, {weights.tolist()}))", "o i h w", rows="o", cols="i h w")
    wanted = sum(np.sqrt(np.sum(weights * row**2)) for row in flattened(x))
    turned = nk.Matricize(f"rows(l1, wlp(2, {weights.tolist()}))", "o i h w", rows="o", cols="w i h")
    assert float(norm(x)) == pytest.approx(wanted)
    assert float(nk.derive(norm).norm(x.tolist())) == pytest.approx(wanted)
    assert float(nk.derive(turned).norm(x.tolist())) == pytest.approx(float(turned(x)))
    assert abs(float(turned(x)) - wanted) > 1e-3
    made = np.array(nk.derive(norm).dualize(x.tolist()).tolist(), dtype=float)
    assert np.allclose(made, nk.dualize(norm, x), atol=1e-12)


def test_laws_hold_with_four_axes() -> None:
    from normkit.testing import check_norm

    for norm in (
        nk.Matricize("rms->rms", "o i h w", rows="o w", cols="i h"),
        nk.Slices("spectral", "o i h w", over="w h", outer="l2"),
    ):
        check_norm(norm, dtypes=["float64"])


def test_named_arrays_of_a_convolution_network() -> None:
    draw = np.random.default_rng(7)
    G = {"conv": draw.standard_normal((4, 3, 3, 3)), "bias": draw.standard_normal(4)}
    N = nk.Modular({"conv": nk.Matricize("rms->rms", "o i h w", rows="o", cols="i h w"), "bias": "rms"})
    D = nk.steepest_descent(N, G)
    eta = float(N.dual(G))
    assert np.allclose(D["conv"].reshape(4, 27), -eta * np.sqrt(4 / 27) * polar(G["conv"].reshape(4, 27)))
    with pytest.raises(nk.ShapeError, match=r"'o i h'.*the gradient 'conv' of shape \(4, 3, 3, 3\)"):
        nk.dualize(nk.Modular({"conv": nk.Matricize("rms->rms", "o i h", rows="o", cols="i h"), "bias": "rms"}), G)


WRONG: list[tuple[Any, str]] = [
    (lambda: nk.Matricize("rms->rms", "o i h w", rows="o", cols="i h x"), "'x', which the pattern 'o i h w' does not"),
    (lambda: nk.Matricize("rms->rms", "o i h w", rows="o", cols="i h"), "axis 'w' of the pattern 'o i h w' is in none"),
    (lambda: nk.Matricize("rms->rms", "o i h w", rows="o i", cols="i h w"), "name the axis 'i' twice"),
    (lambda: nk.Matricize("rms->rms", "o i i w", rows="o", cols="i w"), "'o i i w' names the axis 'i' twice"),
    (lambda: nk.Matricize("rms->rms", "o (i h", rows="o", cols="i h"), "'o (i h' is not complete"),
    (lambda: nk.Matricize("rms->rms", "o i) h", rows="o", cols="i h"), "brackets of the pattern 'o i) h'"),
    (lambda: nk.Matricize("rms->rms", "o, i", rows="o", cols="i"), "holds ', i'"),
    (lambda: nk.Matricize("rms->rms", "(o h) i", rows="o h", cols="i"), "all but one of the axes in brackets"),
    (lambda: nk.Matricize("rms->rms", "o=0 i", rows="o", cols="i"), "an axis has no entries"),
    (lambda: nk.Matricize("rms->rms", "o i", rows="o i", cols=""), "needs rows and columns"),
    (lambda: nk.Matricize("rms", "o i", rows="o", cols="i"), "needs a norm of matrices; got rms"),
    (lambda: nk.Matricize("rms->rms", 3, rows="o", cols="i"), "a text such as 'o i h w'; got a int"),
    (lambda: nk.Slices("rms->rms", "o i h", over="h w"), "'w', which the pattern 'o i h' does not have"),
    (lambda: nk.Slices("rms->rms", "o i h w", over="h"), "leaves the axes 'o i w'.*takes 2.*Matricize"),
    (lambda: nk.Slices("rms->rms", "o i h", over="h", outer="spectral"), "must be monotone"),
    (lambda: nk.norm("sqrt(n/m)*matricize(spectral, 'o i h', 'o', 'i h')"), "numbers only: m, n are known inside"),
    (lambda: nk.norm("'o i h'"), "is a text, not a norm"),
    (lambda: nk.norm("l1 + 'o'"), "cannot form a norm [+] a text"),
    (lambda: nk.norm("rows('o', l1)"), "got a text where it needs norm"),
]


@pytest.mark.parametrize(("make", "said"), WRONG)
def test_wrong_letters(make: Any, said: str) -> None:
    with pytest.raises(nk.NormkitError, match=said.replace("(", r"\(").replace(")", r"\)")):
        make()


def test_shapes_that_do_not_fit_show_pattern_and_shape() -> None:
    fixed = nk.Matricize("spectral", "(h=2 d=3) i", rows="d", cols="h i")
    with pytest.raises(nk.ShapeError, match=re.escape("(6, any); got the gradient of shape (4, 5)")):
        nk.dualize(fixed, np.ones((4, 5)))
    heads = nk.Slices("spectral", "(h=2 d) i", over="h")
    for backend in BACKENDS:
        with pytest.raises(nk.ShapeError, match=re.escape("'(h=2 d) i' does not fit an array of shape (3, 5)")):
            nk.dualize(heads, np.ones((3, 5)), backend=backend)
    with pytest.raises(nk.ShapeError, match=re.escape("'o i h w', 'o', 'i h w') needs 4 axes; got the gradient of")):
        nk.dualize(nk.Matricize("rms->rms", "o i h w", rows="o", cols="i h w"), np.ones((2, 3)))


def test_patterns_have_one_form() -> None:
    made = nk.Matricize("rms->rms", " ( h=2  d ) i ", rows=" d ", cols="h  i")
    assert str(made) == "matricize(rms->rms, '(h=2 d) i', 'd', 'h i')"
    assert nk.norm('matricize(rms->rms, "(h=2 d) i", "d", "h i")') == made


def test_planted_faults_in_the_axes_are_seen() -> None:
    """Another order of the columns leaves every unitarily invariant norm as it is; another axis does not."""
    x = np.random.default_rng(8).standard_normal((2, 3, 2))
    right = nk.Matricize("rows(linf, l1)", "o i h", rows="o", cols="i h")
    wrong = nk.Matricize("rows(linf, l1)", "o h i", rows="o h", cols="i")
    assert abs(float(wrong(x)) - oracle_value(right, x)) > 0.1
