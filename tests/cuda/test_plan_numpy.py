"""Plans of the polar core carried out by NumPy: against the SVD, the CPU's own iteration, and counts by hand."""

from __future__ import annotations

import logging
from typing import Any

import numerics
import numpy as np
import pytest
from host_arrays import HostView, matrix, view
from numpy.typing import NDArray

import normkit as nk
from normkit.backends.cpu.blas_threads import single_threaded_blas
from normkit.backends.cuda.driver import HOST
from normkit.backends.cuda.polar import Info, lowering, placement, polar
from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.lowering import lower
from normkit.backends.cuda.polar.memory import Places
from normkit.backends.cuda.polar.ops import Gemm, SymGemm
from normkit.backends.cuda.polar.providers import choice
from normkit.backends.cuda.polar.segments import chosen_segments, default_segments, operations
from normkit.backends.cuda.polar.stored import narrow, widen
from normkit.errors import BackendError, DTypeError, NonFiniteError, ParameterError, ShapeError, UnsafeSchedule
from normkit.polar import workspace
from normkit.polar.schedule import Schedule

Array = NDArray[Any]
PE = nk.polar_schedule("pe8", steps=5, safety=1.05)
SHAPES = [(1, 1), (1, 7), (7, 1), (5, 8), (33, 20), (40, 40), (3, 17, 29), (2, 2, 31, 6)]
SEGMENTS = [(1, 1, 1, 1, 1), (2, 2, 1), (3, 2), (2, 3), (1, 4), (5,)]


def name(each: Any) -> str:
    return "x".join(map(str, each)) if isinstance(each, tuple) else str(each)


def run(G: Array, dtype: Any = None, **options: Any) -> tuple[Array, Info]:
    T = np.empty(G.shape, G.dtype if dtype is None else dtype)
    T.view(np.uint8).fill(0xFF)  # NaN in every type, and as bits of bfloat16
    before = G.copy()
    info = polar(view(G), view(T), **options)
    np.testing.assert_array_equal(G, before)
    return T, info


def by_svd(G: Array, schedule: Schedule) -> Array:
    """U p(s / |G|) V': the oracle knows no products of steps."""
    U, s, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    made: Array = (U * schedule(s / np.linalg.norm(s, axis=-1, keepdims=True))[..., None, :]) @ Vt
    return made


def off(T: Array, exact: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):  # what a planted fault makes is large
        return float(np.linalg.norm(T - exact) / np.linalg.norm(exact))


# --- the polynomial -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("segments", SEGMENTS, ids=name)
@pytest.mark.parametrize("shape", SHAPES, ids=name)
def test_a_plan_applies_the_schedule_to_singular_values(shape: tuple[int, ...], segments: tuple[int, ...]) -> None:
    G = np.random.default_rng(0).standard_normal(shape)
    T, info = run(G, schedule=PE, segments=segments, storage="float64")
    assert info.plan.segments == segments
    assert off(T, by_svd(G, PE)) < 1e-11


@pytest.mark.parametrize("degree", [3, 5, 7, (3, 5, 7, 5)], ids=name)
def test_every_degree(degree: Any) -> None:
    schedule = nk.polar_schedule(steps=4, degree=degree, lower=0.05, dtype="float64")
    G = np.random.default_rng(1).standard_normal((12, 30))
    for segments in ((1, 1, 1, 1), (2, 2), (3, 1), (4,)):
        T, info = run(G, schedule=schedule, segments=segments, storage="float64")
        assert off(T, by_svd(G, schedule)) < 1e-12
        assert info.plan.operations() == operations(12, 30, schedule.coefficients, segments)


def test_plans_agree_with_the_iteration_of_the_cpu() -> None:
    G = np.random.default_rng(2).standard_normal((50, 24))
    T, _ = run(G, schedule=PE, segments=(3, 2), storage="float64")
    space = workspace.Workspace(24, 50, workspace.PRECISIONS["float64"], False)
    space.X[:] = G.T / np.linalg.norm(G)
    with single_threaded_blas():
        space.follow(PE.array())
    assert off(T, space.X.T) < 1e-12


