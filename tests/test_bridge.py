"""The bridge: norms meet arrays of every dtype and layout, zero, ties, scales, bad entries, out=, lmo and descent."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import normkit as nk
from normkit.errors import BackendError, DTypeError, NonFiniteError, ParameterError, ShapeError

REFERENCE: dict[str, Any] = {"backend": "reference"}
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
SPECS = [
    "l1",
    "linf",
    "rms",
    "lp(3)",
    "ksupport(2)",
    "rms->rms",
    "rows(linf, l2)",
    "l1->rms",
    "nuclear",
    "entries(topk(3))",
]


def gradient(spec: str, *leading: int, seed: int = 0) -> np.ndarray[Any, Any]:
    item = (6,) if nk.norm(spec).ndim == 1 else (4, 3)
    return np.random.default_rng(seed).standard_normal((*leading, *item))


# --- what comes back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_one_item_gives_a_float64_scalar_and_a_batch_an_array(spec: str) -> None:
    norm = nk.norm(spec)
    one, many, none = gradient(spec), gradient(spec, 2, 3), gradient(spec, 0)
    for ask in (nk.value, nk.dual_value):
        assert type(ask(norm, one, **REFERENCE)) is np.float64
        assert ask(norm, many, **REFERENCE).shape == (2, 3)
        assert ask(norm, many.astype(np.float32), **REFERENCE).dtype == np.float64
        assert ask(norm, none, **REFERENCE).shape == (0,)
    assert nk.dualize(norm, none, **REFERENCE).shape == none.shape


@pytest.mark.parametrize("spec", SPECS)
def test_a_batch_is_a_loop(spec: str) -> None:
    g = gradient(spec, 2, 3)
    t = nk.dualize(spec, g, **REFERENCE)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(t[place], nk.dualize(spec, g[place], **REFERENCE))
        assert nk.dual_value(spec, g, **REFERENCE)[place] == nk.dual_value(spec, g[place], **REFERENCE)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", BFLOAT16], ids=str)
def test_dtype_in_is_dtype_out(spec: str, dtype: Any) -> None:
    g = gradient(spec).astype(dtype)
    t = nk.dualize(spec, g, **REFERENCE)
    assert t.dtype == g.dtype and t.shape == g.shape
    exact = nk.dualize(spec, g.astype(np.float64), **REFERENCE)
    eps = float(ml_dtypes.finfo(dtype).eps)
    np.testing.assert_allclose(t.astype(np.float64), exact, rtol=eps, atol=4 * eps)
    for move in (nk.lmo, nk.steepest_descent):
        assert move(spec, g, **REFERENCE).dtype == g.dtype


def test_sums_run_in_float64() -> None:
    """2^24 + 10 ones: a running float32 sum stops at 2^24."""
    x = np.ones(2**24 + 10, np.float32)
    assert nk.value("l1", x, **REFERENCE) == 2**24 + 10


def test_values_beyond_the_input_dtype_are_told() -> None:
    assert nk.value("l1", np.full(10, 6e4, np.float16), **REFERENCE) == pytest.approx(6e5, rel=1e-3)
    assert nk.value("l2", np.array([1e200, 1e200]), **REFERENCE) == pytest.approx(2**0.5 * 1e200, rel=1e-15)
    assert nk.value("l2", np.array([1e-200, 1e-200]), **REFERENCE) == pytest.approx(2**0.5 * 1e-200, rel=1e-15)


# --- layouts ------------------------------------------------------------------------------------------------------


def layouts(g: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    spread = np.zeros((*g.shape[:-1], 2 * g.shape[-1]), g.dtype)
    spread[..., ::2] = g
    locked = g.copy()
    locked.flags.writeable = False
    return {
        "F-ordered": np.asfortranarray(g),
        "strided": spread[..., ::2],
        "negative strides": g[..., ::-1].copy()[..., ::-1],
        "read-only": locked,
        "big-endian view of a transpose": np.ascontiguousarray(np.moveaxis(g, 0, -1)).transpose(-1, *range(g.ndim - 1)),
        "broadcast batch": np.broadcast_to(g[0], g.shape),
    }


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("layout", layouts(np.zeros((2, 1))))
def test_layouts_change_nothing(spec: str, layout: str) -> None:
    g = layouts(gradient(spec, 3))[layout]
    kept = g.copy()
    t = nk.dualize(spec, g, **REFERENCE)
    np.testing.assert_array_equal(t, nk.dualize(spec, np.ascontiguousarray(g), **REFERENCE))
    np.testing.assert_array_equal(g, kept)


def test_lists_and_foreign_arrays_are_taken() -> None:
    assert nk.dualize("linf", [3.0, -4.0], **REFERENCE).tolist() == [1.0, -1.0]
    assert nk.value("l1", ((1.0, 2.0), (3.0, 4.0)), **REFERENCE).tolist() == [3.0, 7.0]

    class Foreign:
        def __init__(self, array: np.ndarray[Any, Any]) -> None:
            self.array = array

        def __dlpack__(self, **options: Any) -> Any:
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.array.__dlpack_device__()

    assert nk.value("l1", Foreign(np.array([1.0, 2.0])), **REFERENCE) == 3.0


# --- zero, ties, scale ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_zero_maps_to_zero_with_an_exact_certificate(spec: str) -> None:
    g = 0.0 * gradient(spec)
    t = nk.dualize(spec, g, **REFERENCE)
    np.testing.assert_array_equal(t, g)
    certificate = nk.certify(spec, g, t, **REFERENCE)
    assert (certificate.gap, certificate.kind, certificate.upper) == (0.0, "exact", 0.0)
    assert certificate.holds(0.0)


@pytest.mark.parametrize(
    ("spec", "g", "t"),
    [
        ("l1", [1.0, -2.0, 2.0], [0.0, -1.0, 0.0]),
        ("linf", [0.0, -0.0, 2.0], [0.0, 0.0, 1.0]),
        ("dual(topk(2))", [1.0, -1.0, 1.0], [1.0, -1.0, 0.0]),
        ("dual(owl([3, 2, 1]))", [1.0, 1.0, -1.0], [3.0, 2.0, -1.0]),
        ("topk(2)", [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
        ("infconv(l1, linf)", [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
        ("nuclear", [[0.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 1.0]]),
        ("rows(l1, l2)", [[3.0, 4.0], [4.0, 3.0]], [[0.6, 0.8], [0.0, 0.0]]),
        ("cols(l1, linf)", [[1.0, -1.0], [0.0, 1.0]], [[0.0, -1.0], [0.0, 1.0]]),
        ("spectral", [[1.0, 1.0], [1.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]),
    ],
)
def test_ties_zeros_and_low_rank_follow_the_policies(spec: str, g: Any, t: Any) -> None:
    np.testing.assert_allclose(nk.dualize(spec, g, **REFERENCE), t, rtol=0, atol=1e-15)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("dtype", "power"), [("float64", 1000), ("float64", -1000), ("float32", 120), ("float16", -8)])
def test_dualize_is_scale_free_bit_for_bit(spec: str, dtype: str, power: int) -> None:
    g = gradient(spec, 5).astype(dtype)
    np.testing.assert_array_equal(nk.dualize(spec, np.ldexp(g, power), **REFERENCE), nk.dualize(spec, g, **REFERENCE))


@pytest.mark.parametrize("tiny", [5e-324, 1e-310])
def test_subnormal_entries_count(tiny: float) -> None:
    assert nk.dualize("l2", [tiny, 0.0], **REFERENCE).tolist() == [1.0, 0.0]
    assert nk.dualize("lp(3/2)", [0.0, -tiny], **REFERENCE).tolist() == [0.0, -1.0]


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_entries_are_named_by_their_first_index(spec: str, bad: float) -> None:
    g = gradient(spec, 2)
    g[1].flat[3] = bad
    g[1].flat[5] = np.nan
    index = ", ".join(map(str, (1, *np.unravel_index(3, g.shape[1:]))))
    for ask in (nk.value, nk.dual_value, nk.dualize, nk.lmo, nk.steepest_descent):
        with pytest.raises(NonFiniteError, match=rf"holds {bad} at index \[{index}\]"):
            ask(spec, g, **REFERENCE)


def test_one_item_names_its_own_index() -> None:
    with pytest.raises(NonFiniteError, match=r"index \[2\]"):
        nk.dualize("l1", [1.0, 2.0, np.nan], **REFERENCE)


@pytest.mark.parametrize("spec", SPECS)
def test_propagate_lets_a_nan_through_in_its_item_only(spec: str) -> None:
    g = gradient(spec, 3)
    g[1].flat[0] = np.nan
    options = {**REFERENCE, "nan_policy": "propagate"}
    t, size = nk.dualize(spec, g, **options), nk.value(spec, g, **options)
    assert np.isnan(size[1]) and np.isfinite(size[[0, 2]]).all()
    assert np.isnan(t[1]).all() and np.isfinite(t[[0, 2]]).all()


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.arange(3), "has dtype int64; a norm needs floats: convert with x.astype"),
        (np.array([True]), "has dtype bool"),
        ([1, 2], "convert with x.astype"),
        (np.array([1j]), "complex entries have no rule"),
        (np.array(["x"]), "expected float16, bfloat16, float32 or float64"),
        (np.array([None]), "expected float16, bfloat16, float32 or float64"),
    ],
)
def test_other_dtypes_are_refused_with_a_hint(array: Any, text: str) -> None:
    for ask in (nk.value, nk.dualize):
        with pytest.raises(DTypeError, match=text) as caught:
            ask("l1", array, **REFERENCE)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "shape", "text"),
    [
        ("rms->rms", (768,), r"rms->rms needs a matrix \(m, n\); got .* shape \(768,\). For a vector use rms."),
        ("l1", (), r"l1 needs a vector \(n,\); got .* shape \(\)"),
        ("l1", (0,), r"with entries; got .* shape \(0,\)"),
        ("spectral", (3, 0), "with entries"),
        ("owl([2, 1])", (3,), r"takes items of shape \(2,\); got .* shape \(3,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_said(spec: str, shape: tuple[int, ...], text: str) -> None:
    for ask in (nk.value, nk.dual_value, nk.dualize):
        with pytest.raises(ShapeError, match=text) as caught:
            ask(spec, np.zeros(shape), **REFERENCE)
        assert "\n" not in str(caught.value)


def test_ragged_lists_unknown_back_ends_and_norms() -> None:
    with pytest.raises(ShapeError, match="ragged"):
        nk.value("l1", [[1.0], [2.0, 3.0]], **REFERENCE)
    with pytest.raises(BackendError, match="unknown back end 'gpu'; known here: auto, cpu"):
        nk.value("l1", [1.0], backend="gpu")
    with pytest.raises(nk.SpecError, match="Did you mean 'rms'"):
        nk.value("rsm", [1.0], **REFERENCE)
    with pytest.raises(nk.NoClosedForm, match="NP-hard"):
        nk.dualize("linf->l1", [[1.0]], **REFERENCE)


# --- out= -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_out_is_written_and_returned(spec: str) -> None:
    g = gradient(spec, 2)
    expected = nk.dualize(spec, g, **REFERENCE)
    for out in (np.full_like(g, 7.0), np.full_like(g, 7.0, order="F"), np.full((*g.shape, 2), 7.0)[..., 0]):
        assert nk.dualize(spec, g, out=out, **REFERENCE) is out
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("spec", SPECS)
def test_out_may_be_the_gradient_itself_or_overlap_it(spec: str) -> None:
    g = gradient(spec, 3)
    expected = nk.dualize(spec, g, **REFERENCE)
    np.testing.assert_array_equal(nk.dualize(spec, g, out=g, **REFERENCE), expected)
    store = gradient(spec, 4)
    expected = nk.dualize(spec, store[:3], **REFERENCE)
    np.testing.assert_array_equal(nk.dualize(spec, store[:3], out=store[1:], **REFERENCE), expected)


def test_out_that_does_not_fit_is_refused() -> None:
    g, locked = np.ones(3), np.ones(3)
    locked.flags.writeable = False
    for out, error, text in (
        (np.ones(4), ShapeError, "float64 (3,); got shape (4,)"),
        (np.ones(3, np.float32), DTypeError, "got dtype float32"),
        ([0.0] * 3, DTypeError, "got a list"),
        (locked, ShapeError, "read-only"),
    ):
        with pytest.raises(error, match=text.replace("(", r"\(").replace(")", r"\)")):
            nk.dualize("l1", g, out=out, **REFERENCE)  # type: ignore[arg-type]


# --- descent --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_lmo_is_the_minimiser_over_the_ball(spec: str) -> None:
    """No point of the ball, drawn at random and pushed to its boundary, lies lower."""
    g = gradient(spec)
    step = nk.lmo(spec, g, radius=2.5, **REFERENCE)
    assert nk.value(spec, step, **REFERENCE) == pytest.approx(2.5, rel=1e-14)
    x = np.random.default_rng(1).standard_normal((2000, *g.shape))
    near = step + 0.05 * x
    for drawn in (x, near):
        points = 2.5 * drawn / nk.value(spec, drawn, **REFERENCE).reshape(-1, *(1,) * g.ndim)
        assert np.min((points * g).reshape(2000, -1).sum(axis=1)) >= np.sum(step * g) * (1 + 1e-12)


@pytest.mark.parametrize("spec", SPECS)
def test_steepest_descent_minimises_the_model(spec: str) -> None:
    """<g, x> + (s/2) N(x)^2 is least at the step, and equals -N*(g)^2 / (2 s) there."""
    g, sharpness = gradient(spec), 1.7
    step = nk.steepest_descent(spec, g, sharpness=sharpness, **REFERENCE)

    def model(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        sizes = nk.value(spec, x, **REFERENCE)
        return (x * g).reshape(len(x), -1).sum(axis=1) + sharpness / 2 * sizes**2

    least = model(step[None])[0]
    assert least == pytest.approx(-(nk.dual_value(spec, g, **REFERENCE) ** 2) / (2 * sharpness), rel=1e-13)
    noise = np.random.default_rng(2).standard_normal((1000, *g.shape))
    for level in (1.0, 1e-2, 1e-4):
        assert np.min(model(step + level * noise)) >= least - 1e-12


def test_steepest_descent_of_a_batch_scales_every_item_by_its_own_dual_norm() -> None:
    g = gradient("rms->rms", 2, 3)
    step = nk.steepest_descent("rms->rms", g, sharpness=2.0, **REFERENCE)
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(
            step[place], nk.steepest_descent("rms->rms", g[place], sharpness=2.0, **REFERENCE), rtol=1e-15
        )


def test_signs_and_lengths_of_the_three_conventions() -> None:
    g = np.array([3.0, -4.0])
    assert nk.dualize("linf", g, **REFERENCE).tolist() == [1.0, -1.0]
    assert nk.lmo("linf", g, radius=0.5, **REFERENCE).tolist() == [-0.5, 0.5]
    assert nk.steepest_descent("linf", g, sharpness=2.0, **REFERENCE).tolist() == [-3.5, 3.5]


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, "1", None])
def test_radius_and_sharpness_are_positive_numbers(bad: Any) -> None:
    with pytest.raises(ParameterError, match="radius must be a positive finite number; got"):
        nk.lmo("l1", [1.0], radius=bad, **REFERENCE)
    with pytest.raises(ParameterError, match="sharpness must be a positive finite number; got"):
        nk.steepest_descent("l1", [1.0], sharpness=bad, **REFERENCE)


# --- certificates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_a_certificate_tells_the_true_loss(spec: str) -> None:
    g = gradient(spec)
    best = nk.dual_value(spec, g, **REFERENCE)
    for level in (0.0, 1e-6, 1e-2, 1.0):
        t = nk.dualize(spec, g, **REFERENCE) + level * gradient(spec, seed=9)
        made = nk.certify(spec, g, t, **REFERENCE)
        loss = 1 - max(0.0, np.sum(g * t) / nk.value(spec, t, **REFERENCE)) / best
        assert made.kind == "exact"
        assert made.gap == pytest.approx(loss, abs=1e-14)
        assert made.lower <= best * (1 + 1e-14) and made.upper >= best * (1 - 1e-14)


@pytest.mark.parametrize(
    "spec", ["infconv(l1, 2*l2)", "quotient(l2, [[1, 0, 1], [0, 2, 1]])", "latent(l2, [[0, 1], [1, 2]])"]
)
def test_a_synthesis_norm_certifies_its_own_answer(spec: str) -> None:
    norm = nk.norm(spec)
    g = np.random.default_rng(4).standard_normal(norm.length or 3)
    own = nk.certify(norm, g, nk.dualize(norm, g, **REFERENCE), **REFERENCE)
    assert own.kind in ("exact", "certified") and own.holds(1e-12)
    foreign = nk.certify(norm, g, np.ones_like(g), **REFERENCE)
    assert foreign.lower <= own.upper * (1 + 1e-12)
    assert not foreign.holds(1e-3)


def test_a_certificate_of_a_batch_asks_all_items() -> None:
    g = gradient("linf", 3)
    t = nk.dualize("linf", g, **REFERENCE)
    made = nk.certify("linf", g, t, **REFERENCE)
    assert made.gap.shape == (3,) and made.holds(1e-12)
    t[1, 0] *= -1
    assert not nk.certify("linf", g, t, **REFERENCE).holds(1e-3)


def test_an_estimate_never_holds() -> None:
    made = nk.Certificate(1.0, float("inf"), 0.0, 1.0, 1.0, "estimate")
    assert not made.holds(1e9)


def test_a_candidate_that_is_too_long_or_too_short_does_not_hold() -> None:
    g = np.array([3.0, -4.0])
    t = nk.dualize("linf", g, **REFERENCE)
    assert not nk.certify("linf", g, 1.01 * t, **REFERENCE).holds(1e-3)
    assert not nk.certify("linf", g, 0.99 * t, **REFERENCE).holds(1e-3)
    assert nk.certify("linf", g, 0.99 * t, **REFERENCE).gap == pytest.approx(0.0, abs=1e-15)


def test_certify_refuses_arrays_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="differ in shape"):
        nk.certify("l1", np.ones(3), np.ones(4), **REFERENCE)
    with pytest.raises(NonFiniteError, match="index"):
        nk.certify("l1", np.ones(3), np.array([1.0, np.nan, 0.0]), **REFERENCE)
