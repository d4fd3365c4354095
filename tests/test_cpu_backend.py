"""The CPU back end against the reference back end, and its own promises: bits, scales, threads, cache."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numba
import numpy as np
import pytest

import normkit as nk
from normkit.backends import backend
from normkit.backends.linear import apply
from normkit.backends.scalar import function
from normkit.codegen.plan import LiftPlan, Missing, Plan, Scalar
from normkit.codegen.source import fill, rooted
from normkit.programs import program

EXAMPLES = {str(example): example for cls in nk.norms().values() for example in cls.examples()}
DTYPES = [np.dtype("float32"), np.dtype("float64")]
LAYOUT_SPECS = [
    "max",
    "sumabs",
    "fro",
    "rows(linf, l2)",
    "rows(lp(3), linf)",
    "cols(linf, l2)",
    "cols(linf, l1)",
    "cols(l1, lp(3))",
    "entries(lp(3))",
    "entries(ksupport(5))",
    "dual(entries(topk(5/2)))",
    "transpose(rows(linf, l2))",
]


def plans(norm: nk.Norm | str) -> list[Plan]:
    made = program(norm)
    return [plan for plan in (made.value, made.dual) if not isinstance(plan, Missing)]


def run(plan: Plan, x: np.ndarray[Any, Any], name: str = "cpu") -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    kernel = backend(name).compile(plan, x.dtype)
    out = np.full(x.shape, 7, x.dtype)
    values = kernel.map(x, out)
    np.testing.assert_allclose(kernel.value(x), values, rtol=4e-15 if not has_svd(plan) else 1e-5)
    return values, out


def has_svd(plan: Plan) -> bool:
    return any(isinstance(node, LiftPlan) for node in plan.walk())


def items(norm: nk.Norm, dtype: np.dtype[Any], count: int = 2, seed: int = 0) -> np.ndarray[Any, Any]:
    """Gaussian items of a norm's shape, in its subspace."""
    free = iter((5, 7) if norm.subspace is None else (6, 6))
    shape = [next(free) if length is None else length for length in norm.shape]
    x = np.random.default_rng(seed).standard_normal((count, *shape))
    if norm.subspace is not None:
        x = np.stack([apply(norm.subspace, item, item.shape) for item in x])
    return x.astype(dtype)


def assert_close(plan: Plan, x: np.ndarray[Any, Any]) -> None:
    values, out = run(plan, x)
    expected, wanted = run_reference(plan, x)
    eps = float(np.finfo(x.dtype).eps)
    loose = 500 if has_svd(plan) else 1
    np.testing.assert_allclose(values, expected, rtol=loose * (eps if has_svd(plan) else 1e-14))
    np.testing.assert_allclose(out, wanted, rtol=8 * loose * eps, atol=8 * loose * eps * np.abs(wanted).max())


def run_reference(plan: Plan, x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    out = np.empty(x.shape, x.dtype)
    return backend("reference").compile(plan, x.dtype).map(x, out), out


# --- parity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", EXAMPLES)
def test_every_norm_agrees_with_the_reference(spec: str) -> None:
    for plan in plans(EXAMPLES[spec]):
        assert_close(plan, items(EXAMPLES[spec], np.dtype("float64")))


def layouts(x: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    wide = np.zeros((x.shape[0], 2 * x.shape[1], x.shape[2] + 3), x.dtype)
    wide[:, ::2, :-3] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    return {
        "contiguous": x,
        "fortran": np.asfortranarray(x[0])[None],
        "columns": np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2),
        "strided": wide[:, ::2, :-3],
        "reversed": x[:, ::-1, ::-1].copy()[:, ::-1, ::-1],
        "read-only": frozen,
    }


@pytest.mark.parametrize("spec", LAYOUT_SPECS)
def test_layouts(spec: str) -> None:
    x = np.random.default_rng(1).standard_normal((2, 9, 21)).astype(np.float32)
    for name, laid in layouts(x).items():
        for plan in plans(spec):
            kept = laid.copy()
            assert_close(plan, laid)
            np.testing.assert_array_equal(laid, kept, err_msg=f"{name} input was changed")


@pytest.mark.parametrize("shape", [(2, 40000), (1400, 50), (20, 5000)])
@pytest.mark.parametrize("spec", LAYOUT_SPECS)
def test_sizes_beyond_one_block(spec: str, shape: tuple[int, int]) -> None:
    """Lines longer than a block, more columns than a tile, and more rows than a block of columns."""
    across = spec.startswith(("cols", "transpose"))
    x = np.random.default_rng(2).standard_normal((1, *(shape[::-1] if across else shape))).astype(np.float32)
    for plan in plans(spec):
        assert_close(plan, x)


@pytest.mark.parametrize("spec", ["max", "cols(linf, l2)", "transpose(rows(linf, l2))", "dual(entries(topk(5/2)))"])
def test_out_of_any_layout(spec: str) -> None:
    x = np.random.default_rng(3).standard_normal((2, 8, 20))
    for plan in plans(spec):
        kernel, expected = backend("cpu").compile(plan, x.dtype), np.empty(x.shape)
        kernel.map(x, expected)
        for out in layouts(np.zeros((2, 8, 20))).values():
            if out.flags.writeable and len(out) == len(x):
                kernel.map(x, out)
                np.testing.assert_allclose(out, expected, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)], ids=str)