@pytest.mark.parametrize("storage", ["float16", "bfloat16", "float32"])
def test_defaults_measured_against_the_standard_iteration(storage: str) -> None:
    found = numerics.table(storage)
    standard, default, *_ = found
    assert default == default_segments(len(numerics.schedule(storage).coefficients), storage)
    assert standard == (1,) * sum(default)
    ratio, top = found[default]
    assert ratio < {"float16": 25, "bfloat16": 4, "float32": 25}[storage]
    assert top < {"float16": 1.14, "bfloat16": 1.14, "float32": 1.001}[storage]
    rejected = {"float16": [(2, 3), (5,)], "bfloat16": [(3, 2), (2, 3), (5,)], "float32": [(3, 6), (9,)]}[storage]
    limit = 1.001 if storage == "float32" else 1.14
    assert all(found[each][1] > limit and found[each][0] > ratio for each in rejected)


def test_bfloat16_needs_more_safety_than_published_lists_have() -> None:
    G, tops = np.random.default_rng(0).standard_normal((12, 40, 100)).astype(np.float32), {}
    for label, schedule in (("published", nk.polar_schedule("pe5-1.02", dtype="bfloat16")), ("default", None)):
        steps = None if schedule else 5
        T, info = run(G, schedule=schedule, steps=steps, storage="bfloat16", segments=(2, 2, 1))
        tops[label] = np.linalg.norm(T, 2, axis=(-2, -1)).max()
        assert info.schedule.name in ("pe5-1.02", "pe8")
    assert tops["default"] < 1.14 < 1.2 < tops["published"]


# --- planted faults -----------------------------------------------------------------------------------------------


def plant(monkeypatch: pytest.MonkeyPatch, target: Any, attribute: str, fault: Any) -> None:
    monkeypatch.setattr(target, attribute, fault)


def test_matrices_that_share_memory_too_early_show(monkeypatch: pytest.MonkeyPatch) -> None:
    G = np.random.default_rng(3).standard_normal((9, 20))
    sound = lower((1, 9, 20), PE.coefficients, (3, 2), "float64", "float64", "float64")
    plant(monkeypatch, placement, "_meet", lambda one, other: one[0] < other[1] - 1 and other[0] < one[1] - 1)
    wrong = lower((1, 9, 20), PE.coefficients, (3, 2), "float64", "float64", "float64")
    assert wrong.nbytes < sound.nbytes
    assert off(carried_out(sound, G), by_svd(G, PE)) < 1e-12
    assert not off(carried_out(wrong, G), by_svd(G, PE)) < 1e-3


