"""The polar factor at a chosen accuracy: adversarial spectra, every method, dtypes, scales, batches, plans, schedules.

References are exact (Hadamard factors and powers of two), float64 SVDs of the very entries, or mpmath.
"""

from __future__ import annotations

import threading
from typing import Any

import array_api_strict
import ml_dtypes
import mpmath
import numba
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import normkit as nk
from normkit.backends import cpu
from normkit.backends.precision import rank_tolerance
from normkit.errors import DTypeError, NonFiniteError, ParameterError, ShapeError, SpecError, UnsafeSchedule
from normkit.polar import core, planner
from normkit.polar.given import Given
from normkit.polar.presets import PRESETS
from normkit.polar.task import task

METHODS = ("auto", "ns", "gram", "qdwh", "zolo", "newton", "eigh", "svd")
EPS = 2.0**-52


def orthonormal(rng: np.random.Generator, m: int, k: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((m, k)))[0]


def matrix(shape: tuple[int, int], sigma: Any, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    """U diag(sigma) V' from random orthonormal factors."""
    rng, k = np.random.default_rng(seed), min(shape)
    U, V = orthonormal(rng, shape[0], k), orthonormal(rng, shape[1], k)
    return ((U * np.asarray(sigma, np.float64)) @ V.T).astype(dtype)


def spectra(k: int, low: float) -> dict[str, np.ndarray]:
    made = {
        "log": np.geomspace(1, low, k),
        "one tiny": np.r_[np.ones(k - 1), low],
        "half tiny": np.where(np.arange(k) < k // 2, 1.0, low),
        "two clusters": np.where(np.arange(k) % 2 == 0, 1.0, 1e-2) * np.linspace(1, 1 + 1e-7, k),
        "four clusters": np.repeat(np.geomspace(1, low, 4), -(-k // 4))[:k],
        "spike": np.r_[1.0, np.full(k - 1, 30 * low)],
        "flat": np.ones(k),
    }
    for rank in sorted({1, 2, k // 2, k - 1}):
        made[f"rank {rank}"] = np.r_[np.ones(rank), np.zeros(k - rank)]
    made["log of rank k-3"] = np.r_[np.geomspace(1, 0.03, k - 3), np.zeros(3)]
    return made


def reference(G: np.ndarray, rank_tol: float | None = None) -> tuple[np.ndarray, int, float]:
    """(U_r V_r', r, (mean of (sigma_1/sigma_i)^2)^(1/2)) from a float64 SVD of these entries."""
    if rank_tol is None:
        eps = 2.0**-7 if G.dtype.name == "bfloat16" else float(np.finfo(G.dtype).eps)
        rank_tol = rank_tolerance(G.shape, eps)
    U, sigma, V = scipy.linalg.svd(G.astype(np.float64), full_matrices=False)
    r = int((sigma > rank_tol * sigma[0]).sum())
    return U[:, :r] @ V[:r], r, float(np.sqrt(np.mean((sigma[0] / sigma[:r]) ** 2))) if r else 0.0


def error(T: np.ndarray, exact: np.ndarray, r: int) -> float:
    return float(np.linalg.norm(T.astype(np.float64) - exact) / np.sqrt(max(r, 1)))


def allowed(accuracy: float, dtype: Any, condition: float) -> float:
    """The accuracy; in float64 also what the entries themselves leave open: eps times the condition."""
    return accuracy + (30 * EPS * condition if np.dtype(dtype) == np.float64 else 0.0)


# --- the accuracy promise -----------------------------------------------------------------------------------------

GRID = [(np.float32, 1e-5, (0.3, 0.1, 1e-2, 1e-3, 1e-6)), (np.float64, 1e-7, (0.3, 1e-2, 1e-5, 1e-10, 1e-12))]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "low", "accuracies"), GRID, ids=["float32", "float64"])
def test_the_accuracy_holds_on_adversarial_spectra(method: str, dtype: Any, low: float, accuracies: Any) -> None:
    wrong = []
    for shape in ((64, 64), (33, 120), (90, 40)):
        for name, sigma in spectra(min(shape), low).items():
            G = matrix(shape, sigma, dtype)
            exact, r, condition = reference(G)
            for accuracy in accuracies:
                T = nk.polar(G, accuracy, method)
                assert T.dtype == dtype and T.shape == shape
                off = error(T, exact, r)
                if not off <= allowed(accuracy, dtype, condition):
                    wrong.append((shape, name, accuracy, off))
    assert not wrong


@pytest.mark.parametrize("method", ["auto", "gram"])
@pytest.mark.parametrize(("dtype", "low", "accuracies"), GRID, ids=["float32", "float64"])
def test_the_accuracy_holds_with_many_small_ones(method: str, dtype: Any, low: float, accuracies: Any) -> None:
    wrong = []
    for shape in ((64, 64), (33, 120), (90, 40)):
        k = min(shape)
        for sigma in (np.linspace(1, 1 / k, k) ** 2, np.r_[np.geomspace(1, 1e-3, k - 3), np.zeros(3)]):
            G = matrix(shape, sigma, dtype)
            exact, r, condition = reference(G)
            for accuracy in accuracies:
                off = error(nk.polar(G, accuracy, method), exact, r)
                if not off <= allowed(accuracy, dtype, condition):
                    wrong.append((shape, r, accuracy, off))
    assert not wrong


@pytest.mark.parametrize("method", METHODS)
def test_float32_keeps_1e_6_down_to_the_rank_tolerance(method: str) -> None:
    """Condition 2e5: eigenvalues of a Gram matrix are off by 2^-53 times its square, and that is seen."""
    for shape in ((64, 64), (90, 40)):
        for name in ("one tiny", "half tiny", "four clusters", "log"):
            G = matrix(shape, spectra(min(shape), 5e-6)[name], np.float32)
            exact, r, _ = reference(G)
            off = error(nk.polar(G, 1e-6, method), exact, r)
            assert off <= (1e-6 if method not in ("qdwh", "auto") else 1e-5), (shape, name, off)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("side", ["square", "wide", "tall"])
def test_condition_1e12_in_float64_against_exact_factors(method: str, side: str) -> None:
    """H diag(2^-e) H' / 32 is exact in float64 for Hadamard H, and so is its polar factor."""
    H = scipy.linalg.hadamard(32).astype(np.float64)
    rng = np.random.default_rng(4)
    left, right = H[rng.permutation(32)], H[rng.permutation(32)]
    powers = {"log": np.round(np.linspace(0, -40, 32)), "one tiny": np.r_[np.zeros(31), -40], "flat": np.zeros(32)}
    for name, e in powers.items():
        G, exact = (left * 2.0**e) @ right.T / 32, left @ right.T / 32
        assert np.array_equal(exact @ exact.T, np.eye(32))
        if side != "square":
            G, exact = (np.hstack([part, part, part, part]) / scale for part, scale in ((G, 1.0), (exact, 2.0)))
        if side == "tall":
            G, exact = G.T, exact.T
        condition = float(np.sqrt(np.mean(4.0**-e)))
        for accuracy in (0.1, 1e-3, 1e-10, 1e-12):
            off = error(nk.polar(G, accuracy, method), exact, 32)
            # Rotations among tiny directions are open to rounding; each costs at most sqrt(2).
            open_ = min(30 * EPS * condition, 0.2) if name == "log" else 30 * EPS * condition
            assert off <= accuracy + open_, (name, accuracy, off)


def test_50_digits_agree_on_small_matrices() -> None:
    rng = np.random.default_rng(8)
    for shape in ((3, 3), (2, 5), (5, 2)):
        G = rng.standard_normal(shape)
        with mpmath.workdps(50):
            A = mpmath.matrix((G if shape[0] <= shape[1] else G.T).tolist())
            values, vectors = mpmath.eigsy(A * A.T)
            root = vectors * mpmath.diag([1 / mpmath.sqrt(v) for v in values]) * vectors.T
            exact = np.array((root * A).tolist(), dtype=np.float64)
        exact = exact if shape[0] <= shape[1] else exact.T
        for method in METHODS:
            np.testing.assert_allclose(nk.polar(G, method=method), exact, atol=1e-13, err_msg=method)
            np.testing.assert_allclose(nk.polar(G.astype("f4"), method=method), exact, atol=1e-6, err_msg=method)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_by_default_the_accuracy_is_working_precision(dtype: Any) -> None:
    for shape in ((70, 70), (30, 100), (257, 190)):
        G = np.random.default_rng(2).standard_normal(shape).astype(dtype)
        exact, r, condition = reference(G)
        assert error(nk.polar(G), exact, r) <= allowed(1e-6 if dtype == np.float32 else 1e-13, dtype, condition)


def test_matrices_at_hand() -> None:
    rng = np.random.default_rng(3)
    Q = orthonormal(rng, 60, 60)
    twice = np.repeat(rng.standard_normal((30, 80)), 2, axis=0)  # every row twice: rank 30
    for dtype in (np.float32, np.float64):
        for accuracy in (0.3, 1e-2, None):
            wanted = accuracy or (1e-6 if dtype == np.float32 else 1e-13)
            for G in (Q, -Q, twice, np.eye(40)[::-1], np.ones((40, 50)), np.diag(np.r_[1e-3, np.ones(39)])):
                G = G.astype(dtype)
                exact, r, condition = reference(G)
                assert error(nk.polar(G, accuracy), exact, r) <= allowed(wanted, dtype, condition)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("method", METHODS)
def test_vectors(shape: tuple[int, int], method: str) -> None:
    x = np.random.default_rng(1).standard_normal(shape)
    for dtype, tolerance in ((np.float32, 1e-6), (np.float64, 1e-14)):
        G = x.astype(dtype)
        T = nk.polar(G, method=method)
        np.testing.assert_allclose(T, G / np.sqrt(np.sum(G.astype(np.float64) ** 2)), atol=tolerance)
        assert not nk.polar(np.zeros_like(G), method=method).any()


@pytest.mark.parametrize("method", ["auto", "ns", "gram"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_of_mixed_spectra(method: str, dtype: Any) -> None:
    for shape in ((40, 40), (30, 70), (70, 30)):
        k = min(shape)
        items = list(spectra(k, 1e-5).values())
        batch = np.stack([matrix(shape, sigma, dtype, seed) for seed, sigma in enumerate(items)])
        batch[3] = 0
        for accuracy in (0.1, 1e-3, None):
            T = nk.polar(batch, accuracy, method)
            assert not T[3].any()
            wanted = accuracy or (1e-6 if dtype == np.float32 else 1e-13)
            for b, G in enumerate(batch):
                if b != 3:
                    exact, r, condition = reference(G)
                    assert error(T[b], exact, r) <= allowed(wanted, dtype, condition), (shape, accuracy, b)


def test_batch_axes_and_empty_batches() -> None:
    G = np.random.default_rng(0).standard_normal((2, 3, 5, 4))
    T = nk.polar(G)
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(T[i], reference(G[i])[0], atol=1e-13)
    for shape in ((0, 3, 4), (2, 0, 30, 30)):
        assert nk.polar(np.zeros(shape, np.float32), 0.1).shape == shape
        _, report = nk.polar_report(np.zeros(shape, np.float32), 0.1)
        assert report.steps == 0 and np.shape(report.rank) == shape[:-2]


@given(
    sigma=st.lists(st.floats(1e-4, 1.0), min_size=25, max_size=40),
    wide=st.integers(0, 30),
    accuracy=st.sampled_from([0.2, 1e-2, 1e-4]),
    method=st.sampled_from(["auto", "ns", "gram"]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_spectrum(sigma: list[float], wide: int, accuracy: float, method: str) -> None:
    G = matrix((len(sigma), len(sigma) + wide), sigma, np.float32)
    exact, r, _ = reference(G)
    assert error(nk.polar(G, accuracy, method), exact, r) <= accuracy


@pytest.mark.parametrize("method", METHODS)
def test_rank_tol_drops_what_it_says(method: str) -> None:
    sigma = np.geomspace(1, 1e-3, 48)
    G = matrix((48, 60), sigma, np.float32)
    for accuracy in (0.1, 1e-3):
        for tolerance in (0.029, 0.0031):
            exact, r, _ = reference(G, tolerance)
            T = nk.polar(G, accuracy, method, rank_tol=tolerance)
            assert 20 < r < 48 and error(T, exact, r) <= accuracy
            T = nk.polar(np.stack([G, G]), accuracy, method, rank_tol=tolerance)
            assert error(T[1], exact, r) <= accuracy


# --- dtypes, scales, layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(48, 48), (40, 100), (100, 40)])
def test_half_precision(dtype: Any, shape: tuple[int, int]) -> None:
    rng, u = np.random.default_rng(5), 2.0**-8 if dtype is ml_dtypes.bfloat16 else 2.0**-11
    one = np.outer(rng.standard_normal(shape[0]), rng.standard_normal(shape[1]))
    two = np.r_[1.0, 0.7, np.zeros(min(shape) - 2)]
    for G in (one, matrix(shape, np.linspace(1, 0.2, min(shape))), matrix(shape, two)):
        G = G.astype(dtype)
        exact, r, _ = reference(G)
        for accuracy in (None, 0.1, 1e-2):
            T = nk.polar(G, accuracy)
            assert T.dtype == G.dtype and T.shape == shape
            assert error(T, exact, r) <= (accuracy or u) + u  # the result is rounded to the dtype
            assert error(nk.polar(np.stack([G, G]), accuracy)[1], exact, r) <= (accuracy or u) + u
    assert reference(one.astype(dtype))[1] == 1


@pytest.mark.parametrize(("dtype", "powers"), [(np.float64, (-996, 1000, -1030)), (np.float32, (-126, 112, -130))])
def test_powers_of_two_give_the_same_bits(dtype: Any, powers: tuple[int, ...]) -> None:
    G = np.rint(matrix((40, 56), np.geomspace(1, 1e-2, 40)) * 2**12).astype(dtype)
    for accuracy in (0.1, 1e-3, None):
        T = nk.polar(G, accuracy)
        for e in powers:
            scaled = np.ldexp(G, e)
            if np.array_equal(np.ldexp(scaled, -e), G):
                np.testing.assert_array_equal(nk.polar(scaled, accuracy), T)
        np.testing.assert_array_equal(nk.polar(np.ldexp(G, powers[2] // 2), accuracy), T)


@pytest.mark.parametrize(("dtype", "scales"), [(np.float64, (1e-300, 1e300)), (np.float32, (1e-30, 1e-38, 1e37))])
def test_tiny_and_huge_entries(dtype: Any, scales: tuple[float, ...]) -> None:
    base = matrix((32, 40), np.linspace(1, 0.1, 32))
    for scale in scales:
        G = (base * scale).astype(dtype)
        exact, r, _ = reference((G.astype(np.float64) / np.float64(scale)).astype(np.float64))
        tolerance = 1e-12 if dtype == np.float64 else 2e-6
        for method in METHODS:
            assert error(nk.polar(G, method=method), exact, r) <= tolerance, (scale, method)
        _, report = nk.polar_report(G, 1e-3)
        nuclear = np.linalg.svd(base, compute_uv=False).sum() * scale
        assert report.lower <= nuclear * (1 + 1e-5) and report.upper >= nuclear * (1 - 1e-5)
        assert report.lower >= 0.99 * nuclear


def test_zero_gives_zero() -> None:
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64):
        for method in METHODS:
            for shape in ((40, 60), (3, 40, 40), (2, 2)):
                T = nk.polar(np.zeros(shape, dtype), 0.1, method)
                assert not np.asarray(T, np.float64).any()
    T, report = nk.polar_report(np.zeros((40, 60)))
    assert (report.rank, report.lower, report.upper) == (0, 0, 0) and report.spectral == 0
    assert not nk.polar(np.zeros((40, 60)), steps=5).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_raises_or_propagates(bad: float) -> None:
    for shape in ((3, 40, 40), (3, 5, 6)):
        G = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        G[1, 2, 3] = bad
        with pytest.raises(NonFiniteError, match="1"):
            nk.polar(G, 1e-3)
        with pytest.raises(NonFiniteError):
            nk.polar(G, steps=5)
        T = nk.polar(G, 1e-3, nan_policy="propagate")
        assert np.isnan(T[1]).all()
        for b in (0, 2):
            exact, r, _ = reference(G[b])
            assert error(T[b], exact, r) <= 1e-3
        assert np.isnan(nk.polar(G[1], 1e-3, nan_policy="propagate")).all()
    with pytest.raises(ParameterError):
        nk.polar(G, nan_policy="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_inputs_of_any_layout_are_left_alone(method: str) -> None:
    base = np.random.default_rng(6).standard_normal((40, 56))
    room = np.zeros((80, 112))
    room[::2, ::2] = base
    frozen = base.copy()
    frozen.flags.writeable = False
    layouts = (frozen, np.asfortranarray(base), room[::2, ::2], base.copy()[::-1, ::-1][::-1, ::-1])
    exact = reference(base)[0]
    for G in layouts:
        before = G.copy()
        T = nk.polar(G, 1e-5, method)
        np.testing.assert_array_equal(G, before)
        assert error(T, exact, 40) <= 1e-5
        assert error(nk.polar(G.T, 1e-5, method), exact.T, 40) <= 1e-5
    assert not room[1::2].any() and not room[:, 1::2].any()


@pytest.mark.parametrize("accuracy", [0.1, 1e-3, None])
def test_out_may_overlap_and_have_any_layout(accuracy: float | None) -> None:
    G = np.random.default_rng(7).standard_normal((44, 60)).astype(np.float32)
    expected = nk.polar(G, accuracy)
    for out in (np.empty_like(G), np.empty(G.shape, G.dtype, order="F"), np.empty((88, 120), "f4")[::2, ::2]):
        assert nk.polar(G, accuracy, out=out) is out
        np.testing.assert_array_equal(out, expected)
    same = G.copy()
    assert nk.polar(same, accuracy, out=same) is same
    np.testing.assert_array_equal(same, expected)
    room = np.zeros((45, 60), np.float32)
    room[:-1] = G
    nk.polar(room[:-1], accuracy, out=room[1:])
    np.testing.assert_array_equal(room[1:], expected)
    square = np.random.default_rng(8).standard_normal((40, 40))
    expected = nk.polar(square, accuracy)
    nk.polar(square, accuracy, out=square.T)
    np.testing.assert_array_equal(square.T, expected)


def test_arrays_of_another_library_come_back_as_such() -> None:
    G = np.random.default_rng(9).standard_normal((30, 40))
    g = array_api_strict.asarray(G)
    T, report = nk.polar_report(g, 1e-3)
    assert type(T) is type(g) and type(nk.polar(g)) is type(g) and report.rank == 30
    np.testing.assert_array_equal(np.asarray(T), nk.polar(G, 1e-3))


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"method": "qr"}, ParameterError, "unknown method 'qr'; known: auto, ns, gram"),
        ({"accuracy": 0}, ParameterError, "accuracy must be a positive number"),
        ({"accuracy": -1.0}, ParameterError, "accuracy"),
        ({"accuracy": float("nan")}, ParameterError, "accuracy"),
        ({"accuracy": float("inf")}, ParameterError, "accuracy"),
        ({"accuracy": "high"}, ParameterError, "accuracy"),
        ({"rank_tol": 1.0}, ParameterError, "rank_tol"),
        ({"rank_tol": -0.1}, ParameterError, "rank_tol"),
        ({"steps": 3, "accuracy": 0.1}, ParameterError, "promise nothing"),
        ({"steps": 3, "method": "svd"}, ParameterError, "promise nothing"),
        ({"schedule": "muon5", "method": "gram"}, ParameterError, "promise nothing"),
        ({"precision": "float32"}, ParameterError, "precision="),
        ({"steps": 3, "precision": "float8"}, ParameterError, "unknown precision"),
        ({"steps": 0}, ParameterError, "steps"),
        ({"schedule": "muon6"}, SpecError, "unknown preset"),
        ({"out": np.empty((4, 4))}, ShapeError, r"out= must be .*\(4, 5\); got shape \(4, 4\)"),
        ({"out": np.empty((4, 5), "f4")}, DTypeError, "got dtype float32"),
        ({"out": [0]}, DTypeError, "got a list"),
    ],
)
def test_errors_say_in_one_line_what_is_wrong(options: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        nk.polar(np.ones((4, 5)), **options)
    assert "\n" not in str(caught.value)


def test_what_is_no_matrix_is_refused() -> None:
    read_only = np.empty((4, 5))
    read_only.flags.writeable = False
    with pytest.raises(ShapeError, match="read-only"):
        nk.polar(np.ones((4, 5)), out=read_only)
    with pytest.raises(ShapeError):
        nk.polar(np.ones(5))
    with pytest.raises(DTypeError):
        nk.polar(np.ones((3, 3), complex))


# --- plans and reports --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_method_by_name_serves(method: str, dtype: str) -> None:
    G = matrix((48, 60), np.linspace(1, 0.3, 48), dtype)
    _, report = nk.polar_report(G, 2e-3, method)
    assert report.method == method and report.rank == 48
    assert (report.steps > 0) == (method not in ("eigh", "svd")) and report.flops > 0
    assert nk.polar_plan(G.shape, dtype, 2e-3, method).attempts[0].method == method


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_plans_end_in_a_factorization_and_have_positive_numbers(dtype: str) -> None:
    for shape in ((5, 5), (64, 64), (64, 500), (500, 64), (2000, 2000)):
        for accuracy in (0.3, 1e-2, 1e-3, 1e-6, 1e-12, None):
            for method in METHODS:
                plan = nk.polar_plan(shape, dtype, accuracy, method)
                assert plan.attempts[-1].method in ("eigh", "svd") and plan.accuracy >= 0
                assert all(attempt.flops > 0 and 0 < attempt.seconds < 1e4 for attempt in plan.attempts)
                assert all(attempt.method not in ("eigh", "svd") for attempt in plan.attempts[:-1])
                assert len(str(plan).splitlines()) == 1 + len(plan.attempts)


def test_plans_grow_with_the_batch_and_do_not_depend_on_which_side_is_long() -> None:
    one, many = (nk.polar_plan((*lead, 64, 256), "float32", 1e-2) for lead in ((), (3, 5)))
    for a, b in zip(one.attempts, many.attempts, strict=True):
        assert (a.method, a.precision) == (b.method, b.precision)
        assert b.flops == pytest.approx(15 * a.flops) and b.seconds == pytest.approx(15 * a.seconds)
    assert planner.attempts(64, 256, "float32", 1e-2) == planner.attempts(256, 64, "float32", 1e-2)
    sizes = [nk.polar_plan((m, m), "float32", 1e-3, "ns").attempts[0].flops for m in (64, 128, 256)]
    assert sizes[1] == pytest.approx(8 * sizes[0]) and sizes[2] == pytest.approx(8 * sizes[1])


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(((5,),), ShapeError), (((0, 5),), ShapeError), (((5, 5), "int8"), DTypeError), (((5, 5), "quad"), DTypeError)],
)
def test_plans_of_nothing(arguments: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        nk.polar_plan(*arguments)
    assert "\n" not in str(caught.value)
    with pytest.raises(ParameterError, match="unknown method"):
        nk.polar_plan((5, 5), method="qr")
    with pytest.raises(ParameterError, match="unknown method"):
        planner.attempts(5, 5, "float32", 0.1, "qr")


def test_beyond_reach_a_factorization_follows() -> None:
    G = matrix((64, 64), np.r_[np.ones(63), 1e-10])
    for method in ("ns", "gram", "qdwh", "newton", "zolo"):
        T, report = nk.polar_report(G, 1e-5, method)
        exact, r, condition = reference(G)
        assert error(T, exact, r) <= allowed(1e-5, np.float64, condition), method
    _, report = nk.polar_report(matrix((64, 64), np.r_[np.ones(32), np.zeros(32)], np.float32), 1e-3, "ns")
    assert report.method == "eigh" and report.rank == 32 and report.flops > 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("accuracy", [0.2, 1e-3, 1e-6])
def test_the_numbers_of_a_report_hold(method: str, accuracy: float) -> None:
    for shape in ((64, 64), (40, 90), (90, 40)):
        k = min(shape)
        for sigma in (np.geomspace(1, 1e-3, k), np.linspace(1, 0.5, k), np.r_[np.ones(k - 9), np.zeros(9)]):
            G = matrix(shape, sigma, np.float32)
            T, report = nk.polar_report(G, accuracy, method)
            exact, r, _ = reference(G)
            singular = np.linalg.svd(G.astype(np.float64), compute_uv=False)
            found = np.linalg.svd(T.astype(np.float64), compute_uv=False)
            assert report.rank == r == int((found > 0.5).sum())
            assert report.lower <= singular.sum() * (1 + 1e-9) and report.upper >= singular.sum() * (1 - 1e-9)
            assert report.spectral >= found[0] * (1 - 1e-12)
            assert report.spectral <= 1 + 2 * accuracy * np.sqrt(k) + 1e-5
            assert report.gap == pytest.approx(1 - report.lower / report.upper, abs=1e-9)
            if r == k:
                off = np.sqrt(np.sum((found**2 - 1) ** 2) / k)
                assert report.orthogonality == pytest.approx(off, rel=1e-3, abs=1e-6)
                assert report.error <= accuracy * 1.001
            if report.method in ("ns", "gram"):
                # what m x m products in float32 gather is estimated, not bounded
                assert error(T, exact, r) <= report.error * 1.001 + (1e-3 if report.method == "gram" else 2e-5)
            assert report.seconds > 0 and str(report).count("\n") == 6


def test_reports_of_a_batch_have_arrays() -> None:
    ends = (np.ones(40), np.geomspace(1, 0.1, 40), np.r_[np.ones(9), np.zeros(31)])
    batch = np.stack([matrix((40, 40), sigma, np.float32) for sigma in ends])
    T, report = nk.polar_report(batch[None], 0.05)
    assert T.shape == (1, 3, 40, 40) and report.rank.tolist() == [[40, 40, 9]]
    for name in ("error", "orthogonality", "spectral", "lower", "upper", "gap"):
        assert np.shape(getattr(report, name)) == (1, 3), name
    kinds = (report.method,) if isinstance(report.method, str) else report.method
    assert set(kinds) <= set(METHODS)


# --- fixed schedules ----------------------------------------------------------------------------------------------


def iterated(G: np.ndarray, rows: Any, scale: float | None = None) -> np.ndarray:
    """Newton-Schulz in float64, by NumPy: an oracle."""
    X = G.astype(np.float64) / (np.linalg.norm(G.astype(np.float64)) if scale is None else scale)
    for row in rows:
        A, Z = X @ X.T, row[0] * np.eye(len(X))
        power = np.eye(len(X))
        for c in row[1:]:
            power = power @ A
            Z = Z + c * power
        X = Z @ X
    return X


SAFE = [name for name in PRESETS if name != "aol4-a"]


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_every_safe_preset_stays_in_its_proved_image(name: str, precision: str) -> None:
    plan = nk.polar_schedule(name, dtype=precision, lower=2e-3)
    low, high = plan.image
    for shape in ((48, 48), (40, 70), (70, 40)):
        G = matrix(shape, np.geomspace(1, 1e-2, min(shape)), precision)
        T = nk.polar(G, schedule=name, precision=precision)
        found = np.linalg.svd(T.astype(np.float64), compute_uv=False)
        noise = 1e-12 if precision == "float64" else 2e-3
        assert low - noise <= found[-1] and found[0] <= high + noise
        np.testing.assert_array_equal(nk.polar(G, steps=plan.steps, schedule=plan, precision=precision), T)


def test_a_schedule_is_applied_as_numpy_would() -> None:
    """To a singular vector each: T has the singular vectors of G, and p of its singular values over a bound."""
    sigma = np.geomspace(1, 1e-3, 50)
    for shape in ((50, 50), (50, 90), (90, 50)):
        G = matrix(shape, sigma)
        U, s, V = np.linalg.svd(G, full_matrices=False)
        for name in ("muon5", "cubic5", "pe5-1.02", "modula6"):
            T = nk.polar(G, schedule=name)
            inside = U.T @ T @ V.T
            assert np.abs(inside - np.diag(np.diag(inside))).max() < 1e-12
            plan = nk.polar_schedule(name, dtype="float64")
            # The bound is sigma_1 to a few percent, and proved.
            scales = np.linspace(1.0, 1.2, 4001)
            distance = [np.abs(plan(s / scale) - np.diag(inside)).max() for scale in scales]
            assert min(distance) < 0.15
    own = nk.polar_schedule([(1.875, -1.25, 0.375)] * 3 + [(35 / 16, -35 / 16, 21 / 16, -5 / 16)], dtype="float64")
    G = matrix((40, 50), np.linspace(1, 0.2, 40))
    T = nk.polar(G, schedule=own)
    np.testing.assert_allclose(T @ T.T @ T, iterated(T, [(0.0, 1.0)], 1.0), atol=1e-12)
    assert np.abs(np.linalg.svd(T, compute_uv=False) - 1).max() < 0.05


def test_steps_alone_take_the_best_polynomials() -> None:
    G = matrix((60, 60), np.geomspace(1, 2e-3, 60), np.float32)
    exact, _, _ = reference(G)
    errors = [error(nk.polar(G, steps=k), exact, 60) for k in (5, 6, 7, 9)]
    assert errors[0] > 0.03 > errors[1] > 1e-4 > max(errors[2:])  # from seven steps on, what is left is rounding
    assert nk.polar_report(G, steps=5)[1].steps == 5
    assert np.isnan(nk.polar_report(G, steps=5)[1].error)
    T = nk.polar(G, schedule="cubic", steps=15)  # beyond the list: the last step is repeated, for it ends at 1
    assert error(T, exact, 60) < 0.2
    batch = np.stack([G, np.zeros_like(G), 7 * G])
    T = nk.polar(batch, steps=5)
    assert not T[1].any() and np.allclose(T[0], nk.polar(G, steps=5), atol=1e-4)
    assert np.abs(T[2] - T[0]).max() < 1e-2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schedule": "aol4-a"}, "turns the sign"),
        ({"schedule": "aol4-a", "precision": "float64"}, "uphill"),
        ({"schedule": "speedrun5", "steps": 6}, "made for 5 steps"),
        ({"schedule": "muon5", "steps": 7}, "made for 5 steps"),
    ],
)
def test_unsafe_schedules_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsafeSchedule, match=says) as caught:
        nk.polar(np.eye(30), **options)
    assert "\n" not in str(caught.value)


def bf16_or_skip() -> None:
    from normkit.backends.cpu import bf16

    if not bf16.available():
        pytest.skip("the processor has no AVX-512 BF16 instructions")


@pytest.mark.parametrize("name", ["cans5", "pe8"])
def test_lists_without_safety_are_refused_in_bfloat16(name: str) -> None:
    bf16_or_skip()
    with pytest.raises(UnsafeSchedule, match="basin"):
        nk.polar(np.eye(30, dtype=np.float32), schedule=name, precision="bfloat16")


def test_presets_in_bfloat16() -> None:
    bf16_or_skip()
    for name in ("muon5", "pe5-1.02", "speedrun5", "modula6", "aol4-b", "cubic5"):
        low, high = nk.polar_schedule(name, dtype="bfloat16", lower=2e-2).image
        for shape in ((64, 64), (48, 128), (128, 48)):
            G = matrix(shape, np.geomspace(1, 0.05, min(shape)), np.float32)
            found = np.linalg.svd(nk.polar(G, schedule=name, precision="bfloat16"), compute_uv=False)
            assert low - 0.05 <= found[-1] and found[0] <= high + 0.05


def test_a_rank_one_matrix_in_bfloat16_stays_bounded() -> None:
    """Lists without a safety factor leave their basin on many of these."""
    bf16_or_skip()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        G = np.outer(rng.standard_normal(128), rng.standard_normal(256)).astype(np.float32)
        T = nk.polar(G, schedule="pe5-1.02", precision="bfloat16")
        assert np.linalg.norm(T, 2) < 1.2
        exact = reference(G)[0]
        assert error(nk.polar(G, 0.1), exact, 1) <= 0.1


def test_aol4_a_turns_an_orthogonal_matrix_around() -> None:
    Q = orthonormal(np.random.default_rng(1), 40, 40)
    plan = nk.polar_schedule("aol4-a", dtype="float64", allow_unsafe=True)
    oracle = iterated(Q, PRESETS["aol4-a"].rows, 1.0)
    np.testing.assert_allclose(oracle, -0.9935 * Q, atol=1e-4)
    T = nk.polar(Q, schedule=plan)
    assert np.sum(T * Q) / 40 < -0.9
    np.testing.assert_allclose(np.abs(np.linalg.svd(T, compute_uv=False) - np.sum(T * Q) / -40), 0, atol=1e-10)


def rho(G: np.ndarray, Y: np.ndarray) -> float:
    return float(np.sum(G * Y) / np.linalg.svd(G, compute_uv=False).sum())


def test_cycled_schedules_go_wrong() -> None:
    """After Frobenius scaling speedrun5 keeps .997 of the value in 5 steps, .126 in 6 and .482 in 7."""
    G = np.random.default_rng(0).standard_normal((64, 128))
    values = {}
    for steps in (5, 6, 7, 10):
        plan = nk.polar_schedule("speedrun5", steps=steps, dtype="float64", allow_unsafe=True)
        Y = iterated(G, plan.coefficients)
        values[steps] = rho(G, Y)
        # The same polynomial of the same matrix over a bound; sigma_1 <= |G|_F leaves less for the first step to do.
        T = nk.polar(G, schedule=plan)
        assert rho(G, T) < 0.6 if steps in (6, 7) else rho(G, T) > 0.95
    assert [values[k] for k in (5, 6, 7, 10)] == pytest.approx([0.997, 0.126, 0.482, 0.995], abs=0.02)
    with pytest.raises(UnsafeSchedule):
        nk.polar(G, schedule="speedrun5", steps=6)


def test_muon5_is_no_polar_factor() -> None:
    G = np.random.default_rng(0).standard_normal((64, 128))
    assert rho(G, iterated(G, PRESETS["muon5"].rows)) == pytest.approx(0.848, abs=0.02)
    assert 0.7 < rho(G, nk.polar(G, schedule="muon5")) < 0.95
    assert rho(G, nk.polar(G, 1e-6)) == pytest.approx(1, abs=1e-6)


# --- where dualize takes its factors ------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "factor"), [("spectral", 1.0), ("rms->rms", np.sqrt(48 / 80))])
@pytest.mark.parametrize("accuracy", [0.1, 1e-2, 1e-4, None])
def test_dualize_keeps_an_accuracy(spec: str, factor: float, accuracy: float | None) -> None:
    for dtype in (np.float32, np.float64):
        for sigma in (np.geomspace(1, 1e-3, 48), np.r_[np.ones(40), np.zeros(8)]):
            G = matrix((48, 80), sigma, dtype)
            exact, r, condition = reference(G)
            T = nk.dualize(spec, G, accuracy=accuracy) if accuracy else nk.dualize(spec, G)
            wanted = accuracy or (1e-6 if dtype == np.float32 else 1e-12)
            # Dividing by a bound of its norm may move a truncated T by as much again.
            assert error(T / factor, exact, r) <= allowed(4 * wanted, dtype, condition)
            # of rounding, what it adds to the norm is estimated
            assert np.linalg.norm(T / factor, 2) <= 1 + (0.3 * accuracy if accuracy else 0) + 1e-6


def test_certificates_do_not_trust_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    from normkit.backends.cpu import lift

    G = np.random.default_rng(0).standard_normal((48, 80))
    assert nk.certify("spectral", G, nk.dualize("spectral", G)).holds(1e-10)
    sound = lift.polar_factor

    def turned(batch: Any, rank_eps: float, out: Any, *options: Any) -> Any:
        sums = sound(batch, rank_eps, out, *options)
        out[:, 0] *= -1
        return sums

    def stretched(batch: Any, rank_eps: float, out: Any, *options: Any) -> Any:
        sums = sound(batch, rank_eps, out, *options)
        out *= 1.01
        return sums

    for wrong in (turned, stretched):
        monkeypatch.setattr(lift, "polar_factor", wrong)
        T = nk.dualize("spectral", G)
        assert not nk.certify("spectral", G, T).holds(1e-4)
        monkeypatch.setattr(lift, "polar_factor", sound)
    assert nk.certify("spectral", G, nk.dualize("spectral", G)).holds(1e-10)


@pytest.mark.parametrize("shape", [(40, 56), (256, 192)], ids=str)
def test_the_seam_returns_pairings_of_the_factor_and_multiplies_it_by_a_gain(shape: tuple[int, int]) -> None:
    from normkit.polar import polar_factor
    from normkit.polar.given import Given

    spectra = [np.geomspace(1, low, min(shape)) for low in (0.5, 1e-3)]
    batch = np.stack([matrix(shape, spectrum, np.float32) for spectrum in spectra])
    far, gain = np.array([3, -2]), np.array([2.5, 0.0])
    for accuracy in (0.1, None):
        out, scaled = np.empty_like(batch), np.empty_like(batch)
        sums = polar_factor(batch, 2.0**-23, out, accuracy)
        np.testing.assert_allclose(sums, np.sum(batch.astype(np.float64) * out, axis=(1, 2)), rtol=1e-6)
        assert all(np.linalg.norm(T, 2) <= 1 + 1e-6 for T in out)
        moved = np.ldexp(batch, far[:, None, None])
        np.testing.assert_array_equal(polar_factor(Given(moved, far), 2.0**-23, scaled, accuracy, gain), sums)
        np.testing.assert_allclose(scaled, out * gain[:, None, None].astype(np.float32), rtol=1e-6)


# --- threads ------------------------------------------------------------------------------------------------------


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    before = numba.get_num_threads()
    G = np.random.default_rng(0).standard_normal((160, 256)).astype(np.float32)
    batch = np.random.default_rng(1).standard_normal((12, 40, 48)).astype(np.float32)
    made: dict[int, list[np.ndarray]] = {}
    try:
        for threads in {1, before}:
            numba.set_num_threads(threads)
            asked = ((0.1, "auto"), (1e-3, "ns"), (1e-3, "gram"), (1e-4, "qdwh"))
            made[threads] = [nk.polar(G, accuracy, method) for accuracy, method in asked]
            made[threads] += [nk.polar(batch, accuracy) for accuracy in (0.1, 1e-3)]
    finally:
        numba.set_num_threads(before)
    for alone, together in zip(made[1], made[before], strict=True):
        # bfloat16 rounds products that differ in the last bit to numbers 2^-8 apart.
        np.testing.assert_allclose(alone, together, atol=2e-3)
    np.testing.assert_array_equal(made[1][-1], made[before][-1])


def test_threads_of_the_caller_may_call_at_once() -> None:
    kinds = [((200, 200), 0.1), ((96, 300), 1e-3), ((300, 96), 1e-6), ((9, 64, 64), 1e-2)]
    rng = np.random.default_rng(0)
    inputs = [(rng.standard_normal(shape).astype(np.float32), accuracy) for shape, accuracy in kinds]
    expected = [nk.polar(G, accuracy) for G, accuracy in inputs]
    wrong: list[str] = []
    done: list[int] = []

    def work(start: int) -> None:
        for turn in range(8):
            i = (start + turn) % len(inputs)
            G, accuracy = inputs[i]
            if np.abs(nk.polar(G, accuracy) - expected[i]).max() > 2 * accuracy + 1e-3:
                wrong.append(f"{start} {turn}")
        done.append(start)

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == [0, 1, 2] and not wrong


def test_a_workspace_is_reused_without_memory_of_the_last_matrix() -> None:
    G = matrix((64, 64), np.geomspace(1, 1e-2, 64), np.float32)
    first = nk.polar(G, 1e-3, "ns")
    nk.polar(np.full((64, 64), 1e-3, np.float32) + 100 * np.eye(64, dtype=np.float32), 1e-3, "ns")
    np.testing.assert_array_equal(nk.polar(G, 1e-3, "ns"), first)


def test_polar_of_a_large_batch_is_what_one_by_one_gives() -> None:
    batch = np.random.default_rng(3).standard_normal((7, 40, 64)).astype(np.float32)
    asked = task((40, 64), batch.dtype, 2.0**-23, 1e-3)
    out = np.empty_like(batch)
    outcomes = core.polar(Given(batch), asked, out)
    assert len(outcomes) == 7 and all(outcome.error <= 1e-3 for outcome in outcomes)
    for G, T in zip(batch, out, strict=True):
        assert np.abs(T - nk.polar(G, 1e-3)).max() < 2e-3
    assert cpu is not None