def test_half_precision_is_widened_and_narrowed_once(dtype: np.dtype[Any]) -> None:
    x = np.random.default_rng(4).standard_normal((2, 6, 9)).astype(dtype)
    for spec in ("rows(linf, l2)", "entries(ksupport(5))", "spectral"):
        values, out = run_no_value(program(spec).dual, x)
        wide, wanted = run_no_value(program(spec).dual, x.astype(np.float32))
        assert out.dtype == dtype
        np.testing.assert_allclose(values, wide, rtol=1e-6)
        np.testing.assert_array_equal(out, wanted.astype(dtype))


def run_no_value(plan: Any, x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    out = np.empty(x.shape, x.dtype)
    return backend("cpu").compile(plan, x.dtype).map(x, out), out


# --- scales, zeros, ties, what is not finite ------------------------------------------------------


@pytest.mark.parametrize("spec", EXAMPLES)
def test_powers_of_two_keep_every_bit(spec: str) -> None:
    x = items(EXAMPLES[spec], np.dtype("float64"), seed=5)
    for plan in plans(EXAMPLES[spec]):
        values, out = run_no_value(plan, x)
        for power in (-901, -7, 1, 800):
            moved, same = run_no_value(plan, np.ldexp(x, power))
            np.testing.assert_array_equal(same, out)
            np.testing.assert_array_equal(np.ldexp(moved, -power), values)


@pytest.mark.parametrize("spec", LAYOUT_SPECS)
def test_powers_of_two_keep_every_bit_of_float32(spec: str) -> None:
    x = np.random.default_rng(6).standard_normal((2, 9, 21)).astype(np.float32)
    for plan in plans(spec):
        values, out = run_no_value(plan, x)
        for power in (-100, 3, 120):
            moved, same = run_no_value(plan, np.ldexp(x, power))
            np.testing.assert_array_equal(same, out)
            np.testing.assert_array_equal(np.ldexp(moved, -power), values)


@pytest.mark.parametrize("spec", ["rows(linf, l2)", "cols(linf, l2)", "rows(linf, lp(3))", "cols(l1, lp(3/2))"])
def test_lines_at_the_ends_of_the_range(spec: str) -> None:
    """Rows of 1e300 and of subnormal entries beside ordinary ones; the reference scales each in one step."""
    x = np.random.default_rng(7).standard_normal((1, 5, 5))
    for axis in (1, 2):
        y = x.copy()
        np.moveaxis(y, axis, 0)[0] *= 1e300
        np.moveaxis(y, axis, 0)[1] *= 2.0**-1040
        for plan in plans(spec):
            assert_close(plan, y)


@pytest.mark.parametrize("spec", EXAMPLES)
def test_zero_goes_to_zero(spec: str) -> None:
    for plan in plans(EXAMPLES[spec]):
        values, out = run_no_value(plan, np.zeros_like(items(EXAMPLES[spec], np.dtype("float64"))))
        assert not values.any()
        assert not out.any()


def test_ties_take_the_first_index() -> None:
    x = np.array([[1.0, -2.0, 2.0, 0.0, -2.0]])
    assert run_no_value(program("l1").dual, x)[1].tolist() == [[0.0, -1.0, 0.0, 0.0, 0.0]]
    assert run_no_value(program("topk(2)").value, x)[1].tolist() == [[0.0, -1.0, 1.0, 0.0, 0.0]]
    grid = np.array([[[1.0, 3.0], [-3.0, 3.0], [3.0, 0.0]]])
    assert run_no_value(program("cols(linf, l1)").dual, grid)[1].tolist() == [[[0, 1], [-1, 0], [0, 0]]]
    assert run_no_value(program("sumabs").dual, grid.swapaxes(1, 2))[1].tolist() == [[[0, -1, 0], [0, 0, 0]]]


def test_a_zero_entry_has_sign_zero() -> None:
    x = np.array([[[0.0, -0.0, 2.0], [-1.0, 0.0, 0.0]]])
    for spec in ("max", "cols(linf, l1)", "rows(l1, linf)", "entries(lp(1))"):
        assert not run_no_value(program(spec).dual, x)[1][x == 0].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_is_not_finite_makes_its_item_nan(bad: float, dtype: np.dtype[Any]) -> None:
    for spec in (*LAYOUT_SPECS, "spectral", "schatten(3)"):
        x = np.random.default_rng(8).standard_normal((3, 6, 7)).astype(dtype)
        x[1, 5, 6] = bad
        for plan in plans(spec):
            values, out = run_no_value(plan, x)
            assert np.isnan(values).tolist() == [False, True, False], spec
            alone, one = run_no_value(plan, x[2:])
            np.testing.assert_allclose(values[2:], alone, rtol=1e-12 if dtype == np.float64 else 1e-5)
            np.testing.assert_allclose(out[2:], one, rtol=1e-4, atol=1e-5)


def test_an_empty_batch() -> None:
    values, out = run_no_value(program("fro").dual, np.empty((0, 3, 4)))
    assert values.shape == (0,)
    assert out.shape == (0, 3, 4)


# --- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", LAYOUT_SPECS)
def test_bits_do_not_depend_on_the_number_of_threads(spec: str) -> None:
    x = np.random.default_rng(9).standard_normal((1, 500, 700)).astype(np.float32)
    threads = numba.get_num_threads()
    found = []
    try:
        for count in {1, threads}:
            numba.set_num_threads(count)
            found.append([run_no_value(plan, x) for plan in plans(spec)])
    finally:
        numba.set_num_threads(threads)
    for other in found[1:]:
        np.testing.assert_equal(other, found[0])


# --- generated source and its cache ---------------------------------------------------------------


def test_the_source_is_what_runs() -> None:
    kernel = backend("cpu").compile(program("rows(linf, lp(3))").dual, np.dtype("float32"))
    assert "    return a * sqrt(a)\n" in kernel.source
    assert "np.float32" in kernel.source
    assert "bindings" not in kernel.source


def test_a_plan_without_loops_is_refused_by_name() -> None:
    @dataclass(frozen=True)
    class StrangePlan(Plan):
        pass

    with pytest.raises(TypeError, match="StrangePlan"):
        backend("cpu").compile(StrangePlan(), np.dtype("float64"))


@pytest.mark.parametrize("source", ["(a)**(1.5)", "(a + 1)**(-0.75)", "2*(a)**(3)", "(a)**(0.3)", "where(a < 2, a, 0)"])
def test_powers_as_roots_are_the_same_numbers(source: str) -> None:
    a = np.linspace(0.1, 5.0, 50)
    written = [float(eval(rooted(source), {"sqrt": np.sqrt, "a": value})) for value in a]
    np.testing.assert_allclose(written, function(Scalar(("a",), source))(a), rtol=4e-16)


def test_a_template_must_import_stand_ins() -> None:
    with pytest.raises(ValueError, match="must import stand-ins once"):
        fill("normkit.backends.cpu.pool", [])


CODE = """
import numpy as np, normkit as nk
g = np.random.default_rng(0).standard_normal((40, 30)).astype(np.float32)
print(nk.dualize("rows(linf, l2)", g).tobytes().hex()[:400], nk.dual_value("fro", g))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "NORMKIT_CACHE_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", CODE], env=environment, text=True, stdout=-1, stderr=-1
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def test_cache_shared_damaged_or_not_writable(tmp_path: Path) -> None:
    """Two processes fill one folder at once; damaged files are made anew; a folder that cannot be is done without."""
    together = [start(tmp_path) for _ in range(2)]
    answers = [finish(process) for process in together]
    assert answers[0] == answers[1]
    kernels = tmp_path / "kernels"
    compiled = sorted(kernels.glob("__pycache__/*.nb*"))
    assert compiled, "numba wrote no cache beside the generated modules"
    before = {path.name: path.stat().st_mtime_ns for path in compiled}
    assert finish(start(tmp_path)) == answers[0]
    assert {path.name: path.stat().st_mtime_ns for path in kernels.glob("__pycache__/*.nb*")} == before

    for path in [*kernels.glob("__pycache__/*.nb*"), *kernels.glob("*.py"), *tmp_path.glob("*/programs/*")]:
        path.write_bytes(path.read_bytes()[:20])
    assert finish(start(tmp_path)) == answers[0]
    assert finish(start(tmp_path)) == answers[0]

    blocked = tmp_path / "file"
    blocked.write_text("a folder cannot be made below this file")
    assert finish(start(blocked / "cache")) == answers[0]


# --- long lines: sorted group by group, or without indices ----------------------------------------------------------

LONG = 33_000
RAMP = np.linspace(2.0, 0.5, LONG)


def long_line(kind: str, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    draw = np.random.default_rng(7)
    x = draw.standard_normal(LONG) if kind == "normal" else draw.integers(-3, 4, LONG).astype(np.float64)
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["normal", "ties"])
@pytest.mark.parametrize(
    "spec",
    ["l1 + l2", "linf + l2", "max(linf, 1/100*l2)", "max(l1, 6/5*l2)", "dual(topk(20000))", "dual(topk(40.5))"],
)
def test_long_lines_agree_with_the_reference(spec: str, kind: str, dtype: np.dtype[Any]) -> None:
    plan = program(spec).dual
    assert not isinstance(plan, Missing)
    assert_close(plan, long_line(kind, dtype)[None])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["normal", "ties"])
def test_sorted_weights_of_a_long_line_against_numpy(kind: str, dtype: np.dtype[Any]) -> None:
    x, norm = long_line(kind, dtype), nk.OWL(RAMP)
    order = np.argsort(-np.abs(x), kind="stable")
    sizes = np.abs(x[order]).astype(np.float64)
    t, expected = nk.dualize(norm.dual, x, backend="cpu"), np.zeros(LONG)
    expected[order] = RAMP
    np.testing.assert_array_equal(t, (expected * np.sign(x)).astype(dtype))
    assert nk.value(norm, x, backend="cpu") == pytest.approx(np.sum(RAMP * sizes), rel=1e-13)
    ratios = np.cumsum(sizes) / np.cumsum(RAMP)
    k = int(np.argmax(ratios)) + 1
    assert nk.dual_value(norm, x, backend="cpu") == pytest.approx(ratios[k - 1], rel=1e-13)
    head = np.zeros(LONG)
    head[order[:k]] = 1 / np.sum(RAMP[:k])
    np.testing.assert_allclose(
        nk.dualize(norm, x, backend="cpu"), head * np.sign(x), rtol=1e-6 if dtype == "f4" else 1e-13
    )
    thrice, size = nk.compile(1 / 3 * norm.dual).with_value(x)
    np.testing.assert_allclose(thrice, 3 * t, rtol=1e-6)
    assert size == pytest.approx(3 * np.sum(RAMP * sizes), rel=1e-13)


# --- large matrices: NumPy's SVD one by one, the spectral norm from the Gram matrix ----------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(20, 1300), (1300, 20), (300, 290), (2, 3, 300, 40)])
@pytest.mark.parametrize("kind", ["normal", "rank one", "far", "zero"])
def test_the_spectral_norm_of_large_matrices_is_that_of_numpy(
    kind: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    draw = np.random.default_rng(4)
    x = draw.standard_normal(shape)
    if kind == "rank one":
        x = x[..., :1] * x[..., :1, :]
    factor = {"far": 2.0 ** (-100 if dtype == np.float32 else -900), "zero": 0.0}.get(kind, 1.0)
    x = (factor * x).astype(dtype)
    near = x if kind == "zero" else np.ldexp(x.astype(np.float64), -int(np.frexp(factor)[1]))
    expected = np.linalg.norm(near, 2, axis=(-2, -1))
    sizes = nk.value("spectral", x, backend="cpu")
    again = sizes if kind == "zero" else np.ldexp(sizes, -int(np.frexp(factor)[1]))
    # Several matrices share threads that call LAPACK in their own precision; one alone goes by its Gram matrix.
    exact = len(shape) == 2 or dtype == np.float64
    np.testing.assert_allclose(again, expected, rtol=1e-12 if exact else 1e-6)
    rows, columns = shape[-2:]
    np.testing.assert_allclose(nk.value("rms->rms", x, backend="cpu"), np.sqrt(columns / rows) * sizes, rtol=1e-14)
    if kind == "normal":
        t, nuclear = nk.compile("rms->rms").with_value(x)
        singular = np.linalg.svd(x.astype(np.float64), compute_uv=False)
        np.testing.assert_allclose(nuclear, np.sqrt(rows / columns) * singular.sum(axis=-1), rtol=1e-5)
        assert nk.certify("rms->rms", x, t).holds(1e-4 if dtype == np.float32 else 1e-12)