@pytest.mark.parametrize("fault", ["forgets a", "restarts late"])
def test_a_wrong_recurrence_shows(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(self: Any, R: Any, Z: Any, scale: float, a: float) -> Any:
        return self.square("R", Z, self.square("P", R, Z, scale, R, a), scale)

    def late(self: Any, R: Any, Z: Any, scale: float, a: float) -> Any:
        return R

    plant(monkeypatch, lowering._Maker, "_follow", forgets if fault == "forgets a" else late)
    G = np.random.default_rng(4).standard_normal((9, 20))
    plan = lower((1, 9, 20), PE.coefficients, (3, 2), "float64", "float64", "float64")
    assert not off(carried_out(plan, G), by_svd(G, PE)) < 1e-2


def carried_out(plan: Any, G: Array) -> Array:
    """Run a plan by hand, as `Job` does."""
    T, host = np.full(G.shape, np.nan), device(HOST)
    address, room = host.workspace(plan.nbytes, 0, None)
    outside = {"G": placed(G), "T": placed(T)}
    with np.errstate(all="ignore"):
        for op in plan.ops:
            host.providers["numpy"].bind(op, Places(plan, address, outside))(0)
    del room
    return T


def placed(array: Array) -> Any:
    from normkit.backends.cuda.polar.memory import at

    return at(view(array))


@pytest.mark.parametrize("shape", [(1, 9, 20), (4, 33, 33), (2, 50, 7)], ids=name)
@pytest.mark.parametrize("segments", SEGMENTS, ids=name)
def test_matrices_needed_at_one_time_lie_apart(shape: tuple[int, int, int], segments: tuple[int, ...]) -> None:
    plan = lower(shape, PE.coefficients, segments, "bfloat16", "float32", "float32", paired=True, checked=True)
    spans = placement.lives(plan.ops)
    for one, (first, last) in spans.items():
        for other, (start, end) in spans.items():
            if one != other and first <= end and start <= last:
                a, b = plan.offsets[one.name], plan.offsets[other.name]
                size_a, size_b = (shape[0] * each.nbytes for each in (one, other))
                assert a + size_a <= b or b + size_b <= a, (one, other)
        assert plan.offsets[one.name] % placement.ALIGNMENT == 0
        assert plan.offsets[one.name] + shape[0] * one.nbytes <= plan.nbytes
    for op in plan.ops:  # kernels may read D while they write the result there, never A or B
        if isinstance(op, SymGemm | Gemm):
            assert op.out not in (op.A, op.B)


# --- cost ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m, n", [(64, 64), (64, 200), (100, 300)])
def test_counted_operations_are_the_formulas(m: int, n: int) -> None:
    r, S = n / m, 5
    for segments in SEGMENTS:
        s = len(segments)
        plan = lower((3, m, n), PE.coefficients, segments, "float16", "float32", "float32")
        assert plan.operations() == pytest.approx(3 * m**3 * (3 * s * r + 4 * S - 3 * s), rel=1e-12)
        assert plan.operations(1.0) == pytest.approx(3 * m**3 * (4 * s * r + 8 * S - 6 * s), rel=1e-12)
        assert plan.operations(0.6) == pytest.approx(3 * operations(m, n, PE.coefficients, segments, 0.6), rel=1e-12)
    assert operations(m, n, PE.coefficients, (1,) * 5, 1.0) == pytest.approx(m**3 * (20 * r + 10))
    assert operations(m, n, PE.coefficients, (3, 2)) == pytest.approx(m**3 * (6 * r + 14))


def test_a_plan_needs_little_more_than_what_lives() -> None:
    m, n = 256, 1024
    plan = lower((1, m, n), PE.coefficients, (3, 2), "float16", "float32", "float32")
    rectangle, square = 2 * m * n, 2 * m * m
    assert plan.nbytes <= 2 * rectangle + 4 * square + 4096


def test_square_matrices_take_the_standard_iteration() -> None:
    rows = PE.coefficients
    assert chosen_segments(256, 256, rows, "float16") == (1,) * 5
    assert chosen_segments(256, 300, rows, "float16") == (3, 2)
    assert chosen_segments(256, 370, rows, "float16", 1.0) == (1,) * 5
    assert chosen_segments(256, 400, rows, "float16", 1.0) == (3, 2)


# --- what comes in, and goes out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_types_in_and_out(dtype: str) -> None:
    exact = np.random.default_rng(5).standard_normal((6, 10))
    G = narrow(exact, dtype)
    T, _ = run(G, schedule=PE, storage="float32")
    wide = widen(G, dtype).astype(np.float64)
    bound = {"bfloat16": 2.0**-8, "float16": 2.0**-11}.get(dtype, 1e-5)
    assert off(widen(T, dtype).astype(np.float64), by_svd(wide, PE)) < bound


def test_bfloat16_rounds_as_ml_dtypes_does() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes, the oracle of bfloat16, is not installed")
    rng = np.random.default_rng(6)
    values = np.concatenate(
        [rng.standard_normal(4000) * 10.0 ** rng.integers(-45, 39, 4000), [0.0, -0.0, np.inf, np.nan]]
    )
    values = values.astype(np.float32)
    theirs = values.astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(widen(narrow(values, "bfloat16"), "bfloat16"), theirs.astype(np.float32))


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed", "batch of transposes"])
def test_layouts(layout: str) -> None:
    base = np.random.default_rng(7).standard_normal((3, 24, 16)).astype(np.float32)
    G = {
        "C": base,
        "F": np.asfortranarray(base[0]),
        "strided": base[:, ::2, 1::3],
        "reversed": base[:, ::-1, ::-1],
        "batch of transposes": base.swapaxes(1, 2),
    }[layout]
    T = np.full((*G.shape[:-1], 2 * G.shape[-1]), np.nan, np.float32)[..., ::2]
    polar(view(G), view(T), schedule=PE, storage="float32")
    assert off(T, by_svd(G, PE)) < 1e-5


def test_in_place_with_gains_and_pairings() -> None:
    G = np.random.default_rng(8).standard_normal((4, 9, 6)).astype(np.float32)
    exact, gain, sums = by_svd(G, PE), np.array([1.0, -2.0, 0.0, 0.5]), np.full(4, np.nan)
    pairing = np.einsum("bij,bij->b", G.astype(np.float64), exact)
    polar(view(G), view(G), schedule=PE, storage="float32", gain=view(gain), sums=view(sums))
    np.testing.assert_allclose(G, gain[:, None, None] * exact, atol=1e-5)
    np.testing.assert_allclose(sums, pairing, rtol=1e-6)


def test_the_last_product_writes_where_it_may() -> None:
    G = np.random.default_rng(9).standard_normal((2, 8, 24)).astype(np.float32)
    kinds = {}
    for label, T in (("same", np.full(G.shape, np.nan, np.float16)), ("other", np.full(G.shape, np.nan, np.float32))):
        info = polar(view(G), view(T), schedule=PE, storage="float16")
        kinds[label] = [op.kind for op in info.plan.ops].count("CopyOut")
        assert off(T, by_svd(G, PE)) < 1e-2
    assert kinds == {"same": 0, "other": 1}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_of_two_change_no_bit(dtype: str) -> None:
    G = np.random.default_rng(10).standard_normal((7, 11)).astype(dtype)
    T, _ = run(G, schedule=PE, storage="float16")
    limits = {"float32": (-120, 120), "float64": (-1018, 1018)}[dtype]
    for power in limits:
        scaled, _ = run(np.ldexp(G, power), schedule=PE, storage="float16")
        np.testing.assert_array_equal(scaled, T)


def test_sums_of_the_extremes_of_float64() -> None:
    G = np.random.default_rng(11).standard_normal((7, 11))
    for power in (-1000, 1000):
        sums, big = np.full(1, np.nan), np.ldexp(G, power)
        polar(view(big), view(np.empty_like(big)), schedule=PE, storage="float64", sums=view(sums))
        np.testing.assert_allclose(np.ldexp(sums, -power), np.sum(G * by_svd(G, PE)), rtol=1e-12)


def test_zero_and_what_is_not_finite() -> None:
    G = np.random.default_rng(12).standard_normal((4, 5, 9)).astype(np.float32)
    G[0] = 0
    G[2, 1, 1], G[3, 0, 0] = np.nan, np.inf
    sums = np.full(4, np.inf)
    T = np.full(G.shape, 7.0, np.float32)
    info = polar(view(G), view(T), schedule=PE, storage="bfloat16", sums=view(sums))
    assert not T[0].any() and sums[0] == 0
    assert off(T[1], by_svd(G[1], PE)) < 0.03
    assert np.isnan(T[2:]).all() and np.isnan(sums[2:]).all()
    with pytest.raises(NonFiniteError, match="matrix 2 of 4"):
        info.check()
    run(G[:2], schedule=PE, storage="bfloat16")[1].check()


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0), (2, 5, 0)], ids=name)
def test_nothing_to_do(shape: tuple[int, ...]) -> None:
    T, info = run(np.zeros(shape, np.float32), accuracy=0.1)
    assert T.shape == shape and info.reached and info.norms().shape == (info.plan.batch,)
    info.check()


