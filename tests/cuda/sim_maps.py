"""The kernels of duality maps in numba's simulator against the reference back end; `test_sim_maps` runs this file.

The simulator must be chosen before numba is imported, so this file is no part of the suite's own process. Its threads
are Python's: blocks are of four or eight, and items are tiny. NumPy warns where a device computes with infinities.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numba.cuda.simulator.kernel import FakeCUDAKernel
from numba.cuda.simulator.kernelapi import FakeCUDAShared

import normkit as nk
from normkit.backends import backend
from normkit.backends.cuda.compat import SIMULATED, cuda
from normkit.backends.cuda.maps import formats, generated, host, moves
from normkit.backends.cuda.maps.kernel import CUDAKernel
from normkit.backends.cuda.maps.run import Sizes
from normkit.codegen.plan import Missing, Plan
from normkit.errors import DTypeError, ShapeError
from normkit.programs import program

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

SIZES = Sizes(threads=2, tile=4, line=16, chunk=16, rows=3)
MORE = Sizes(threads=4, tile=8, line=16, chunk=16, rows=3)
WIDE = Sizes(threads=8, tile=16, line=1024, chunk=1024, rows=64)
Array = np.ndarray[Any, Any]

EXAMPLES = {str(example): example for cls in nk.norms().values() for example in cls.examples()}
STAGES = [
    *("l1", "l2", "linf", "lp(3)", "max", "fro", "entries(l1)", "transpose(rows(l1, l2))"),
    *("rows(linf, l2)", "cols(l1, lp(3))", "rows(l1, linf)", "rows(topk(2), l1)", "rms->linf"),
    *("topk(3)", "ksupport(2)", "infconv(l1, 2*l2)", "lovasz(sqrt(n))", "owl([3, 2, 2, 1, 1, 0])", "box(0, 1, 2)"),
    *("amemiya(x**2 + x)", "orlicz(x**2 + x)", "max(l1, 6/5*l2)", "l2 + 0.5*l1", "infconv(l1, 2*linf)"),
    *("wlinf([1.0, 2.0, 0.5, 4.0, 1.0, 3.0])", "wlp(3, [1.0, 2.0, 0.5, 4.0, 1.0, 3.0])"),
    *("groups(l1, l2, [[0, 3], [1, 2, 5], [4]])", "rowblocks(topk(2), l1, [1, 3, 1])"),
    *("slices(l2, 'a b', 'b', l1)", "max(topk(2), 1/2*l1)", "blockdiag(max, [2, 1, 3])"),
    "atoms([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.5], [1.0, -1.0, 0.0]])",
]
"""A norm or more of every stage, and of compositions."""


def plans(spec: str) -> list[Plan]:
    made = program(spec)
    return [plan for plan in (made.value, made.dual) if not isinstance(plan, Missing)]


def shape(spec: str) -> tuple[int, ...]:
    free = iter((6, 6) if spec.startswith(("blockdiag", "sym")) else (5, 7))
    held = program(spec).shape
    found = (6,) if "groups" in spec or "owl" in spec else tuple(next(free) if each is None else each for each in held)
    return (11,) if held == (None,) and "groups" not in spec and "owl" not in spec else found


def polar(x: Any, out: Any, coefficients: Any, stream: Any) -> Any:
    """Stand in for the polar core: singular vectors by NumPy, item by item."""
    count, (m, n) = x.count, x.shape
    items = strided(x)
    sums, gain = np.zeros(count), coefficients.copy_to_host()[:count]
    for place, item in enumerate(items):
        if not np.isfinite(item).all():
            sums[place] = np.nan
        elif item.any():
            left, sigma, right = np.linalg.svd(item.astype(np.float64), full_matrices=False)
            real = sigma > np.sqrt(max(m, n)) * np.finfo(x.data.dtype).eps * sigma[0]
            sums[place] = sigma.sum()
            strided(out)[place] = gain[place] * (left * real) @ right
        else:
            strided(out)[place] = 0
    return cuda.to_device(sums)


def strided(x: Any) -> Array:
    data = x.data._ary
    steps = (x.lead[1][0][1], x.item[0][0][1], x.item[1][0][1])
    strides = tuple(step * data.itemsize for step in steps)
    return np.lib.stride_tricks.as_strided(data[x.start :], (x.count, *x.shape), strides)


def run(plan: Plan, x: Array, out: Array | None = None, sizes: Sizes = SIZES, kind: str = "") -> tuple[Array, Array]:
    """Return values and map by the kernels, from x and to `out` as they lie in memory."""
    kernel = CUDAKernel(plan, kind or x.dtype, None, polar, sizes)
    given = type(cuda.to_device(np.zeros(1)))(x)
    written = type(given)(np.full(x.shape, 7, x.dtype) if out is None else out)
    before = x.copy()
    values = kernel.map(given, written).copy_to_host()
    again = kernel.value(given).copy_to_host()
    np.testing.assert_array_equal(x, before, err_msg="the input was changed")
    np.testing.assert_allclose(again, values, rtol=1e-6 if x.dtype == np.float32 else 1e-13)
    return values, written._ary


def wanted(plan: Plan, x: Array) -> tuple[Array, Array]:
    out = np.empty(x.shape, x.dtype)
    return backend("reference").compile(plan, x.dtype).map(x, out), out


def check(plan: Plan, x: Array, out: Array | None = None, sizes: Sizes = SIZES) -> None:
    values, made = run(plan, x, out, sizes)
    expected, map_ = wanted(plan, x)
    tolerance = 1e-12 if x.dtype == np.float64 else 3e-6
    np.testing.assert_allclose(values, expected, rtol=tolerance)
    here = np.isfinite(expected)
    for one, other in zip(made[here], map_[here], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max(initial=0.0))


def gaussian(spec: str, dtype: str = "float64", count: int = 2, seed: int = 0) -> Array:
    x = np.random.default_rng(seed).standard_normal((count, *shape(spec)))
    if spec.startswith("blockdiag"):
        blocks = np.repeat([0, 1, 2], [2, 1, 3])
        x *= blocks[:, None] == blocks
    return x.astype(dtype)


@pytest.fixture(scope="module", autouse=True)
def _quick_simulator() -> Iterator[None]:
    """Make the simulator quick and safe: it looks through a module at every call, and allots without a lock."""
    lock, launch = threading.Lock(), FakeCUDAKernel.__call__

    def call(self: Any, *arguments: Any) -> Any:
        # Functions of the kernel's own module see its block already, and others do not ask for it.
        return self.fn(*arguments) if self._device else launch(self, *arguments)

    def array(self: Any, shape: Any, dtype: Any, alignment: Any = None) -> Any:
        frame = sys._getframe(1)
        key = (frame.f_code.co_filename, frame.f_lineno)
        with lock:
            if key not in self._allocations:
                self._allocations[key] = np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -7, dtype)
            return self._allocations[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeCUDAKernel, "__call__", call)
        patch.setattr(FakeCUDAShared, "array", array)
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # it waits for its threads in a loop
        yield
        sys.setswitchinterval(before)


def test_this_is_the_simulator() -> None:
    assert SIMULATED


@pytest.mark.parametrize("spec", STAGES)
def test_every_stage_agrees_with_the_reference(spec: str) -> None:
    for place, plan in enumerate(plans(spec)):
        check(plan, gaussian(spec, ("float64", "float32")[place % 2], seed=place), sizes=MORE)


POLICIES = [
    "l2",
    "linf",
    "lp(3)",
    "topk(3)",
    "amemiya(x**2 + x)",
    "max(l1, 6/5*l2)",
    "rows(linf, l2)",
    "rows(l1, linf)",
]


@pytest.mark.parametrize("spec", POLICIES)
def test_zeros_ties_and_what_is_not_finite(spec: str) -> None:
    """A zero item, ties with zeros of both signs among them, one entry alone, a NaN, an infinity: item by item."""
    x = np.zeros((6, *shape(spec)))
    x[1] = np.resize([2.0, -2.0, 0.0, -0.0, 2.0, 1.0], shape(spec))
    x[2].flat[3] = -5.0
    x[3:] = gaussian(spec, count=3)
    x[3].flat[-1], x[4].flat[1] = np.nan, -np.inf
    for plan in plans(spec):
        check(plan, x)


@pytest.mark.parametrize("spec", ["l2", "linf", "lp(3)", "max(l1, 6/5*l2)", "rows(linf, l2)"])
@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [("float64", 1000), ("float64", -1040), ("float32", 120), ("float32", -130)],
    ids=["float64-large", "float64-subnormal", "float32-large", "float32-subnormal"],
)
def test_scales(spec: str, dtype: str, exponent: int) -> None:
    """Near the ends of a dtype's range, subnormal entries among them, an item has the map of one of plain size."""
    with np.errstate(all="ignore"):
        x = np.ldexp(gaussian(spec, count=1).astype(dtype), exponent)
    for plan in plans(spec):
        check(plan, x, sizes=WIDE)


@pytest.mark.parametrize("spec", ["topk(3)", "amemiya(x**2 + x)"])
def test_scales_of_sorts_and_roots(spec: str) -> None:
    for exponent in (1000, -1000):
        check(plans(spec)[0], np.ldexp(gaussian(spec, count=1), exponent), sizes=WIDE)


@pytest.mark.parametrize("spec", ["linf", "rows(linf, l2)", "transpose(rows(l1, l2))", "entries(l1)"])
def test_layouts_of_both_ends(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strided, transposed and reversed arrays on either side are not copied; what is between their entries stays."""
    monkeypatch.setattr(moves, "packed", None)
    monkeypatch.setattr(moves, "unpacked", None)
    matrix = (3, 4)
    plain = np.random.default_rng(5).integers(-2, 3, (2, *matrix)).astype(np.float64)
    plain = plain.reshape(2, -1) if program(spec).shape == (None,) else plain
    turn = tuple(range(plain.ndim - 1, 0, -1))
    for laid in (
        np.repeat(np.repeat(plain, 2, axis=0), 2, axis=-1)[::2, ..., ::2],
        np.ascontiguousarray(plain.transpose(0, *turn)).transpose(0, *turn),
        np.ascontiguousarray(plain[::-1, ..., ::-1])[::-1, ..., ::-1],
    ):
        for plan in plans(spec):
            for x, like in ((laid, plain), (plain, laid)):
                base = np.full(3 * like.size * 4, 7.0)
                out = _laid(base, like)
                check(plan, x, out)
                assert (base == 7.0).sum() >= base.size - out.size


def _laid(base: Array, like: Array) -> Array:
    """Return an array in `base` with the strides of another one."""
    steps = [step // like.itemsize for step in like.strides]
    start = sum(-step * (size - 1) for step, size in zip(steps, like.shape, strict=True) if step < 0)
    return np.lib.stride_tricks.as_strided(base[start:], like.shape, like.strides)


def test_axes_in_pieces_are_no_copies_or_are_copied_right() -> None:
    """Regrouped axes that two strides cannot follow; sums of a matrix whose rows are cut."""
    x = np.random.default_rng(6).standard_normal((2, 4, 3))
    for spec in (
        "slices(l2, 'a b', 'b', l1)",
        "matricize(max, '(h=2 d=2) i', 'd', 'h i')",
        "matricize(fro, '(h=2 d=2) i', 'd', 'h i')",
    ):
        for plan in plans(spec):
            check(plan, x)
            check(plan, np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1))


@pytest.mark.parametrize("spec", ["l2", "linf", "topk(3)", "orlicz(x**2 + x)", "rows(linf, l2)"])
def test_one_entry_no_entry_no_item(spec: str) -> None:
    one = (1,) if len(shape(spec)) == 1 else (1, 1)
    for plan in plans(spec):
        check(plan, np.array([-3.0, 0.0]).reshape(2, *one))
        for empty in ((0, *one), (2, *(0 for _ in one))):
            values, _ = run(plan, np.empty(empty))
            assert values.tolist() == [0.0] * empty[0]


def test_items_of_a_batch_do_not_know_each_other() -> None:
    """The bits of an item are the same alone and among others, whatever these need."""
    x = np.random.default_rng(7).standard_normal((3, 5, 7)).astype(np.float32)
    x[1] = np.ldexp(x[1], 120)
    for spec in ("fro", "cols(l1, lp(3))"):
        for plan in plans(spec):
            values, made = run(plan, x)
            for place in range(3):
                alone, map_ = run(plan, x[place : place + 1].copy())
                assert alone[0] == values[place]
                np.testing.assert_array_equal(map_[0], made[place])


# --- formats --------------------------------------------------------------------------------------

HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


@pytest.mark.parametrize("kind", HALVES)
def test_every_pattern_of_16_bits(kind: str) -> None:
    """All patterns become their float32; their own values, and values halfway between, come back as NumPy rounds."""
    patterns = np.arange(1 << 16, dtype=np.uint16)[::7]
    wide, narrow, bits = (getattr(formats, f"{name}_{kind}") for name in ("wide", "narrow", "bits"))
    values = patterns.view(HALVES[kind]).astype(np.float32)
    np.testing.assert_array_equal(np.array([wide(p) for p in patterns], np.float32), values)
    finite = values[np.isfinite(values)]
    order = np.argsort(np.abs(finite), kind="stable")
    magnitudes = np.array([bits(p) for p in patterns[np.isfinite(values)]])
    assert (np.diff(magnitudes[order]) >= 0).all()
    halfway = (finite[:-1].astype(np.float64) + finite[1:]) / 2
    tests = np.concatenate([values, halfway.astype(np.float32), [1e6, -7e-8, 65519.0, 65520.0]]).astype(np.float32)
    back = np.array([narrow(v) for v in tests], np.uint16).view(HALVES[kind])
    np.testing.assert_array_equal(back.astype(np.float32), tests.astype(HALVES[kind]).astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "spec"),
    [("float16", spec) for spec in ("linf", "l2")]
    + [("bfloat16", spec) for spec in ("linf", "l2", "lp(3)", "topk(3)", "max(l1, 6/5*l2)", "rows(l1, l2)")],
)
def test_16_bits_in_pairs_and_alone(spec: str, kind: str) -> None:
    """Lines of even length are read two entries at a time, the others entry by entry: both as NumPy rounds."""
    for even in (0, 1):
        items = (2, 12 + even) if program(spec).shape == (None,) else (2, 3, 8 + even)
        x = np.random.default_rng(8).standard_normal(items).astype(HALVES[kind])
        x.reshape(2, -1)[0, 2] = 0.0
        for plan in plans(spec):
            values, made = run(plan, x.view(np.uint16), kind=kind)
            expected, map_ = wanted(plan, x.astype(np.float64))
            np.testing.assert_allclose(values, expected, rtol=1e-6)
            ulp = float(ml_dtypes.finfo(HALVES[kind]).eps)
            np.testing.assert_allclose(made.view(HALVES[kind]).astype(np.float64), map_, rtol=0.51 * ulp, atol=1e-7)


# --- singular values, searches, errors ------------------------------------------------------------


def test_singular_values_take_the_polar_core_or_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    x = gaussian("rms->rms", count=3)
    x[1] = 0.0
    x[2] = np.outer(np.arange(5.0), np.arange(7.0))
    host.note.cache_clear()
    for spec in ("spectral", "rms->rms", "transpose(spectral)", "max(spectral, 1/2*fro)", "kyfan(2)"):
        caplog.clear()
        for plan in plans(spec):
            check(plan, x)
        assert len(caplog.records) == {"spectral": 1, "kyfan(2)": 0}.get(spec, 0), "one note for all of them"
    for spec in ("slices(spectral, '(h=2 d=2) i', 'h', linf)", "matricize(spectral, '(h=2 d=2) i', 'd', 'h i')"):
        for plan in plans(spec):
            values, made = run(plan, gaussian("rms->rms")[:, :4])
            expected, map_ = wanted(plan, gaussian("rms->rms")[:, :4])
            np.testing.assert_allclose(values, expected, rtol=1e-12)
            np.testing.assert_allclose(made, map_, atol=1e-12)
    for plan in plans("nuclear"):
        values, made = run(plan, x[:, :, ::-1].copy()[:, :, ::-1])
        expected, map_ = wanted(plan, x)
        np.testing.assert_allclose(values, expected, rtol=1e-12)
        np.testing.assert_allclose(made, map_, atol=1e-12)


def test_what_the_kernel_refuses() -> None:
    kernel = CUDAKernel(program("l2").value, "float32", sizes=SIZES)
    with pytest.raises(DTypeError, match="float32 got an array of float64"):
        kernel.value(cuda.to_device(np.ones((1, 3))))
    with pytest.raises(ShapeError, match="6 weights and the vector 3"):
        run(program("wlinf([1.0, 2.0, 0.5, 4.0, 1.0, 3.0])").value, np.ones((1, 3)))


# --- planted faults -------------------------------------------------------------------------------

FAULTS = {
    "tie-to-the-last": ("linf", "there < place)", "there > place)"),
    "tree-drops-a-lane": ("l2", "sums[t] += sums[t + half]", "sums[t] += sums[t + half] if t else 0.0"),
    "chunk-counted-twice": ("fro", "first + chunk)", "first + chunk + 1)"),
    "no-second-look": (
        "l2",
        "once_more = (part[0], part[1] if again else np.int64(0), part[2])",
        "once_more = (part[0], np.int64(0), part[2])",
    ),
    "sort-not-stable": ("ksupport(2)", "order[low] > order[high]", "order[low] < order[high]"),
    "rank-off-by-one": ("topk(3)", "if i < j:", "if i <= j:"),
    "sign-lost": ("l1", "(down if entry < 0", "(up if entry < 0"),
    "tail-from-the-head": ("infconv(l1, 2*l2)", "k < COUNT and region(k) == 1", "region(k) == 5"),
    "barrier-missing": ("amemiya(x**2 + x)", "sums[t] = value\n    cuda.syncthreads()", "sums[t] = value"),
    "limit-forgotten": ("amemiya(x**2 + x)", "found <= 1.0", "found <= 1.1"),
    "weights-misplaced": ("owl([3, 2, 2, 1, 1, 0])", "return w[np.uint64(i)]", "return w[np.uint64(5 - i)]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, right, wrong = FAULTS[fault]
    true_fill, changed = generated.fill, []

    def fill(template: str, definitions: list[str]) -> str:
        text = true_fill(template, definitions)
        changed.append(right in text)
        return text.replace(right, wrong)

    monkeypatch.setattr(generated, "fill", fill)
    makers = (generated.sums, generated.generate, generated.ranked, generated.root)
    try:
        for maker in makers:
            maker.cache_clear()
        with pytest.raises((AssertionError, IndexError, RuntimeError)):
            compare_all(spec)
        assert any(changed), "the fault was not planted"
    finally:
        for maker in makers:
            maker.cache_clear()


def compare_all(spec: str) -> None:
    """Compare items of plain size, with ties, and far from 1, with the reference."""
    x = np.concatenate([gaussian(spec, count=2), np.resize([3.0, -3.0, 1.0, 0.0, -2.0], (1, *shape(spec)))])
    x[1] *= 2.0**600
    for plan in plans(spec):
        check(plan, x)