# --- accuracies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accuracy, storage", [(0.1, "float16"), (1e-3, "float32"), (None, "float64")])
@pytest.mark.parametrize("shape", [(20, 48), (2, 30, 12)], ids=name)
def test_an_accuracy_is_reached(shape: tuple[int, ...], accuracy: float | None, storage: str) -> None:
    G = np.random.default_rng(13).standard_normal(shape).astype(np.float32)
    T, info = run(G, accuracy=accuracy)
    U, _, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    rank = min(shape[-2:])
    error = np.linalg.norm(T - U @ Vt, axis=(-2, -1)).max() / np.sqrt(rank)
    assert info.reached and info.plan.storage == storage
    assert error <= (accuracy or 1e-6)
    assert np.linalg.norm(T, 2, axis=(-2, -1)).max() <= 1 + 1e-3 * (accuracy or 1e-3)


def test_a_hard_spectrum_takes_more_precision() -> None:
    G = matrix(np.random.default_rng(14), (24, 60), "decay to 1e-4").astype(np.float32)
    T, info = run(G, accuracy=0.05)
    U, _, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    assert info.reached and info.plan.storage != "float16"
    assert np.linalg.norm(T - U @ Vt) <= 0.05 * np.sqrt(24)


def test_a_rank_deficient_matrix_is_left_to_others() -> None:
    G = matrix(np.random.default_rng(15), (24, 60), "half zero").astype(np.float32)
    T, info = run(G, accuracy=0.05)
    assert not info.reached and info.error is not None and info.error > 0.05
    assert np.isnan(T).all()


# --- who carries out what -----------------------------------------------------------------------------------------


class Refusing:
    name, tile = "cublaslt", 128

    def why_not(self, op: Any, at: Any) -> str | None:
        return "it has no handle"

    def bind(self, op: Any, at: Any) -> Any:
        raise AssertionError("never asked")


def test_fallbacks_are_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(device(HOST), "providers", {"cublaslt": Refusing(), "numpy": device(HOST).providers["numpy"]})
    choice._said.cache_clear()
    G = np.random.default_rng(16).standard_normal((6, 9)).astype(np.float32)
    with caplog.at_level(logging.INFO, "normkit.cuda"):
        for _ in range(3):
            run(G, schedule=PE, storage="float32", segments=(2, 3))
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{kind} in float32: numpy instead of cublaslt (it has no handle)" for kind in ("SymGemm", "Gemm")]


def test_what_was_measured_comes_before_the_documented_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    plan = lower((1, 4096, 11008), PE.coefficients, (3, 2), "float16", "float32", "float32")
    op = next(op for op in plan.ops if isinstance(op, SymGemm))
    entry = choice.Entry("SymGemm", (9, 0), "float16", (1, 1), (4096, 4096), (4096, 11008), "wgmma")
    assert choice.ranked(op, 1, (9, 0), [entry])[0] == "wgmma"
    assert choice.ranked(op, 2, (9, 0), [entry]) == choice.ORDER["SymGemm"]
    assert choice.ranked(op, 1, (8, 0), [entry]) == choice.ORDER["SymGemm"]
    monkeypatch.setenv(choice.VARIABLE, "SymGemm=mma,Gemm=torch")
    assert choice.ranked(op, 1, (9, 0), [entry])[:2] == ("mma", "wgmma")
    monkeypatch.setenv(choice.VARIABLE, "tiles")
    with pytest.raises(ParameterError, match="unknown provider 'tiles'"):
        choice.ranked(op, 1, (9, 0), [])


def test_the_table_is_sound_and_what_it_did_not_measure_does_not_count() -> None:
    import json

    lines = json.loads(choice.TABLE.read_text())["entries"]
    assert {line["op"] for line in lines} <= set(choice.ORDER)
    assert {line["provider"] for line in lines} <= set(choice.NAMES)
    assert len(choice.table(choice.TABLE)) == sum(line["measured"] != choice.NOT_MEASURED for line in lines)


def test_nobody_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device(HOST), "providers", {"cublaslt": Refusing()})
    G = np.ones((3, 4))
    with pytest.raises(BackendError, match="nobody carries out"):
        polar(view(G), view(G), schedule=PE, storage="float32", segments=(5,))
    assert (G == 1).all()


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, match",
    [
        ({"segments": (3, 3), "schedule": PE}, ParameterError, "add up to 5"),
        ({"segments": (5, 0), "schedule": PE}, ParameterError, "positive|add up"),
        ({"accuracy": 0.1, "schedule": PE}, ParameterError, "promise nothing"),
        ({"graph": True}, ParameterError, "belong to steps"),
        ({"storage": "int8", "schedule": PE}, DTypeError, "int8"),
        ({"schedule": "cans5", "storage": "bfloat16"}, UnsafeSchedule, "basin"),
    ],
    ids=["sum", "empty segment", "both", "graph", "storage", "unsafe"],
)
def test_arguments(options: Any, error: type[Exception], match: str) -> None:
    G, T = np.ones((3, 4)), np.full((3, 4), np.nan)
    with pytest.raises(error, match=match):
        polar(view(G), view(T), **options)
    assert np.isnan(T).all()


def test_views_that_do_not_fit() -> None:
    G = np.ones((2, 3, 4))
    with pytest.raises(ShapeError, match="result has the shape"):
        polar(view(G), view(np.ones((2, 4, 3))), schedule=PE)
    with pytest.raises(ShapeError, match="needs the shape"):
        polar(view(G[0, 0]), view(G[0, 0]), schedule=PE)
    with pytest.raises(ShapeError, match="gaps"):
        wide = np.ones((4, 5, 3, 4))[:, ::2]
        polar(view(wide), view(wide), schedule=PE)
    with pytest.raises(BackendError, match="GPU 0 and the result on GPU 1"):
        polar(HostView(G, "float64", 0), HostView(G, "float64", 1), schedule=PE)
    with pytest.raises(ShapeError, match="gain needs 2 numbers"):
        polar(view(G), view(G), schedule=PE, gain=view(np.ones(3)))
    with pytest.raises(DTypeError, match="sums has dtype float32"):
        polar(view(G), view(G), schedule=PE, sums=view(np.ones(2, np.float32)))


def test_a_graph_on_the_host_is_the_calls_in_order() -> None:
    G = np.random.default_rng(17).standard_normal((6, 9)).astype(np.float32)
    first, _ = run(G, schedule=PE, storage="float16")
    second, _ = run(G, schedule=PE, storage="float16", graph=True)
    np.testing.assert_array_equal(first, second)
